"""Earcons, by their signal: length, level, melody, no click, and a volume of their own."""

from __future__ import annotations

import functools
import itertools
import math
import struct
from pathlib import Path

import pytest

from speakerd.audio.clips import VOICE_PEAK, peak_at
from speakerd.audio.earcons import DEFAULT_VOLUME_PERCENT, Earcon, _synthesize, render, tone
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, SAMPLE_BYTES, frames_of_ms, seconds_of
from speakerd.config.settings import Settings
from speakerd.conversation.effects import Cue, Notice

VOLUMES = (1, 10, 60, 99, 100)

#: What is heard of each: its pitches in Hz, a repeated one once.
MELODIES = {
    Earcon.READY: (523.3, 784.0, 1046.5),
    Earcon.HEARD: (880.0,),
    Earcon.NOTHING: (392.0,),
    Earcon.THINKING: (493.9,),
    Earcon.ERROR: (659.3, 392.0),
    Earcon.BROKEN_OFF: (587.3, 392.0),
    Earcon.TIMER: (784.0, 987.8, 1174.7, 987.8),
    Earcon.FORGOTTEN: (880.0, 659.3, 440.0),
    Earcon.HUNG_UP: (880.0, 587.3),
    Earcon.VOLUME: (1046.5,),
    Earcon.MUTED: (784.0, 523.3),
    Earcon.UNMUTED: (523.3, 784.0),
}
LENGTHS_S = {
    Earcon.READY: (0.5, 1.0),
    Earcon.HEARD: (0.05, 0.12),
    Earcon.NOTHING: (0.1, 0.4),
    Earcon.THINKING: (0.1, 0.3),
    Earcon.ERROR: (0.4, 1.0),
    Earcon.BROKEN_OFF: (0.4, 1.0),
    Earcon.TIMER: (1.1, 1.3),
    Earcon.FORGOTTEN: (0.3, 0.7),
    Earcon.HUNG_UP: (0.1, 0.3),
    Earcon.VOLUME: (0.03, 0.1),
    Earcon.MUTED: (0.2, 0.5),
    Earcon.UNMUTED: (0.2, 0.5),
}
_PITCHES = sorted(set(itertools.chain.from_iterable(MELODIES.values())))
_WINDOW = frames_of_ms(50, PLAYBACK_RATE_HZ)
_HOP = frames_of_ms(20, PLAYBACK_RATE_HZ)


