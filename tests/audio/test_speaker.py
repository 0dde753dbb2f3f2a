"""The speaker when devices are missing, fail or hang, and how soon it is silent."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from speakerd.audio import heap
from speakerd.audio.speaker import Speaker
from speakerd.conversation import events as ev
from speakerd.errors import DeviceError
from tests.audio.contract import EventLog, reply, wait_until
from tests.audio.scripted import ManualClock, PlaybackScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Speaker]


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def script() -> PlaybackScript:
    return PlaybackScript(time.monotonic)


@pytest.fixture
def make(events: EventLog, script: PlaybackScript) -> Iterator[Make]:
    made: list[Speaker] = []

    def make_speaker(
        retry_s: float = 0.01,
        retry_delays_s: Callable[[], Iterator[float]] | None = None,
        idle_check_s: float = 3600.0,
        keep_awake_s: float = 0.0,
    ) -> Speaker:
        speaker = Speaker(
            "scripted",
            prebuffer_ms=100,
            post=events.post,
            open_pcm=script.open,
            retry_delays_s=retry_delays_s or (lambda: itertools.repeat(retry_s)),
            idle_check_s=idle_check_s,
            keep_awake_s=keep_awake_s,
        )
        made.append(speaker)
        speaker.start()
        return speaker

    yield make_speaker
    for speaker in made:
        began = time.monotonic()
        speaker.stop()
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "silence", [lambda speaker: speaker.drop(), lambda speaker: speaker.expect(2)]
)
def test_a_drop_or_another_reply_silences_the_one_that_plays(
    events: EventLog, silence: Callable[[Speaker], None]
) -> None:
    clock = ManualClock()  # it stands still: the device does not come to an end by itself
    script = PlaybackScript(clock)
    speaker = Speaker(
        "scripted", prebuffer_ms=100, post=events.post, clock=clock, open_pcm=script.open
    )
    speaker.start()
    try:
        speaker.expect(1)
        speaker.feed(1, reply(3000))
        events.wait_for(ev.PlaybackStarted)
        assert script.dropped_at == 0.0
        silence(speaker)
        wait_until(lambda: script.dropped_at > 0.0)
    finally:
        speaker.stop()


def test_a_missing_device_is_reported_once_and_found_again(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    script.missing = "Device or resource busy"
    make()
    lost = events.wait_for(ev.DeviceLost)
    assert lost == ev.DeviceLost(ev.Device.SPEAKER, "scripted: Device or resource busy")
    wait_until(lambda: len(script.opened_rates_hz) >= 2)
    script.missing = None
    assert events.wait_for(ev.DeviceReady).device is ev.Device.SPEAKER
    assert len(events.of(ev.DeviceLost)) == 1


def test_without_a_device_turns_and_notices_end_all_the_same(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    script.missing = "No such device"
    speaker = make()
    events.wait_for(ev.DeviceLost)
    speaker.expect(1)
    speaker.feed(1, reply(100))
    speaker.finish(1)
    assert events.wait_for(ev.PlaybackDrained) == ev.PlaybackDrained(1, 0.0)
    assert speaker.discarded_bytes == 4800
    speaker.play_clip(reply(100))
    events.wait_for(ev.NoticeEnded)
    assert not events.of(ev.PlaybackStarted)


def test_a_device_that_is_pulled_out_while_nothing_plays_is_missed(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    make(idle_check_s=0.01)
    events.wait_for(ev.DeviceReady)
    script.missing = script.failing = "No such device"
    assert events.wait_for(ev.DeviceLost).device is ev.Device.SPEAKER
    script.missing = script.failing = None
    events.wait_for(ev.DeviceReady)


def test_a_device_that_is_pulled_out_while_it_is_kept_awake_is_missed_and_left_alone_then(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    speaker = make(keep_awake_s=3600.0)
    speaker.play_clip(reply(50))
    events.wait_for(ev.NoticeEnded)
    script.missing = script.failing = "No such device"
    assert events.wait_for(ev.DeviceLost).device is ev.Device.SPEAKER
    began = len(script.began)
    script.missing = script.failing = None
    events.wait_for(ev.DeviceReady)
    speaker.expect(1)
    speaker.finish(1)
    events.wait_for(ev.PlaybackDrained)
    assert len(script.began) == began


def test_a_reply_that_is_expected_tries_a_lost_device_at_once(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    script.missing = "No such device"
    speaker = make(retry_s=3600.0)
    events.wait_for(ev.DeviceLost)
    script.missing = None
    speaker.expect(1)
    events.wait_for(ev.DeviceReady)


def test_a_device_lost_in_mid_reply_ends_the_turn(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    speaker = make()
    speaker.expect(1)
    speaker.feed(1, reply(3000))
    events.wait_for(ev.PlaybackStarted)
    script.missing = script.failing = "No such device"
    events.wait_for(ev.DeviceLost)
    assert events.wait_for(ev.PlaybackDrained).duration_s < 1.0
    discarded = speaker.discarded_bytes
    assert discarded > 48_000
    speaker.feed(1, reply(100))
    assert speaker.discarded_bytes == discarded + 4800


def test_a_hiccup_of_a_steady_device_costs_no_more_than_its_buffer(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    """Replugged, or suspended: it is opened again and the reply goes on."""
    speaker = make()
    events.wait_for(ev.DeviceReady)
    sound = reply(1800)
    speaker.expect(1)
    speaker.feed(1, sound)
    speaker.finish(1)
    wait_until(lambda: len(script.heard) > 1.1 * 48_000)
    script.fail_once("No such device")
    assert events.wait_for(ev.PlaybackDrained).turn == 1
    wait_until(lambda: sound[-9600:] in bytes(script.heard))
    assert len(script.opened_rates_hz) == 2
    assert not events.of(ev.DeviceLost)


def test_a_device_that_fails_again_and_again_is_not_tried_without_pause(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    speaker = make()
    events.wait_for(ev.DeviceReady)
    script.failing = "Input/output error"
    speaker.play_clip(reply(100))
    assert events.wait_for(ev.DeviceLost).reason == "Input/output error"
    events.wait_for(ev.NoticeEnded)
    assert len(script.opened_rates_hz) == 1


def test_the_pauses_grow_although_the_device_can_be_opened(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    attempts: list[int] = []

    def delays_s() -> Iterator[float]:
        for attempt in itertools.count():
            attempts.append(attempt)
            yield 0.001

    script.failing = "Input/output error"
    speaker = make(retry_delays_s=delays_s)
    for _ in range(4):
        events.wait_for(ev.DeviceReady)
        speaker.play_clip(reply(100))
        events.wait_for(ev.DeviceLost)
    events.wait_for(ev.DeviceReady)
    assert attempts == [0, 1, 2, 3]


def test_a_device_that_does_nothing_but_run_dry_ends_the_turn(events: EventLog) -> None:
    clock = ManualClock()
    script = PlaybackScript(clock)
    script.swallows = math.inf
    speaker = Speaker(
        "scripted", prebuffer_ms=100, post=events.post, clock=clock, open_pcm=script.open
    )

    def is_lost() -> bool:
        clock.time += 0.01
        return bool(events.of(ev.DeviceLost))

    speaker.start()
    try:
        speaker.expect(1)
        speaker.feed(1, reply(60_000))
        speaker.finish(1)
        wait_until(is_lost)
        assert events.of(ev.DeviceLost)[0].reason == "scripted: nothing but xruns for 2 s"
        assert events.wait_for(ev.PlaybackDrained).turn == 1
        assert len(events.of(ev.Xrun)) < 60
    finally:
        speaker.stop()


def test_what_nobody_expects_does_not_kill_the_thread(
    make: Make, events: EventLog, script: PlaybackScript, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = make()
    events.wait_for(ev.DeviceReady)
    script.broken = True
    speaker.play_clip(reply(100))
    assert "ZeroDivisionError" in events.wait_for(ev.DeviceLost).reason
    assert "playback thread failed" in caplog.text
    events.wait_for(ev.NoticeEnded)
    script.broken = False
    events.wait_for(ev.DeviceReady)
    clip = reply(100, 2)
    speaker.play_clip(clip)
    events.wait_for(ev.NoticeEnded)
    assert clip in bytes(script.heard)


def test_another_rate_opens_the_device_at_that_rate(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    speaker = make()
    speaker.expect(1)
    speaker.feed(1, reply(50, 1))
    speaker.feed(1, reply(50, 2), rate_hz=48_000)
    speaker.finish(1)
    events.wait_for(ev.PlaybackDrained)
    assert script.opened_rates_hz == [24_000, 48_000]
    assert len(events.of(ev.DeviceReady)) == 1


def test_a_rate_that_the_device_refuses_ends_the_turn_and_not_the_speaker(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    script.refused_rates_hz = {96_000}
    speaker = make()
    speaker.expect(1)
    speaker.feed(1, reply(50, 1))
    speaker.feed(1, reply(50, 2), rate_hz=96_000)
    speaker.finish(1)
    events.wait_for(ev.DeviceLost)
    assert events.wait_for(ev.PlaybackDrained).duration_s == pytest.approx(0.05)
    events.wait_for(ev.DeviceReady)


def test_an_idle_speaker_leaves_the_device_alone(
    make: Make, events: EventLog, script: PlaybackScript
) -> None:
    speaker = make()
    speaker.play_clip(reply(50))
    events.wait_for(ev.NoticeEnded)
    wait_until(lambda: script.dropped_at > 0)
    calls = script.calls
    with pytest.raises(AssertionError, match="did not happen"):
        wait_until(lambda: script.calls > calls, timeout_s=0.3)


def test_a_stop_in_the_middle_of_an_attempt_is_not_forgotten(events: EventLog) -> None:
    opening, failing = threading.Event(), threading.Event()

    def open_pcm(_device: str, _rate_hz: int) -> NoReturn:
        opening.set()
        failing.wait(20)
        raise DeviceError("unplugged")

    speaker = Speaker(
        "scripted",
        prebuffer_ms=100,
        post=events.post,
        open_pcm=open_pcm,
        retry_delays_s=lambda: itertools.repeat(3600.0),
    )
    speaker.start()
    assert opening.wait(20)
    stopping = threading.Thread(target=speaker.stop)
    stopping.start()
    wait_until(lambda: speaker._stopping)
    failing.set()
    stopping.join()
    thread = speaker._thread
    assert thread is not None
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize(("seconds", "times"), [(30, 1), (3, 0)])
def test_the_memory_of_a_long_answer_is_given_back_once_it_is_over(
    events: EventLog, seconds: int, times: int
) -> None:
    script = PlaybackScript(ManualClock())  # it stands still: nothing is heard
    given_back: list[None] = []
    speaker = Speaker(
        "scripted",
        prebuffer_ms=100,
        post=events.post,
        clock=script.clock,
        open_pcm=script.open,
        idle_check_s=0.001,
        give_back=lambda: given_back.append(None),
    )
    speaker.start()
    try:
        speaker.expect(1)
        for _ in range(seconds):
            speaker.feed(1, reply(1000))
        events.wait_for(ev.PlaybackStarted)
        speaker.drop()
        wait_until(lambda: script.drops > 0)
        checked = script.calls
        wait_until(lambda: script.calls > checked + 5)
        assert len(given_back) == times
    finally:
        speaker.stop()


def test_the_c_library_can_be_asked_for_what_it_keeps() -> None:
    heap.give_back()
