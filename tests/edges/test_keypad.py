"""Keypads and foot switches, on made-up input devices."""

from __future__ import annotations

import contextlib
import errno
import time
from typing import TYPE_CHECKING, Any

import pytest
from evdev import ecodes

from speakerd.panel import inputs
from speakerd.panel.keypad import EvdevKeypad, code_of, name_of
from tests.audio.contract import wait_until
from tests.edges.panel import RETRY_S, Told
from tests.fakes.inputs import FakePort, FakePorts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, B, C, UP = ecodes.KEY_A, ecodes.KEY_B, ecodes.KEY_C, ecodes.KEY_VOLUMEUP
READY = ("ready",)


@pytest.fixture
def ports(tmp_path: Path) -> FakePorts:
    return FakePorts(tmp_path)


@pytest.fixture
def pedal(ports: FakePorts) -> FakePort:
    return ports.add("PCsensor FootSwitch Keyboard")


@contextlib.contextmanager
def listening(
    ports: FakePorts,
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
        root=ports.root,
        opener=ports.open,
        retry_s=RETRY_S,
    )
    keypad.start()
    try:
        yield keypad
    finally:
        keypad.stop()
    assert all(each.closed for port in ports._ports.values() for each in port.opened)


def test_a_key_is_told_of_as_it_goes_down_and_up(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told):
        assert told.next() == READY
        assert pedal.device.grabbed
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        pedal.release(B)
        assert told.next() == ("edge", "talk", False)
        pedal.press(UP)
        assert told.next() == ("edge", "louder", True)
    assert told.rest() == []


def test_keys_for_one_thing_are_one_key(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        pedal.press(A, B)
        pedal.repeat(B)
        pedal.release(A)
        pedal.press(UP)
        pedal.release(B)
        expected = [("talk", True), ("louder", True), ("talk", False)]
        assert [told.next() for _ in expected] == [("edge", *each) for each in expected]
    assert told.rest() == []


def test_a_key_that_is_for_nothing_does_nothing(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told, keys={"b": "talk", "BTN_LEFT": "stop"}, others=None):
        told.next()
        pedal.press(A, UP, ecodes.BTN_LEFT)
        assert told.next() == ("edge", "stop", True)
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)


def test_a_key_that_is_down_already_means_nothing(ports: FakePorts, pedal: FakePort) -> None:
    pedal.down.add(B)
    told = Told()
    with listening(ports, told):
        assert told.next() == READY
        pedal.release(B)
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        pedal.release(B)
        assert told.next() == ("edge", "talk", False)
    assert told.rest() == []


@pytest.mark.parametrize("held", [True, False])
def test_a_release_that_the_kernel_dropped_is_not_lost(
    ports: FakePorts, pedal: FakePort, held: bool
) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        if held:
            pedal.press(B)
            assert told.next() == ("edge", "talk", True)
        pedal.drop_events()
        pedal.down = set() if held else {B}
        pedal.report()
        assert told.next() == ("edge", "talk", not held)


def test_what_comes_between_a_drop_and_its_report_is_old(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        pedal.drop_events()
        pedal.device.tell((ecodes.EV_KEY, B, 1))
        pedal.report()
        pedal.press(UP)
        assert told.next() == ("edge", "louder", True)


def test_it_may_be_unplugged_and_come_back(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        pedal.press(B)
        told.next()
        pedal.unplug()
        assert told.next() == ("edge", "talk", False)
        assert told.next() == ("lost", "it has been unplugged")
        missing, reason = told.next()
        assert missing == "lost"
        assert str(reason).startswith("footswitch: no input device is called so; plug it in")
        pedal.down.clear()
        pedal.plug_in()
        assert told.next() == READY
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)


APPLY = "it may not be read; sudo speakerd-keypad --apply && sudo systemctl restart speakerd"
NO_TEXT = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (OSError(errno.EPERM, "Operation not permitted"), APPLY),
        (OSError(errno.EACCES, "Permission denied"), APPLY),
        (
            OSError(errno.ENOTTY, "Inappropriate ioctl for device"),
            "it is no input device; set SPEAKERD_KEYPAD to what speakerd-keypad lists",
        ),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (NO_TEXT, f"UnicodeDecodeError: {NO_TEXT}"),
    ],
)
def test_one_that_cannot_be_opened_says_why_once(
    ports: FakePorts, pedal: FakePort, refusal: OSError | UnicodeDecodeError, reason: str
) -> None:
    pedal.refusal = refusal
    told = Told()
    with listening(ports, told):
        assert told.next() == ("lost", reason)
        wait_until(lambda: pedal.attempts > 3)
        pedal.refusal = None
        assert told.next() == READY
        pedal.refusal = refusal
        pedal.device.unplug()
        assert told.next() == ("lost", "it has been unplugged")
        assert told.next() == ("lost", reason)


