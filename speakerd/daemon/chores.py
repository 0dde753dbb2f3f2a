"""What takes its time, as an SD card may: done in a thread, one thing after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Chores:
    """Work that nobody waits for, in the order in which it came."""

    def __init__(self) -> None:
        self._last: asyncio.Task[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Have ``work`` done, after all that was to be done before; only within a running loop."""
        self._last = asyncio.create_task(self._do(work, after=self._last))

    async def finish(self, timeout_s: float) -> None:
        """Wait for ``timeout_s`` at most until all is done."""
        if self._last is not None:
            await asyncio.wait({self._last}, timeout=timeout_s)

    async def _do(self, work: Callable[[], None], after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait({after})
        await asyncio.to_thread(work)
