"""A server that is run as a command: messages by its standard input and output, a line each.

The library's own way would keep a line without an end, log every line that is no message with a
traceback, and hand over more of our environment. This one keeps to what
:mod:`speakerd.commands` keeps to: a group of its own, which is ended whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import subprocess
from pathlib import PurePath
from typing import TYPE_CHECKING

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from speakerd.config.mcp import filled
from speakerd.tools.mcp.pace import MOST_BYTES, Pace
from speakerd.tools.mcp.words import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from mcp.client._transport import TransportStreams

    from speakerd.config.mcp import Server

log = logging.getLogger(__name__)

#: How long it may take to end by itself, when it hears nothing more; then it is killed.
_ENDING_S = 0.3
#: What is killed has ended then, unless the kernel is stuck, in a driver.
_DYING_S = 1.0
#: As much of what it says beside its messages as goes to the journal, at debug.
_MOST_SAID_BYTES = 16 * 1024
_MOST_LINE_BYTES = 4 * 1024
#: What of our environment a program needs; the key and the like are none of its business.
_OURS = ("PATH", "HOME", "TMPDIR", "TZ")


@contextlib.asynccontextmanager
async def streams(
    server: Server, environ: Mapping[str, str], ended: Callable[[str], None]
) -> AsyncIterator[TransportStreams]:
    """What the library reads from and writes to, while the command of ``server`` runs.

    ``ended`` is called, with the reason, when it runs no longer or is not fit to be listened to.
    Raises OSError where it cannot be started, ConfigError where a credential is missing.
    """
    child = _Child(server, environ)
    try:
        await child.open()
        inward, messages = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outward, to_send = anyio.create_memory_object_stream[SessionMessage](0)

        async def read() -> None:
            async with inward:
                reason = await child.read(inward.send)
            ended(reason)

        async def write() -> None:
            async with to_send:
                async for each in to_send:
                    line = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                    child.write(line.encode() + b"\n")

        tasks = [asyncio.create_task(each()) for each in (read, write, child.hear)]
        try:
            yield messages, outward
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (inward, messages, outward, to_send):
                stream.close()
    finally:
        await child.end()


class _Child:
    """One run of it."""

    def __init__(self, server: Server, environ: Mapping[str, str]) -> None:
        """Raises as :func:`streams`."""
        self._name = PurePath(server.command[0]).name
        ours = {name: environ[name] for name in _OURS if name in environ}
        own = {name: filled(text, environ) for name, text in server.environment}
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._said = ""  # its last line beside its messages
        self._process = subprocess.Popen(  # noqa: S603 - it is the person's own
            server.command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", **ours, **own},
            process_group=0,
        )
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError:
            with self._process:  # waits for it
                self._kill()
            raise
        self._loop.add_reader(self._pidfd, self._see_its_end)
        self._pipes: list[asyncio.BaseTransport] = []

    async def open(self) -> None:
        """Listen to it from now on."""
        process, loop = self._process, self._loop
        self._out = asyncio.StreamReader(limit=MOST_BYTES)
        self._err = asyncio.StreamReader(limit=_MOST_LINE_BYTES)
        for reader, pipe in ((self._out, process.stdout), (self._err, process.stderr)):
            made = functools.partial(asyncio.StreamReaderProtocol, reader)
            transport, _ = await loop.connect_read_pipe(made, pipe)
            self._pipes.append(transport)
        self._in, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        self._pipes.append(self._in)

    async def read(self, take: Callable[[SessionMessage], Awaitable[None]]) -> str:
        """Hand each message on; returns the reason why there are no more."""
        pace = Pace()
        while True:
            try:
                line = await self._out.readline()
            except ValueError:  # of the reader: the line is longer than its limit
                return f"{self._name} sends more than {MOST_BYTES // 1024} KiB at once"
            if not line:
                return await self._reason()
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                log.debug("%s prints what is no message", self._name)
            else:
                await take(SessionMessage(message))
            await pace.took(len(line))

    def write(self, line: bytes) -> None:
        """Send it a line. One that reads nothing is sent nothing more."""
        if self._in.get_write_buffer_size() < MOST_BYTES:
            self._in.write(line)

    async def hear(self) -> None:
        """Take what it says beside its messages, for the journal; beyond a bound it is dropped."""
        told_bytes, pace = 0, Pace()
        while True:
            try:
                line = await self._err.readline()
            except ValueError:
                line = b"(a long line)\n"
            if not line:
                return
            self._said = one_line(line.decode(errors="replace")) or self._said
            if told_bytes < _MOST_SAID_BYTES:
                told_bytes += len(line)
                log.debug("%s: %s", self._name, self._said)
            await pace.took(len(line))

    async def end(self) -> None:
        """Have it end, and all that it has started and that is still of its group."""
        for pipe in self._pipes:
            pipe.close()
        try:
            async with asyncio.timeout(_ENDING_S):
                await self._ended.wait()
        except TimeoutError:
            log.debug("%s does not end by itself", self._name)
        finally:  # also in a hurry
            self._kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DYING_S):
                    await self._ended.wait()

    async def _reason(self) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                await self._ended.wait()
        if self._process.returncode is None:
            return f"{self._name} says nothing any longer"
        said = f": {self._said}" if self._said else ""
        return f"{self._name} has ended ({self._process.returncode}){said}"

    def _kill(self) -> None:
        if not self._ended.is_set():
            # nothing is left of it; or it has other rights, by sudo, and hears that we are gone
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _see_its_end(self) -> None:
        self._kill()  # what it has left; before the wait, after which its number may be another's
        self._process.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._ended.set()
