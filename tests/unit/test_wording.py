"""What people read."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speakerd.config.settings import VARIABLES
from speakerd.conversation import events as ev
from speakerd.conversation.budget import Budget
from speakerd.conversation.core import Core
from speakerd.conversation.effects import Notice
from speakerd.conversation.events import Device
from speakerd.errors import Failure, FailureKind
from speakerd.service import wording

if TYPE_CHECKING:
    from speakerd.conversation.status import Status

ALL_READY = tuple((device.value, "ready") for device in Device)
READY = replace(Core().status, model="m", devices=ALL_READY)
REFUSED = Failure(FailureKind.NETWORK, "Connection refused")
KEY = Failure(FailureKind.KEY, "API key not valid. Please pass a valid API key.", 1007)


def having(status: Status = READY, **words: str) -> Status:
    """A status in which some device is not ready."""
    return replace(
        status, devices=tuple((name, words.get(name, word)) for name, word in status.devices)
    )


def troubled(kind: FailureKind, text: str = "because", **more: str) -> Status:
    return replace(READY, trouble=Failure(kind, text), **more)  # type: ignore[arg-type]  # state alone


# --- the status line


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (READY, "Ready: hold the button and speak"),
        (replace(READY, link="ready"), "Ready: hold the button and speak"),
        (replace(READY, link="connecting"), "Ready: hold the button and speak"),
        (
            replace(READY, without=("search", "voice")),
            "Ready: hold the button and speak (without search and voice: the server refuses it)",
        ),
        (
            replace(READY, state="error", budget=Budget.SPENT),
            (
                "The day's budget is used up: it listens again after midnight, or raise"
                " SPEAKERD_DAILY_BUDGET, then: sudo systemctl reload speakerd"
            ),
        ),
        (
            having(replace(READY, budget=Budget.SPENT), speaker="gone"),
            "No speaker: gone (SPEAKERD_PLAYBACK_DEVICE). Also: the day's budget is used up",
        ),
        (replace(READY, budget=Budget.NEAR), "Ready: hold the button and speak"),
        (replace(READY, state="speaking", budget=Budget.SPENT), "Speaking"),
        (replace(READY, state="listening"), "Listening"),
        (replace(READY, state="thinking"), "Thinking"),
        (replace(READY, state="speaking"), "Speaking"),
        (
            replace(Core().status),
            "Starting: waiting for the microphone and the speaker and the button",
        ),
        (having(button="starting"), "Starting: waiting for the button"),
        (
            having(microphone="usb: No such device"),
            "No microphone: usb: No such device (SPEAKERD_CAPTURE_DEVICE)",
        ),
        (
            having(speaker="dac: Device or resource busy", button="starting"),
            "No speaker: dac: Device or resource busy (SPEAKERD_PLAYBACK_DEVICE)",
        ),
        (
            having(button="GPIO17: busy"),
            "No button: GPIO17: busy; until it is back: speakerd press",
        ),
        (
            having(troubled(FailureKind.KEY), microphone="gone", speaker="gone"),
            (
                "No microphone: gone (SPEAKERD_CAPTURE_DEVICE)."
                " Also: no speaker, the API key is refused"
            ),
        ),
        (having(replace(READY, state="listening"), speaker="gone"), "Listening (speaker missing)"),
        (
            having(replace(READY, state="thinking"), speaker="gone", button="gone"),
            "Thinking (speaker, button missing)",
        ),
        (
            troubled(FailureKind.NETWORK, "Network is unreachable"),
            (
                "No connection: Network is unreachable;"
                " what you say is kept a while, and sent if there is one"
            ),
        ),
        (
            troubled(FailureKind.TIMEOUT, "no answer in 10 s"),
            (
                "No connection: no answer in 10 s;"
                " what you say is kept a while, and sent if there is one"
            ),
        ),
        (
            troubled(FailureKind.SERVER, "unavailable {0}"),
            "The server has trouble: unavailable {0}; speak all the same, it is tried again",
        ),
        (
            troubled(FailureKind.QUOTA),
            "The quota of the API key is used up: wait a minute or more, or raise it",
        ),
        (troubled(FailureKind.KEY), "The API key is refused: sudo speakerd key"),
        (
            troubled(FailureKind.MODEL, "no such model"),
            "m is not available: set SPEAKERD_MODEL (no such model)",
        ),
        (
            troubled(FailureKind.HANDLE, "not found"),
            "m is not available: set SPEAKERD_MODEL (not found)",
        ),
        (
            having(troubled(FailureKind.MODEL), button="gone"),
            "No button: gone; until it is back: speakerd press. Also: m is not available",
        ),
        (troubled(FailureKind.SETUP, "no voice"), "The server refuses a setting: no voice"),
        (troubled(FailureKind.IDLE), "Ready: hold the button and speak"),
        (
            troubled(FailureKind.NETWORK, "reset by peer", state="thinking"),
            (
                "Waiting for a connection: reset by peer;"
                " what you said is kept, and sent as soon as there is one"
            ),
        ),
        (troubled(FailureKind.NETWORK, state="listening"), "Listening"),
    ],
)
def test_the_status_line_says_the_most_important_thing_first(status: Status, line: str) -> None:
    assert wording.status_line(status) == line


def test_whatever_is_the_case_the_status_line_is_one_line_that_is_not_too_long() -> None:
    long = "a reason\n\twithout end " * 100
    states = ("idle", "listening", "thinking", "speaking", "error")
    words = ("ready", "starting", long)
    troubles = (None, *(Failure(kind, long) for kind in FailureKind))
    for state, microphone, button, trouble in itertools.product(states, words, words, troubles):
        status = replace(READY, state=state, trouble=trouble)
        line = wording.status_line(having(status, microphone=microphone, button=button))
        assert line
        assert line == " ".join(line.split())
        assert len(line) < 300


def test_it_goes_with_the_core() -> None:
    core = Core()
    for device in Device:
        core.handle(ev.DeviceReady(device), 0.0)
    lines = [wording.status_line(core.status)]
    day: tuple[ev.Event, ...] = (
        ev.Started(),
        ev.ConnectionClosed(1, REFUSED),
        ev.ConnectionClosed(2, KEY),
        ev.PressRequested(),
        ev.ConnectionOpened(3),
        ev.StopRequested(),
        ev.ConnectionClosed(3, Failure(FailureKind.IDLE, "The operation was aborted.", 1008)),
    )
    for number, event in enumerate(day):
        core.handle(event, 2.0 * number)
        lines.append(wording.status_line(core.status))
    ready = "Ready: hold the button and speak"
    assert lines == [
        ready,
        ready,
        "No connection: Connection refused; what you say is kept a while, and sent if there is one",
        "The API key is refused: sudo speakerd key",
        "Listening",
        "Listening",
        ready,
        ready,
    ]


# --- remedies


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (READY, None),
        (
            replace(READY, last_error=str(KEY), last_failure=KEY),
            "store a valid key: sudo speakerd key",
        ),
        (replace(READY, last_error="x", last_failure=Failure(FailureKind.IDLE, "x")), None),
        (
            having(replace(READY, last_error="busy"), microphone="busy"),
            "see SPEAKERD_CAPTURE_DEVICE, or run speakerd doctor",
        ),
        (
            having(replace(READY, last_error="busy"), speaker="busy"),
            "see SPEAKERD_PLAYBACK_DEVICE, or run speakerd doctor",
        ),
        (
            having(replace(READY, last_error="busy"), button="busy"),
            "see SPEAKERD_BUTTON_PIN, or run speakerd doctor",
        ),
        (replace(READY, last_error="busy"), None),  # it is back
    ],
)
def test_the_last_error_comes_with_its_remedy(status: Status, remedy: str | None) -> None:
    assert wording.error_remedy(status) == remedy


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_but_a_normal_one_has_a_remedy(kind: FailureKind) -> None:
    assert bool(wording.failure_remedy(kind)) == (kind is not FailureKind.IDLE)


def every_text() -> list[str]:
    return [
        *(wording.failure_remedy(kind) for kind in FailureKind),
        *(wording.status_line(troubled(kind)) for kind in FailureKind),
        *(wording.status_line(having(READY, **{device.value: "gone"})) for device in Device),
        *(wording.missing_line(device, "gone") for device in Device),
        *(wording.notice_line(notice) for notice in Notice),
        wording.HELD_AT_START,
    ]


@pytest.mark.parametrize("text", every_text())
def test_what_a_text_names_exists(text: str) -> None:
    assert set(re.findall(r"SPEAKERD_\w+", text)) <= set(VARIABLES)
    assert set(re.findall(r"speakerd (\w+)", text)) <= {"press", "key", "doctor", "mute"}


# --- lines of the journal


@pytest.mark.parametrize("notice", list(Notice))
def test_every_notice_has_one_line(notice: Notice) -> None:
    line = wording.notice_line(notice)
    assert line
    assert "\n" not in line


@pytest.mark.parametrize("device", [Device.MICROPHONE, Device.SPEAKER])
def test_a_missing_device_names_its_option(device: Device) -> None:
    line = wording.missing_line(device, "no such device")
    assert re.fullmatch(rf"{device.value} missing: no such device; see SPEAKERD_\w+_DEVICE", line)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (3601, "1 h"),
        (90_061, "1 d 1 h"),
        (86_400 + 60, "1 d"),
    ],
)
def test_a_time_span_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words