def test_one_that_cannot_be_opened_is_tried_more_and_more_seldom(
    ports: FakePorts, pedal: FakePort
) -> None:
    pedal.refusal = OSError(errno.EACCES, "Permission denied")
    told = Told()
    with listening(ports, told) as keypad:
        wait_until(lambda: pedal.attempts > 4)
        assert keypad._delay_s >= RETRY_S * 2**4
        assert told.next() == ("lost", APPLY)
    assert told.rest() == []


def test_one_that_another_program_has_is_waited_for(ports: FakePorts, pedal: FakePort) -> None:
    pedal.grabbed_by_another = True
    told = Told()
    with listening(ports, told):
        assert told.next() == ("lost", "another program has it to itself; stop that one")
        pedal.grabbed_by_another = False
        assert told.next() == READY


def test_a_key_that_is_none_is_told_of(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told, keys={"KEY_SPAECBAR": "talk"}):
        event, reason = told.next()
    assert event == "lost"
    assert str(reason).startswith("SPEAKERD_KEYPAD_KEYS: no key is called KEY_SPAECBAR; ")
    assert not pedal.opened


def test_one_that_is_two_devices_is_one_keypad(ports: FakePorts, pedal: FakePort) -> None:
    mouse = ports.add("PCsensor FootSwitch Mouse")
    other = ports.add("AT Translated Set 2 keyboard")
    told = Told()
    with listening(ports, told):
        told.next()
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        mouse.press(ecodes.BTN_LEFT)
        pedal.release(B)
        mouse.release(ecodes.BTN_LEFT)
        assert told.next() == ("edge", "talk", False)
    assert not other.opened


def test_a_path_names_one(ports: FakePorts, pedal: FakePort) -> None:
    by_id = ports.root / "dev/input/by-id"
    by_id.mkdir()
    (by_id / "usb-PCsensor-event-kbd").symlink_to(pedal.path)
    told = Told()
    with listening(ports, told, wanted="/dev/input/by-id/usb-PCsensor-event-kbd"):
        assert told.next() == READY
    with listening(ports, told, wanted="/dev/input/by-id/another"):
        _, reason = told.next()
    assert str(reason).startswith("/dev/input/by-id/another: no input device is there; ")


def test_another_device_of_that_name_comes_a_moment_later(
    ports: FakePorts, pedal: FakePort
) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        pedal.press(B)
        assert told.next() == ("edge", "talk", True)
        mouse = ports.add("PCsensor FootSwitch Mouse")
        pedal.release(B)
        assert told.next() == ("edge", "talk", False)
        assert told.next() == READY  # both of them
        mouse.press(ecodes.BTN_LEFT)
        assert told.next() == ("edge", "talk", True)


def test_a_broken_wire_has_not_more_to_say_than_a_hand(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told):
        told.next()
        began = time.monotonic()
        for _ in range(300):
            pedal.press(B)
            pedal.release(B)
        for _ in range(600):
            told.next()
    assert time.monotonic() - began > 0.5  # 400 at once, then 200 in a second


def test_it_is_let_go_of_once(ports: FakePorts, pedal: FakePort) -> None:
    told = Told()
    with listening(ports, told) as keypad:
        told.next()
        keypad.stop()
        assert pedal.device.closed
        keypad.stop()
    never: EvdevKeypad[str] = EvdevKeypad(
        *("pedal", {}, None),
        edge=told.by("edge"),
        ready=told.by("ready"),
        lost=told.by("lost"),
    )
    never.stop()
    assert told.rest() == []


def test_devices_are_listed_in_order_with_their_names(ports: FakePorts) -> None:
    names = [f"keyboard {number}" for number in range(12)]
    for name in names:
        ports.add(name)
    ports.add("a lid", keys="0 0 0")
    listed = list(inputs.all_of(ports.root))
    assert [name for _, name in listed] == names
    assert listed[10][0] == ports.root / "dev/input/event10"


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("b", B, "KEY_B"),
        ("KEY_B", B, "KEY_B"),
        ("1", ecodes.KEY_1, "KEY_1"),
        ("mute", ecodes.KEY_MUTE, "KEY_MUTE"),
        ("btn_left", ecodes.BTN_LEFT, "BTN_LEFT"),
        ("84", 84, "84"),
    ],
)
def test_keys_have_the_kernels_names(name: str, code: int, told: str) -> None:
    assert code_of(name) == code
    assert name_of(code) == told
    assert code_of(told) == code


@pytest.mark.parametrize("name", ["EV_KEY", "REL_X", "KEY_", "", "ß"])
def test_names_of_other_things_are_no_keys(name: str) -> None:
    with pytest.raises(ValueError, match="no key is called"):
        code_of(name)
