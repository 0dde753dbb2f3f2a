"""How loud captured sound is: peak and RMS in dBFS, and what a person calls it.

In plain Python, as the standard library has nothing for it any more. A second of sound takes 2 ms
on a server's core, ten times that on a small board.
"""

from __future__ import annotations

import enum
import math
import operator
import struct
from dataclasses import dataclass

from speakerd.audio.pcm import SAMPLE_BYTES

_FULL_SCALE = 32768

#: What silence is said to be: below anything that 16 bits can express (one step is -90.3 dBFS).
FLOOR_DBFS = -100.0
#: Speech at arm's length (65 dB SPL at 1 m, peaks 12 dB above) peaks at -43 dBFS even in a MEMS
#: microphone without any gain (-26 dBFS at 94 dB SPL, as in the INMP441's data sheet). What stays
#: below this is a quiet room, or a microphone that is turned down.
QUIET_PEAK_DBFS = -50.0
#: A sample that is cut off sits at the end of the range, or next to it after resampling...
_CLIPPED_FROM = 32700
#: ...and a wave that is cut off has many of them. A click, or one plosive, has fewer.
_CLIPPED_SHARE = 0.001


class Verdict(enum.StrEnum):
    """What a person would say of a microphone that gives this."""

    SILENT = "silent"  # every sample is the same: no sound at all, not even a room's noise
    QUIET = "quiet"  # nobody spoke, or the capture volume is low
    FINE = "fine"
    CLIPPED = "clipped"  # the capture volume is too high


@dataclass(frozen=True, slots=True)
class Level:
    """The level of some sound.

    In dBFS, relative to the largest sample there can be: a full-scale sine has a peak of 0 and an
    RMS of -3. Both are at least :data:`FLOOR_DBFS`, and neither counts a constant offset, which
    cheap sound cards add.
    """

    peak_dbfs: float
    rms_dbfs: float
    verdict: Verdict

    def as_dict(self) -> dict[str, object]:
        """As it is told to other programs, to a tenth of a dB."""
        return {
            "peak_dbfs": round(self.peak_dbfs, 1),
            "rms_dbfs": round(self.rms_dbfs, 1),
            "verdict": str(self.verdict),
        }


def measure(pcm: bytes) -> Level | None:
    """The level of ``pcm`` (S16_LE mono); None where there is not a single sample."""
    count = len(pcm) // SAMPLE_BYTES
    if not count:
        return None
    samples = struct.unpack(f"<{count}h", pcm[: count * SAMPLE_BYTES])
    low, high = min(samples), max(samples)
    mean = sum(samples) / count
    square = sum(map(operator.mul, samples, samples)) / count
    rms = math.sqrt(max(0.0, square - mean * mean))
    peak_dbfs = _dbfs(max(high - mean, mean - low))
    if low == high:
        verdict = Verdict.SILENT
    elif max(-low, high) >= _CLIPPED_FROM and _clipped(samples) >= _CLIPPED_SHARE * count:
        verdict = Verdict.CLIPPED
    else:
        verdict = Verdict.QUIET if peak_dbfs < QUIET_PEAK_DBFS else Verdict.FINE
    return Level(peak_dbfs, _dbfs(rms), verdict)


def _clipped(samples: tuple[int, ...]) -> int:
    return sum(not -_CLIPPED_FROM < sample < _CLIPPED_FROM for sample in samples)


def _dbfs(amplitude: float) -> float:
    if amplitude <= 0:
        return FLOOR_DBFS
    return min(0.0, max(FLOOR_DBFS, 20 * math.log10(amplitude / _FULL_SCALE)))
