"""One contact: from the raw edges of a line to the level that is meant.

The first edge counts at once. Then the contact bounces until no edge has come for a while, and
the level that remained counts. One that never comes to rest is looked at now and then all the
same. A contact that is spent means nothing more until it has been open again.
"""

from __future__ import annotations

from speakerd.conversation.rules import FOREVER

#: No switch bounces for longer than so many times what is expected of it; and what a broken wire
#: does must not last as long as a press.
_LONGEST_BOUNCE = 5


class Contact:
    """Debounces one line; ``down`` is what counts: it is closed, and not spent."""

    def __init__(self, debounce_s: float) -> None:
        self.debounce_s = debounce_s
        self.down = False
        self.edge_at = 0.0  # the last raw edge
        self._level = False  # closed or open, as far as is known
        self._raw = False  # the level by the last edge
        self._quiet_at = FOREVER  # when the bounce after a change is over
        self._settled_by = FOREVER

    def edge(self, now: float, *, pressed: bool) -> bool:
        """Take a raw edge; whether ``down`` is another one now."""
        self._raw = pressed
        self.edge_at = now
        if now < self._quiet_at < FOREVER:
            self._quiet_at = min(now + self.debounce_s, self._settled_by)
            return False
        return self._accept(now)

    def wake(self, now: float) -> bool:
        """When the bounce is over: whether the level that remained is another one."""
        return now >= self._quiet_at and self._accept(now)

    def deadline(self) -> float:
        """When :meth:`wake` has something to look at; infinity for never."""
        return self._quiet_at

    def begin(self, *, closed: bool = False, spent: bool = False) -> None:
        """Begin anew: the line has just been opened, or is gone."""
        self._level = self._raw = closed
        self.down = closed and not spent
        self._quiet_at = FOREVER

    def spend(self) -> None:
        """It means nothing more until it has been let go of."""
        self.down = False

    def _accept(self, now: float) -> bool:
        self._quiet_at = FOREVER
        if self._raw == self._level:
            return False
        was = self.down
        self.down = self._level = self._raw
        self._quiet_at = now + self.debounce_s
        self._settled_by = now + _LONGEST_BOUNCE * self.debounce_s
        return self.down != was
