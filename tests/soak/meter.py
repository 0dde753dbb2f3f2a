"""What the process holds, and whether it grows.

The simulator and the fakes live in the same process: what they keep is bounded (the simulator by
its ``keep``, the fakes by a new page for every turn), so that what is flat here is flat in all.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import statistics
import threading
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
#: The first samples do not count: caches and the allocator's pools fill up.
_WARM_UP = 4
_FEWEST = 6  # samples after them that a slope can be told from
#: What may come together in a thousand turns by chance. There are some 250 connections and a dozen
#: daemons in them: whatever one of either leaked would be more. The pool of the loop's threads
#: fills up slowly, to at most four more than there are processors.
_MOST_IN_1000: dict[str, float] = {
    "rss_kib": 6 * 1024.0,
    "descriptors": 2.0,
    "tasks": 4.0,
    "threads": 4.0,
    "state_bytes": 200.0,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What is held after so many turns."""

    turn: int
    rss_kib: int
    descriptors: int
    tasks: int
    threads: int
    state_bytes: int

    @classmethod
    def now(cls, turn: int, state: Path) -> Sample:
        """Look at this process, and at what it has in its state directory."""
        gc.collect()  # what waits for it is not held
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            turn=turn,
            rss_kib=pages * _PAGE_KIB,
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            state_bytes=sum(path.stat().st_size for path in state.rglob("*") if path.is_file()),
        )


def growth(samples: Sequence[Sample]) -> Iterator[str]:
    """What is not flat: a line for each thing that grows, by the median slope of all pairs.

    (Theil and Sen's: a peak here and there, such as a connection that is just being closed, does
    not move it.)
    """
    settled = samples[_WARM_UP:]
    if len(settled) < _FEWEST:
        return
    for name, most in _MOST_IN_1000.items():
        slope = statistics.median(
            (getattr(later, name) - getattr(earlier, name)) / (later.turn - earlier.turn)
            for earlier, later in itertools.combinations(settled, 2)
        )
        if slope * 1000 > most:
            yield f"{name} grows by {slope * 1000:.1f} in 1000 turns (at most {most:g} by chance)"


def span(samples: Sequence[Sample]) -> str:
    """The first and the last sample, for people."""
    first, last = samples[min(_WARM_UP, len(samples) - 1)], samples[-1]
    pairs = zip(fields(first), astuple(first), astuple(last), strict=True)
    return ", ".join(f"{each.name} {one} -> {other}" for each, one, other in pairs)
