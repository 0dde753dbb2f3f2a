"""What is said when the network has swallowed what was sent, or something else has happened."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.uri import parse_uri

from speakerd.live.transport import Timeouts, connect_options, connection_class


class Transport(asyncio.Transport):
    """A TCP connection of which only the socket is there."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})

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
