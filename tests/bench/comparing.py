"""What has become of a sound on its way: from what was sent and what the card has recorded.

The sound has no silent sample, and no two places that are alike (:func:`tests.bench.rig.noise`), so
that each recorded sample is either silence, or known by its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PLAYBACK_RATE_HZ, SAMPLE_BYTES, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speakerd.simulator.records import Chunk

#: By so many samples a place in the sound is known.
_KEY_SAMPLES = 16
_KEY_BYTES = _KEY_SAMPLES * SAMPLE_BYTES
_SOUND = re.compile(rb"[^\0]")


@dataclass(slots=True)
class Heard:
    """How a sound was heard. All but ``gaps`` in samples."""

    samples: int = 0  # of the sound, each time it was heard
    lost: int = 0  # that were not heard at all, or not where they belong
    misplaced: int = 0  # that were heard where they do not belong: again, or too late
    silence: int = 0  # inside it
    gaps: int = 0  # how often it was interrupted by silence

    @property
    def silence_ms(self) -> float:
        """How much silence was inserted."""
        return 1000 * self.silence / PLAYBACK_RATE_HZ

    @property
    def lost_ms(self) -> float:
        """How much was lost."""
        return 1000 * self.lost / PLAYBACK_RATE_HZ


def compare(sound: bytes, recording: bytes) -> Heard:
    """How ``sound`` was heard; whatever else is in ``recording``, an earcon perhaps, counts not.

    Both are S16_LE mono.
    """
    heard = Heard()
    expected = at = quiet_from = 0  # bytes; where the silence before ``at`` began
    while (found := _SOUND.search(recording, at)) is not None:
        at = found.start() - found.start() % SAMPLE_BYTES
        place, size = _place(sound, expected, recording, at)
        if not size:
            at += SAMPLE_BYTES
            quiet_from = at
            continue
        if heard.samples and at > quiet_from:
            heard.silence += (at - quiet_from) // SAMPLE_BYTES
            heard.gaps += 1
        heard.samples += size // SAMPLE_BYTES
        heard.lost += max(0, place - expected) // SAMPLE_BYTES
        heard.misplaced += min(size, max(0, expected - place)) // SAMPLE_BYTES
        expected = max(expected, place + size)
        at += size
        quiet_from = at
    heard.lost += (len(sound) - expected) // SAMPLE_BYTES
    return heard


def _place(sound: bytes, expected: int, recording: bytes, at: int) -> tuple[int, int]:
    """Where in ``sound`` the recording is ``at``, and how many bytes long; 0: it is not in it.

    A few samples alone say nothing, unless they are what was to come next and silence follows.
    """
    size = _alike(sound, expected, recording, at)
    after = at + size
    silent = recording[after : after + SAMPLE_BYTES] in {b"", b"\0\0"}
    if size >= _KEY_BYTES or (size and expected and (silent or expected + size == len(sound))):
        return expected, size
    place = -1
    key = recording[at : at + _KEY_BYTES]
    while len(key) == _KEY_BYTES:
        place = sound.find(key, place + 1)
        if place % SAMPLE_BYTES == 0 or place < 0:
            break
    return (place, _alike(sound, place, recording, at)) if place >= 0 else (0, 0)


def _alike(one: bytes, start: int, other: bytes, at: int) -> int:
    """For how many bytes, in whole samples, ``one`` from ``start`` is ``other`` from ``at``."""
    low, high = 0, min(len(one) - start, len(other) - at) // SAMPLE_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        size = middle * SAMPLE_BYTES
        if one[start : start + size] == other[at : at + size]:
            low = middle
        else:
            high = middle - 1
    return low * SAMPLE_BYTES


def silence_unbuffered_ms(chunks: Sequence[Chunk]) -> float:
    """The silence in a sound that is played as it comes: nothing waits for anything.

    Of 24 kHz S16_LE mono, which came in these ``chunks``, at least one.
    """
    silence_s = 0.0
    played_until = chunks[0].at
    for chunk in chunks:
        silence_s += max(0.0, chunk.at - played_until)
        played_until = max(played_until, chunk.at) + seconds_of(chunk.size_bytes, PLAYBACK_RATE_HZ)
    return 1000 * silence_s
