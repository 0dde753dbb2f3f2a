"""How much of a reply is queued before it plays: more while the network is uneven.

Every reply that starves for the network's sake was so much too late that a prebuffer longer by
that would have covered it; from then on it is. When replies have come in time for a while, half of
what it has grown by is taken back, again and again: a long prebuffer is a late answer.

What counts is a gap up to ``LONGEST_GAP_S`` that the longest prebuffer would have covered.
All others are the model's pauses (it waits for a tool, it thinks) or beyond any cure here, and
change nothing. A reply that has starved goes on with the shortest prebuffer all the same.
"""

from __future__ import annotations

#: A reply that is silent for longer is not late: something else is going on.
LONGEST_GAP_S = 2.0
#: How much longer than the gap the prebuffer becomes. What is left in the device 30 ms before its
#: end is followed by silence already, which would be heard.
_MARGIN_MS = 40
#: After how many replies in a row that came in time half of the growth is taken back.
_CALM_REPLIES = 5
#: A growth that would become less than this is taken back whole.
_LEAST_GROWTH_MS = 20


class Prebuffer:
    """Grows and shrinks between ``least_ms`` and ``most_ms``, or stays where that is no more.

    Knows no clock: ``now`` is in seconds of any clock that does not go back.
    """

    def __init__(self, least_ms: int, most_ms: int) -> None:
        self._least_ms = least_ms
        self._most_ms = max(least_ms, most_ms)
        self._growth_ms = 0
        self._starved_at: float | None = None  # None: it plays, or has not begun
        self._late = False  # this reply has had a gap that counts
        self._calm = 0  # replies in a row that have had none

    @property
    def size_ms(self) -> int:
        """How much is to be queued."""
        return self._least_ms + self._growth_ms

    @property
    def again_ms(self) -> int:
        """How much is to be queued where a reply goes on that was starved: the least.

        The silence that it had is a head start already, and more of it would be heard as well.
        """
        return self._least_ms

    def starved(self, now: float) -> None:
        """All of the reply that has come was heard, and it is not finished."""
        self._starved_at = now

    def fed(self, now: float) -> None:
        """More of the reply has come."""
        if self._starved_at is None:
            return
        gap_s = now - self._starved_at
        self._starved_at = None
        needed_ms = self.size_ms + round(1000 * gap_s)
        if gap_s > LONGEST_GAP_S or needed_ms > self._most_ms:
            return
        self._growth_ms = min(needed_ms + _MARGIN_MS, self._most_ms) - self._least_ms
        self._late = True

    def over(self) -> None:
        """Nothing more of this reply will be played; the next one begins anew."""
        self._starved_at = None
        self._calm = 0 if self._late else self._calm + 1
        self._late = False
        if self._calm == _CALM_REPLIES:
            self._calm = 0
            half_ms = self._growth_ms // 2
            self._growth_ms = half_ms if half_ms >= _LEAST_GROWTH_MS else 0
