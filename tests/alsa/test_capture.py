"""Capture through real alsa-lib: to the sample, and gapless when this process is busy."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.alsa import open_capture
from speakerd.audio.buffers import Utterance
from speakerd.audio.microphone import Microphone
from speakerd.conversation import events as ev
from tests.audio.contract import EventLog, captured, hold_the_interpreter, wait_until, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def microphone(card: StandInCard, events: EventLog) -> Iterator[Microphone]:
    microphone = Microphone(card.capture_device, preroll_ms=300, post=events.post)
    microphone.start()
    wait_until(lambda: microphone.captured_frames > 0)
    yield microphone
    microphone.stop()


def test_nothing_is_lost_while_the_interpreter_is_busy(
    card: StandInCard, microphone: Microphone, events: EventLog
) -> None:
    """Whoever holds the GIL for half a second costs no sound: the device's buffer has it."""
    spoken = words(800, 1)
    utterance = Utterance(1, 10_000_000)
    microphone.open_gate(utterance, time.monotonic())
    card.play_into_microphone(spoken)  # by a thread that stands still meanwhile as well
    hold_the_interpreter(0.5)
    wait_until(lambda: spoken in captured(utterance))
    microphone.close_gate(1, time.monotonic())
    events.wait_for(ev.CaptureEnded)
    assert microphone.overruns == 0


def test_without_a_preroll_the_microphone_is_opened_by_the_press(
    card: StandInCard, events: EventLog
) -> None:
    microphone = Microphone(card.capture_device, preroll_ms=0, post=events.post)
    microphone.start()
    try:
        events.wait_for(ev.DeviceReady)
        utterance = Utterance(1, 10_000_000)
        microphone.open_gate(utterance, time.monotonic())
        events.wait_for(ev.CaptureStarted)
        wait_until(lambda: utterance.duration_s > 0.3)
        microphone.close_gate(1, time.monotonic())
        events.wait_for(ev.CaptureEnded)
    finally:
        microphone.stop()


def test_a_device_without_a_clock_records_no_more_than_its_buffer_ahead(events: EventLog) -> None:
    """``null`` gives endless silence at once."""
    microphone = Microphone("null", preroll_ms=0, post=events.post)
    microphone.start()
    try:
        utterance = Utterance(1, 100_000_000)
        microphone.open_gate(utterance, time.monotonic() - 10)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.3 and utterance.duration_s > 0.2)
        took_s = time.monotonic() - began
        microphone.close_gate(1, time.monotonic())
        events.wait_for(ev.CaptureEnded)
        assert utterance.duration_s < took_s + 2.5
    finally:
        microphone.stop()


@pytest.mark.parametrize("device", ["null", "plug:null", "plug:'null'", "plug:SLAVE=null"])
def test_null_is_silence_and_not_what_this_process_has_in_memory(device: str) -> None:
    """ALSA leaves the buffer as it is, and pyalsaaudio's is fresh from the heap."""
    with contextlib.closing(open_capture(device)) as pcm:
        secrets = [bytes(range(256)) * 40 for _ in range(50)]
        del secrets
        heard = b"".join(pcm.read() for _ in range(20))
    assert heard
    assert heard.strip(b"\0") == b""
