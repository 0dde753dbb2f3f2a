"""Earcons: the short sounds by which the speaker says what words have not come for.

Soft struck notes, synthesized: no file to install and no licence to keep. Three figures are
enough to tell by ear what matters: nothing to say, something broke off, something is wrong.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import NamedTuple

from speakerd.audio.pcm import PLAYBACK_RATE_HZ, frames_of_ms
from speakerd.conversation.effects import Notice


class _Note(NamedTuple):
    pitch_hz: float
    start_ms: int
    duration_ms: int
    loudness: float  # of full scale


#: One low, quiet note: no question, no complaint.
_NEUTRAL = (_Note(392.0, 0, 260, 0.08),)
#: Two quick notes and a fall, as of a sentence that breaks off.
_BROKEN_OFF = (
    _Note(587.3, 0, 140, 0.22),
    _Note(587.3, 130, 140, 0.22),
    _Note(392.0, 260, 380, 0.22),
)
#: A slow falling sixth: it did not work.
_WRONG = (_Note(659.3, 0, 300, 0.25), _Note(392.0, 220, 480, 0.25))
#: Three notes upwards, a major chord: it is heard at once that all of it has been played.
_TONE = (
    _Note(440.0, 0, 420, 0.25),
    _Note(554.4, 200, 420, 0.25),
    _Note(659.3, 400, 700, 0.25),
)

_FIGURES: dict[Notice, tuple[_Note, ...]] = {
    Notice.NO_REPLY: _NEUTRAL,
    Notice.ANSWER_CUT: _BROKEN_OFF,
}

_ATTACK_MS = 8  # slower than a click, faster than a swell
_RELEASE_MS = 30
_OVERTONES = ((1, 1.0), (2, 0.3), (3, 0.1))  # (multiple of the pitch, share)
_FULL_SCALE = 32767


def render(notice: Notice) -> bytes:
    """The earcon of ``notice``: S16_LE mono at 24 kHz, under a second, kept once it is made."""
    return _synthesize(_FIGURES.get(notice, _WRONG))


def tone() -> bytes:
    """The test tone: S16_LE mono at 24 kHz, 1.1 s of three notes upwards, kept once it is made."""
    return _synthesize(_TONE)


@functools.cache
def _synthesize(notes: tuple[_Note, ...]) -> bytes:
    end_ms = max(note.start_ms + note.duration_ms for note in notes)
    mix = [0.0] * frames_of_ms(end_ms, PLAYBACK_RATE_HZ)
    for note in notes:
        first = frames_of_ms(note.start_ms, PLAYBACK_RATE_HZ)
        for index in range(frames_of_ms(note.duration_ms, PLAYBACK_RATE_HZ)):
            mix[first + index] += _sample(note, index)
    return struct.pack(f"<{len(mix)}h", *(round(value * _FULL_SCALE) for value in mix))


def _sample(note: _Note, index: int) -> float:
    time_s = index / PLAYBACK_RATE_HZ
    remaining_ms = note.duration_ms - time_s * 1000
    envelope = (
        min(1.0, time_s * 1000 / _ATTACK_MS)
        * math.exp(-3 * time_s * 1000 / note.duration_ms)
        * min(1.0, remaining_ms / _RELEASE_MS)
    )
    phase = 2 * math.pi * note.pitch_hz * time_s
    tone = sum(share * math.sin(multiple * phase) for multiple, share in _OVERTONES)
    return note.loudness * envelope * tone
