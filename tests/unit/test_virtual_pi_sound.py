"""What the tests on the virtual Raspberry Pi take for the same sound."""

from __future__ import annotations

import array

import pytest

from tests.virtual_pi.sound import gaps, samples, sounding, words

SENT = words(0.05)
SILENCE = bytes(200)
MIDDLE = len(SENT) // 4 * 2


def doubled(pcm: bytes) -> bytes:
    """At twice the rate, by linear interpolation, as alsa-lib's own converter does."""
    made = array.array("h")
    before = 0
    for sample in samples(pcm):
        made += array.array("h", [(before + sample) // 2, sample])
        before = sample
    return made.tobytes()


def test_the_same() -> None:
    assert gaps(SILENCE + SENT + SILENCE, SENT) == []
    assert gaps(doubled(SILENCE + SENT) + SILENCE, SENT, step=2) == []


def test_silence_in_the_middle_is_counted() -> None:
    assert gaps(SENT[:MIDDLE] + SILENCE + SENT[MIDDLE:], SENT) == [100]
    split = doubled(SENT[:MIDDLE]) + SILENCE + doubled(SENT)[2 * MIDDLE :]
    assert len(gaps(split, SENT, step=2)) == 1


@pytest.mark.parametrize(
    "heard",
    [
        b"",
        SILENCE,
        SENT[2:],
        SENT[:-2],
        SENT[:MIDDLE] + SENT[MIDDLE + 2 :],
        SENT[:MIDDLE] + b"\x01\x00" * 10 + SENT[MIDDLE:],
        SENT[:MIDDLE] + SILENCE + b"\x01\x00" + SILENCE + SENT[MIDDLE:],
        SENT[:MIDDLE] + SENT[MIDDLE - 40 :],
        SENT + SILENCE + SENT[:40],
    ],
    ids=["nothing", "silence", "beginning", "end", "middle", "noise", "click", "twice", "more"],
)
def test_what_is_missing_and_what_was_added(heard: bytes) -> None:
    with pytest.raises(AssertionError):
        gaps(heard, SENT)


@pytest.mark.parametrize("click", [bytes(2), b"\xff\x7f"], ids=["silent", "loud"])
def test_what_the_conversion_has_made_lies_between_its_neighbours(click: bytes) -> None:
    made = samples(doubled(SENT))
    low, high = sorted(made[2 * at + 1] for at in (200, 201))
    made[402] = samples(click)[0]
    assert not low <= made[402] <= high, "it has to be a click"
    with pytest.raises(AssertionError):
        gaps(made.tobytes(), SENT, step=2)


def test_without_its_silence() -> None:
    assert sounding(SILENCE + SENT + SILENCE) == SENT
    assert sounding(SILENCE) == b""
