"""What the bench says of a recording, and of chunks that come unevenly."""

from __future__ import annotations

import pytest

from speakerd.simulator.records import Chunk
from tests.bench.comparing import Heard, compare, silence_unbuffered_ms
from tests.bench.rig import noise

SOUND = noise(0.1, 24_000)  # 2,400 samples
QUIET = bytes(200)  # 100 samples
EARCON = (b"\x10\x01" + b"\x20\x02") * 50


def test_what_was_heard_whole_is_whole_wherever_it_lies() -> None:
    assert compare(SOUND, QUIET + SOUND + QUIET) == Heard(samples=2400)


def test_another_sound_before_or_after_it_counts_not() -> None:
    assert compare(SOUND, EARCON + QUIET + SOUND + QUIET + EARCON) == Heard(samples=2400)


def test_silence_inside_is_counted_and_so_is_each_gap() -> None:
    pieces = SOUND[:1000] + QUIET + SOUND[1000:1004] + QUIET + SOUND[1004:]
    assert compare(SOUND, pieces) == Heard(samples=2400, silence=200, gaps=2)


@pytest.mark.parametrize(
    "left", [SOUND[200:], SOUND[:-200], SOUND[:1000] + SOUND[1200:]], ids=["start", "end", "middle"]
)
def test_what_is_missing_is_lost(left: bytes) -> None:
    assert compare(SOUND, QUIET + left + QUIET) == Heard(samples=2300, lost=100)


def test_what_is_replaced_by_silence_is_lost_and_silent() -> None:
    torn = SOUND[:1000] + QUIET + SOUND[1200:]
    assert compare(SOUND, torn) == Heard(samples=2300, lost=100, silence=100, gaps=1)


def test_what_is_played_again_is_misplaced() -> None:
    again = SOUND[:1000] + SOUND[800:1000] + SOUND[1000:]
    assert compare(SOUND, again) == Heard(samples=2500, misplaced=100)


def test_what_comes_in_the_wrong_order_is_lost_where_it_belongs() -> None:
    swapped = SOUND[:1000] + SOUND[1200:1400] + SOUND[1000:1200] + SOUND[1400:]
    assert compare(SOUND, swapped) == Heard(samples=2400, lost=100, misplaced=100)


def test_what_was_never_heard_is_lost() -> None:
    assert compare(SOUND, EARCON + QUIET) == Heard(lost=2400)


def test_what_comes_in_time_leaves_no_silence() -> None:
    chunks = [Chunk(10.0, 1920), Chunk(10.03, 1920), Chunk(10.08, 960)]
    assert silence_unbuffered_ms(chunks) == pytest.approx(0, abs=1e-6)


def test_what_comes_late_leaves_silence_until_it_comes() -> None:
    """40 ms each: 20 ms are missing before the second, none before the third, 10 at the end."""
    late = [Chunk(1.0, 1920), Chunk(1.06, 1920), Chunk(1.07, 1920), Chunk(1.15, 960)]
    assert silence_unbuffered_ms(late) == pytest.approx(30)
