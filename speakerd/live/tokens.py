"""Ephemeral tokens: what a text says of one, and for how long it is of use. Pure: time is told.

A token stands for a key for a while: it begins so many conversations, one if nothing else was
asked for and within a minute, and is taken for half an hour. To resume a conversation is no use of
it (Live API guide, "Ephemeral tokens"; AuthToken in the reference). Only what is known of a token
that is kept depends on times: one that has just been fetched is tried, whatever the clock says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: How the name of every token begins; the name is the secret.
PREFIX = "auth_tokens/"
#: What a token is good for where nobody says it.
USES = 1
START_S = 60.0
LIFE_S = 1800.0
#: One that lasts no longer than this is not taken again: there is more than one sentence to come.
SPARE_S = 120.0
#: So long may pass until a connection that begins now is made.
_CONNECTING_S = 10.0
_LONGEST = 4096


@dataclass(slots=True)
class Token:
    """One token. The times are seconds of a monotonic clock."""

    name: str = field(repr=False)
    starts: int | None  # conversations that it may still begin; None: any number
    starts_until: float
    expires_at: float

    def is_good(self, now: float, *, resuming: bool) -> bool:
        """Whether it can be taken once more: to resume a conversation, or to begin one."""
        if now > self.expires_at - SPARE_S:
            return False
        return resuming or (self.starts != 0 and now <= self.starts_until - _CONNECTING_S)


def read(text: str, now: float, today: float) -> Token:
    """The token that ``text`` is: its name alone, or JSON as ``speakerd token --json`` prints it.

    ``today`` is the time of day, in seconds since 1970. Raises ValueError, which says what is
    wrong without quoting any of it.
    """
    text = text.strip()
    said: dict[str, Any] = {"name": text}
    if text.startswith("{"):
        try:
            said = {_plain(key): value for key, value in json.loads(text).items()}
        except (ValueError, RecursionError):
            raise ValueError("JSON that cannot be read") from None
    name = said.get("name") or said.get("token")
    if not name:
        raise ValueError("JSON without a token in it" if text else "nothing")
    if not isinstance(name, str) or not _is_token(name):
        raise ValueError(f"something that is no token: one begins with {PREFIX}")
    uses = said.get("uses")
    if uses is not None and (not isinstance(uses, int) or uses < 0):
        raise ValueError("a token with uses that are no number")
    return Token(
        name,
        USES if uses is None else uses or None,
        now + _from_now(said.get("newsessionexpiretime"), today, START_S),
        now + _from_now(said.get("expiretime"), today, LIFE_S),
    )


def _plain(key: str) -> str:
    """JSON of Google's is written in camelCase and in snake_case."""
    return key.replace("_", "").lower()


def _is_token(name: str) -> bool:
    rest = name.removeprefix(PREFIX)
    return 0 < len(rest) < len(name) <= _LONGEST and rest.isascii() and not set(rest) & _NEVER


#: What is not in a token, nor in the header that it goes into.
_NEVER = set(" \t\r\n\"'") | {chr(code) for code in range(32)}


def _from_now(at: object, today: float, default_s: float) -> float:
    if at is None:
        return default_s
    try:
        return datetime.fromisoformat(str(at)).timestamp() - today
    except ValueError:
        raise ValueError("a token with a time that cannot be read") from None


class Purse:
    """Keeps the last token for as long as it is of use."""

    def __init__(self) -> None:
        self._token: Token | None = None

    def take(self, now: float, *, resuming: bool) -> Token | None:
        """The token, if it is good for resuming a conversation, or else for beginning one."""
        token = self._token
        return token if token is not None and token.is_good(now, resuming=resuming) else None

    def put(self, token: Token) -> None:
        """Keep this one."""
        self._token = token

    def spend(self) -> None:
        """It has begun a conversation, as far as anybody knows."""
        if self._token is not None and self._token.starts:
            self._token.starts -= 1

    def drop(self) -> None:
        """It is of no use any longer."""
        self._token = None
