"""What is said when the network has swallowed what was sent, or something else has happened."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from speakerd.live import shortcut
from speakerd.live.transport import Timeouts, connect_options, connection_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.asyncio.client import ClientConnection


class Transport(asyncio.Transport):
    """A TCP connection of which only the socket is there."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})
        self.told: list[str] = []
        self.paused = asyncio.Event()

    def pause_reading(self) -> None:
        self.told.append("pause")
        self.paused.set()

    def resume_reading(self) -> None:
        self.told.append("resume")

    def write(self, data: Any) -> None:  # noqa: ANN401 - asyncio's signature
        """Nobody reads it."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            TimeoutError(errno.ETIMEDOUT, "Connection timed out"),
            "the network has swallowed what was sent for 1.5 s",
        ),
        (TimeoutError("of somebody else"), "of somebody else"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "reset by peer"),
    ],
)
async def test_a_connection_that_is_lost_says_how(error: OSError, words: str) -> None:
    with socket.socket() as sock:
        connection = connection_class(1.5)(ClientProtocol(parse_uri("wss://speakerd.invalid")))
        connection.connection_made(Transport(sock))
        limit_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        connection.connection_lost(error)
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert limit_ms == 1500
    cause = closed.value.__cause__
    assert isinstance(cause, type(error))
    assert words in str(cause)
    assert cause.errno == error.errno


def test_pongs_may_be_as_late_as_they_have_been_seen_on_healthy_connections() -> None:
    options = connect_options(Timeouts())
    assert options["ping_timeout"] == 60.0
    assert options["ping_interval"] == 20.0


class Wire:
    """An open connection, and what a server sends over it."""

    def __init__(self, sock: socket.socket, lull_s: float) -> None:
        self.transport = Transport(sock)
        protocol = ClientProtocol(parse_uri("wss://speakerd.invalid"), state=State.OPEN)
        self.connection: ClientConnection = connection_class(1.5, lull_s)(protocol)
        self.connection.connection_made(self.transport)
        self.connection.response = Response(101, "Switching Protocols", Headers())
        self.taken: list[str] = []

    def send(self, *messages: str) -> None:
        for message in messages:
            frame = Frame(Opcode.TEXT, message.encode())
            self.connection.data_received(frame.serialize(mask=False))

    def take(self, message: bytes | str) -> float | None:
        """Sound is taken; ``rest``: and nothing more is needed for a moment."""
        text = message.decode() if isinstance(message, bytes) else message
        if text.startswith(("sound", "rest")):
            self.taken.append(text)
            return 0.001 if text.startswith("rest") else 0.0
        return None


@contextlib.contextmanager
def wired(lull_s: float) -> Iterator[Wire]:
    """``lull_s``: below 0, and whatever comes was waited for; large, and nothing was."""
    with socket.socket() as sock:
        wire = Wire(sock, lull_s)
        yield wire
        wire.connection.connection_lost(None)


async def received(wire: Wire) -> bytes:
    """As the SDK receives."""
    shortcut.taker.set(wire.take)
    return await wire.connection.recv(decode=False)


async def test_what_is_taken_aside_is_received_by_nobody_else() -> None:
    with wired(lull_s=-1.0) as wire:
        wire.send("first", "sound 1", "sound 2", "last")
        assert [await received(wire), await received(wire)] == [b"first", b"last"]
    assert wire.taken == ["sound 1", "sound 2"]
    assert wire.transport.told == []


@pytest.mark.parametrize(("lull_s", "told"), [(-1.0, ["pause", "resume"]), (60.0, [])])
async def test_nothing_is_read_while_nobody_needs_it_and_all_is_read_that_was_here(
    lull_s: float, told: list[str]
) -> None:
    with wired(lull_s) as wire:
        wire.send("rest", "last")
        assert await received(wire) == b"last"
    assert wire.taken == ["rest"]
    assert wire.transport.told == told


async def test_who_is_called_away_from_a_rest_lets_the_network_in_again() -> None:
    with wired(lull_s=-1.0) as wire:
        receiving = asyncio.create_task(received(wire))
        wire.send("rest")
        await wire.transport.paused.wait()
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
    assert wire.transport.told == ["pause", "resume"]
