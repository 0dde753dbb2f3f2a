"""What every microphone and every speaker must do, real or fake, whatever it runs on.

A subclass gives a ``rig`` fixture: the thing itself, the events it has posted, and a world in
which a test can make sound and hear it. Real devices are late by some ten milliseconds, so
nothing here depends on less than 100 ms.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from speakerd.audio.buffers import Utterance
from speakerd.audio.level import Verdict
from speakerd.audio.pcm import CAPTURE_RATE_HZ, PLAYBACK_RATE_HZ, bytes_of_ms, seconds_of
from speakerd.conversation import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.interfaces import MicrophonePort, SpeakerPort

PATIENCE_S = 10.0

E = TypeVar("E")


class EventLog:
    """Where events are posted to, and waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.all: list[ev.Event] = []
        self._taken = 0

    def post(self, event: ev.Event) -> None:
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def wait_for(self, wanted: type[E], timeout_s: float = PATIENCE_S) -> E:
        """The next event of this type, after the last one that was waited for."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for index in range(self._taken, len(self.all)):
                    event = self.all[index]
                    if isinstance(event, wanted):
                        self._taken = index + 1
                        return event
                remaining_s = deadline - time.monotonic()
                assert remaining_s > 0, f"no {wanted.__name__} among {self.all[self._taken :]}"
                self._changed.wait(remaining_s)

    def of(self, *types: type[E]) -> list[E]:
        with self._changed:
            return [event for event in self.all if isinstance(event, types)]


def wait_until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def hold_the_interpreter(duration_s: float) -> None:
    """Keep every other thread from running, as a long call that holds the GIL does."""
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(2 * duration_s)
    try:
        busy_until = time.monotonic() + duration_s
        while time.monotonic() < busy_until:
            pass
    finally:
        sys.setswitchinterval(switch_interval_s)


def noise(duration_ms: float, rate_hz: int, seed: int) -> bytes:
    """Sound that can be found again: no two samples of it are alike for long."""
    return random.Random(seed).randbytes(bytes_of_ms(duration_ms, rate_hz))  # noqa: S311 - no secret


def words(duration_ms: float, seed: int) -> bytes:
    return noise(duration_ms, CAPTURE_RATE_HZ, seed)


def reply(duration_ms: float, seed: int = 1) -> bytes:
    return noise(duration_ms, PLAYBACK_RATE_HZ, seed)


class MicrophoneRig(Protocol):
    """A microphone with a pre-roll of 1 s (or none), started, in its world."""

    events: EventLog

    @property
    def microphone(self) -> MicrophonePort: ...

    def now(self) -> float: ...

    def hear(self, pcm: bytes) -> None:
        """Let it hear ``pcm``; returns when the sound is over."""
        ...


def silence(duration_ms: float) -> bytes:
    return bytes(bytes_of_ms(duration_ms, CAPTURE_RATE_HZ))


def captured(utterance: Utterance) -> bytes:
    return utterance.read(0, utterance.size_bytes)


class MicrophoneContract:
    """Needs the fixtures ``rig`` (pre-roll 1 s) and ``cold_rig`` (no pre-roll)."""

    def test_says_that_the_device_is_ready(self, rig: MicrophoneRig) -> None:
        assert rig.events.wait_for(ev.DeviceReady).device is ev.Device.MICROPHONE

    def test_an_utterance_has_preroll_speech_and_tail_and_nothing_else(
        self, rig: MicrophoneRig
    ) -> None:
        old, early, spoken, late = (words(200, seed) for seed in range(4))
        for sound in (old, silence(300), early):
            rig.hear(sound)
        utterance = Utterance(7, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now() - 0.35)
        for sound in (spoken, silence(150)):
            rig.hear(sound)
        rig.microphone.close_gate(7, rig.now())
        for sound in (silence(150), late, silence(50)):
            rig.hear(sound)
        ended = rig.events.wait_for(ev.CaptureEnded)
        assert ended == ev.CaptureEnded(7, utterance.duration_s)
        assert utterance.complete
        sound = captured(utterance)
        assert early + spoken in sound
        assert old[-100:] not in sound
        assert late[:100] not in sound
        assert abs(utterance.duration_s - 0.70) < 0.1

    def test_tells_of_the_first_captured_frames_once(self, rig: MicrophoneRig) -> None:
        rig.hear(words(100, 1))
        rig.microphone.open_gate(Utterance(3, 10_000_000), rig.now())
        rig.hear(words(200, 2))
        assert rig.events.wait_for(ev.CaptureStarted).turn == 3
        rig.hear(words(100, 3))
        rig.microphone.close_gate(3, rig.now())
        rig.hear(silence(100))
        rig.events.wait_for(ev.CaptureEnded)
        assert len(rig.events.of(ev.CaptureStarted)) == 1

    def test_waits_for_the_sound_that_must_be_covered(self, rig: MicrophoneRig) -> None:
        rig.hear(silence(100))
        utterance = Utterance(1, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now())
        spoken = words(200, 1)
        rig.microphone.close_gate(1, rig.now() + 0.35)
        rig.hear(silence(50))
        assert not utterance.complete
        rig.hear(spoken + silence(200))
        rig.events.wait_for(ev.CaptureEnded)
        assert spoken in captured(utterance)

    def test_what_one_utterance_has_is_not_in_the_next_ones_preroll(
        self, rig: MicrophoneRig
    ) -> None:
        first, second = Utterance(1, 10_000_000), Utterance(2, 10_000_000)
        spoken = words(200, 1)
        rig.microphone.open_gate(first, rig.now())
        rig.hear(silence(100) + spoken + silence(300))  # a busy machine hears late
        rig.microphone.close_gate(1, rig.now())
        rig.hear(silence(100))
        rig.events.wait_for(ev.CaptureEnded)
        rig.microphone.open_gate(second, rig.now() - 1.0)
        rig.hear(silence(100))
        rig.microphone.close_gate(2, rig.now())
        rig.hear(silence(100))
        rig.events.wait_for(ev.CaptureEnded)
        assert spoken in captured(first)
        assert spoken[-100:] not in captured(second)

    def test_what_is_discarded_is_gone_and_nothing_is_said_of_it(self, rig: MicrophoneRig) -> None:
        utterance = Utterance(1, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now())
        rig.hear(words(200, 1))
        rig.microphone.discard(1)
        assert utterance.size_bytes == 0
        assert utterance.discarded
        rig.hear(words(100, 2))
        rig.microphone.close_gate(1, rig.now())
        assert utterance.size_bytes == 0
        assert not rig.events.of(ev.CaptureEnded)

    def test_orders_about_another_turn_do_nothing(self, rig: MicrophoneRig) -> None:
        utterance = Utterance(2, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now())
        rig.hear(silence(100))
        rig.microphone.close_gate(1, rig.now() - 1)
        rig.microphone.discard(1)
        spoken = words(100, 1)
        rig.hear(spoken + silence(100))
        rig.microphone.close_gate(2, rig.now())
        rig.hear(silence(100))
        assert rig.events.wait_for(ev.CaptureEnded).turn == 2
        assert spoken in captured(utterance)

    def test_stopping_completes_what_is_open(self, rig: MicrophoneRig) -> None:
        utterance = Utterance(1, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now())
        rig.hear(silence(100))
        rig.microphone.stop()
        assert utterance.complete
        assert rig.events.wait_for(ev.CaptureEnded).turn == 1

    def test_without_preroll_nothing_from_before_the_press_is_kept(
        self, cold_rig: MicrophoneRig
    ) -> None:
        early, spoken = words(300, 1), words(200, 2)
        cold_rig.events.wait_for(ev.DeviceReady)
        cold_rig.hear(early + silence(100))
        utterance = Utterance(1, 10_000_000)
        cold_rig.microphone.open_gate(utterance, cold_rig.now() - 0.05)
        cold_rig.hear(silence(200) + spoken + silence(150))
        cold_rig.microphone.close_gate(1, cold_rig.now())
        cold_rig.hear(silence(100))
        cold_rig.events.wait_for(ev.CaptureEnded)
        assert spoken in captured(utterance)
        assert early[-100:] not in captured(utterance)

    def test_muted_it_hears_nothing_and_what_it_has_heard_is_gone(self, rig: MicrophoneRig) -> None:
        rig.events.wait_for(ev.DeviceReady)
        before, during, after = (words(200, seed) for seed in range(3))
        said = Utterance(1, 10_000_000)
        rig.microphone.open_gate(said, rig.now())
        rig.hear(silence(100) + before + silence(300))
        rig.microphone.mute(on=True)
        assert rig.events.wait_for(ev.CaptureEnded).turn == 1
        rig.hear(during + silence(100))
        assert rig.microphone.level() is None
        rig.microphone.mute(on=False)
        rig.hear(silence(300))
        utterance = Utterance(2, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now() - 1.0)
        rig.hear(after + silence(300))
        rig.microphone.close_gate(2, rig.now())
        rig.hear(silence(100))
        assert rig.events.wait_for(ev.CaptureEnded).turn == 2
        assert before in captured(said)
        assert after in captured(utterance)
        for gone in (before, during):
            assert gone[-200:] not in captured(utterance)

    def test_the_level_is_that_of_the_newest_second_and_changes_nothing(
        self, rig: MicrophoneRig
    ) -> None:
        rig.events.wait_for(ev.DeviceReady)
        rig.hear(silence(1100))
        quiet, spoken = rig.microphone.level(), words(400, 1)
        assert quiet is not None
        assert quiet.verdict is Verdict.SILENT
        rig.hear(spoken + silence(200))
        loud = rig.microphone.level()
        assert loud is not None
        assert loud.peak_dbfs > -1
        utterance = Utterance(1, 10_000_000)
        rig.microphone.open_gate(utterance, rig.now() - 0.9)
        rig.hear(silence(100))
        assert spoken in captured(utterance)  # the pre-roll is still there

    def test_the_level_is_also_that_of_what_is_being_said(self, cold_rig: MicrophoneRig) -> None:
        cold_rig.events.wait_for(ev.DeviceReady)
        assert cold_rig.microphone.level() is None
        cold_rig.microphone.open_gate(Utterance(1, 10_000_000), cold_rig.now())
        cold_rig.hear(silence(200) + words(400, 1) + silence(200))
        level = cold_rig.microphone.level()
        assert level is not None
        assert level.peak_dbfs > -1
        cold_rig.microphone.discard(1)
        assert cold_rig.microphone.level() is None


class SpeakerRig(Protocol):
    """A speaker with a prebuffer of 100 ms, started, in its world."""

    events: EventLog

    @property
    def speaker(self) -> SpeakerPort: ...

    def until(self, wanted: type[E]) -> E:
        """Let time pass until this is posted."""
        ...

    def heard(self) -> bytes:
        """All that has been played so far."""
        ...


class SpeakerContract:
    """Needs the fixture ``speaker_rig``."""

    def test_says_that_the_device_is_ready(self, speaker_rig: SpeakerRig) -> None:
        assert speaker_rig.until(ev.DeviceReady).device is ev.Device.SPEAKER

    def test_a_reply_is_heard_to_the_last_sample(self, speaker_rig: SpeakerRig) -> None:
        sound = reply(400)
        speaker_rig.speaker.expect(1)
        for position in range(0, len(sound), 1999):  # odd: samples are torn apart
            speaker_rig.speaker.feed(1, sound[position : position + 1999])
        assert speaker_rig.until(ev.PlaybackStarted).turn == 1
        speaker_rig.speaker.finish(1)
        drained = speaker_rig.until(ev.PlaybackDrained)
        assert drained.turn == 1
        assert abs(drained.duration_s - 0.4) < 1e-6
        assert sound in speaker_rig.heard()

    def test_only_the_expected_turn_is_heard(self, speaker_rig: SpeakerRig) -> None:
        stale, wanted = reply(200, 1), reply(200, 2)
        speaker_rig.speaker.feed(1, stale)
        speaker_rig.speaker.expect(2)
        speaker_rig.speaker.feed(1, stale)
        speaker_rig.speaker.finish(1)
        speaker_rig.speaker.feed(2, wanted)
        speaker_rig.speaker.finish(2)
        assert speaker_rig.until(ev.PlaybackDrained).turn == 2
        assert wanted in speaker_rig.heard()
        assert stale[:100] not in speaker_rig.heard()

    def test_a_reply_without_sound_drains_at_once(self, speaker_rig: SpeakerRig) -> None:
        speaker_rig.until(ev.DeviceReady)
        speaker_rig.speaker.expect(5)
        speaker_rig.speaker.finish(5)
        assert speaker_rig.until(ev.PlaybackDrained) == ev.PlaybackDrained(5, 0.0)
        assert not speaker_rig.events.of(ev.PlaybackStarted)

    def test_a_short_reply_need_not_fill_the_prebuffer(self, speaker_rig: SpeakerRig) -> None:
        sound = reply(40)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, sound)
        speaker_rig.speaker.finish(1)
        speaker_rig.until(ev.PlaybackDrained)
        assert sound in speaker_rig.heard()

    def test_starves_resumes_and_drains_with_all_that_was_played(
        self, speaker_rig: SpeakerRig
    ) -> None:
        first, second = reply(200, 1), reply(200, 2)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, first)
        assert speaker_rig.until(ev.PlaybackStarved).turn == 1
        speaker_rig.speaker.feed(1, second)
        assert speaker_rig.until(ev.PlaybackResumed).turn == 1
        speaker_rig.speaker.finish(1)
        assert abs(speaker_rig.until(ev.PlaybackDrained).duration_s - 0.4) < 1e-6
        assert len(speaker_rig.events.of(ev.PlaybackStarted)) == 1
        assert first in speaker_rig.heard()
        assert second in speaker_rig.heard()

    def test_what_comes_after_the_end_is_played_and_drains_again(
        self, speaker_rig: SpeakerRig
    ) -> None:
        first, second = reply(150, 1), reply(50, 2)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, first)
        speaker_rig.speaker.finish(1)
        speaker_rig.until(ev.PlaybackDrained)
        speaker_rig.speaker.feed(1, second)
        assert speaker_rig.until(ev.PlaybackResumed).turn == 1
        assert abs(speaker_rig.until(ev.PlaybackDrained).duration_s - 0.2) < 1e-6
        assert second in speaker_rig.heard()

    def test_a_dropped_reply_is_heard_no_more(self, speaker_rig: SpeakerRig) -> None:
        dropped, next_reply = reply(5000, 1), reply(150, 2)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, dropped)
        speaker_rig.speaker.drop()
        speaker_rig.speaker.feed(1, dropped)
        speaker_rig.speaker.finish(1)
        speaker_rig.speaker.expect(2)
        speaker_rig.speaker.feed(2, next_reply)
        speaker_rig.speaker.finish(2)
        assert speaker_rig.until(ev.PlaybackDrained).turn == 2
        heard = speaker_rig.heard()
        assert next_reply in heard
        assert dropped[48_000:48_100] not in heard
        assert len(speaker_rig.events.of(ev.PlaybackDrained)) == 1

    def test_nothing_half_samples_and_absurd_rates_do_no_harm(
        self, speaker_rig: SpeakerRig
    ) -> None:
        sound = reply(100, 2)
        speaker_rig.speaker.expect(1)
        for rate_hz in (0, 1, -24_000, 1_000_000):
            speaker_rig.speaker.feed(1, reply(50, 1), rate_hz)
        for piece in (b"", sound[:1], b"", sound[1:]):
            speaker_rig.speaker.feed(1, piece)
        speaker_rig.speaker.finish(1)
        drained = speaker_rig.until(ev.PlaybackDrained)
        assert drained.turn == 1
        assert abs(drained.duration_s - 0.1) < 1e-6
        assert sound in speaker_rig.heard()
        assert not speaker_rig.events.of(ev.DeviceLost)

    def test_a_clip_is_heard_and_reported(self, speaker_rig: SpeakerRig) -> None:
        clip = reply(120)
        speaker_rig.speaker.play_clip(clip)
        speaker_rig.until(ev.NoticeEnded)
        assert clip in speaker_rig.heard()

    def test_a_clip_follows_the_reply(self, speaker_rig: SpeakerRig) -> None:
        sound, clip = reply(150, 1), reply(100, 2)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, sound)
        speaker_rig.speaker.finish(1)
        speaker_rig.speaker.play_clip(clip)
        speaker_rig.until(ev.NoticeEnded)
        assert sound + clip in speaker_rig.heard()
        assert speaker_rig.events.of(ev.PlaybackDrained)

    def test_a_clip_after_drop_is_heard(self, speaker_rig: SpeakerRig) -> None:
        clip = reply(100, 2)
        speaker_rig.speaker.expect(1)
        speaker_rig.speaker.feed(1, reply(3000, 1))
        speaker_rig.speaker.drop()
        speaker_rig.speaker.play_clip(clip)
        speaker_rig.until(ev.NoticeEnded)
        assert clip in speaker_rig.heard()
        assert not speaker_rig.events.of(ev.PlaybackDrained)


def duration_of(pcm: bytes) -> float:
    return seconds_of(len(pcm), PLAYBACK_RATE_HZ)
