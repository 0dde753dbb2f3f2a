"""Sound as bytes: resampling, a tone, WAV files. S16_LE mono PCM throughout."""

from __future__ import annotations

import functools
import math
import sys
import wave
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: What the model speaks (Live API guide: "output audio is 24 kHz").
REPLY_RATE_HZ = 24_000
#: What the model hears; other rates are resampled by the server.
NATIVE_RATE_HZ = 16_000
SAMPLE_BYTES = 2


def duration_s(pcm_bytes: int, rate_hz: int) -> float:
    """How long ``pcm_bytes`` bytes sound at ``rate_hz``."""
    return pcm_bytes / (SAMPLE_BYTES * rate_hz)


def peak(pcm: bytes) -> int:
    """The loudest sample, 0 to 32768; 0 if there is none. A trailing odd byte is ignored."""
    samples = _samples(pcm)
    highest, lowest = max(samples, default=0), min(samples, default=0)
    return max(highest, -lowest)


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Resample by linear interpolation at the exact ratio, rounding down.

    Output sample ``n`` lies at input position ``n * from_hz / to_hz``; behind the last input
    sample its value is held. ``len(input) * to_hz // from_hz`` samples come out, so that a client
    can compute the very bytes it has to expect. A trailing odd byte is ignored.
    """
    samples = _samples(pcm)
    if from_hz == to_hz or not samples:
        return _pcm(samples)
    common = math.gcd(from_hz, to_hz)
    down, up = from_hz // common, to_hz // common
    count = len(samples) * up // down
    out = array("h", bytes(SAMPLE_BYTES * count))
    samples.append(samples[-1])
    # Every up-th output sample has the same fraction: one pass for each of them.
    for phase in range(min(up, count)):
        start, fraction = divmod(phase * down, up)
        rest = up - fraction
        wanted = len(range(phase, count, up))
        pairs = zip(samples[start::down], samples[start + 1 :: down], strict=False)
        values = [(a * rest + b * fraction) // up for a, b in pairs]
        out[phase::up] = array("h", values[:wanted])
    return _pcm(out)


@functools.cache
def tone(seconds: float = 0.6, pitch_hz: float = 440.0) -> bytes:
    """A quiet sine at :data:`REPLY_RATE_HZ`, faded in and out."""
    count = int(seconds * REPLY_RATE_HZ)
    fade = REPLY_RATE_HZ // 100
    step = 2 * math.pi * pitch_hz / REPLY_RATE_HZ
    return _pcm(
        array(
            "h",
            (
                int(8000 * min(1.0, n / fade, (count - 1 - n) / fade) * math.sin(step * n))
                for n in range(count)
            ),
        )
    )


def read_wav(path: Path) -> bytes:
    """The first channel of a 16-bit WAV file, at :data:`REPLY_RATE_HZ`.

    Raises ValueError, with the file's name, for anything that is not a 16-bit PCM WAV file;
    OSError if it cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != SAMPLE_BYTES:
                raise ValueError(f"{path}: {8 * file.getsampwidth()} bits a sample; only 16 work")
            samples = _samples(file.readframes(file.getnframes()))[:: file.getnchannels()]
            return resample(_pcm(samples), file.getframerate(), REPLY_RATE_HZ)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a PCM WAV file ({error})") from error


def write_wav(path: Path, pcm: bytes, rate_hz: int) -> None:
    """Write ``pcm`` as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(rate_hz)
        file.writeframes(pcm)


def _samples(pcm: bytes) -> array[int]:
    samples = array("h", pcm[: len(pcm) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _pcm(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
