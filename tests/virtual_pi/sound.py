"""Words for the microphone whose every sample can be told from every other, and finding them."""

from __future__ import annotations

import array
import io
import random
import wave

from speakerd.audio.pcm import CAPTURE_RATE_HZ, SAMPLE_BYTES

#: So many samples in a row are to be found in one place only.
_FEW = 8


def words(seconds: float, rate_hz: int = CAPTURE_RATE_HZ, seed: int = 1) -> bytes:
    """S16_LE mono that sounds like rain: no two stretches are alike, and no sample is silent."""
    return _rain(seconds, rate_hz, seed, 500, 8000)


def room(seconds: float, rate_hz: int = CAPTURE_RATE_HZ, seed: int = 2) -> bytes:
    """The same, as faint as a quiet room."""
    return _rain(seconds, rate_hz, seed, 1, 60)


def _rain(seconds: float, rate_hz: int, seed: int, faintest: int, loudest: int) -> bytes:
    rain = random.Random(seed)
    drops = (
        rain.randint(faintest, loudest) * rain.choice((-1, 1))
        for _ in range(int(seconds * rate_hz))
    )
    return array.array("h", drops).tobytes()


def as_wav(pcm: bytes, rate_hz: int = CAPTURE_RATE_HZ, channels: int = 1) -> bytes:
    """The same as a file that aplay plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(rate_hz)
        out.writeframes(pcm)
    return file.getvalue()


def samples(pcm: bytes) -> array.array[int]:
    """S16_LE as numbers; what is half a sample at the end is left out."""
    return array.array("h", pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES])


def sounding(pcm: bytes) -> bytes:
    """Without the digital silence before and after."""
    numbers = samples(pcm)
    loud = [at for at, number in enumerate(numbers) if number]
    return numbers[loud[0] : loud[-1] + 1].tobytes() if loud else b""


def gaps(heard: bytes, sent: bytes, *, step: int = 1) -> list[int]:
    """How many samples of silence there are at each place where what was sent was interrupted.

    ``step``: how many times as many samples a second were heard as were sent. Those between, which
    the conversion has made, lie between their neighbours. Raises AssertionError if anything else
    was added, or if anything is missing.
    """
    there, wanted = samples(heard), samples(sounding(sent))
    lengths, at = [], _find(there, wanted[:_FEW], 0, step)
    assert not any(there[: max(0, at - step)]), "there is something before it"
    for number, sample in enumerate(wanted):
        if at >= len(there) or there[at] != sample:
            again = _find(there, wanted[number : number + _FEW], at, step)
            added = there[at:again]
            # where it converts, it comes down to the silence and up from it
            noise = sum(map(bool, added))
            assert noise <= 2 * (step - 1), f"not silent before {number} of {len(wanted)}"
            lengths.append(again - at)
            at = again
        elif number:
            low, high = sorted((wanted[number - 1], sample))
            between = there[at - step + 1 : at]
            assert all(low - 1 <= one <= high + 1 for one in between), f"a click before {number}"
        at += step
    assert not any(there[at:]), "there is something after it"
    return lengths


def _find(there: array.array[int], few: array.array[int], at: int, step: int) -> int:
    for place in range(at, len(there) - step * (len(few) - 1)):
        if there[place] == few[0] and there[place : place + step * len(few) : step] == few:
            return place
    raise AssertionError(f"lost: {few.tolist()}")
