"""Ephemeral tokens: each stands for a key, a while, and a number of conversations.

Pure: ``now`` is seconds of any monotonic clock. docs/simulator.md says where the rules are from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.simulator.catalogue import BAD_KEY, TOKEN_EXPIRED, TOKEN_USED_UP, Refused

if TYPE_CHECKING:
    import random

#: How the name of every one begins; the name is the secret.
PREFIX = "auth_tokens/"
#: The defaults, and what is still below the limit (AuthToken, in the reference of the API).
START_S = 60.0
LIFE_S = 1800.0
LIMIT_S = 20 * 3600.0
#: Older ones are forgotten.
MOST_TOKENS = 10_000


@dataclass(slots=True)
class Token:
    """What a token is good for."""

    key: str
    starts: int | None  # conversations that it may still begin; None: any number
    starts_until: float
    expires_at: float


class Tokens:
    """All tokens of one server."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._tokens: dict[str, Token] = {}

    def mint(
        self,
        key: str,
        now: float,
        *,
        uses: int = 1,
        start_s: float = START_S,
        life_s: float = LIFE_S,
    ) -> str:
        """A new token for ``key``; with 0 ``uses`` it begins any number of conversations.

        Raises ValueError for times that are over, or too far away.
        """
        if uses < 0 or not (0 < start_s < LIMIT_S and 0 < life_s < LIMIT_S):
            raise ValueError("uses or times that no token has")
        name = f"{PREFIX}{self._random.getrandbits(256):064x}"
        self._tokens[name] = Token(key, uses or None, now + start_s, now + life_s)
        if len(self._tokens) > MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return name

    def find(self, name: str, now: float) -> Token:
        """The token of that name. Raises :class:`Refused` if there is none, or no longer."""
        token = self._tokens.get(name)
        if token is None:
            raise Refused(BAD_KEY)
        if now >= token.expires_at:
            raise Refused(TOKEN_EXPIRED)
        return token

    def begin(self, name: str, now: float) -> None:
        """A new conversation begins with it; to resume one is no use of it.

        Raises :class:`Refused`.
        """
        token = self.find(name, now)
        if now >= token.starts_until:
            raise Refused(TOKEN_EXPIRED)
        if token.starts == 0:
            raise Refused(TOKEN_USED_UP)
        if token.starts is not None:
            token.starts -= 1
