"""The microphone when devices are missing, fail, hang or lose sound."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.buffers import Utterance
from speakerd.audio.microphone import Microphone
from speakerd.audio.pcm import CAPTURE_RATE_HZ, SAMPLE_BYTES, bytes_of_ms
from speakerd.conversation import events as ev
from tests.audio.contract import EventLog, captured, silence, wait_until, words
from tests.audio.scripted import CaptureScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Microphone]


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def script() -> CaptureScript:
    return CaptureScript()


@pytest.fixture
def make(events: EventLog, script: CaptureScript) -> Iterator[Make]:
    made: list[Microphone] = []

    def make_microphone(
        preroll_ms: int = 300,
        retry_s: float = 0.01,
        retry_delays_s: Callable[[], Iterator[float]] | None = None,
        condition: Callable[[], threading.Condition] = threading.Condition,
    ) -> Microphone:
        microphone = Microphone(
            "scripted",
            preroll_ms=preroll_ms,
            post=events.post,
            clock=script.clock,
            open_pcm=script.open,
            retry_delays_s=retry_delays_s or (lambda: itertools.repeat(retry_s)),
            condition=condition,
        )
        made.append(microphone)
        microphone.start()
        return microphone

    yield make_microphone
    for microphone in made:
        began = time.monotonic()
        microphone.stop()
        assert time.monotonic() - began < 1.0


def hear(script: CaptureScript, sound: bytes) -> None:
    script.hear(sound)
    wait_until(lambda: script.everything_was_read)


def test_a_missing_device_is_reported_once_and_found_again(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    script.missing = "No such device"
    make()
    lost = events.wait_for(ev.DeviceLost)
    assert lost == ev.DeviceLost(ev.Device.MICROPHONE, "scripted: No such device")
    wait_until(lambda: script.opened >= 2)
    script.missing = None
    assert events.wait_for(ev.DeviceReady).device is ev.Device.MICROPHONE
    assert len(events.of(ev.DeviceLost)) == 1


def test_a_press_tries_a_lost_device_at_once_and_hears_of_it(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    script.missing = "No such device"
    microphone = make(retry_s=3600.0)
    events.wait_for(ev.DeviceLost)
    microphone.open_gate(Utterance(1, 1000), 0.0)
    events.wait_for(ev.DeviceLost)
    microphone.discard(1)
    script.missing = None
    microphone.open_gate(Utterance(2, 1000), 0.0)
    events.wait_for(ev.DeviceReady)


def test_a_device_that_is_lost_while_the_gate_closes_completes_the_utterance(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    utterance, sound = Utterance(1, 100_000), words(100, 1)
    microphone.open_gate(utterance, script.clock())
    hear(script, sound)
    microphone.close_gate(1, script.clock() + 0.3)
    assert not utterance.complete
    script.missing = script.failing = "No such device"
    assert events.wait_for(ev.CaptureEnded).duration_s == pytest.approx(0.1)
    assert captured(utterance) == sound
    assert events.of(ev.DeviceLost)


def test_closing_the_gate_of_a_dead_device_completes_at_once(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    script.missing = "No such device"
    microphone = make()
    events.wait_for(ev.DeviceLost)
    microphone.open_gate(Utterance(1, 1000), 0.0)
    microphone.close_gate(1, script.clock() + 100)
    assert events.wait_for(ev.CaptureEnded) == ev.CaptureEnded(1, 0.0)


def test_a_block_across_the_end_of_an_utterance_is_shared_with_the_next_preroll(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make(preroll_ms=300)
    events.wait_for(ev.DeviceReady)
    first, second = Utterance(1, 100_000), Utterance(2, 100_000)
    sound, covering = words(400, 1), script.clock() + 0.21  # in the middle of a period
    microphone.open_gate(first, script.clock())
    microphone.close_gate(1, covering)
    hear(script, sound)
    events.wait_for(ev.CaptureEnded)
    microphone.open_gate(second, covering)
    cut = bytes_of_ms(210, CAPTURE_RATE_HZ)
    assert captured(first) == sound[:cut]
    assert captured(second) == sound[cut:]


def test_the_wait_for_the_tail_is_bounded(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    utterance = Utterance(1, 100_000)
    microphone.open_gate(utterance, script.clock())
    hear(script, words(100, 1))
    microphone.close_gate(1, script.clock() + 100)
    script.clock.time += 0.6  # and the device gives nothing
    assert events.wait_for(ev.CaptureEnded).duration_s == pytest.approx(0.1)


def test_a_hiccup_of_a_steady_device_is_no_loss(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    utterance = Utterance(1, 1_000_000)
    microphone.open_gate(utterance, script.clock())
    hear(script, words(1200, 1))
    script.fail_once("Input/output error")
    wait_until(lambda: script.opened == 2 and script.is_open)
    after = words(100, 2)
    hear(script, after)
    assert after in captured(utterance)
    assert not events.of(ev.DeviceLost)


def test_a_device_that_hangs_is_lost(make: Make, events: EventLog, script: CaptureScript) -> None:
    make()
    events.wait_for(ev.DeviceReady)
    script.clock.time += 3
    assert "gives no sound" in events.wait_for(ev.DeviceLost).reason


def test_a_device_that_no_clock_paces_gives_no_more_than_real_time(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    """The ALSA device ``null``, or a file: a buffer at once is a backlog, more is not sound."""
    script.unpaced = True
    microphone = make()
    wait_until(lambda: microphone.captured_frames >= 16_000)
    for limit_frames in (16_640, 18_240):
        with pytest.raises(AssertionError, match="did not happen"):
            wait_until(lambda: microphone.captured_frames > limit_frames, timeout_s=0.2)  # noqa: B023 - used in this round only
        script.clock.time += 0.1
    wait_until(lambda: microphone.captured_frames >= 19_200)
    assert not events.of(ev.DeviceLost)


def test_a_full_buffer_is_taken_at_once(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    """A sound server that has been busy gives all it has, in no time."""
    microphone = make()
    events.wait_for(ev.DeviceReady)
    for seed in range(3):
        hear(script, words(1000, seed))
    assert microphone.captured_frames == 48_000


def test_an_overrun_is_counted_and_capture_goes_on(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    utterance, after = Utterance(1, 100_000), words(100, 2)
    microphone.open_gate(utterance, script.clock())
    script.overruns = 1
    assert events.wait_for(ev.Xrun).device is ev.Device.MICROPHONE
    hear(script, after)
    assert after in captured(utterance)
    assert microphone.overruns == 1


def test_a_few_overruns_in_a_row_are_no_loss(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    utterance, after = Utterance(1, 100_000), words(100, 2)
    microphone.open_gate(utterance, script.clock())
    script.overruns = 5
    wait_until(lambda: microphone.overruns == 5)
    hear(script, after)
    assert after in captured(utterance)
    assert len(events.of(ev.Xrun)) == 5
    assert not events.of(ev.DeviceLost)


def test_a_device_that_does_nothing_but_overrun_is_lost(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make(retry_s=3600.0)
    events.wait_for(ev.DeviceReady)
    microphone.open_gate(Utterance(1, 100_000), script.clock())
    script.overruns = math.inf
    events.wait_for(ev.Xrun)
    reads = script.reads
    with pytest.raises(AssertionError, match="did not happen"):  # some 10 are to be expected
        wait_until(lambda: script.reads > reads + 50, timeout_s=0.2)
    script.clock.time += 2.1
    lost = events.wait_for(ev.DeviceLost)
    assert lost == ev.DeviceLost(ev.Device.MICROPHONE, "scripted: nothing but xruns for 2 s")
    assert not script.is_open


def test_an_overrunning_device_keeps_no_utterance_open(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    microphone.open_gate(Utterance(1, 100_000), script.clock())
    hear(script, words(100, 1))
    script.overruns = math.inf
    events.wait_for(ev.Xrun)
    microphone.close_gate(1, script.clock() + 100)
    script.clock.time += 0.6
    assert events.wait_for(ev.CaptureEnded).duration_s == pytest.approx(0.1)


def test_a_device_that_hangs_after_its_first_sound_is_lost(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    """It was open for longer than a steady device is, but it has not worked for so long."""
    script.greeting = words(20, 1)
    microphone = make(retry_s=3600.0)
    events.wait_for(ev.DeviceReady)
    wait_until(lambda: script.everything_was_read)
    assert microphone.captured_frames == 320
    script.clock.time += 3
    assert "gives no sound" in events.wait_for(ev.DeviceLost).reason
    assert script.opened == 1


def test_a_device_that_fails_soon_after_every_opening_is_tried_ever_more_rarely(
    make: Make, script: CaptureScript
) -> None:
    """Not only one that cannot be opened: a loose plug gives a little sound each time."""
    attempts: list[int] = []

    def delays_s() -> Iterator[float]:
        for attempt in itertools.count():
            attempts.append(attempt)
            yield 0.001

    script.greeting, script.failing = words(20, 1), "Input/output error"
    microphone = make(retry_delays_s=delays_s)
    wait_until(lambda: len(attempts) >= 5)
    assert attempts[:5] == [0, 1, 2, 3, 4]
    assert microphone.captured_frames >= 4 * 320
    script.failing = None
    wait_until(lambda: script.is_open)
    hear(script, words(1200, 2))
    before = len(attempts)
    script.failing = "Input/output error"  # a steady device begins anew
    wait_until(lambda: len(attempts) > before)
    assert attempts[before] == 0


def test_what_nobody_expects_does_not_kill_the_thread(
    make: Make, events: EventLog, script: CaptureScript, caplog: pytest.LogCaptureFixture
) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    script.broken = True
    assert "ZeroDivisionError" in events.wait_for(ev.DeviceLost).reason
    assert "capture thread failed" in caplog.text
    script.broken = False
    events.wait_for(ev.DeviceReady)
    hear(script, silence(100))
    assert microphone.captured_frames == 1600


def test_muted_the_device_is_closed(make: Make, events: EventLog, script: CaptureScript) -> None:
    microphone = make()
    events.wait_for(ev.DeviceReady)
    hear(script, words(100, 1))
    microphone.mute(on=True)
    wait_until(lambda: not script.is_open)
    assert not microphone.wanted
    assert microphone.stalled_s() == 0.0
    microphone.mute(on=False)
    wait_until(lambda: script.is_open)
    hear(script, words(100, 1))
    assert not events.of(ev.DeviceLost)


def test_without_preroll_the_device_is_closed_while_nobody_speaks(
    make: Make, events: EventLog, script: CaptureScript
) -> None:
    microphone = make(preroll_ms=0)
    events.wait_for(ev.DeviceReady)
    wait_until(lambda: not script.is_open)
    assert not microphone.wanted
    microphone.open_gate(Utterance(1, 100_000), script.clock())
    wait_until(lambda: script.is_open)
    hear(script, words(100, 1))
    microphone.close_gate(1, script.clock())
    events.wait_for(ev.CaptureEnded)
    wait_until(lambda: not script.is_open)
    assert len(events.of(ev.DeviceReady)) == 1
    assert script.opened == 2


class TimeFlies(threading.Condition):
    """Nobody sleeps: what a pause would have brought is captured at once."""

    def __init__(self, script: CaptureScript) -> None:
        super().__init__()
        self.pauses_s: list[float] = []
        self.ends_at = math.inf  # from then on it is only a condition
        self._script = script

    def wait(self, timeout: float | None = None) -> bool:
        """``timeout`` in seconds."""
        if timeout is None or self._script.clock() >= self.ends_at:
            return super().wait(timeout)
        self.pauses_s.append(timeout)
        self._script.hear(bytes(SAMPLE_BYTES * math.ceil(timeout * CAPTURE_RATE_HZ)))
        return False


@pytest.fixture
def flying(script: CaptureScript) -> TimeFlies:
    condition = TimeFlies(script)
    condition.ends_at = script.clock()  # not before a test wants it
    return condition


@pytest.mark.parametrize("chunk_ms", [40, 100])
def test_the_device_is_read_as_often_as_a_chunk_is_wanted(
    make: Make, events: EventLog, script: CaptureScript, flying: TimeFlies, chunk_ms: int
) -> None:
    microphone = make(condition=lambda: flying)
    events.wait_for(ev.DeviceReady)
    chunk_bytes = bytes_of_ms(chunk_ms, CAPTURE_RATE_HZ)
    utterance = Utterance(1, 1_000_000, chunk_bytes)
    flying.ends_at = script.clock() + 4.0
    microphone.open_gate(utterance, script.clock())
    wait_until(lambda: script.clock() >= flying.ends_at and script.everything_was_read)
    chunks = utterance.size_bytes / chunk_bytes
    assert chunks > 30
    assert len(flying.pauses_s) <= chunks + 10  # before the gate and until its first sound


@pytest.fixture
def speaking(
    make: Make, events: EventLog, script: CaptureScript, flying: TimeFlies
) -> tuple[Microphone, Utterance]:
    """A microphone that has admitted 100 ms of this utterance."""
    microphone, utterance = make(condition=lambda: flying), Utterance(1, 1_000_000)
    events.wait_for(ev.DeviceReady)
    microphone.open_gate(utterance, script.clock())
    hear(script, words(100, 1))
    return microphone, utterance


def test_an_utterance_ends_as_soon_as_it_is_covered(
    speaking: tuple[Microphone, Utterance],
    events: EventLog,
    script: CaptureScript,
    flying: TimeFlies,
) -> None:
    microphone, utterance = speaking
    flying.ends_at = covering = script.clock() + 0.3035
    microphone.close_gate(1, covering)
    events.wait_for(ev.CaptureEnded)
    assert utterance.duration_s == pytest.approx(0.4035, abs=1e-4)
    assert script.clock() <= covering + 0.003


def test_what_was_captured_until_the_gate_was_closed_is_in_the_utterance(
    speaking: tuple[Microphone, Utterance],
    events: EventLog,
    script: CaptureScript,
    flying: TimeFlies,
) -> None:
    """Also what nobody had looked for yet, though only a moment before is asked for."""
    microphone, utterance = speaking
    released_at = script.clock()
    tail = words(90, 2)
    with flying:  # nobody looks meanwhile
        script.hear(tail)
        microphone.close_gate(1, released_at)
    events.wait_for(ev.CaptureEnded)
    assert captured(utterance).endswith(tail)


def test_what_the_device_has_not_captured_yet_is_not_waited_for(
    speaking: tuple[Microphone, Utterance], events: EventLog, script: CaptureScript
) -> None:
    microphone, utterance = speaking
    released_at = script.clock()
    script.clock.time += 0.02  # and the device gives nothing for it
    microphone.close_gate(1, released_at)
    events.wait_for(ev.CaptureEnded)
    assert captured(utterance) == words(100, 1)
