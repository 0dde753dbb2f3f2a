"""Keys, a knob and a lamp without pins.

They satisfy the same contract as those of ``speakerd.panel`` (tests/edges/panel.py); what people
and wires do to them a test says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from speakerd.conversation.light import Light

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

K = TypeVar("K")


class FakeKeys(Generic[K]):
    """Keys that a test moves with :meth:`move`; those in ``closed`` are so from the start."""

    def __init__(
        self,
        lines: Mapping[K, tuple[int, str]],
        *,
        initial: Callable[[K, bool], None],
        edge: Callable[[K, bool], None],
        ready: Callable[[K], None],
        lost: Callable[[K, str], None],
        closed: frozenset[K] = frozenset(),
        missing: Mapping[K, str] | None = None,
    ) -> None:
        self.lines = dict(lines)
        self._initial = initial
        self._edge = edge
        self._ready = ready
        self._lost = lost
        self._closed = set(closed)
        self._missing = dict(missing or {})  # with the reason why
        self._open: set[K] = set()

    def start(self) -> None:
        for key in self.lines:
            if key in self._missing:
                self._lost(key, self._missing[key])
            else:
                self.find(key)

    def stop(self) -> None:
        self._open.clear()

    def find(self, key: K) -> None:
        """Its line can be had now."""
        self._open.add(key)
        self._initial(key, key in self._closed)
        self._ready(key)

    def move(self, key: K, pressed: bool) -> None:
        if pressed == (key in self._closed):
            return
        (self._closed.add if pressed else self._closed.remove)(key)
        if key in self._open:
            self._edge(key, pressed)


class FakeKnob:
    """A knob that a test turns; ``missing`` is the reason why it cannot be had, or empty."""

    def __init__(
        self,
        pins: tuple[int, int],
        turned: Callable[[int], None],
        *,
        ready: Callable[[], None],
        lost: Callable[[str], None],
        missing: str = "",
    ) -> None:
        self.pins = pins
        self._turned = turned
        self._ready = ready
        self._lost = lost
        self._missing = missing
        self._open = False

    def start(self) -> None:
        if self._missing:
            self._lost(self._missing)
        else:
            self.find()

    def stop(self) -> None:
        self._open = False

    def find(self) -> None:
        self._open = True
        self._ready()

    def turn(self, steps: int) -> None:
        """Clockwise, or the other way where it is less than 0."""
        if self._open:
            self._turned(steps)


class FakeLamp:
    """Keeps what it has been told to show in ``shown``; dark where it does not run."""

    def __init__(
        self,
        pins: tuple[int, ...],
        *,
        smooth: bool,
        brightness: float,
        active_high: bool,
        ready: Callable[[], None],
        lost: Callable[[str], None],
        missing: str = "",
    ) -> None:
        self.pins = pins
        self.smooth = smooth
        self.brightness = brightness
        self.active_high = active_high
        self.shown: list[Light] = []
        self._ready = ready
        self._lost = lost
        self._missing = missing
        self._open = False

    def start(self) -> None:
        if self._missing:
            self._lost(self._missing)
        else:
            self.find()

    def stop(self) -> None:
        self._open = False

    def find(self) -> None:
        self._open = True
        self._ready()

    def show(self, light: Light) -> None:
        self.shown.append(light)

    @property
    def lit(self) -> bool:
        """Whether anything is to be seen at all, at one time or another."""
        dark = (Light.IDLE, Light.OFF)
        return self._open and bool(self.shown) and self.shown[-1] not in dark
