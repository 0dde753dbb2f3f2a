"""Earcons: the short sounds by which the speaker says what words have not come for.

Soft struck notes, synthesized: no file to install and no licence to keep. Their figures are told
apart by their melodies alone: rising is good or on, falling is bad or off, one note is no news.
Pitches stay within 390 and 1,200 Hz, which the smallest loudspeaker has and everybody hears.
"""

from __future__ import annotations

import enum
import functools
import math
import struct
from typing import NamedTuple

from speakerd.audio.clips import peak_at
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, frames_of_ms
from speakerd.conversation.effects import Cue, Notice

#: How loud earcons are unless it is said otherwise: as SPEAKERD_EARCON_VOLUME.
DEFAULT_VOLUME_PERCENT = 60


class Earcon(enum.Enum):
    """What a short sound can say. The values name it for people."""

    READY = "ready"  # after the start: hold the button and speak
    HEARD = "heard"  # the button was let go, the sentence is complete: under 120 ms
    NOTHING = "nothing"  # nothing was heard, or the model has nothing to say: no complaint
    THINKING = "thinking"  # an answer is waited for: quiet, to be repeated every 2 s or so
    ERROR = "error"  # it did not work
    BROKEN_OFF = "broken-off"  # the answer has no end
    TIMER = "timer"  # one phrase of an alarm, 1.2 s with its rest, to be repeated at once
    FORGOTTEN = "forgotten"  # the next conversation begins anew
    HUNG_UP = "hung-up"  # hands free: nobody listens any more
    VOLUME = "volume"  # a tick, to be heard at the volume that has just been set
    MUTED = "muted"
    UNMUTED = "unmuted"


class _Note(NamedTuple):
    pitch_hz: float
    start_ms: int
    duration_ms: int


class _Figure(NamedTuple):
    peak: float  # of the loudest figure's
    notes: tuple[_Note, ...]
    rest_ms: int = 0  # silence at its end


_FIGURES: dict[Earcon, _Figure] = {
    # Up an octave by way of the fifth.
    Earcon.READY: _Figure(
        0.7, (_Note(523.3, 0, 260), _Note(784.0, 140, 260), _Note(1046.5, 280, 480))
    ),
    Earcon.HEARD: _Figure(0.4, (_Note(880.0, 0, 90),)),
    # One low, quiet note: no question, no complaint.
    Earcon.NOTHING: _Figure(0.3, (_Note(392.0, 0, 260),)),
    Earcon.THINKING: _Figure(0.15, (_Note(493.9, 0, 180),)),
    # A slow falling sixth.
    Earcon.ERROR: _Figure(1.0, (_Note(659.3, 0, 300), _Note(392.0, 220, 480))),
    # Two quick notes and a fall, as of a sentence that breaks off.
    Earcon.BROKEN_OFF: _Figure(
        0.85, (_Note(587.3, 0, 140), _Note(587.3, 130, 140), _Note(392.0, 260, 380))
    ),
    # A chord upwards that comes back to its middle, and a breath.
    Earcon.TIMER: _Figure(
        1.0,
        (
            _Note(784.0, 0, 260),
            _Note(987.8, 140, 260),
            _Note(1174.7, 280, 260),
            _Note(987.8, 420, 480),
        ),
        rest_ms=300,
    ),
    # Two steps down to rest: it is put away.
    Earcon.FORGOTTEN: _Figure(
        0.6, (_Note(880.0, 0, 140), _Note(659.3, 110, 140), _Note(440.0, 220, 300))
    ),
    # A tick and a lower one: the door falls shut.
    Earcon.HUNG_UP: _Figure(0.5, (_Note(880.0, 0, 90), _Note(587.3, 90, 160))),
    Earcon.VOLUME: _Figure(0.7, (_Note(1046.5, 0, 60),)),
    Earcon.MUTED: _Figure(0.6, (_Note(784.0, 0, 140), _Note(523.3, 110, 220))),
    Earcon.UNMUTED: _Figure(0.6, (_Note(523.3, 0, 140), _Note(784.0, 110, 220))),
}
#: Three notes upwards, a major chord: it is heard at once that all of it has been played.
_TONE = _Figure(1.0, (_Note(440.0, 0, 420), _Note(554.4, 200, 420), _Note(659.3, 400, 700)))

