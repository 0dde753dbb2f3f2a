"""How loud is a volume of 40 %? The percent that people see, and the raw steps of a control.

The scale is that of ``alsamixer`` (alsa-utils, alsamixer/volume_mapping.c), so that both show the
same number. Of a control with decibels, between ``low`` and ``high``, the position from 0 to 1 is

- ``(10^((dB - high) / 60) - bottom) / (1 - bottom)`` with ``bottom = 10^((low - high) / 60)``: the
  cube root of the amplitude, which is about how loud it is to the ear; 6 dB more are 26 % more;
- ``(dB - low) / (high - low)`` if there are 24 dB at most between them: the steps are alike.

Of a control that does not tell its decibels it is ``(raw - min) / (max - min)``, with the exponent
1: such steps are either alike in decibels, as a codec's register has them, or a sound server's,
which are a cube root already.

0 % is the lowest step and nothing else, 100 % the highest.
"""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL_RANGE_DB = 24.0
_DB_PER_DECADE = 60.0  # of the cube root of the amplitude


class Scale:
    """Translates between percent and raw steps of a control with ``raw_min`` < ``raw_max``.

    ``db_of`` gives the gain of a raw step, which does not fall as the steps rise: minus infinity
    is silence, None means that it is not known. No raw step that comes out is above
    ``highest_percent``; where even the second is, that is the lowest one.
    """

    def __init__(
        self,
        raw_min: int,
        raw_max: int,
        db_of: Callable[[int], float | None],
        highest_percent: int = 100,
    ) -> None:
        self._min = raw_min
        self._max = raw_max
        self._position = self._position_by(db_of)
        self._steps = range(raw_min, raw_max + 1)
        within = bisect.bisect_right(self._steps, highest_percent, key=self.percent_of)
        self._highest = self._steps[max(0, within - 1)]

    def percent_of(self, raw: int) -> int:
        """What a person sees, 0 to 100."""
        if raw <= self._min:
            return 0
        if raw >= self._max:
            return 100
        return min(max(round(100 * self._position(raw)), 1), 99)

    def raw_of(self, percent: int) -> int:
        """The step that is nearest to ``percent``; the lowest for 0 % only, where it may be."""
        if percent <= 0:
            return self._min
        if percent >= 100:
            return self._highest
        wanted = percent / 100
        index = bisect.bisect_left(self._steps, wanted, 1, len(self._steps) - 1, key=self._position)
        above, below = self._steps[index], self._steps[max(index - 1, 1)]
        near_below = wanted - self._position(below) < self._position(above) - wanted
        return min(below if near_below else above, self._highest)

    def stepped(self, raw: int, delta_percent: int) -> int:
        """From ``raw`` louder or softer by ``delta_percent``, at least by one step if there is."""
        target = self.raw_of(self.percent_of(raw) + delta_percent)
        if delta_percent > 0:
            return min(max(target, raw + 1), self._highest)
        if delta_percent < 0:
            return max(min(target, raw - 1), self._min)
        return min(raw, self._highest)

    def _position_by(self, db_of: Callable[[int], float | None]) -> Callable[[int], float]:
        low, high = db_of(self._min), db_of(self._max)
        if low is None or high is None or not low < high < math.inf:
            return lambda raw: (raw - self._min) / (self._max - self._min)

        def gain(raw: int) -> float:
            found = db_of(raw)
            return low if found is None else min(max(found, low), high)

        if high - low <= _SMALL_RANGE_DB:
            return lambda raw: (gain(raw) - low) / (high - low)
        bottom = _root(low - high)
        return lambda raw: (_root(gain(raw) - high) - bottom) / (1 - bottom)


def _root(db: float) -> float:
    """The cube root of the amplitude; of silence it is 0."""
    return float(10 ** (db / _DB_PER_DECADE))