def unpacked(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // SAMPLE_BYTES}h", pcm)


@functools.cache
def samples(
    sound: Earcon | Notice, volume_percent: int = DEFAULT_VOLUME_PERCENT
) -> tuple[int, ...]:
    return unpacked(render(sound, volume_percent))


def peak(sound: tuple[int, ...]) -> int:
    return max(map(abs, sound))


def rms(sound: tuple[int, ...]) -> float:
    return math.sqrt(sum(sample * sample for sample in sound) / len(sound))


def strength(sound: tuple[int, ...], pitch_hz: float) -> float:
    """How much of the pitch there is (Goertzel)."""
    factor = 2 * math.cos(2 * math.pi * pitch_hz / PLAYBACK_RATE_HZ)
    last = before = 0.0
    for sample in sound:
        last, before = sample + factor * last - before, last
    return last * last + before * before - factor * last * before


def melody(sound: tuple[int, ...]) -> tuple[float, ...]:
    """The strongest pitch of each moment that is not all but over, repeated ones once."""
    heard: list[float] = []
    for first in range(0, max(1, len(sound) - _WINDOW), _HOP):
        window = sound[first : first + _WINDOW]
        if peak(window) < peak(sound) / 4:
            continue
        strongest = max(_PITCHES, key=lambda pitch_hz, w=window: strength(w, pitch_hz))  # type: ignore[misc]
        if heard[-1:] != [strongest]:
            heard.append(strongest)
    return tuple(heard)


@pytest.mark.parametrize("earcon", Earcon)
def test_it_is_as_short_as_it_should_be(earcon: Earcon) -> None:
    shortest_s, longest_s = LENGTHS_S[earcon]
    assert shortest_s <= seconds_of(len(render(earcon)), PLAYBACK_RATE_HZ) <= longest_s


@pytest.mark.parametrize("earcon", Earcon)
def test_it_has_its_melody(earcon: Earcon) -> None:
    assert melody(samples(earcon, 100)) == MELODIES[earcon]


def test_no_two_have_the_same_melody() -> None:
    assert set(MELODIES) == set(Earcon)
    assert len(set(MELODIES.values())) == len(Earcon)


@pytest.mark.parametrize("volume_percent", VOLUMES)
@pytest.mark.parametrize("earcon", Earcon)
def test_it_neither_clicks_nor_clips_nor_pushes_the_cone(
    earcon: Earcon, volume_percent: int
) -> None:
    sound = samples(earcon, volume_percent)
    assert (sound[0], sound[-1]) == (0, 0)
    assert peak(sound) <= math.ceil(VOICE_PEAK)
    assert abs(sum(sound) / len(sound)) < max(1.0, peak(sound) / 200)


@pytest.mark.parametrize("earcon", Earcon)
def test_no_step_is_steeper_than_its_own_waves(earcon: Earcon) -> None:
    sound = samples(earcon, 100)
    steepest = max(abs(after - before) for before, after in itertools.pairwise(sound))
    # a sine of 1.2 kHz rises by a third of its peak from one sample to the next, overtones by more
    assert steepest < peak(sound) * 0.6
    assert peak(sound[: frames_of_ms(1, PLAYBACK_RATE_HZ)]) < peak(sound) / 4  # no bang


def test_the_loudest_peak_where_the_voice_does_and_are_as_loud_as_each_other() -> None:
    for earcon in (Earcon.ERROR, Earcon.TIMER):
        assert peak(samples(earcon, 100)) == round(VOICE_PEAK)
    levels = [rms(samples(earcon, 100)) for earcon in (Earcon.ERROR, Earcon.TIMER)]
    assert max(levels) < min(levels) * 1.5


def test_what_is_no_news_is_quiet() -> None:
    quiet = {Earcon.HEARD, Earcon.NOTHING, Earcon.THINKING}
    loud = min(peak(samples(earcon)) for earcon in set(Earcon) - quiet)
    assert max(peak(samples(earcon)) for earcon in quiet) < loud
    assert peak(samples(Earcon.THINKING)) < loud / 3


@pytest.mark.parametrize("earcon", Earcon)
def test_the_volume_is_felt_evenly(earcon: Earcon) -> None:
    full, half, quarter = (peak(samples(earcon, volume)) for volume in (100, 50, 25))
    # half as loud is 10 dB less
    assert full / half == pytest.approx(10**0.5, rel=0.02)
    assert half / quarter == pytest.approx(10**0.5, rel=0.02)


@pytest.mark.parametrize("sound", [*Earcon, *Notice])
def test_at_volume_0_there_is_no_sound(sound: Earcon | Notice) -> None:
    assert render(sound, 0) == b""


def test_the_volume_that_is_meant_is_the_option() -> None:
    assert Settings.model_fields["earcon_volume"].default == DEFAULT_VOLUME_PERCENT
    assert render(Earcon.READY) == render(Earcon.READY, DEFAULT_VOLUME_PERCENT)


@pytest.mark.parametrize("notice", Notice)
def test_every_notice_has_a_sound_that_is_short(notice: Notice) -> None:
    sound = samples(notice)
    assert 0.1 < seconds_of(2 * len(sound), PLAYBACK_RATE_HZ) < 1.0
    assert 1000 < peak(sound) < 16_384


def test_what_is_no_error_is_quieter_than_one() -> None:
    loudest = {notice: peak(samples(notice)) for notice in Notice}
    quiet = [loudest.pop(notice) for notice in (Notice.NO_REPLY, Notice.BUDGET_NEAR)]
    assert max(quiet) * 2 < min(loudest.values())


def test_silence_a_cut_and_an_error_sound_different() -> None:
    assert len({render(n) for n in (Notice.NO_REPLY, Notice.ANSWER_CUT, Notice.NO_ANSWER)}) == 3


def test_an_earcon_is_made_once_and_always_the_same() -> None:
    first = render(Notice.NO_ANSWER)
    assert render(Notice.KEY_REFUSED) is first
    _synthesize.cache_clear()
    assert render(Earcon.ERROR) == first


def test_the_test_tone_is_heard_does_not_click_and_is_no_earcon() -> None:
    sound = unpacked(tone())
    assert 1.0 < seconds_of(2 * len(sound), PLAYBACK_RATE_HZ) < 1.2
    assert 4000 < peak(sound) < 20_000
    assert (sound[0], sound[-1]) == (0, 0)
    assert tone() not in {render(sound) for sound in (*Notice, *Earcon)}


def test_the_scale_of_the_volume_has_no_jump() -> None:
    peaks = [peak_at(volume) for volume in range(101)]
    assert (peaks[0], peaks[100]) == (0, VOICE_PEAK)
    assert peaks == sorted(set(peaks))


def test_the_document_names_all_of_them() -> None:
    document = Path(__file__).parents[2] / "docs" / "sounds.md"
    lines = document.read_text(encoding="utf-8").splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named == [earcon.value for earcon in Earcon]


@pytest.mark.parametrize("cue", Cue)
def test_every_cue_has_its_figure(cue: Cue) -> None:
    assert render(cue) == render(Earcon[cue.name])