#: What stands for a notice that is not spoken; all others are errors.
_OF_NOTICE: dict[Notice, Earcon] = {
    Notice.NO_REPLY: Earcon.NOTHING,
    Notice.ANSWER_CUT: Earcon.BROKEN_OFF,
    Notice.BUDGET_NEAR: Earcon.NOTHING,  # nothing has gone wrong
}

_ATTACK_MS = 8  # slower than a click, faster than a swell
_RELEASE_MS = 30
_DECAY = 3.0  # by how many times e a note has faded at its end
_OVERTONES = ((1, 1.0), (2, 0.3), (3, 0.1))  # (multiple of the pitch, share)


def render(sound: Earcon | Notice | Cue, volume_percent: int = DEFAULT_VOLUME_PERCENT) -> bytes:
    """The earcon, or that of a notice or a cue: S16_LE mono at 24 kHz, at most 1.2 s.

    It is kept once it is made. At ``volume_percent`` 100 the loudest figures peak where the model's
    voice does; at 0 there is no sound: no bytes.
    """
    match sound:
        case Notice():
            earcon = _OF_NOTICE.get(sound, Earcon.ERROR)
        case Cue():
            earcon = Earcon(sound.value)
        case _:
            earcon = sound
    return _synthesize(_FIGURES[earcon], volume_percent)


def prepare(volume_percent: int) -> None:
    """Make those of every cue and notice: a tenth of a second, or a second on a small Pi."""
    for sound in (*Cue, *Notice):
        render(sound, volume_percent)


def tone() -> bytes:
    """The test tone: S16_LE mono at 24 kHz, 1.1 s of three notes upwards, kept once it is made.

    It is there to be heard, and does not ask for the earcons' volume.
    """
    return _synthesize(_TONE, DEFAULT_VOLUME_PERCENT)


@functools.lru_cache(maxsize=2 * (len(Earcon) + 1))  # all of them, at two volumes: 600 kB
def _synthesize(figure: _Figure, volume_percent: int) -> bytes:
    if not volume_percent:
        return b""
    end_ms = max(note.start_ms + note.duration_ms for note in figure.notes) + figure.rest_ms
    mix = [0.0] * frames_of_ms(end_ms, PLAYBACK_RATE_HZ)
    for note in figure.notes:
        first = frames_of_ms(note.start_ms, PLAYBACK_RATE_HZ)
        for index, value in enumerate(_strike(note), first):
            mix[index] += value
    gain = peak_at(volume_percent) * figure.peak / max(map(abs, mix))
    return struct.pack(f"<{len(mix)}h", *(round(value * gain) for value in mix))


def _strike(note: _Note) -> list[float]:
    """The note; it begins and ends with zero, without a click."""
    sound = [0.0] * frames_of_ms(note.duration_ms, PLAYBACK_RATE_HZ)
    for multiple, share in _OVERTONES:
        _ring(sound, note.pitch_hz * multiple, share)
    attack = frames_of_ms(_ATTACK_MS, PLAYBACK_RATE_HZ)
    release = frames_of_ms(_RELEASE_MS, PLAYBACK_RATE_HZ)
    for index in range(attack):
        sound[index] *= index / attack
    for index in range(release):
        sound[-1 - index] *= index / release
    return sound


def _ring(sound: list[float], pitch_hz: float, share: float) -> None:
    """Add a sine that fades: a resonator's two multiplications a sample, no sine, no exponential.

    s[n] = 2 r cos(w) s[n-1] - r**2 s[n-2] is r**n sin(w n), where s[0] = 0 and s[1] = r sin(w).
    """
    angle = 2 * math.pi * pitch_hz / PLAYBACK_RATE_HZ
    fading = math.exp(-_DECAY / len(sound))
    once, twice = 2 * fading * math.cos(angle), -fading * fading
    now, following = 0.0, share * fading * math.sin(angle)
    for index in range(len(sound)):
        sound[index] += now
        now, following = following, once * following + twice * now
