"""Where tokens come from: a command that prints one, or an address that answers with one.

Both get the text of it and nothing else; :mod:`~speakerd.live.tokens` reads it. What goes wrong is
a :class:`TokenError`, one line that names the option and never quotes what may be a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from speakerd.config.secret import redact

if TYPE_CHECKING:
    from pydantic import SecretStr

    from speakerd.config.settings import Settings

#: A connection has 10 s until its setup is accepted. What is fetched late is kept for the next one.
LIMIT_S = 8.0
#: A token has less than a hundred letters; JSON around it a few hundred.
LARGEST_BYTES = 64 * 1024
#: As much of a program's last words as fits into a line.
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


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments; PATH finds it. There is no shell, and nothing to be asked."""

    argv: tuple[str, ...]
    limit_s: float = LIMIT_S
    option: str = "SPEAKERD_TOKEN_COMMAND"

    async def fetch(self) -> str:
        """What it prints. Raises TokenError with the last thing it has to say."""
        loop = asyncio.get_running_loop()
        try:
            transport, listening = await loop.subprocess_exec(
                _Listening,
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                process_group=0,  # so that what it starts ends with it; and a Ctrl-C is for us
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise TokenError(f"{self.option}: {self.argv[0]}: {reason}") from None
        try:
            async with asyncio.timeout(self.limit_s):
                await listening.ended.wait()
        except TimeoutError:
            raise TokenError(f"{self.option} is not ready after {self.limit_s:g} s") from None
        finally:
            if not (listening.ended.is_set() and listening.exited.is_set()):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(transport.get_pid(), signal.SIGKILL)
                await listening.exited.wait()
            transport.close()
        if listening.is_too_much:
            raise TokenError(f"{self.option} prints more than {LARGEST_BYTES} bytes")
        if status := transport.get_returncode():
            raise TokenError(f"{self.option} failed ({status}): {listening.last_words()}")
        return listening.printed.decode(errors="replace")


class _Listening(asyncio.SubprocessProtocol):
    """Keeps the beginning of what a program prints, and the end of what it complains of."""

    def __init__(self) -> None:
        self.printed = bytearray()
        self.exited = asyncio.Event()
        self.ended = asyncio.Event()  # it has exited, and has nothing more to say
        self._complaints = b""
        self._open = {1, 2}

    @property
    def is_too_much(self) -> bool:
        return len(self.printed) > LARGEST_BYTES

    def last_words(self) -> str:
        """Its last line, without what looks like a secret."""
        line = self._complaints.decode(errors="replace").strip().rpartition("\n")[2].strip()
        return redact(line)[-_MOST_LETTERS:] or "it does not say why"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self._complaints = (self._complaints + data)[-LARGEST_BYTES:]
        elif not self.is_too_much:
            self.printed += data
            if self.is_too_much:
                self.ended.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._open.discard(fd)
        self._look()

    def process_exited(self) -> None:
        self.exited.set()
        self._look()

    def _look(self) -> None:
        # What it leaves running may hold the errors' pipe, which matters only where it has failed.
        matter = {1, 2} if self._transport.get_returncode() else {1}
        if self.exited.is_set() and not self._open & matter:
            self.ended.set()


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
