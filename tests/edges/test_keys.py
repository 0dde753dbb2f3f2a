"""Further buttons and switches: a contract for the real ones, on mock pins, and the fakes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

import gpiozero
import pytest

from speakerd.panel.claim import STOP_S
from speakerd.panel.keys import GpioKeys
from tests.edges.panel import PATIENCE_S, RETRY_S, Told, mock_pins
from tests.fakes.panel import FakeKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiozero.pins.mock import MockFactory

LINES = {
    "up": (5, "SPEAKERD_VOLUME_UP_PIN"),
    "down": (6, "SPEAKERD_VOLUME_DOWN_PIN"),
    "mute": (26, "SPEAKERD_MUTE_PIN"),
}
OTHERS = {"up", "mute"}


class Edge(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Rig(Protocol):
    """Keys, and the hands that move them."""

    told: Told

    def make(self, *, closed: tuple[str, ...] = (), busy: str | None = None) -> Edge: ...

    def free(self) -> None: ...

    def move(self, key: str, pressed: bool) -> None: ...


class RealRig:
    def __init__(self, factory: MockFactory, devices: Path) -> None:
        self.told = Told()
        self._factory = factory
        self._devices = devices
        self._made: list[GpioKeys[str]] = []
        self._taken: gpiozero.LED | None = None

    def make(self, *, closed: tuple[str, ...] = (), busy: str | None = None) -> GpioKeys[str]:
        for key in closed:
            pin = self._factory.pin(LINES[key][0])
            pin._set_pull = lambda _: None  # a switch is stronger than the pull-up
            pin.drive_low()
        if busy is not None:
            self._taken = gpiozero.LED(LINES[busy][0])
        keys = GpioKeys(
            LINES,
            initial=self.told.by("initial"),
            edge=self.told.by("edge"),
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            devices=self._devices,
            first_retry_s=RETRY_S,
        )
        self._made.append(keys)
        return keys

    def free(self) -> None:
        assert self._taken is not None
        self._taken.close()

    def move(self, key: str, pressed: bool) -> None:
        pin = self._factory.pin(LINES[key][0])
        pin.drive_low() if pressed else pin.drive_high()

    def down(self) -> None:
        for keys in self._made:
            keys.stop()


class FakeRig:
    def __init__(self) -> None:
        self.told = Told()

    def make(self, *, closed: tuple[str, ...] = (), busy: str | None = None) -> FakeKeys[str]:
        self._busy = busy
        missing = {} if busy is None else {busy: f"in use; set {LINES[busy][1]}"}
        self._keys = FakeKeys(
            LINES,
            initial=self.told.by("initial"),
            edge=self.told.by("edge"),
            ready=self.told.by("ready"),
            lost=self.told.by("lost"),
            closed=frozenset(closed),
            missing=missing,
        )
        return self._keys

    def free(self) -> None:
        assert self._busy is not None
        self._keys.find(self._busy)

    def move(self, key: str, pressed: bool) -> None:
        self._keys.move(key, pressed)


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


def started(rig: Rig, *, closed: tuple[str, ...] = ()) -> Edge:
    """Keys that are all open, and what they have told of it taken off."""
    keys = rig.make(closed=closed)
    keys.start()
    told = [rig.told.next() for _ in range(2 * len(LINES))]
    for key in LINES:  # each in this order, and the keys in any
        of_key = [each for each in told if each[1] == key]
        assert of_key == [("initial", key, key in closed), ("ready", key)]
    return keys


def test_each_key_tells_its_level_and_then_that_it_is_ready(rig: Rig) -> None:
    started(rig)
    assert rig.told.rest() == []


def test_a_switch_that_is_closed_from_the_start_is_told(rig: Rig) -> None:
    started(rig, closed=("mute",))
    rig.move("mute", False)
    rig.move("mute", True)
    assert rig.told.rest() == [("edge", "mute", False), ("edge", "mute", True)]


def test_every_edge_is_told_of_its_key(rig: Rig) -> None:
    started(rig)
    for _ in range(20):
        rig.move("up", True)
        rig.move("down", True)
        rig.move("up", False)
        rig.move("down", False)
    assert rig.told.rest() == 20 * [
        ("edge", "up", True),
        ("edge", "down", True),
        ("edge", "up", False),
        ("edge", "down", False),
    ]


def test_a_key_that_cannot_be_had_is_told_once_and_the_others_work(rig: Rig) -> None:
    rig.make(busy="down").start()
    told = [rig.told.next() for _ in range(5)]
    assert {each[1] for each in told if each[0] == "ready"} == OTHERS
    ((_, key, reason),) = (each for each in told if each[0] == "lost")
    assert key == "down"
    assert "in use" in str(reason)
    assert "SPEAKERD_VOLUME_DOWN_PIN" in str(reason)
    rig.move("up", True)
    assert rig.told.next() == ("edge", "up", True)
    rig.free()
    assert [rig.told.next(), rig.told.next()] == [("initial", "down", False), ("ready", "down")]
    rig.move("down", True)
    assert rig.told.next() == ("edge", "down", True)


def test_stopped_keys_are_silent(rig: Rig) -> None:
    keys = started(rig)
    keys.stop()
    for key in LINES:
        rig.move(key, True)
    assert rig.told.rest() == []
    keys.stop()


# --- the real ones only


def test_stopped_keys_let_go_of_their_lines(real: RealRig) -> None:
    started(real).stop()
    for pin, _ in LINES.values():
        with gpiozero.LED(pin):
            pass


def test_an_edge_while_the_level_is_told_comes_after_it(
    factory: MockFactory, tmp_path: Path
) -> None:
    """The pin library calls from a thread of its own; told the wrong way round, it would stay."""
    told = Told()
    moved = threading.Event()

    def initial(key: str, pressed: bool) -> None:
        hand = threading.Thread(target=factory.pin(5).drive_low)
        hand.start()
        hands.append(hand)
        # it comes as far as the line's lock; the level is told nevertheless
        assert not moved.wait(0.05)
        told.by("initial")(key, pressed)

    def edge(key: str, pressed: bool) -> None:
        moved.set()
        told.by("edge")(key, pressed)

    hands: list[threading.Thread] = []
    keys = GpioKeys(
        {"up": LINES["up"]},
        initial=initial,
        edge=edge,
        ready=told.by("ready"),
        lost=told.by("lost"),
        devices=tmp_path,
    )
    keys.start()
    assert [told.next() for _ in range(3)] == [
        ("initial", "up", False),
        ("ready", "up"),
        ("edge", "up", True),
    ]
    hands[0].join()
    keys.stop()


def test_lines_that_open_at_once_share_one_pin_factory(
    real: RealRig, factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = threading.Event()
    made: list[MockFactory] = []

    def default() -> MockFactory:
        made.append(factory)
        if len(made) > 1:
            second.set()
        second.wait(0.2)  # every other line has the time to ask for one, too
        return factory

    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setattr(gpiozero.Device, "_default_pin_factory", staticmethod(default))
    started(real)
    assert made == [factory]


def test_keys_that_hang_while_they_open_are_given_up_together(
    real: RealRig, factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one after the other: the daemon has a second for all of them."""
    entered, hung = threading.Event(), threading.Event()

    def default() -> MockFactory:
        entered.set()
        assert hung.wait(PATIENCE_S)
        return factory

    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setattr(gpiozero.Device, "_default_pin_factory", staticmethod(default))
    keys = real.make()
    keys.start()
    assert entered.wait(PATIENCE_S)
    began = time.monotonic()
    keys.stop()
    assert time.monotonic() - began < 2 * STOP_S
    hung.set()
    assert real.told.rest() == []
