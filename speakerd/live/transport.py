"""How a socket is used, and how long it is believed in: what websockets is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from speakerd.live import shortcut

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

#: 30 s of reply in one frame are 1.9 MB of base64; the library's limit of 1 MiB would hang up.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: Longer than it takes to hand on what is here, shorter than messages are apart.
_LULL_S = 0.005


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a socket is believed in. All in seconds.

    ``unacknowledged_s``: the kernel repeats what is not acknowledged after 0.2, 0.6, 1.4, 3 and
    6.2 s (on a fast line), so a Wi-Fi that roams or rekeys, which takes it up to some 5 s, is
    bridged unnoticed. What has not been acknowledged by then is lost with its connection: the
    router has forgotten it, or the network is gone. More than half of the core's patience of 20 s
    is then left for another one. A quiet connection is found dead by this as well, at the next
    ping. TCP's keepalive probes would add nothing but fragility: with this time-out set, a single
    one that is lost ends the connection.

    ``ping_interval_s`` keeps the way through a home router open. Pongs have been seen to take 8
    to 30 s on a healthy connection: ``ping_timeout_s`` is far beyond that.

    ``close_s`` is what a dead peer costs at every close; the daemon has to stop within two seconds.
    """

    connect_s: float = 10.0  # the opening handshake; the core bounds the wait for the setup as well
    close_s: float = 1.0
    unacknowledged_s: float = 7.0
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 60.0


def connect_options(timeouts: Timeouts) -> dict[str, object]:
    """The arguments for websockets' ``connect``. Imports websockets, which is slow."""
    return {
        "compression": None,  # base64 of speech hardly shrinks, and costs a Pi
        "max_size": MAX_MESSAGE_BYTES,
        "open_timeout": timeouts.connect_s,
        "ping_interval": timeouts.ping_interval_s,
        "ping_timeout": timeouts.ping_timeout_s,
        "close_timeout": timeouts.close_s,
        "create_connection": connection_class(timeouts.unacknowledged_s),
    }


def connection_class(unacknowledged_s: float, lull_s: float = _LULL_S) -> type[ClientConnection]:
    """The class for websockets' ``create_connection`` whose connections find a dead link.

    When what was sent has not been acknowledged by the peer's kernel for ``unacknowledged_s``
    (more than 0, at least a millisecond; Linux, tcp(7): TCP_USER_TIMEOUT), the connection is lost
    by an OSError that says so. Elsewhere it is an ordinary connection. A peer whose kernel
    acknowledges, such as a proxy's, is not found out by this, however little it passes on.

    A message that was waited for longer than ``lull_s`` was the last one that was here.

    Imports websockets, which is slow.
    """
    from websockets.asyncio.client import ClientConnection

    class WatchedConnection(ClientConnection):
        """Ends when the network swallows what it sends, and when it is closed.

        Each message is offered to the :data:`~speakerd.live.shortcut.taker` of whoever receives,
        and nothing is taken from the network (with TLS: out of its records) while that does not
        need the next one.
        """

        async def recv(self, decode: bool | None = None) -> Any:  # noqa: ANN401 - as it is there
            take = shortcut.taker.get()
            while True:
                asked_at = time.monotonic()
                message = await super().recv(decode)
                rest_s = take(message) if take is not None else None
                if rest_s is None:
                    return message
                if rest_s and time.monotonic() - asked_at > lull_s:  # else more is here already
                    await self._rest(rest_s)

        async def _rest(self, duration_s: float) -> None:
            self._line.pause_reading()
            try:
                await asyncio.sleep(duration_s)
            finally:
                self._line.resume_reading()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._line = cast("asyncio.Transport", transport)
            self._socket = transport.get_extra_info("socket")
            limit_unacknowledged(self._socket, unacknowledged_s)

        async def close(self, code: int = 1000, reason: str = "") -> None:
            try:
                await super().close(code, reason)
            finally:
                # With the asyncio of Python 3.11.2 (Debian 12), TLS to a peer that says nothing
                # stays open when it is aborted; the next connection must not find it so.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

        def connection_lost(self, exc: Exception | None) -> None:
            if isinstance(exc, TimeoutError) and exc.errno == errno.ETIMEDOUT:
                text = f"the network has swallowed what was sent for {unacknowledged_s:g} s"
                exc = TimeoutError(errno.ETIMEDOUT, text)
            super().connection_lost(exc)

    return WatchedConnection


def limit_unacknowledged(sock: socket.socket, limit_s: float) -> None:
    """Let ``sock`` fail when what it sent is not acknowledged in time, where the system can."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, round(limit_s * 1000))
