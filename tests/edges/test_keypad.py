"""Keypads and foot switches, on made-up input devices."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Any

import pytest
from evdev import ecodes

from speakerd.panel import inputs
from speakerd.panel.keypad import EvdevKeypad, code_of, name_of
from tests.edges.panel import RETRY_S, Told
from tests.fakes.inputs import FakeSocket, FakeSockets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, B, C, UP = ecodes.KEY_A, ecodes.KEY_B, ecodes.KEY_C, ecodes.KEY_VOLUMEUP
READY = ("ready",)


@pytest.fixture
def sockets(tmp_path: Path) -> FakeSockets:
    return FakeSockets(tmp_path)


@pytest.fixture
def pedal(sockets: FakeSockets) -> FakeSocket:
    return sockets.add("PCsensor FootSwitch Keyboard")


@contextlib.contextmanager
def listening(
    sockets: FakeSockets,
    told: Told,
    wanted: str = "footswitch",
    **options: Any,  # noqa: ANN401 - as the keypad's
) -> Iterator[EvdevKeypad[str]]:
    defaults = {"keys": {"KEY_VOLUMEUP": "louder"}, "others": "talk"}
    keypad: EvdevKeypad[str] = EvdevKeypad(
        wanted,
        **(defaults | options),
        edge=told.by("edge"),
        ready=told.by("ready"),
        lost=told.by("lost"),
        root=sockets.root,
        opener=sockets.open,
        retry_s=RETRY_S,
    )
    keypad.start()
    try:
        yield keypad
    finally:
        keypad.stop()
    assert all(each.closed for socket in sockets._sockets.values() for each in socket.opened)


def test_a_key_is_told_of_as_it_goes_down_and_up(sockets: FakeSockets, pedal: FakeSocket) -> None:
    told = Told()
    with listening(sockets, told):
        assert told.next() == READY
        assert pedal.device.grabbed
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        pedal.release(B)
        assert told.next() == ("edge", "talk", False)
        pedal.press(UP)
        assert told.next() == ("edge", "louder", True)
    assert told.rest() == []


def test_keys_for_one_thing_are_one_key(sockets: FakeSockets, pedal: FakeSocket) -> None:
    told = Told()
    with listening(sockets, told):
        told.next()
        pedal.press(A, B)
        pedal.repeat(B)
        pedal.release(A)
        pedal.press(UP)
        pedal.release(B)
        expected = [("talk", True), ("louder", True), ("talk", False)]
        assert [told.next() for _ in expected] == [("edge", *each) for each in expected]
    assert told.rest() == []


def test_a_key_that_is_for_nothing_does_nothing(sockets: FakeSockets, pedal: FakeSocket) -> None:
    told = Told()
    with listening(sockets, told, keys={"b": "talk", "BTN_LEFT": "stop"}, others=None):
        told.next()
        pedal.press(A, UP, ecodes.BTN_LEFT)
        assert told.next() == ("edge", "stop", True)
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)


def test_a_key_that_is_down_already_means_nothing(sockets: FakeSockets, pedal: FakeSocket) -> None:
    pedal.down.add(B)
    told = Told()
    with listening(sockets, told):
        assert told.next() == READY
        pedal.release(B)
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        pedal.release(B)
        assert told.next() == ("edge", "talk", False)
    assert told.rest() == []


@pytest.mark.parametrize("held", [True, False])
def test_a_release_that_the_kernel_dropped_is_not_lost(
    sockets: FakeSockets, pedal: FakeSocket, held: bool
) -> None:
    told = Told()
    with listening(sockets, told):
        told.next()
        if held:
            pedal.press(B)
            assert told.next() == ("edge", "talk", True)
        pedal.drop_events()
        pedal.down = set() if held else {B}
        pedal.report()
        assert told.next() == ("edge", "talk", not held)


def test_what_comes_between_a_drop_and_its_report_is_old(
    sockets: FakeSockets, pedal: FakeSocket
) -> None:
    told = Told()
    with listening(sockets, told):
        told.next()
        pedal.drop_events()
        pedal.device.tell((ecodes.EV_KEY, B, 1))
        pedal.report()
        pedal.press(UP)
        assert told.next() == ("edge", "louder", True)


def test_it_may_be_unplugged_and_come_back(sockets: FakeSockets, pedal: FakeSocket) -> None:
    told = Told()
    with listening(sockets, told):
        told.next()
        pedal.press(B)
        told.next()
        pedal.unplug()
        assert told.next() == ("lost", "it has been unplugged")
        missing, reason = told.next()
        assert missing == "lost"
        assert str(reason).startswith("footswitch: no input device is called so; plug it in")
        pedal.down.clear()
        pedal.plug_in()
        assert told.next() == READY
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EPERM, "it may not be read; sudo speakerd-keypad --apply"),
        (errno.EACCES, "it may not be read; sudo speakerd-keypad --apply"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_one_that_cannot_be_opened_says_why_once(
    sockets: FakeSockets, pedal: FakeSocket, number: int, remedy: str
) -> None:
    pedal.refusal = number
    told = Told()
    with listening(sockets, told):
        assert told.next() == ("lost", remedy)
        pedal.refusal = 0
        assert told.next() == READY


def test_one_that_another_program_has_is_waited_for(
    sockets: FakeSockets, pedal: FakeSocket
) -> None:
    pedal.grabbed_by_another = True
    told = Told()
    with listening(sockets, told):
        assert told.next() == ("lost", "another program has it to itself; stop that one")
        pedal.grabbed_by_another = False
        assert told.next() == READY


def test_a_key_that_is_none_is_told_of(sockets: FakeSockets, pedal: FakeSocket) -> None:
    told = Told()
    with listening(sockets, told, keys={"KEY_SPAECBAR": "talk"}):
        event, reason = told.next()
    assert event == "lost"
    assert str(reason).startswith("SPEAKERD_KEYPAD_KEYS: no key is called KEY_SPAECBAR; ")
    assert not pedal.opened


def test_one_that_is_two_devices_is_one_keypad(sockets: FakeSockets, pedal: FakeSocket) -> None:
    mouse = sockets.add("PCsensor FootSwitch Mouse")
    other = sockets.add("AT Translated Set 2 keyboard")
    told = Told()
    with listening(sockets, told):
        told.next()
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        mouse.press(ecodes.BTN_LEFT)
        pedal.release(B)
        mouse.release(ecodes.BTN_LEFT)
        assert told.next() == ("edge", "talk", False)
    assert not other.opened


def test_a_path_names_one(sockets: FakeSockets, pedal: FakeSocket) -> None:
    by_id = sockets.root / "dev/input/by-id"
    by_id.mkdir()
    (by_id / "usb-PCsensor-event-kbd").symlink_to(pedal.path)
    told = Told()
    with listening(sockets, told, wanted="/dev/input/by-id/usb-PCsensor-event-kbd"):
        assert told.next() == READY
    with listening(sockets, told, wanted="/dev/input/by-id/another"):
        _, reason = told.next()
    assert str(reason).startswith("/dev/input/by-id/another: no input device is there; ")


def test_what_it_does_after_it_was_let_go_of_is_not_told(
    sockets: FakeSockets, pedal: FakeSocket
) -> None:
    told = Told()
    with listening(sockets, told):
        told.next()
    assert pedal.device.closed
    assert told.rest() == []


def test_devices_are_listed_in_order_with_their_names(sockets: FakeSockets) -> None:
    names = [f"keyboard {number}" for number in range(12)]
    for name in names:
        sockets.add(name)
    sockets.add("a lid", keys="0 0 0")
    listed = list(inputs.all_of(sockets.root))
    assert [name for _, name in listed] == names
    assert listed[10][0] == sockets.root / "dev/input/event10"


@pytest.mark.parametrize(("name", "code"), [("b", B), ("KEY_B", B), ("1", ecodes.KEY_1)])
def test_keys_have_the_kernels_names(name: str, code: int) -> None:
    assert code_of(name) == code
    assert code_of(name_of(code)) == code


@pytest.mark.parametrize("name", ["EV_KEY", "REL_X", "KEY_", "", "ß"])
def test_names_of_other_things_are_no_keys(name: str) -> None:
    with pytest.raises(ValueError, match="no key is called"):
        code_of(name)
