"""How much of a stranger is listened to at a time: the rest waits, and so does the stranger."""

from __future__ import annotations

import asyncio

#: No message is longer, whoever sends it and over whatever; a list of 64 tools takes a tenth of it.
MOST_BYTES = 1024 * 1024
#: So much is read of one server in a second. What it is worth to parse is paid for by the loop.
_BYTES_A_SECOND = 4 * 1024 * 1024
#: And what is shorter than this counts as much: an empty line takes its time, too.
LEAST_BYTES = 8 * 1024


class Pace:
    """Of one server."""

    def __init__(self, bytes_a_second: int = _BYTES_A_SECOND) -> None:
        self._most = bytes_a_second
        self._since = 0.0
        self._read = 0

    async def took(self, size_bytes: int) -> None:
        """A message of so much was read: rest, if it was much in a short time."""
        now = asyncio.get_running_loop().time()
        if now - self._since >= 1.0:
            self._since, self._read = now, 0
        self._read += max(size_bytes, LEAST_BYTES)
        if self._read > self._most:
            await asyncio.sleep(self._since + 1.0 - now)
