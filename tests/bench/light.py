"""How soon the light follows the state, and what it wakes while it stands still.

The panel's lamp, and gpiozero's mock pins in place of the kernel's lines: what lgpio and the kernel
add is in no figure. Three LEDs that can be dimmed are the most that a change can have to do.
"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import time
from typing import TYPE_CHECKING

import gpiozero
from gpiozero.pins.mock import MockFactory, MockPWMPin

from speakerd.config.settings import Settings
from speakerd.conversation.light import Light
from speakerd.errors import UnavailableError
from speakerd.panel.leds import Lamp
from speakerd.panel.patterns import PATTERNS
from tests.bench import process
from tests.bench.report import Figure, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpiozero.pins.mock import MockPin

_PINS = (16, 20, 21)
#: What is shown in turn, round and round. Nothing that one of them shows looks like the next.
_DAY = (
    Light.IDLE,
    Light.LISTENING,
    Light.THINKING,
    Light.SPEAKING,
    Light.IDLE,
    Light.ERROR,
    Light.OFFLINE,
    Light.LISTENING,
)
_DAYS = 20
_LOOK_EVERY_S = 0.05  # asleep in between: looking would hold the lamp's thread up
_PATIENCE_S = 10.0
_SETTLED_S = 0.5  # after a light has been shown, before its wake-ups are counted
_SECONDS = 3  # each is one value


def following() -> Section:
    """Change the light in the middle of what it shows, then count whom it wakes."""
    pid = os.getpid()
    known = process.threads(pid)
    with _lamp() as (lamp, pins):
        eye = _Eye(pins)
        figures = [
            Figure(f"{before.value} -> {after.value}", "ms", took_ms, "≤ 20")
            for (before, after), took_ms in _followed_ms(lamp, eye).items()
        ]
        threads = process.threads(pid) - known
        figures.append(Figure("its threads", "", [len(threads)]))
        for name, light in (
            ("idle, per second", Light.IDLE),
            ("listening, per second", Light.LISTENING),
            ("for comparison: thinking, a pulse, per second", Light.THINKING),
        ):
            lamp.show(light)
            time.sleep(_SETTLED_S)
            figures.append(Figure(f"{name}: wake-ups", "", _woken(pid, threads)))
    return Section("Light: three LEDs on mock pins", figures)


class _Eye:
    """Sees which of the pins are lit, and since when."""

    def __init__(self, pins: Sequence[MockPin]) -> None:
        self._pins = pins
        for pin in pins:
            pin.clear_states()  # what follows counts from here
        self._opened_at = time.monotonic()

    def saw(self, light: Light, since: float) -> float | None:
        """When the LEDs of this light's colour were first lit, and no others; ``since`` or later.

        None while they have not been. Both are times of ``time.monotonic()``.
        """
        wanted = [share > 0 for share in PATTERNS[light].colour]
        lit = [False] * len(self._pins)
        for at, number, level in sorted(self._changes()):
            lit[number] = level > 0
            if at >= since and lit == wanted:
                return at
        return None

    def _changes(self) -> Iterator[tuple[float, int, float]]:
        for number, pin in enumerate(self._pins):
            at = self._opened_at
            for change in pin.states:
                at += change.timestamp  # seconds since the one before
                yield at, number, change.state


@contextlib.contextmanager
def _lamp() -> Iterator[tuple[Lamp, list[MockPin]]]:
    """A lamp that is ready and dark, and its pins."""
    os.environ["GPIOZERO_PIN_FACTORY"] = "mock"  # it asks for no GPIO of this machine then
    factory = MockFactory(pin_class=MockPWMPin)
    gpiozero.Device.pin_factory = factory
    told: queue.Queue[str] = queue.Queue()
    lamp = Lamp(
        _PINS,
        smooth=True,
        brightness=Settings.model_fields["led_brightness"].default / 100,
        active_high=True,
        ready=lambda: told.put(""),
        lost=told.put,
    )
    lamp.start()
    try:
        if reason := told.get(timeout=_PATIENCE_S):
            raise UnavailableError(reason)
        yield lamp, [factory.pin(number) for number in _PINS]
    finally:
        lamp.stop()
        factory.close()


def _followed_ms(lamp: Lamp, eye: _Eye) -> dict[tuple[Light, Light], list[float]]:
    """For each change of the day, from the order to show the second light until it was seen."""
    chance = random.Random(0)  # noqa: S311 - moments anywhere in a frame
    changes = list(zip(_DAY, (*_DAY[1:], _DAY[0]), strict=True))
    took_ms: dict[tuple[Light, Light], list[float]] = {change: [] for change in changes}
    for change in _DAYS * changes:
        time.sleep(chance.uniform(0, _LOOK_EVERY_S))
        shown_at = time.monotonic()
        lamp.show(change[1])
        took_ms[change].append(1000 * (_seen_at(eye, change[1], shown_at) - shown_at))
    return took_ms


def _seen_at(eye: _Eye, light: Light, shown_at: float) -> float:
    while time.monotonic() < shown_at + _PATIENCE_S:
        time.sleep(_LOOK_EVERY_S)
        if (seen_at := eye.saw(light, shown_at)) is not None:
            return seen_at
    raise UnavailableError(f"the light does not follow: {light.value} was never seen")


def _woken(pid: int, threads: set[int]) -> list[int]:
    counted = []
    for _ in range(_SECONDS):
        before = process.wakeups(pid, threads)
        time.sleep(1.0)
        counted.append(process.wakeups(pid, threads) - before)
    return counted
