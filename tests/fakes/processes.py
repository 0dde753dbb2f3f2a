"""Processes that note their ids in a file, and how to wait for what they do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Noted:
    """The processes whose ids are in ``file``, a line each."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def pids(self) -> list[int]:
        """The processes that were started."""
        lines = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
        return [int(line) for line in lines if line.endswith("\n")]

    @property
    def running(self) -> list[int]:
        """Those of them that still run."""
        return [pid for pid in self.pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # whose parent is init now, which may take its time


async def until(condition: Callable[[], object]) -> None:
    """Other processes do it: it is nowhere announced."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
