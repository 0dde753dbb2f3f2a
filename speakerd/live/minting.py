"""Making tokens, on the machine that has the key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from speakerd.config.secret import redact
from speakerd.errors import ConfigError, UnavailableError
from speakerd.live import sdk
from speakerd.live.access import TOKENS_API_VERSION

if TYPE_CHECKING:
    import argparse

    from pydantic import SecretStr

#: A shorter one is hardly fetched when it expires; the server takes less than 20 hours.
_SHORTEST_MIN, _LONGEST_MIN = 5, 1199
#: Half of what whoever fetches a token by a command waits for it.
_TIMEOUT_MS = 10_000
_START = timedelta(minutes=1)  # what the server would choose
_FORBIDDEN = {400, 401, 403}  # 400 is what a key that is not valid gets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``speakerd token``."""
    add = parser.add_argument
    add("--json", action="store_true", help="with its uses and times, for programs")
    add(
        "--minutes",
        type=int,
        default=30,
        metavar="N",
        help=f"how long it is good for, {_SHORTEST_MIN} to {_LONGEST_MIN} (default: %(default)s)",
    )
    add(
        "--uses",
        type=int,
        default=1,
        metavar="N",
        help="how many conversations it begins; 0: any number (default: 1, within a minute)",
    )


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, and what it is good for. ``uses`` 0: for any number of conversations."""

    name: str
    uses: int
    starts_until: datetime
    expires_at: datetime

    def as_dict(self) -> dict[str, str | int]:
        """In the words of the API."""
        return {
            "name": self.name,
            "uses": self.uses,
            "newSessionExpireTime": _written(self.starts_until),
            "expireTime": _written(self.expires_at),
        }


def mint(key: SecretStr, *, minutes: int, uses: int) -> Minted:
    """Make a token that is good for ``minutes`` and begins ``uses`` conversations, 0: any number.

    A single one must begin within a minute, as the server would have it. Raises ConfigError for
    numbers that are not allowed and where the key is refused, UnavailableError where there is no
    answer.
    """
    if not _SHORTEST_MIN <= minutes <= _LONGEST_MIN:
        raise ConfigError(f"--minutes {minutes}: allowed: {_SHORTEST_MIN} to {_LONGEST_MIN}")
    if uses < 0:
        raise ConfigError(f"--uses {uses}: allowed: a whole number from 0")
    from google import genai
    from google.genai import types
    from google.genai.errors import APIError
    from httpx2 import HTTPError

    sdk.hush()
    now = datetime.now(UTC)
    expires_at = now + timedelta(minutes=minutes)
    starts_until = now + _START if uses == 1 else expires_at
    options = types.HttpOptions(api_version=TOKENS_API_VERSION, timeout=_TIMEOUT_MS)
    try:
        with genai.Client(
            api_key=key.get_secret_value(), vertexai=False, http_options=options
        ) as client:
            made = client.auth_tokens.create(
                config=types.CreateAuthTokenConfig(
                    uses=uses, expire_time=expires_at, new_session_expire_time=starts_until
                )
            )
    except APIError as error:
        text = redact(f"{error.code} {error.message or error.status}", [key.get_secret_value()])
        if error.code in _FORBIDDEN:
            raise ConfigError(
                f"no token is made with this key: {text}; see GEMINI_API_KEY"
            ) from None
        raise UnavailableError(f"the server makes no token: {text}; try again") from None
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnavailableError(f"the server cannot be reached: {reason}; try again") from None
    if not made.name:
        raise UnavailableError("the server has answered without a token; try again")
    return Minted(made.name, uses, starts_until, expires_at)


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
