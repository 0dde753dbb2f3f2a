"""An edge that stands still without knowing it: what systemd's watchdog has to hear of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.buffers import Utterance
from speakerd.audio.microphone import Microphone
from speakerd.audio.speaker import Speaker
from speakerd.conversation import events as ev
from tests.audio.contract import EventLog, silence, wait_until
from tests.audio.scripted import CaptureScript, ManualClock, PlaybackScript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.audio.pcm import PlaybackPcm


#: pytest minds what ends a thread; here it is the point.
DYING = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Stuck:
    """A call that does not come back as long as a test holds it."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()
        self.entered = threading.Event()

    def hold(self) -> None:
        self.entered.clear()
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def call(self) -> None:
        if not self._free.is_set():
            self.entered.set()
            self._free.wait()


class StuckCapture(CaptureScript):
    def __init__(self) -> None:
        super().__init__()
        self.stuck = Stuck()
        self.ends = False

    def take(self, size_bytes: int) -> bytes:
        self.stuck.call()
        if self.ends:
            raise SystemExit  # nothing catches it: the thread is dead
        return super().take(size_bytes)


class StuckPlayback(PlaybackScript):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.stuck = Stuck()
        self.ends = False

    def open(self, device: str, rate_hz: int) -> PlaybackPcm:
        pcm = super().open(device, rate_hz)
        write = pcm.write

        def stuck_write(sound: memoryview) -> int:
            self.stuck.call()
            if self.ends:
                raise SystemExit
            return write(sound)

        pcm.write = stuck_write  # type: ignore[method-assign,assignment] # it is of a script
        return pcm


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def capture() -> Iterator[StuckCapture]:
    made = StuckCapture()
    yield made
    made.stuck.let_go()


@pytest.fixture
def playback() -> Iterator[StuckPlayback]:
    made = StuckPlayback(ManualClock())
    yield made
    made.stuck.let_go()


@pytest.fixture
def microphone(capture: StuckCapture, events: EventLog) -> Iterator[Microphone]:
    made = Microphone(
        "scripted", preroll_ms=300, post=events.post, clock=capture.clock, open_pcm=capture.open
    )
    yield made
    capture.stuck.let_go()
    made.stop()


@pytest.fixture
def speaker(playback: StuckPlayback, events: EventLog) -> Iterator[Speaker]:
    made = Speaker(
        "scripted",
        prebuffer_ms=100,
        post=events.post,
        clock=playback.clock,
        open_pcm=playback.open,
        idle_check_s=0.01,
    )
    yield made
    playback.stuck.let_go()
    made.stop()


def pass_time(clock: object, seconds: float) -> None:
    assert isinstance(clock, ManualClock)
    clock.time += seconds


def test_a_microphone_that_hears_is_well(
    microphone: Microphone, capture: StuckCapture, events: EventLog
) -> None:
    assert microphone.stalled_s() == 0.0
    microphone.start()
    events.wait_for(ev.DeviceReady)
    for _ in range(4):
        capture.hear(silence(4000))
        wait_until(lambda: capture.everything_was_read)
    wait_until(lambda: microphone.stalled_s() == 0.0)


def test_a_capture_call_that_does_not_come_back_is_a_stall(
    microphone: Microphone, capture: StuckCapture, events: EventLog
) -> None:
    microphone.start()
    events.wait_for(ev.DeviceReady)
    capture.stuck.hold()
    assert capture.stuck.entered.wait(5)
    pass_time(capture.clock, 7.0)
    assert microphone.stalled_s() == pytest.approx(7.0)
    capture.stuck.let_go()
    events.wait_for(ev.DeviceLost)
    assert microphone.stalled_s() == 0.0, "it is known to be lost"


@DYING
def test_a_capture_thread_that_is_dead_stands_still_for_ever(
    microphone: Microphone, capture: StuckCapture, events: EventLog
) -> None:
    microphone.start()
    events.wait_for(ev.DeviceReady)
    capture.ends = True
    wait_until(lambda: microphone.stalled_s() == float("inf"))
    microphone.stop()
    assert microphone.stalled_s() == 0.0


def test_a_microphone_that_is_missing_is_no_stall(
    microphone: Microphone, capture: StuckCapture, events: EventLog
) -> None:
    capture.missing = "No such device"
    microphone.start()
    events.wait_for(ev.DeviceLost)
    pass_time(capture.clock, 3600.0)
    assert microphone.stalled_s() == 0.0


def test_a_microphone_that_is_off_is_no_stall_and_has_time_to_open(events: EventLog) -> None:
    capture = StuckCapture()
    microphone = Microphone(
        "scripted", preroll_ms=0, post=events.post, clock=capture.clock, open_pcm=capture.open
    )
    microphone.start()
    try:
        events.wait_for(ev.DeviceReady)
        wait_until(lambda: not capture.is_open)
        pass_time(capture.clock, 3600.0)
        assert microphone.stalled_s() == 0.0
        capture.stuck.hold()
        microphone.open_gate(Utterance(1, 100_000), capture.clock())
        assert microphone.stalled_s() == 0.0
        pass_time(capture.clock, 6.0)
        assert microphone.stalled_s() <= 6.0
    finally:
        capture.stuck.let_go()
        microphone.stop()


def test_a_speaker_with_nothing_to_play_is_well(
    speaker: Speaker, playback: StuckPlayback, events: EventLog
) -> None:
    assert speaker.stalled_s() == 0.0
    speaker.start()
    events.wait_for(ev.DeviceReady)
    pass_time(playback.clock, 3600.0)
    wait_until(lambda: speaker.stalled_s() == 0.0)  # it looks after the device now and then


def test_a_playback_call_that_does_not_come_back_is_a_stall_although_it_has_the_lock(
    speaker: Speaker, playback: StuckPlayback, events: EventLog
) -> None:
    speaker.start()
    events.wait_for(ev.DeviceReady)
    playback.stuck.hold()
    speaker.play_clip(silence(1000))
    assert playback.stuck.entered.wait(5)
    pass_time(playback.clock, 7.0)
    assert speaker.stalled_s() == pytest.approx(7.0)


@DYING
def test_a_playback_thread_that_is_dead_stands_still_for_ever(
    speaker: Speaker, playback: StuckPlayback, events: EventLog
) -> None:
    speaker.start()
    events.wait_for(ev.DeviceReady)
    playback.ends = True
    speaker.play_clip(silence(1000))
    wait_until(lambda: speaker.stalled_s() == float("inf"))


def test_a_speaker_that_is_missing_is_no_stall(
    speaker: Speaker, playback: StuckPlayback, events: EventLog
) -> None:
    playback.missing = "No such device"
    speaker.start()
    events.wait_for(ev.DeviceLost)
    pass_time(playback.clock, 3600.0)
    assert speaker.stalled_s() == 0.0
