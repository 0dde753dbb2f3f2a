"""Where tokens come from: a command that prints one, or an address that answers with one.

Both get the text of it and nothing else; :mod:`~speakerd.live.tokens` reads it. What goes wrong is
a :class:`TokenError`, one line that names the option and never quotes what may be a token.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from speakerd.commands import CommandError, Runner

if TYPE_CHECKING:
    from pydantic import SecretStr

    from speakerd.config.settings import Settings

#: A small machine that has the key takes 10 s until somebody is logged in there, and Python and the
#: SDK are loaded (the virtual Raspberry Pi); a sentence waits 20 s for a connection by default.
LIMIT_S = 20.0
#: A token has less than a hundred letters; JSON around it a few hundred.
LARGEST_BYTES = 64 * 1024
#: As much of a reason as fits into a line.
_MOST_LETTERS = 160


class TokenError(Exception):
    """There is no token; the text is one line, with the name of the option."""


class Source(Protocol):
    """Gives tokens."""

    @property
    def option(self) -> str:
        """The variable that names it."""
        ...

    async def fetch(self) -> str:
        """A token that nobody has used yet, as text. Raises TokenError."""
        ...


def source_of(settings: Settings) -> Source | None:
    """The source that ``settings`` name; None where connections are made with the key."""
    if settings.token_command:
        return Command(tuple(shlex.split(settings.token_command)))
    return Address(settings.token_url) if settings.token_url is not None else None


@dataclass(frozen=True)
class Command:
    """A program and its arguments; PATH finds it. There is no shell, and nothing to be asked."""

    argv: tuple[str, ...]
    limit_s: float = LIMIT_S
    option: str = "SPEAKERD_TOKEN_COMMAND"

    @cached_property
    def _runner(self) -> Runner:
        """One for all of them: it knows of a run that could not be ended."""
        return Runner(self.argv, self.option, self.limit_s, LARGEST_BYTES)

    async def fetch(self) -> str:
        """What it prints. Raises TokenError with the last thing it has to say."""
        try:
            return (await self._runner.run()).decode(errors="replace")
        except CommandError as error:
            raise TokenError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Address:
    """An address that answers GET with a token. It may hold a password, and is not shown."""

    url: SecretStr
    limit_s: float = LIMIT_S
    option: str = "SPEAKERD_TOKEN_URL"

    async def fetch(self) -> str:
        """The body of its answer. Redirects are not followed. Raises TokenError."""
        import httpx2

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # below, it tells the whole address
        trust = await asyncio.to_thread(ssl.create_default_context)  # the system's; it takes time
        try:
            async with (
                asyncio.timeout(self.limit_s),
                httpx2.AsyncClient(verify=trust, timeout=None) as client,
                client.stream("GET", self.url.get_secret_value()) as answer,
            ):
                if answer.status_code != httpx2.codes.OK:
                    raise TokenError(f"{self.option} answers HTTP {answer.status_code}")
                body = bytearray()
                async for data in answer.aiter_bytes():
                    body += data
                    if len(body) > LARGEST_BYTES:
                        raise TokenError(f"{self.option} gives more than {LARGEST_BYTES} bytes")
        except TimeoutError:
            raise TokenError(f"{self.option} has not answered in {self.limit_s:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise TokenError(f"{self.option} cannot be reached: {reason[:_MOST_LETTERS]}") from None
        return body.decode(errors="replace")
