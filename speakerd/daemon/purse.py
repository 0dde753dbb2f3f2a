"""The day's budget, compared with the day's tally as often as anything happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speakerd.conversation.budget import Budget, budget_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.service.usage import Tally


class Purse:
    """Calls ``tell`` when what is left of ``daily_usd`` has changed; with 0 nothing is counted.

    Midnight is no event: while it is waited for, it is looked for every ``look_again_s``.
    """

    def __init__(
        self,
        tally: Tally,
        daily_usd: float,
        tell: Callable[[Budget], object],
        look_again_s: float = 60.0,
    ) -> None:
        self.daily_usd = daily_usd
        self._tally = tally
        self._tell = tell
        self._look_again_s = look_again_s
        self._left = Budget.FINE
        self._again: asyncio.TimerHandle | None = None
        self._closed = False

    def look(self) -> None:
        """See what is left by now; only within a running loop."""
        spent = self._tally.totals.cost_usd if self.daily_usd else 0.0
        left = budget_at(spent, self.daily_usd)
        if left is not self._left:
            self._left = left
            self._tell(left)
        if self._left is not Budget.FINE and self._again is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(self._look_again_s, self._look_again)

    def close(self) -> None:
        """Look at it no more by itself."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()

    def as_dict(self) -> dict[str, object]:
        """The same for programs: how much a day may cost, None for any sum, and what is left."""
        return {"daily_usd": self.daily_usd or None, "left": self._left.value}

    def _look_again(self) -> None:
        self._again = None
        self.look()
