"""The button: from raw edges and control commands to one clean press and one clean release.

Acts on the first edge and ignores what bounces after it; when the bounce is over, the level that
remained counts. The GPIO button and the control socket each hold the one logical button; it is
pressed while either does. A blocked button (stuck at start, or held beyond the longest
utterance) gives nothing until it has been released.
"""

from __future__ import annotations

import enum


class Gesture(enum.Enum):
    """What the person did."""

    PRESS = "press"
    RELEASE = "release"


class Button:
    """Debounces the GPIO level and merges it with the control socket's."""

    def __init__(self, debounce_s: float) -> None:
        self._debounce_s = debounce_s
        self._raw = False  # the GPIO level by its last edge
        self._level = False  # the GPIO level that counts
        self._quiet_at: float | None = None  # when the bounce after an accepted edge is over
        self._control = False
        self._blocked = False

    @property
    def held(self) -> bool:
        """Whether the logical button is down (blocked or not)."""
        return self._level or self._control

    def edge(self, pressed: bool, now: float) -> Gesture | None:
        """Take a raw GPIO edge."""
        self._raw = pressed
        if self._quiet_at is not None and now < self._quiet_at:
            return None
        return self._accept(now)

    def wake(self, now: float) -> Gesture | None:
        """When the bounce is over: accept the level that remained, if it is another."""
        if self._quiet_at is None or now < self._quiet_at:
            return None
        return self._accept(now)

    def deadline(self) -> float | None:
        """When :meth:`wake` has something to look at."""
        return self._quiet_at

    def control(self, pressed: bool) -> Gesture | None:
        """Take a press or a release of the control socket."""
        before = self.held
        self._control = pressed
        return self._gesture(before)

    def lost(self) -> Gesture | None:
        """The GPIO edge is gone: nobody holds a button that is not there."""
        before = self.held
        self._raw = self._level = False
        self._quiet_at = None
        return self._gesture(before)

    def held_at_start(self) -> None:
        """The GPIO button was down when it was first looked at."""
        self._raw = self._level = True
        self.block()

    def block(self) -> None:
        """Give nothing more until the button has been released."""
        self._blocked = self.held

    def _accept(self, now: float) -> Gesture | None:
        self._quiet_at = None
        if self._raw == self._level:
            return None
        before = self.held
        self._level = self._raw
        self._quiet_at = now + self._debounce_s
        return self._gesture(before)

    def _gesture(self, before: bool) -> Gesture | None:
        if self.held == before:
            return None
        if self._blocked:
            self._blocked = False  # this was its release
            return None
        return Gesture.PRESS if self.held else Gesture.RELEASE
