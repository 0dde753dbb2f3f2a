"""The button, on gpiozero's mock pins."""

from __future__ import annotations

import itertools
import queue
import sys
import time
import warnings
from typing import TYPE_CHECKING

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from speakerd.conversation.events import (
    ButtonEdge,
    ButtonHeldAtStart,
    Device,
    DeviceLost,
    DeviceReady,
)
from speakerd.panel.button import GpioButton
from tests.audio.contract import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from speakerd.conversation.events import Event

PIN = 17
TIMEOUT_S = 10.0
READY = DeviceReady(Device.BUTTON)


class Heard:
    """What was posted, in order."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self.post = self._events.put

    def next(self) -> Event:
        return self._events.get(timeout=TIMEOUT_S)

    def rest(self) -> list[Event]:
        return [self._events.get() for _ in range(self._events.qsize())]

    def loss(self) -> str:
        event = self.next()
        assert isinstance(event, DeviceLost)
        assert event.device is Device.BUTTON
        assert "\n" not in event.reason
        return event.reason


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(autouse=True)
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    """The pins that GPIOZERO_PIN_FACTORY=mock makes, made before so that tests can drive them."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.close()


@pytest.fixture
def opened(heard: Heard, tmp_path: Path) -> Iterator[Callable[..., GpioButton]]:
    buttons = []

    def start(pin: int = PIN) -> GpioButton:
        buttons.append(GpioButton(pin, heard.post, devices=tmp_path, first_retry_s=0.01))
        buttons[-1].start()
        return buttons[-1]

    yield start
    for button in buttons:
        button.stop()


def test_every_edge_is_passed_on(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory
) -> None:
    opened()
    assert heard.next() == READY
    pin = factory.pin(PIN)
    assert (pin.function, pin.pull, pin.bounce) == ("input", "up", None)
    for _ in range(100):  # as fast as they come: nothing is debounced here
        pin.drive_low()
        pin.drive_high()
    assert heard.rest() == 100 * [ButtonEdge(pressed=True), ButtonEdge(pressed=False)]


@pytest.mark.parametrize("pressed", [True, False])
def test_a_fluttering_line_is_thinned_out_to_its_last_level(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory, pressed: bool
) -> None:
    button = opened()
    assert heard.next() == READY
    pin = factory.pin(PIN)
    began = time.monotonic()
    for _ in range(2500):
        pin.drive_low()
        pin.drive_high()
    if pressed:
        pin.drive_low()
    wait_until(lambda: button._line._settling is None)
    edges = heard.rest()
    elapsed_s = time.monotonic() - began
    assert 400 <= len(edges) < 400 + 210 * elapsed_s + 10
    assert edges[-1] == ButtonEdge(pressed)


def test_a_fluttering_line_does_not_delay_the_stop(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory
) -> None:
    button = opened()
    assert heard.next() == READY
    pin = factory.pin(PIN)
    for _ in range(1000):
        pin.drive_low()
        pin.drive_high()
    button.stop()
    heard.rest()
    pin.drive_low()
    assert heard.rest() == []


def test_a_button_held_at_the_start_is_told_as_such(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory
) -> None:
    held = factory.pin(PIN)
    held._set_pull = lambda _: None  # somebody's finger is stronger than the pull-up
    held.drive_low()
    opened()
    assert [heard.next(), heard.next()] == [ButtonHeldAtStart(), READY]
    held.drive_high()
    held.drive_low()
    assert heard.rest() == [ButtonEdge(pressed=False), ButtonEdge(pressed=True)]


def test_a_stopped_button_is_silent_and_lets_go_of_its_line(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory
) -> None:
    button = opened()
    assert heard.next() == READY
    pin = factory.pin(PIN)
    button.stop()
    pin.drive_low()
    assert heard.rest() == []
    with gpiozero.DigitalInputDevice(PIN, pull_up=True):  # nobody else has it
        pass
    button.stop()


def test_a_busy_line_is_told_once_and_taken_when_it_is_free(
    opened: Callable[..., GpioButton],
    heard: Heard,
    factory: MockFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: queue.Queue[object] = queue.Queue()
    reserve = factory.reserve_pins

    def counted(device: object, *pins: object) -> None:
        tries.put(device)
        reserve(device, *pins)

    with gpiozero.LED(PIN):
        monkeypatch.setattr(factory, "reserve_pins", counted)
        opened()
        reason = heard.loss()
        assert "in use" in reason
        assert "SPEAKERD_BUTTON_PIN" in reason
        for _ in range(3):
            tries.get(timeout=TIMEOUT_S)
        assert heard.rest() == []
    assert heard.next() == READY


@pytest.mark.parametrize("bad_reading", [1, 2, 3])
def test_a_line_that_fails_while_it_is_opened_is_not_kept_from_the_next_attempt(
    opened: Callable[..., GpioButton], heard: Heard, factory: MockFactory, bad_reading: int
) -> None:
    pin = factory.pin(PIN)
    read, readings = pin._get_state, itertools.count(1)

    def unsteady() -> object:
        if next(readings) == bad_reading:
            raise OSError("Input/output error")
        return read()

    pin._get_state = unsteady
    opened()
    event = heard.next()
    if event != READY:  # gpiozero may read less often than that
        assert event == DeviceLost(Device.BUTTON, "GPIO17: Input/output error")
        assert heard.next() == READY
    pin.drive_low()
    assert heard.next() == ButtonEdge(pressed=True)


def test_a_pin_the_board_has_not_is_told(opened: Callable[..., GpioButton], heard: Heard) -> None:
    opened(53)
    reason = heard.loss()
    assert reason.startswith("GPIO53: ")
    assert "SPEAKERD_BUTTON_PIN" in reason


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("bogus", "GPIOZERO_PIN_FACTORY may be lgpio"), ("pigpio", "install lgpio")],
)
def test_a_pin_factory_that_is_not_there_is_told(
    opened: Callable[..., GpioButton],
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    remedy: str,
) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", name)
    monkeypatch.setitem(sys.modules, "pigpio", None)  # not installed, wherever the test runs
    opened()
    assert remedy in heard.loss()


def test_without_gpio_it_is_told_and_not_tried_again(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    button = GpioButton(PIN, heard.post, devices=tmp_path)
    button.start()
    assert "this machine has no GPIO" in heard.loss()
    button.stop()
    assert heard.rest() == []


def test_with_a_gpio_chip_and_no_library_the_first_choice_says_why(
    opened: Callable[..., GpioButton],
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "gpiochip0").touch()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    for library in ("lgpio", "RPi", "pigpio", "gpiozero.pins.native"):
        monkeypatch.setitem(sys.modules, library, None)
    with warnings.catch_warnings(record=True) as spilled:
        opened()
        reason = heard.loss()
    assert "lgpio" in reason
    assert "install lgpio beside speakerd (in a checkout: make pi)" in reason
    assert spilled == []


def test_a_start_that_is_stopped_at_once_leaves_nothing(heard: Heard, tmp_path: Path) -> None:
    for _ in range(20):
        button = GpioButton(PIN, heard.post, devices=tmp_path)
        button.start()
        button.stop()
    assert set(heard.rest()) <= {READY}
    with gpiozero.DigitalInputDevice(PIN, pull_up=True):
        pass


def test_a_button_that_is_being_retried_can_be_stopped(heard: Heard, tmp_path: Path) -> None:
    with gpiozero.LED(PIN):
        button = GpioButton(PIN, heard.post, devices=tmp_path, first_retry_s=3600)
        button.start()
        heard.loss()
        button.stop()
    assert heard.rest() == []
