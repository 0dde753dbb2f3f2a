"""Earcons: short, soft at both ends, and told apart."""

from __future__ import annotations

import struct

import pytest

from speakerd.audio.earcons import render, tone
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, seconds_of
from speakerd.conversation.effects import Notice


def samples(notice: Notice) -> tuple[int, ...]:
    return unpacked(render(notice))


def unpacked(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


@pytest.mark.parametrize("notice", Notice)
def test_every_notice_has_a_sound_that_is_short_and_does_not_click(notice: Notice) -> None:
    sound = samples(notice)
    assert 0.1 < seconds_of(2 * len(sound), PLAYBACK_RATE_HZ) < 1.0
    assert 1000 < max(map(abs, sound)) < 16_384
    assert max(abs(sound[0]), abs(sound[-1])) < 50


def test_no_reply_is_quieter_than_an_error() -> None:
    loudest = {notice: max(map(abs, samples(notice))) for notice in Notice}
    assert loudest.pop(Notice.NO_REPLY) * 2 < min(loudest.values())


def test_silence_a_cut_and_an_error_sound_different() -> None:
    assert len({render(n) for n in (Notice.NO_REPLY, Notice.ANSWER_CUT, Notice.NO_ANSWER)}) == 3


def test_an_earcon_is_made_once() -> None:
    assert render(Notice.NO_ANSWER) is render(Notice.KEY_REFUSED)


def test_the_test_tone_is_heard_does_not_click_and_is_no_earcon() -> None:
    sound = unpacked(tone())
    assert 1.0 < seconds_of(2 * len(sound), PLAYBACK_RATE_HZ) < 1.2
    assert 4000 < max(map(abs, sound)) < 20_000
    assert max(abs(sound[0]), abs(sound[-1])) < 50
    assert tone() not in {render(notice) for notice in Notice}
