"""The rotary encoder: a contract for the real one, on mock pins, and the fake."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import gpiozero
import pytest

from speakerd.panel.knob import GpioKnob
from tests.audio.contract import wait_until
from tests.edges.panel import RETRY_S, Told, mock_pins
from tests.fakes.panel import FakeKnob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiozero.pins.mock import MockFactory

A, B = 23, 24


class Edge(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Rig(Protocol):
    """A knob, and the hand that turns it."""

    told: Told

    def make(self, *, busy: bool = False) -> Edge: ...

    def free(self) -> None: ...

    def turn(self, steps: int) -> None: ...


class RealRig:
    def __init__(self, factory: MockFactory, devices: Path) -> None:
        self.told = Told()
        self._factory = factory
        self._devices = devices
        self._made: list[GpioKnob] = []
        self._taken: gpiozero.LED | None = None

    def make(self, *, busy: bool = False) -> GpioKnob:
        if busy:
            self._taken = gpiozero.LED(B)  # the first line has been opened when this is found
        knob = GpioKnob(
            (A, B),
            self.told.by("turned"),
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            devices=self._devices,
            first_retry_s=RETRY_S,
        )
        self._made.append(knob)
        return knob

    def free(self) -> None:
        assert self._taken is not None
        self._taken.close()

    def turn(self, steps: int) -> None:
        first, second = (A, B) if steps > 0 else (B, A)
        for _ in range(abs(steps)):
            self.contacts(first, second)

    def contacts(self, first: int, second: int, bounces: int = 0) -> None:
        """One step: each contact closes and opens, bouncing as contacts do."""
        leading, trailing = self._factory.pin(first), self._factory.pin(second)
        for pin in (leading, trailing):
            pin.drive_low()
            for _ in range(bounces):
                pin.drive_high()
                pin.drive_low()
        for pin in (leading, trailing):
            pin.drive_high()

    def down(self) -> None:
        for knob in self._made:
            knob.stop()


class FakeRig:
    def __init__(self) -> None:
        self.told = Told()

    def make(self, *, busy: bool = False) -> FakeKnob:
        self._knob = FakeKnob(
            (A, B),
            self.told.by("turned"),
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            missing="in use; set SPEAKERD_KNOB_PINS" if busy else "",
        )
        return self._knob

    def free(self) -> None:
        self._knob.find()

    def turn(self, steps: int) -> None:
        self._knob.turn(steps)


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    with mock_pins(monkeypatch) as factory:
        yield factory


@pytest.fixture
def real(factory: MockFactory, tmp_path: Path) -> Iterator[RealRig]:
    rig = RealRig(factory, tmp_path)
    yield rig
    rig.down()


@pytest.fixture(params=["real", "fake"])
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.getfixturevalue("real") if request.param == "real" else FakeRig()
    return found


def started(rig: Rig) -> Edge:
    knob = rig.make()
    knob.start()
    assert rig.told.next() == ("ready",)
    return knob


def turned(rig: Rig) -> int:
    name, steps = rig.told.next()
    assert name == "turned"
    assert isinstance(steps, int)
    return steps


@pytest.mark.parametrize("steps", [1, -1])
def test_a_step_is_told(rig: Rig, steps: int) -> None:
    started(rig)
    rig.turn(steps)
    assert turned(rig) == steps


@pytest.mark.parametrize("steps", [300, -300])
def test_of_a_fast_turn_no_step_is_lost(rig: Rig, steps: int) -> None:
    started(rig)
    rig.turn(steps)
    told = 0
    while told != steps:
        told += turned(rig)
    assert rig.told.rest() == []


def test_a_knob_that_cannot_be_had_is_told_once_and_taken_when_it_is_free(rig: Rig) -> None:
    rig.make(busy=True).start()
    name, reason = rig.told.next()
    assert name == "lost"
    assert "in use" in str(reason)
    assert "SPEAKERD_KNOB_PINS" in str(reason)
    rig.free()
    assert rig.told.next() == ("ready",)
    rig.turn(1)
    assert turned(rig) == 1


def test_a_stopped_knob_is_silent(rig: Rig) -> None:
    knob = started(rig)
    knob.stop()
    rig.turn(3)
    assert rig.told.rest() == []
    knob.stop()


# --- the real one only


def test_a_fast_turn_is_told_in_few_words(real: RealRig) -> None:
    started(real)
    real.turn(200)
    told = [turned(real)]
    while sum(told) != 200:
        told.append(turned(real))
    assert told[0] == 1  # at once
    assert len(told) <= 20  # one in 50 ms, on a machine that takes a second for it


def test_bouncing_contacts_make_one_step(real: RealRig) -> None:
    started(real)
    real.contacts(A, B, bounces=5)
    assert turned(real) == 1
    real.contacts(B, A, bounces=5)
    assert turned(real) == -1
    assert real.told.rest() == []


def test_half_a_step_and_back_is_none(real: RealRig, factory: MockFactory) -> None:
    started(real)
    for _ in range(5):
        factory.pin(A).drive_low()
        factory.pin(A).drive_high()
    real.turn(1)
    assert turned(real) == 1
    assert real.told.rest() == []


def test_no_thread_runs_while_nobody_turns_it(real: RealRig) -> None:
    before = set(threading.enumerate())
    knob = started(real)
    assert isinstance(knob, GpioKnob)
    knob._claim._thread.join()
    assert set(threading.enumerate()) == before
    real.turn(2)
    assert turned(real) + turned(real) == 2
    wait_until(lambda: set(threading.enumerate()) == before)


def test_a_knob_that_is_stopped_while_it_turns_tells_nothing_more(real: RealRig) -> None:
    knob = started(real)
    real.turn(50)
    knob.stop()
    real.told.rest()
    with gpiozero.LED(A), gpiozero.LED(B):  # nobody else has them
        assert real.told.rest() == []
