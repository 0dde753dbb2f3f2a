"""When a sound began and ended, from the card's recording, and what the card itself adds to it.

The recording grows in blocks and lags behind. What is compared is therefore positions: where the
recording had come to at a moment, on a straight line through all that was seen of its growth, and
where the sound begins or ends in it. The lag and the card's blocks are in the result; what is
``bare_`` here measures the same without a program, so that the difference is the program's.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio.alsa import open_capture, open_playback
from speakerd.audio.pcm import CAPTURE_RATE_HZ
from speakerd.demo.soundcard import DAC_RATE_HZ
from speakerd.errors import UnavailableError
from tests.bench.report import Figure, Section
from tests.bench.rig import noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.demo.soundcard import StandInCard

_BYTES_PER_S = 2 * DAC_RATE_HZ
#: Several blocks of the recording, and longer than its lag.
WATCHED_S = 0.35
_LOOKBACK_BYTES = _BYTES_PER_S // 2
_LOOK_EVERY_S = 0.003
_HEAD_BYTES = 256  # of a sound: enough to know it by
_TIMES = 10
_HEARING_S = 0.5


def line(card: StandInCard, until: float) -> float:
    """When the recording would have begun, had it always grown evenly and without a lag.

    Watches it grow until the time ``until``, which should be :data:`WATCHED_S` away.
    """
    origins = []
    while (now := time.monotonic()) < until:
        origins.append(now - card.heard_bytes() / _BYTES_PER_S)
        time.sleep(_LOOK_EVERY_S)
    return statistics.median(origins)


def first_heard_at(card: StandInCard, sound: bytes, from_bytes: int, origin: float) -> float:
    """When ``sound`` began to be heard after a position, on the line of ``origin``.

    Raises UnavailableError when it was not, or not as it is.
    """
    found = card.heard(from_bytes).find(sound[:_HEAD_BYTES])
    if found < 0:
        raise UnavailableError("the card has not heard the reply's beginning")
    return origin + (from_bytes + found) / _BYTES_PER_S


def heard_after_ms(card: StandInCard, moment: float) -> float:
    """How much longer than until ``moment``, just past, the sound went on that was playing.

    Watches the recording for 0.35 s, in which the sound has to end. Raises UnavailableError when
    there was none.
    """
    from_bytes = max(0, card.heard_bytes() - _LOOKBACK_BYTES)
    origin = line(card, moment + WATCHED_S)
    sounding = card.heard(from_bytes).rstrip(b"\0")
    if not sounding:
        raise UnavailableError("nothing was playing")
    return 1000 * (origin + (from_bytes + len(sounding)) / _BYTES_PER_S - moment)


def bare_drop_ms(card: StandInCard) -> float:
    """:func:`heard_after_ms` of a drop() that nothing stands before; ALSA has to know the card."""
    pcm = open_playback(card.playback_device, DAC_RATE_HZ)
    try:
        sound = memoryview(noise(1.0, DAC_RATE_HZ))
        until = time.monotonic() + random.uniform(0.2, 0.4)  # noqa: S311 - anywhere in a block
        while time.monotonic() < until:
            sound = sound[2 * pcm.write(sound) :]
            time.sleep(0.01)
        moment = time.monotonic()
        pcm.drop()
        return heard_after_ms(card, moment)
    finally:
        pcm.close()


def bare_write_ms(card: StandInCard) -> float:
    """From a write to a PCM that is open and ready until its first sample is heard."""
    pcm = open_playback(card.playback_device, DAC_RATE_HZ)
    try:
        sound = noise(0.2, DAC_RATE_HZ)  # as much as the PCM takes at once
        from_bytes = card.heard_bytes()
        moment = time.monotonic()
        pcm.write(memoryview(sound))
        origin = line(card, moment + WATCHED_S)
        return 1000 * (first_heard_at(card, sound, from_bytes, origin) - moment)
    finally:
        pcm.close()


def bare_hearing_ms(card: StandInCard) -> float:
    """From a sample that the microphone hears until a program can read it."""
    pcm = open_capture(card.capture_device)
    try:
        pcm.read()  # nothing yet, but it runs from here on
        sound = noise(_HEARING_S, CAPTURE_RATE_HZ)
        began_at = card.play_into_microphone(sound) - _HEARING_S
        heard = bytearray()
        while time.monotonic() < began_at + 2 * _HEARING_S:
            heard += pcm.read()
            if (found := heard.find(sound[:_HEAD_BYTES])) >= 0:
                late_s = (len(heard) - found) / 2 / CAPTURE_RATE_HZ  # came along in one block
                return 1000 * (time.monotonic() - late_s - began_at)
            time.sleep(_LOOK_EVERY_S)
        raise UnavailableError("the microphone has not heard what was played into it")
    finally:
        pcm.close()


@dataclass(frozen=True, slots=True)
class Card:
    """What the stand-in card adds to what is heard, measured a few times."""

    write_ms: list[float]
    drop_ms: list[float]
    hearing_ms: list[float]

    @classmethod
    def measured(cls, card: StandInCard) -> Card:
        """Measure it; ALSA has to know the card."""
        return cls(
            write_ms=_times(bare_write_ms, card),
            drop_ms=_times(bare_drop_ms, card),
            hearing_ms=_times(bare_hearing_ms, card),
        )

    def section(self) -> Section:
        """As rows of the table."""
        return Section(
            "The stand-in card by itself",
            [
                Figure("write() -> first sample heard", "ms", self.write_ms),
                Figure("drop() -> last sample heard", "ms", self.drop_ms),
                Figure("a sample at the microphone -> read", "ms", self.hearing_ms),
            ],
        )


def _times(measure: Callable[[StandInCard], float], card: StandInCard) -> list[float]:
    return [measure(card) for _ in range(_TIMES)]
