"""A way to the server that a test can cut, clog and mend: a TCP relay."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

#: struct linger {on, 0 s}: closing the socket sends RST (socket(7)).
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Manner(enum.Enum):
    """What becomes of a connection that is made."""

    PASS = "pass"
    RESET = "reset"  # RST as soon as it is accepted
    RESET_HELLO = (
        "reset-hello"  # RST as soon as the client has said something: in the TLS handshake
    )
    MUTE = "mute"  # accepted, and never a word


class Relay:
    """Listens on a port of its own and passes on what comes, to ``port`` of this machine.

    An asynchronous context manager. ``manner`` can be changed at any time, and counts for the
    connections to come; :meth:`stall` and :meth:`reset` act on those that are there.
    """

    def __init__(self, port: int) -> None:
        self.to_port = port
        self.port = 0
        self.manner = Manner.PASS
        self.accepted = 0
        self._tells_the_server = True
        self.held = False  # something is stuck since it was stalled
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
        self.go_on()
        self.reset()
        await asyncio.gather(*self._connections)

    # --- what a test does to it

    async def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more: connections are refused. Those that are there stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def stall(self) -> None:
        """Pass nothing on any more, either way; what comes is swallowed by the buffers."""
        self._flowing.clear()
        self.held = False

    def go_on(self) -> None:
        """Pass on what has gathered, and all that comes."""
        self._flowing.set()

    def reset(self) -> None:
        """End all connections by RST, to both sides."""
        self._tells_the_server = True
        for writers in self._connections.values():
            for writer in writers:
                _reset(writer)

    def forget(self) -> None:
        """End all connections by RST, as a router that has lost its table: the server is not told.

        It believes them open until it hears otherwise from :meth:`reset`.
        """
        self._tells_the_server = False
        for writers in self._connections.values():
            _reset(writers[0])

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition()`` of what is counted here."""
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    # --- inside

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._changed.set()
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writers = [writer]
        try:
            with contextlib.suppress(ConnectionError):
                match self.manner:
                    case Manner.PASS:
                        await self._pass(reader, writer, writers)
                    case Manner.RESET:
                        _reset(writer)
                    case Manner.RESET_HELLO:
                        await reader.read(1)
                        _reset(writer)
                    case Manner.MUTE:
                        await reader.read()
        finally:
            for each in writers:
                each.close()
            del self._connections[task]

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        writers: list[asyncio.StreamWriter],
    ) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        writers.append(server_writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, server_writer))
            group.create_task(self._pump(server_reader, writer, tells=True))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tells: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self._flowing.is_set():
                    self.held = True
                    self._changed.set()
                    await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()  # the end is news, too
        if tells or self._tells_the_server:
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()
