"""Playback through real alsa-lib: to the sample, in real time, and silent when it shall be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.alsa import open_playback
from speakerd.audio.earcons import render
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, XrunError
from speakerd.audio.speaker import Speaker
from speakerd.conversation import events as ev
from speakerd.conversation.effects import Notice
from tests.audio.contract import EventLog, hold_the_interpreter, reply, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

BYTES_PER_MS = 48


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def speaker(card: StandInCard, events: EventLog) -> Iterator[Speaker]:
    speaker = Speaker(card.playback_device, prebuffer_ms=100, post=events.post)
    speaker.start()
    yield speaker
    speaker.stop()


def heard_since(card: StandInCard, beginning: int) -> bytes:
    card.wait_heard(card.heard_bytes() + 200 * BYTES_PER_MS)
    return card.heard(beginning)


def test_twenty_replies_in_a_row_are_heard_bit_exactly(
    card: StandInCard, speaker: Speaker, events: EventLog
) -> None:
    beginning = card.heard_bytes()
    replies = {turn: reply(60, turn) for turn in range(1, 21)}
    for turn, sound in replies.items():
        speaker.expect(turn)
        speaker.feed(turn, sound)
        speaker.finish(turn)
        assert events.wait_for(ev.PlaybackDrained).turn == turn
    heard = heard_since(card, beginning)
    positions = [heard.find(sound) for sound in replies.values()]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert speaker.underruns == 0


def test_a_reply_takes_as_long_as_it_lasts(speaker: Speaker, events: EventLog) -> None:
    events.wait_for(ev.DeviceReady)
    speaker.expect(1)
    speaker.feed(1, reply(800))
    speaker.finish(1)
    events.wait_for(ev.PlaybackStarted)
    started = time.monotonic()
    events.wait_for(ev.PlaybackDrained)
    assert time.monotonic() - started >= 0.75
    assert not events.of(ev.Xrun, ev.PlaybackStarved)


def test_drop_is_silent_at_once(card: StandInCard, speaker: Speaker, events: EventLog) -> None:
    beginning = card.heard_bytes()
    sound = reply(3000)
    speaker.expect(1)
    speaker.feed(1, sound)
    events.wait_for(ev.PlaybackStarted)
    card.wait_heard(beginning + 500 * BYTES_PER_MS)
    dropped_at = card.heard_bytes()
    speaker.drop()
    heard = heard_since(card, beginning)
    last_sound_bytes = len(heard.rstrip(b"\0"))
    assert last_sound_bytes > 200 * BYTES_PER_MS
    # what the null sink has rendered ahead (50 ms) is beyond anybody's reach; ALSA's buffer, 200
    # ms of it, is not
    assert last_sound_bytes - (dropped_at - beginning) < 150 * BYTES_PER_MS


def test_a_device_that_is_kept_awake_is_silent_at_once_too(
    card: StandInCard, events: EventLog
) -> None:
    beginning = card.heard_bytes()
    speaker = Speaker(
        card.playback_device, prebuffer_ms=100, wake_ms=300, keep_awake_s=60.0, post=events.post
    )
    speaker.start()
    try:
        speaker.expect(1)
        speaker.feed(1, reply(3000))
        events.wait_for(ev.PlaybackStarted)
        card.wait_heard(beginning + 800 * BYTES_PER_MS)
        dropped_at = card.heard_bytes()
        speaker.drop()
        heard = heard_since(card, beginning)
        last_sound_bytes = len(heard.rstrip(b"\0"))
        assert last_sound_bytes > 300 * BYTES_PER_MS
        assert last_sound_bytes - (dropped_at - beginning) < 150 * BYTES_PER_MS
        clip = reply(200, 2)
        speaker.play_clip(clip)
        events.wait_for(ev.NoticeEnded)
        assert clip in heard_since(card, beginning)
        assert speaker.underruns == 0
    finally:
        speaker.stop()


def test_audio_at_another_rate_is_played_in_its_place(
    card: StandInCard, speaker: Speaker, events: EventLog
) -> None:
    beginning = card.heard_bytes()
    before, after = reply(150, 1), reply(150, 2)
    speaker.expect(1)
    speaker.feed(1, before)
    speaker.feed(1, reply(150, 3) + reply(150, 4), rate_hz=48_000)
    speaker.feed(1, after)
    speaker.finish(1)
    assert abs(events.wait_for(ev.PlaybackDrained).duration_s - 0.45) < 1e-6
    heard = heard_since(card, beginning)
    assert before in heard
    gap_bytes = heard.find(after) - heard.find(before) - len(before)
    assert gap_bytes > 140 * BYTES_PER_MS
    assert len(events.of(ev.PlaybackStarted)) == 1
    assert not events.of(ev.PlaybackStarved)


def test_an_earcon_is_heard_as_it_was_made(
    card: StandInCard, speaker: Speaker, events: EventLog
) -> None:
    beginning = card.heard_bytes()
    earcon = render(Notice.NO_ANSWER)
    speaker.play_clip(earcon)
    events.wait_for(ev.NoticeEnded)
    assert earcon.strip(b"\0") in heard_since(card, beginning)


def test_a_device_that_is_there_is_found_there_playing_or_not(card: StandInCard) -> None:
    pcm = open_playback(card.playback_device, PLAYBACK_RATE_HZ)
    try:
        pcm.check()
        pcm.write(memoryview(reply(100)))
        pcm.check()
        pcm.drop()
        pcm.check()
    finally:
        pcm.close()


def test_after_an_underrun_the_block_is_written_again(card: StandInCard) -> None:
    beginning = card.heard_bytes()
    pcm = open_playback(card.playback_device, PLAYBACK_RATE_HZ)
    first, second = reply(40, 1), reply(40, 2)
    try:
        assert pcm.write(memoryview(first)) == len(first) // 2
        ran_dry = False

        def runs_dry() -> bool:
            nonlocal ran_dry
            try:
                pcm.queued_frames()
            except XrunError:
                ran_dry = True
            return ran_dry

        wait_until(runs_dry)
        assert pcm.queued_frames() == 0  # recovered
        assert pcm.write(memoryview(second)) == len(second) // 2
        heard = heard_since(card, beginning)
    finally:
        pcm.close()
    assert first in heard
    assert second in heard


def test_playback_goes_on_after_an_underrun(
    card: StandInCard, speaker: Speaker, events: EventLog
) -> None:
    """The thread is kept from running for longer than the device's buffer lasts."""
    beginning = card.heard_bytes()
    sound = reply(900)
    speaker.expect(1)
    speaker.feed(1, sound)
    speaker.finish(1)
    events.wait_for(ev.PlaybackStarted)
    hold_the_interpreter(0.4)
    assert events.wait_for(ev.Xrun).device is ev.Device.SPEAKER
    assert events.wait_for(ev.PlaybackDrained).duration_s == pytest.approx(0.9)
    assert speaker.underruns == 1
    heard = heard_since(card, beginning)
    assert sound[-300 * BYTES_PER_MS :] in heard
