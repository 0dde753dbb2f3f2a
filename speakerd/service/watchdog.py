"""Signs of life for systemd's watchdog, which follow the function and not the process.

systemd.service(5), ``WatchdogSec=``: a service that gives none for so long is killed and started
again. They come from the loop, so a loop that hangs gives none; and they stop while an edge
believes that it runs and makes no progress. A device that is known to be lost is no reason: it is
tried again by its edge, and another process would find it no better.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
from typing import TYPE_CHECKING

from speakerd.service import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.service.notify import Notifier

#: An edge that has stood still for so long will not come back: it finds out by itself what a
#: device does not give (after 2 s), so that it is stuck in a call, or dead.
STALL_LIMIT_S = 5.0
#: How many signs of life there are in the time in which one has to come (sd_watchdog_enabled(3)
#: says two): one that is lost, or late on a busy machine, does no harm.
_SIGNS = 4


def interval_s() -> float | None:
    """How often systemd wants a sign of life of this process; None where it wants none."""
    try:
        usec = int(os.environ.get("WATCHDOG_USEC", ""))
        pid = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return usec / 1e6 / _SIGNS if usec > 0 and pid == os.getpid() else None


class Watchdog:
    """Gives signs of life as long as none of the edges stands still.

    ``stalls_s()`` tells for how many seconds each edge, by its name, has made no progress although
    it believes that it runs; it is called in the loop's thread.
    """

    def __init__(self, notifier: Notifier, stalls_s: Callable[[], Mapping[str, float]]) -> None:
        self._notifier = notifier
        self._stalls_s = stalls_s
        self._stood: set[str] = set()  # when it was looked last
        self._told: set[str] = set()

    async def run(self, every_s: float) -> None:
        """Look every so often, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(every_s)

    def look(self) -> None:
        """Give one sign of life, if there is life."""
        stands = {name for name, stall_s in self._stalls_s().items() if stall_s > STALL_LIMIT_S}
        # Twice in a row: after the whole process stood still, all edges seem to have done so.
        stalled, self._stood = stands & self._stood, stands
        for name in sorted(stalled - self._told):
            journal.log(
                "watchdog",
                f"the {name} stands still: no more signs of life for systemd's watchdog",
                level=logging.ERROR,
            )
            # Where: SIGABRT says so too, but not as surely while other threads run.
            faulthandler.dump_traceback()
        self._told = stalled
        if not stalled:
            self._notifier.alive()
