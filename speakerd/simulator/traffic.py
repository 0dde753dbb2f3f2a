"""What the kernel has counted on a TCP connection, TLS and frames and all (Linux)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

#: Where tcpi_bytes_acked is in struct tcp_info, and after it tcpi_bytes_received (linux/tcp.h):
#: eight single bytes, 24 u32 and two u64 come before.
_COUNTS = struct.Struct("@120x2Q")


class Traffic(NamedTuple):
    """Bytes of the TCP stream, since the connection was made."""

    received: int
    sent: int  # and acknowledged


def traffic(sock: TransportSocket) -> Traffic:
    """What has gone over ``sock`` so far. Raises OSError when it is closed."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTS.size)
    sent, received = _COUNTS.unpack(info)
    return Traffic(received, sent)
