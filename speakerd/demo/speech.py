"""Recorded speech for the stand-in microphone: WAV files, brought to 16 kHz mono."""

from __future__ import annotations

import array
import math
import operator
import sys
import wave
from pathlib import Path

from speakerd.errors import UnavailableError

RATE_HZ = 16_000

#: Spoken by a person; Debian's package alsa-utils has them for testing loudspeakers.
RECORDINGS = (
    Path("/usr/share/sounds/alsa/Front_Center.wav"),
    Path("/usr/share/sounds/alsa/Rear_Right.wav"),
)


def load(paths: tuple[Path, ...] = RECORDINGS) -> bytes:
    """The recordings one after the other, as S16_LE mono at 16 kHz.

    Raises :class:`~speakerd.errors.UnavailableError` for a file that is missing or is not 16-bit
    PCM at a multiple of 16 kHz.
    """
    return b"".join(_load(path) for path in paths)


def _load(path: Path) -> bytes:
    try:
        with wave.open(str(path)) as recording:
            channels, width, rate = recording.getparams()[:3]
            frames = recording.readframes(recording.getnframes())
    except FileNotFoundError:
        raise UnavailableError(f"{path} is missing: apt install alsa-utils") from None
    except (OSError, EOFError, wave.Error) as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from None
    if width != 2 or rate % RATE_HZ:
        raise UnavailableError(f"{path} is not 16-bit PCM at a multiple of {RATE_HZ} Hz")
    samples = array.array("h", frames)
    if sys.byteorder == "big":
        samples.byteswap()
    resampled = _decimate(samples[::channels], rate // RATE_HZ)
    if sys.byteorder == "big":
        resampled.byteswap()
    return resampled.tobytes()


def _decimate(samples: array.array[int], factor: int) -> array.array[int]:
    """Every ``factor``-th sample, behind a windowed-sinc low-pass at 0.45 of the new rate."""
    if factor == 1:
        return samples
    half = 8 * factor
    cutoff = 0.9 / factor
    taps = [
        _sinc(cutoff * n) * cutoff * (0.54 + 0.46 * math.cos(math.pi * n / half))
        for n in range(-half, half + 1)
    ]
    padded = [0] * half + list(samples) + [0] * half
    return array.array(
        "h",
        (
            max(-32768, min(32767, round(sum(map(operator.mul, taps, padded[i : i + len(taps)])))))
            for i in range(0, len(samples), factor)
        ),
    )


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0
