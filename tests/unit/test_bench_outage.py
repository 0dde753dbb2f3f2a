"""When a long utterance has caught up with itself, by what the server has noted."""

from __future__ import annotations

import pytest

from speakerd.errors import UnavailableError
from speakerd.simulator import TurnRecord
from tests.bench.outage import TAIL_S, Spoken, caught_up_at

SECOND = 32_000  # bytes


def spoken(*chunks: tuple[float, int]) -> Spoken:
    """Ten seconds, pressed at 100 and all of it captured at 110, in chunks by when they came."""
    turn = TurnRecord(1, 1, "speech", utterance=bytearray(10 * SECOND))
    turn.chunk_at = [at for at, _ in chunks]
    turn.chunk_bytes = [size_bytes for _, size_bytes in chunks]
    return Spoken(100.0, 105.0, 110.0 - TAIL_S, turn, 2)


def test_it_is_when_all_that_was_captured_by_then_has_come() -> None:
    said = spoken((106.0, 3 * SECOND), (106.5, 3 * SECOND), (107.0, SECOND), (110.0, 3 * SECOND))
    assert caught_up_at(said) == 107.0


def test_a_moment_of_sound_is_always_under_way() -> None:
    said = spoken((106.0, 6 * SECOND - SECOND // 10), (110.0, 4 * SECOND))
    assert caught_up_at(said) == 106.0


def test_what_comes_after_the_end_catches_up_with_all_of_it() -> None:
    assert caught_up_at(spoken((111.0, 5 * SECOND), (112.0, 5 * SECOND))) == 112.0


def test_a_part_of_it_is_no_delivery() -> None:
    with pytest.raises(UnavailableError):
        caught_up_at(spoken((112.0, 9 * SECOND)))
