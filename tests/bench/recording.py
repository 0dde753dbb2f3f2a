"""When a sound ended, from the card's recording, and how soon it can end on this card at all.

The recording grows in blocks and lags behind. What is compared is therefore positions: where the
recording had come to at a moment, on a straight line through all that was seen of its growth, and
where the sound ends in it. The lag and the card's blocks are in the result; ``bare_drop`` measures
the same without speakerd, so that the difference is speakerd's.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from speakerd.audio.alsa import open_playback
from speakerd.demo.soundcard import DAC_RATE_HZ
from tests.bench.rig import noise

if TYPE_CHECKING:
    from speakerd.demo.soundcard import StandInCard

_BYTES_PER_S = 2 * DAC_RATE_HZ
_WATCHED_S = 0.35  # several blocks of the recording, and longer than its lag
_LOOKBACK_BYTES = _BYTES_PER_S // 2
_LOOK_EVERY_S = 0.003


def heard_after_ms(card: StandInCard, moment: float) -> float:
    """How much longer than until ``moment``, just past, the sound went on that was playing.

    Watches the recording for 0.35 s, in which the sound has to end. Raises ValueError when there
    was none.
    """
    from_bytes = max(0, card.heard_bytes() - _LOOKBACK_BYTES)
    origins = []  # when the recording would have begun, had it grown evenly without a lag
    while (now := time.monotonic()) < moment + _WATCHED_S:
        origins.append(now - card.heard_bytes() / _BYTES_PER_S)
        time.sleep(_LOOK_EVERY_S)
    sounding = card.heard(from_bytes).rstrip(b"\0")
    if not sounding:
        raise ValueError("nothing was playing")
    end_s = (from_bytes + len(sounding)) / _BYTES_PER_S
    return 1000 * (statistics.median(origins) + end_s - moment)


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
