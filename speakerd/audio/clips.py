"""Clips: how loud the speaker's own sounds are, and how a program's WAV becomes one of them.

In plain Python, as the standard library has nothing for it any more, and in arrays: a list of
numbers takes sixteen times the room. To convert a second of sound takes 25 ms on a server's core,
twenty times that on a small board: it is for a process of its own, which this module is when it is
run. ``python -m speakerd.audio.clips PERCENT <speech.wav >clip``
"""

from __future__ import annotations

import array
import functools
import math
import operator
import struct
import sys
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PLAYBACK_RATE_HZ, SAMPLE_BYTES, frames_of_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Where the model's voice peaks: -3 dBFS.
VOICE_PEAK = 32767 * 10 ** (-3 / 20)
#: Loudness as it is felt grows with the sound pressure to the power of 0.6 (Stevens): half the
#: percent is half as loud, and 10 dB less.
_PERCEPTUAL = 1 / 0.6

#: From telephone to what is played. More would want another filter; no voice of espeak-ng has it.
_RATES_HZ = range(8_000, PLAYBACK_RATE_HZ + 1)
_TAPS = 16  # what is not in the original stays 45 dB below it, up to 8 kHz at 22,050 Hz

_SILENCE = 0.005  # of the peak, -46 dB
_MARGIN_MS = 15  # what is kept beside the first and the last that is heard
_FADE_MS = 5


def peak_at(volume_percent: int) -> float:
    """The largest sample that a sound of the speaker's own has at 0 to 100 percent."""
    return VOICE_PEAK * math.pow(volume_percent / 100, _PERCEPTUAL)


def clip(wav: bytes, volume_percent: int) -> bytes:
    """The speech in ``wav`` without the silence around it: S16_LE mono at 24 kHz.

    At ``volume_percent`` (1 to 100) it peaks as the earcons do. Raises ValueError if there is no
    speech in it, or it is of a kind that no voice has.
    """
    samples, rate_hz = read_wav(wav)
    return finished(resampled(trimmed(samples, rate_hz), rate_hz), peak_at(volume_percent))


def read_wav(wav: bytes) -> tuple[Sequence[int], int]:
    """The samples of ``wav`` and their rate in Hz.

    A program that writes to a pipe does not know how long its sound will be, and writes some size
    or other: what is there counts. Raises ValueError if it is not PCM of 16 bits, mono, at 8 to
    24 kHz, or if there is none of it.
    """
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    rate_hz = 0
    at = 12
    while at + 8 <= len(wav):
        name, size = struct.unpack_from("<4sI", wav, at)
        at += 8
        if name == b"data" and rate_hz:
            sound = wav[at : at + size] if size else wav[at:]
            if len(sound) < SAMPLE_BYTES:
                break
            return _unpack(sound), rate_hz
        if name == b"fmt " and at + 16 <= len(wav):
            kind, channels, rate_hz, bits = struct.unpack_from("<HHI6xH", wav, at)
            if (kind, channels, bits) != (1, 1, 16) or rate_hz not in _RATES_HZ:
                raise ValueError(f"a WAV file of another kind: {channels=}, {rate_hz=}, {bits=}")
        at += size + size % 2
    raise ValueError("a WAV file without sound")


def trimmed(samples: Sequence[int], rate_hz: int) -> Sequence[int]:
    """``samples`` without the silence at both ends. Raises ValueError if there is nothing else."""
    threshold = max(map(abs, samples), default=0) * _SILENCE
    loud = [index for index, sample in enumerate(samples) if abs(sample) > threshold]
    if not loud:
        raise ValueError("nothing but silence")
    margin = frames_of_ms(_MARGIN_MS, rate_hz)
    return samples[max(0, loud[0] - margin) : loud[-1] + 1 + margin]


def resampled(samples: Sequence[int], rate_hz: int) -> array.array[float]:
    """``samples`` at 24 kHz.

    A windowed sinc, one set of taps for each of the places that a new sample can have between two
    old ones (160 of them for 22,050 Hz).
    """
    common = math.gcd(PLAYBACK_RATE_HZ, rate_hz)
    up, down = PLAYBACK_RATE_HZ // common, rate_hz // common
    padded = array.array("h", bytes(_TAPS - SAMPLE_BYTES))
    padded.extend(samples)
    padded.frombytes(bytes(_TAPS))
    sound = array.array("d")
    for index in range(len(samples) * up // down):
        old, place = divmod(index * down, up)
        sound.append(sum(map(operator.mul, _taps(place, up), padded[old : old + _TAPS])))
    return sound


def finished(samples: Sequence[float], peak: float) -> bytes:
    """``samples`` as S16_LE that reaches ``peak`` once at least, faded at both ends."""
    gain = peak / max(map(abs, samples))
    sound = array.array("d", (sample * gain for sample in samples))
    fade = min(frames_of_ms(_FADE_MS, PLAYBACK_RATE_HZ), len(sound) // 2)
    for index in range(fade):
        sound[index] *= index / fade
        sound[-1 - index] *= index / fade
    return _packed(map(round, sound))


@functools.lru_cache(maxsize=512)
def _taps(place: int, places: int) -> tuple[float, ...]:
    """The weights of the old samples around a new one that is ``place / places`` after one."""
    half = _TAPS // 2
    distances = [index - half + 1 - place / places for index in range(_TAPS)]
    weights = [_sinc(x) * math.cos(math.pi * x / _TAPS) ** 2 for x in distances]  # Hann's window
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _unpack(pcm: bytes) -> array.array[int]:
    samples = array.array("h", pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _packed(samples: Iterable[int]) -> bytes:
    pcm = array.array("h", samples)
    if sys.byteorder == "big":
        pcm.byteswap()
    return pcm.tobytes()


def _main(volume_percent: str) -> None:
    try:
        sys.stdout.buffer.write(clip(sys.stdin.buffer.read(), int(volume_percent)))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1])
