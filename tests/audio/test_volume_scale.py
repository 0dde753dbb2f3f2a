"""Percent and raw steps: the scale of alsamixer, and no step that gets stuck."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Callable


def no_db(_raw: int) -> None:
    return None


def digital(raw: int) -> float:
    """HiFiBerry's Digital: 0 is silence, then -103 dB to 0 dB in steps of 0.5 dB."""
    return -math.inf if raw == 0 else -103.5 + raw / 2


@st.composite
def scales(draw: st.DrawFn) -> tuple[Scale, int, int, int]:
    """A scale, its lowest and highest step, and its limit in percent."""
    low = draw(st.integers(-20_000, 20_000))
    high = low + draw(st.one_of(st.integers(1, 40), st.integers(1, 70_000)))
    step_db = draw(st.floats(0.001, 6))
    ceiling_db = draw(st.one_of(st.just(math.inf), st.floats(-10, 24)))
    floor_is_silence = draw(st.booleans())

    def db_of(raw: int) -> float:
        if raw == low and floor_is_silence:
            return -math.inf
        return min((raw - high) * step_db + 4, ceiling_db)

    gain: Callable[[int], float | None] = draw(st.sampled_from([no_db, db_of]))
    limit = draw(st.integers(1, 100))
    return Scale(low, high, gain, limit), low, high, limit


@given(scales(), st.integers(0, 100))
def test_what_is_set_is_read_back_as_near_as_the_steps_allow(
    scaled: tuple[Scale, int, int, int], percent: int
) -> None:
    scale, low, high, limit = scaled
    raw = scale.raw_of(percent)
    got = scale.percent_of(raw)
    assert low <= raw <= high
    assert got <= limit
    assert scale.percent_of(scale.raw_of(got)) == got
    if percent == 0:
        assert got == 0
    for neighbour in (raw - 1, raw + 1):
        if low < neighbour <= high and scale.percent_of(neighbour) <= limit and percent:
            # one is what rounding may cost
            assert abs(got - percent) <= abs(scale.percent_of(neighbour) - percent) + 1


@given(scales(), st.integers(1, 50), st.data())
def test_a_step_never_gets_stuck(
    scaled: tuple[Scale, int, int, int], step: int, data: st.DataObject
) -> None:
    scale, low, high, limit = scaled
    raw = data.draw(st.integers(low, high))
    up, down = scale.stepped(raw, step), scale.stepped(raw, -step)
    top = scale.raw_of(100)
    assert up == top if raw >= top else raw < up <= top
    assert down == low if raw == low else low <= down < raw
    assert scale.percent_of(up) <= limit


@given(scales())
def test_percent_rise_with_the_steps(scaled: tuple[Scale, int, int, int]) -> None:
    scale, low, high, _ = scaled
    steps = range(low, high + 1, max(1, (high - low) // 50))
    found = [scale.percent_of(raw) for raw in steps]
    assert found == sorted(found)
    assert found[0] == 0
    assert scale.percent_of(high) == 100
    assert all(
        1 <= percent <= 99 for raw, percent in zip(steps, found, strict=True) if low < raw < high
    )


@pytest.mark.parametrize("percent", range(101))
def test_every_percent_of_a_fine_control_comes_back(percent: int) -> None:
    for scale in (Scale(0, 65_536, no_db), Scale(-10_239, 400, lambda raw: raw / 100)):
        assert scale.percent_of(scale.raw_of(percent)) == percent


@pytest.mark.parametrize(
    ("raw", "percent"),
    # 100 * 10^(dB / 60), as alsamixer shows it: -6 dB, -18 dB, -40 dB and -60 dB of 0 dB
    [(207, 100), (195, 79), (171, 50), (127, 22), (87, 10), (1, 2), (0, 0)],
)
def test_a_control_with_a_large_range_follows_the_ear(raw: int, percent: int) -> None:
    assert Scale(0, 207, digital).percent_of(raw) == percent


def test_the_lower_end_of_a_large_range_is_nothing() -> None:
    scale = Scale(0, 60, lambda raw: raw - 60.0)  # -60 dB to 0 dB: bottom is a tenth
    assert scale.percent_of(30) == round(100 * (10 ** (-30 / 60) - 0.1) / 0.9) == 24


def test_a_control_with_a_small_range_is_even_in_decibels() -> None:
    scale = Scale(0, 8, lambda raw: -24.0 + 3 * raw)
    assert [scale.percent_of(raw) for raw in range(9)] == [0, 12, 25, 38, 50, 62, 75, 88, 100]


def test_a_control_without_decibels_is_even_in_its_steps() -> None:
    scale = Scale(10, 20, no_db)
    assert [scale.percent_of(raw) for raw in range(10, 21)] == list(range(0, 101, 10))


def test_only_zero_is_silence() -> None:
    scale = Scale(0, 3, no_db)
    assert [scale.raw_of(percent) for percent in (0, 1, 33, 50, 51, 84, 100)] == [
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]


def test_a_limit_below_the_lowest_step_is_silence() -> None:
    scale = Scale(0, 3, no_db, highest_percent=20)
    assert scale.raw_of(100) == scale.stepped(0, 5) == 0


def test_a_step_from_above_the_limit_ends_at_the_limit() -> None:
    scale = Scale(0, 100, no_db, highest_percent=60)
    assert scale.stepped(90, 5) == 60
    assert scale.stepped(90, -5) == 60
    assert scale.stepped(90, 0) == 60


@pytest.mark.parametrize(("low", "high"), [(None, 0.0), (-50.0, None), (0.0, 0.0), (3.0, -3.0)])
def test_a_nonsensical_range_of_decibels_is_not_used(low: float | None, high: float | None) -> None:
    assert Scale(0, 100, {0: low, 100: high}.get).percent_of(50) == 50


def test_decibels_that_are_missing_or_out_of_range_in_between_do_no_harm() -> None:
    gains = {0: -60.0, 1: None, 2: 99.0, 3: 0.0}
    scale = Scale(0, 3, gains.get)
    assert [scale.percent_of(raw) for raw in range(4)] == [0, 1, 99, 100]
