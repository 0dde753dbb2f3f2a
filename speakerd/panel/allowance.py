"""How much a contact may have to say: more than any finger, and less than a broken wire."""

from __future__ import annotations

import time

#: Edges passed on in a burst, and then in a second: a mashed and bouncing button makes 50.
_BURST_EDGES = 400
_EDGES_PER_S = 200
#: How long edges are left out when there were more.
SETTLE_S = 0.1


class Allowance:
    """Counts edges."""

    def __init__(self) -> None:
        self._left: float = _BURST_EDGES
        self._at = time.monotonic()

    def one_more(self) -> bool:
        """Whether one more may be passed on now; if not, wait for ``SETTLE_S``."""
        now = time.monotonic()
        self._left = min(_BURST_EDGES, self._left + (now - self._at) * _EDGES_PER_S) - 1
        self._at = now
        if self._left < 0:
            self._left = 0
            return False
        return True
