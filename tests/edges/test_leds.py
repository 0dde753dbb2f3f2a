"""The lamp: a contract for the real one, on mock pins, and the fake; what the pins do."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import gpiozero
import pytest
from gpiozero.pins.mock import MockPWMPin

from speakerd.conversation.light import Light
from speakerd.panel.claim import gpiozero_alone
from speakerd.panel.leds import Lamp
from speakerd.panel.patterns import PATTERNS
from tests.audio.contract import wait_until
from tests.edges.panel import RETRY_S, Told, mock_pins
from tests.fakes.panel import FakeLamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiozero.pins.mock import MockFactory, MockPin

LED = 22
RGB = (16, 20, 21)


class AnyLamp(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    def show(self, light: Light) -> None: ...


class Rig(Protocol):
    """A lamp, and somebody who looks at it."""

    told: Told

    def make(self, pins: tuple[int, ...] = (LED,), *, busy: bool = False) -> AnyLamp: ...

    def free(self) -> None: ...

    def lit(self) -> bool: ...


class RealRig:
    def __init__(self, factory: MockFactory, devices: Path) -> None:
        self.told = Told()
        self.factory = factory
        self._devices = devices
        self._made: list[Lamp] = []
        self._pins: tuple[int, ...] = ()
        self._taken: gpiozero.Button | None = None

    def make(
        self,
        pins: tuple[int, ...] = (LED,),
        *,
        busy: bool = False,
        smooth: bool = True,
        brightness: float = 0.6,
        active_high: bool = True,
    ) -> Lamp:
        self._pins = pins
        if busy:
            self._taken = gpiozero.DigitalInputDevice(pins[-1])
        lamp = Lamp(
            pins,
            smooth=smooth,
            brightness=brightness,
            active_high=active_high,
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            devices=self._devices,
            first_retry_s=RETRY_S,
        )
        self._made.append(lamp)
        return lamp

    def free(self) -> None:
        assert self._taken is not None
        self._taken.close()

    def pin(self, number: int = LED) -> MockPin:
        return self.factory.pin(number)

    def levels(self) -> tuple[float, ...]:
        return tuple(self.pin(number).state for number in self._pins)

    def lit(self) -> bool:
        return any(self.levels())

    def shows(self, *levels: float) -> None:
        wait_until(lambda: self.levels() == levels)

    def down(self) -> None:
        for lamp in self._made:
            lamp.stop()


class FakeRig:
    def __init__(self) -> None:
        self.told = Told()

    def make(self, pins: tuple[int, ...] = (LED,), *, busy: bool = False) -> FakeLamp:
        self._lamp = FakeLamp(
            pins,
            smooth=True,
            brightness=0.6,
            active_high=True,
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            missing="in use; set SPEAKERD_LED_PINS" if busy else "",
        )
        return self._lamp

    def free(self) -> None:
        self._lamp.find()

    def lit(self) -> bool:
        return self._lamp.lit


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RealRig]:
    """With pins that can do PWM."""
    with mock_pins(monkeypatch, MockPWMPin) as factory:
        rig = RealRig(factory, tmp_path)
        yield rig
        rig.down()


@pytest.fixture
def undimmed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RealRig]:
    """With pins that cannot."""
    with mock_pins(monkeypatch) as factory:
        rig = RealRig(factory, tmp_path)
        yield rig
        rig.down()


@pytest.fixture(params=["real", "fake"])
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.getfixturevalue("real") if request.param == "real" else FakeRig()
    return found


# --- the contract


@pytest.mark.parametrize("pins", [(LED,), RGB])
def test_it_is_dark_until_it_is_told_what_to_show(rig: Rig, pins: tuple[int, ...]) -> None:
    lamp = rig.make(pins)
    lamp.start()
    assert rig.told.next() == ("ready",)
    assert not rig.lit()
    for light in Light:
        lamp.show(light)
        wait_until(rig.lit if light not in {Light.IDLE, Light.OFF} else lambda: not rig.lit())
    assert rig.told.rest() == []


def test_a_lamp_that_cannot_be_had_is_told_once_and_lit_when_it_can(rig: Rig) -> None:
    lamp = rig.make(RGB, busy=True)
    lamp.start()
    lamp.show(Light.LISTENING)
    name, reason = rig.told.next()
    assert name == "lost"
    assert "in use" in str(reason)
    assert "SPEAKERD_LED_PINS" in str(reason)
    assert not rig.lit()
    rig.free()
    assert rig.told.next() == ("ready",)
    wait_until(rig.lit)


def test_a_stopped_lamp_is_dark(rig: Rig) -> None:
    lamp = rig.make()
    lamp.start()
    assert rig.told.next() == ("ready",)
    lamp.show(Light.LISTENING)
    wait_until(rig.lit)
    lamp.stop()
    assert not rig.lit()
    lamp.show(Light.MUTED)
    assert not rig.lit()
    lamp.stop()


# --- what the pins do


def test_a_steady_light_is_as_bright_as_it_may_be(real: RealRig) -> None:
    lamp = real.make(brightness=0.6)
    lamp.start()
    lamp.show(Light.LISTENING)
    real.shows(0.6)
    assert real.pin().frequency == 100


def test_without_need_there_is_no_pwm(real: RealRig) -> None:
    lamp = real.make(brightness=1)
    lamp.start()
    for light, level in ((Light.LISTENING, 1), (Light.IDLE, 0), (Light.ERROR, 1), (Light.OFF, 0)):
        lamp.show(light)
        real.shows(level)
        wait_until(lambda: real.pin().frequency is None)


def test_pwm_ends_when_the_lamp_goes_dark(real: RealRig) -> None:
    lamp = real.make(brightness=0.3)
    lamp.start()
    lamp.show(Light.LISTENING)
    real.shows(0.3)
    lamp.show(Light.IDLE)
    real.shows(0)
    assert real.pin().frequency is None


def test_an_led_from_the_supply_is_lit_by_a_low_level(real: RealRig) -> None:
    lamp = real.make(active_high=False, brightness=0.75)
    lamp.start()
    assert real.told.next() == ("ready",)
    real.shows(1)
    lamp.show(Light.LISTENING)
    real.shows(0.25)


@pytest.mark.parametrize(
    ("light", "smooth", "levels"),
    [
        (Light.LISTENING, True, (0, 0, 0.5)),
        (Light.LISTENING, False, (False, False, True)),
        (Light.OFFLINE, True, (0.5, 0.25, 0)),
        (Light.OFFLINE, False, (True, True, False)),
        (Light.ERROR, True, (0.5, 0, 0.5)),
    ],
)
def test_three_leds_show_a_colour(
    real: RealRig, light: Light, smooth: bool, levels: tuple[float, ...]
) -> None:
    lamp = real.make(RGB, smooth=smooth, brightness=0.5)
    lamp.start()
    lamp.show(light)
    real.shows(*levels)


def test_until_pwm_begins_there_is_a_pulse_of_it_by_hand(real: RealRig) -> None:
    """With lgpio it begins up to 30 ms late."""
    lamp = real.make(brightness=0.5)
    lamp.start()
    assert real.told.next() == ("ready",)
    wait_until(lambda: real.pin().frequency is None)
    real.pin().clear_states()
    lamp.show(Light.LISTENING)
    real.shows(0.5)
    _, rise, fall, pwm = real.pin().states
    assert (rise.state, fall.state, pwm.state) == (1, 0, 0.5)
    assert fall.timestamp >= 0.005  # of the 10 ms that a period takes


def test_a_lamp_that_is_stopped_while_it_opens_tells_nothing(real: RealRig) -> None:
    lamp = real.make()
    with gpiozero_alone():
        lamp.start()
        lamp.stop()
    lamp._claim._thread.join()
    assert real.told.rest() == []
    with gpiozero.DigitalInputDevice(LED):
        pass


def test_the_faintest_light_is_not_rounded_away(real: RealRig) -> None:
    lamp = real.make(RGB, brightness=0.01)
    lamp.start()
    lamp.show(Light.OFFLINE)
    real.shows(0.01, 0.01, 0)


def test_a_pulse_rises_and_falls(real: RealRig) -> None:
    lamp = real.make(brightness=0.8)
    lamp.start()
    assert real.told.next() == ("ready",)
    real.pin().clear_states()
    lamp.show(Light.THINKING)
    wait_until(lambda: len(real.pin().states) > 30)
    seen = [state.state for state in real.pin().states]
    peak = seen.index(0.8)
    rising, falling = seen[peak - 10 : peak + 1], seen[peak : peak + 10]
    assert rising == sorted(set(rising))
    assert falling == sorted(set(falling), reverse=True)


def test_a_pulse_is_a_blink_where_it_cannot_be_dimmed(real: RealRig) -> None:
    lamp = real.make(smooth=False)
    lamp.start()
    assert real.told.next() == ("ready",)
    real.pin().clear_states()
    lamp.show(Light.THINKING)
    wait_until(lambda: len(real.pin().states) > 4)
    assert [state.state for state in real.pin().states[:5]] == [False, True, False, True, False]
    assert [state.timestamp >= 0.48 for state in real.pin().states[2:5]] == [True, True, True]


def test_pins_without_pwm_are_switched_and_the_journal_says_so_once(
    undimmed: RealRig, caplog: pytest.LogCaptureFixture
) -> None:
    pin = undimmed.pin()
    lamp = undimmed.make(smooth=True)
    failing = iter([OSError("Input/output error")])
    write = pin._set_state

    def unsteady(value: float) -> None:
        if value and (error := next(failing, None)):
            raise error
        write(value)

    pin._set_state = unsteady
    with caplog.at_level(logging.WARNING):
        lamp.start()
        lamp.show(Light.LISTENING)
        undimmed.shows(True)
        wait_until(lambda: next(failing, None) is None)
    assert [record.getMessage() for record in caplog.records] == [
        "the LED is on or off, it cannot be dimmed: MockFactory has no PWM"
    ]
    lamp.show(Light.IDLE)
    undimmed.shows(False)


def test_an_led_that_fails_while_it_is_lit_is_told_and_taken_again(real: RealRig) -> None:
    lamp = real.make(brightness=1)
    lamp.start()
    assert real.told.next() == ("ready",)
    pin, failures = real.pin(), itertools.repeat(OSError("Input/output error"), 2)
    write = pin._set_state

    def unsteady(value: float) -> None:
        if value and (error := next(failures, None)):
            raise error
        write(value)

    pin._set_state = unsteady
    lamp.show(Light.LISTENING)
    lost = ("lost", "GPIO22: Input/output error")
    # the same reason again, but it was there meanwhile
    assert [real.told.next() for _ in range(4)] == [lost, ("ready",), lost, ("ready",)]
    real.shows(1)


def test_a_stopped_lamp_lets_go_of_its_lines(real: RealRig) -> None:
    lamp = real.make(RGB)
    lamp.start()
    lamp.show(Light.SPEAKING)
    wait_until(real.lit)
    lamp.stop()
    for pin in RGB:
        with gpiozero.DigitalInputDevice(pin):
            pass


# --- when


def test_showing_waits_for_nothing_and_the_newest_wins(real: RealRig) -> None:
    lamp = real.make(smooth=False)
    with gpiozero_alone():  # somebody else opens a line, and takes his time
        lamp.start()
        lamp.show(Light.ERROR)
        lamp.show(Light.LISTENING)
        lamp.show(Light.IDLE)
    assert real.told.next() == ("ready",)
    lamp.show(Light.LISTENING)
    real.shows(True)
    # what was asked for before has not been seen
    assert [state.state for state in real.pin().states] == [False, True]


@pytest.mark.parametrize("before", [Light.IDLE, Light.THINKING, Light.MUTED])
def test_the_light_follows_in_the_middle_of_whatever_it_shows(
    real: RealRig, monkeypatch: pytest.MonkeyPatch, before: Light
) -> None:
    """How soon, `make bench` says."""
    for_an_hour = dataclasses.replace(PATTERNS[Light.MUTED], on_s=3600)
    monkeypatch.setitem(PATTERNS, Light.MUTED, for_an_hour)  # nobody can wait for its end
    listening = (0, 0, 0.6)
    lamp = real.make(RGB)
    lamp.start()
    lamp.show(Light.LISTENING)
    real.shows(*listening)
    lamp.show(before)
    wait_until(lambda: real.levels() != listening)
    lamp.show(Light.LISTENING)
    real.shows(*listening)


def test_a_light_that_stands_still_wakes_nobody(real: RealRig) -> None:
    still, moving = real.make((LED,)), real.make(RGB)
    for lamp in (still, moving):
        lamp.start()
        assert real.told.next() == ("ready",)
    still.show(Light.LISTENING)
    wait_until(lambda: real.pin(LED).state == 0.6)
    thread = still._claim._thread
    status = Path(f"/proc/self/task/{thread.native_id}/status")

    def wakeups() -> int:
        lines = status.read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    def changes() -> int:
        return len(real.pin(RGB[0]).states)

    def sleeps_while_the_other_moves() -> bool:
        before, seen = wakeups(), changes()
        wait_until(lambda: changes() > seen + 6)  # a second or so later
        return wakeups() == before

    still.show(Light.LISTENING)  # no news
    moving.show(Light.ERROR)
    # It may have been about to lie down.
    assert sleeps_while_the_other_moves() or sleeps_while_the_other_moves()
