"""The button: from raw edges and control commands to one clean press and one clean release.

Acts on the first edge and ignores what bounces after it; when the bounce is over, the level that
remained counts. The GPIO button and the control socket each hold the one logical button; it is
pressed while either does. A blocked one of the two (stuck at the start, or held beyond the
longest utterance) counts as released until it really has been.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from speakerd.conversation.rules import FOREVER


class Gesture(enum.Enum):
    """What the person did."""

    PRESS = "press"
    RELEASE = "release"


@dataclass(slots=True)
class _Holder:
    """One of those who can hold the button down."""

    down: bool = False
    blocked: bool = False  # down for too long: not counted until it was up

    @property
    def holds(self) -> bool:
        return self.down and not self.blocked

    def move(self, *, down: bool) -> None:
        self.down = down
        self.blocked = self.blocked and down


class Button:
    """Debounces the GPIO level and merges it with the control socket's."""

    def __init__(self, debounce_s: float) -> None:
        self.debounce_s = debounce_s
        self._raw = False  # the GPIO level by its last edge
        self._quiet_at = FOREVER  # when the bounce after an accepted edge is over
        self._gpio = _Holder()
        self._control = _Holder()

    @property
    def held(self) -> bool:
        """Whether somebody holds the button down who is not blocked."""
        return self._gpio.holds or self._control.holds

    def edge(self, now: float, *, pressed: bool) -> Gesture | None:
        """Take a raw GPIO edge."""
        self._raw = pressed
        bouncing = now < self._quiet_at < FOREVER
        return None if bouncing else self._accept(now)

    def wake(self, now: float) -> Gesture | None:
        """When the bounce is over: accept the level that remained, if it is another."""
        return self._accept(now) if now >= self._quiet_at else None

    def deadline(self) -> float:
        """When :meth:`wake` has something to look at; infinity for never."""
        return self._quiet_at

    def control(self, *, pressed: bool) -> Gesture | None:
        """Take a press or a release of the control socket."""
        return self._move(self._control, down=pressed)

    def lost(self) -> Gesture | None:
        """The GPIO edge is gone: nobody holds a button that is not there."""
        self._raw = False
        self._quiet_at = FOREVER
        return self._move(self._gpio, down=False)

    def held_at_start(self) -> Gesture | None:
        """The GPIO button was down when it was first looked at: blocked until it is released."""
        before = self.held
        self._quiet_at = FOREVER
        self._raw = self._gpio.down = self._gpio.blocked = True
        return self._gesture(before)

    def block(self) -> None:
        """Whoever holds the button gives nothing more until it has been released."""
        for holder in (self._gpio, self._control):
            holder.blocked = holder.down

    def _accept(self, now: float) -> Gesture | None:
        self._quiet_at = FOREVER
        if self._raw == self._gpio.down:
            return None
        self._quiet_at = now + self.debounce_s
        return self._move(self._gpio, down=self._raw)

    def _move(self, holder: _Holder, *, down: bool) -> Gesture | None:
        before = self.held
        holder.move(down=down)
        return self._gesture(before)

    def _gesture(self, before: bool) -> Gesture | None:
        if self.held == before:
            return None
        return Gesture.PRESS if self.held else Gesture.RELEASE
