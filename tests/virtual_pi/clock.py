"""The right time for a machine that may reach no time server: this host's."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.virtual_pi.shell import Shell

#: Seconds from NTP's epoch, 1900, to Unix', 1970 (RFC 5905)
_EPOCH_S = 2_208_988_800
#: timesyncd asks port 123, which nobody but root may listen on here.
_SETTINGS = """
nft -f - <<'RULES'
table ip clock {{
  chain output {{
    type nat hook output priority -100;
    ip daddr 10.0.2.2 udp dport 123 dnat to 10.0.2.2:{port};
  }}
}}
RULES
mkdir -p /run/systemd/timesyncd.conf.d
printf '[Time]\\nNTP=10.0.2.2\\n' >/run/systemd/timesyncd.conf.d/host.conf
systemctl restart systemd-timesyncd
"""


class _Server(asyncio.DatagramProtocol):
    """SNTP (RFC 5905): the client's time of sending goes back with the time here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # CPython 3.11's is no instance of it
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        seconds, fraction = divmod(time.time() + _EPOCH_S, 1)
        now = struct.pack(">II", int(seconds), int(fraction * 2**32))
        version_4_server, stratum, precision = 0x24, 1, 0xEC
        head = bytes([version_4_server, stratum, data[2], precision]) + bytes(8) + b"LOCL"
        self._transport.sendto(head + now + data[40:48] + now + now, addr)


@contextlib.asynccontextmanager
async def synchronised(root: Shell) -> AsyncIterator[None]:
    """The machine's clock is set by the network."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        _Server, local_addr=("127.0.0.1", 0)
    )
    try:
        _, port = transport.get_extra_info("sockname")
        await root.run(_SETTINGS.format(port=port))
        await root.until("timedatectl show -p NTPSynchronized --value | grep -qx yes")
        yield
    finally:
        await root.ask("nft delete table ip clock")  # if it got as far
        transport.close()
