"""The prebuffer: how it grows by what was late, and shrinks when nothing is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio.prebuffer import Prebuffer


def plays(prebuffer: Prebuffer, *gaps_ms: float) -> int:
    """One reply whose audio comes so much late each time; how often it starves."""
    starved, now = 0, 1000.0
    for gap_ms in gaps_ms:
        if gap_ms > prebuffer.size_ms:
            prebuffer.starved(now)
            now += (gap_ms - prebuffer.size_ms) / 1000
            prebuffer.fed(now)
            starved += 1
    prebuffer.over()
    return starved


@pytest.mark.parametrize(
    ("gap_s", "size_ms"),
    [
        (0.0, 160),
        (0.1, 260),
        (0.25, 410),
        (0.475, 600),  # the bound covers it, without the margin
        (0.5, 120),  # no prebuffer within the bounds does
        (1.9, 120),
        (20.0, 120),  # a tool
    ],
)
def test_it_grows_by_the_gap_and_a_margin_if_that_helps(gap_s: float, size_ms: int) -> None:
    prebuffer = Prebuffer(120, 600)
    prebuffer.starved(1000.0)
    prebuffer.fed(1000.0 + gap_s)
    assert prebuffer.size_ms == size_ms


def test_a_pause_of_seconds_is_not_jitter_whatever_the_bound() -> None:
    prebuffer = Prebuffer(120, 5000)
    prebuffer.starved(1000.0)
    prebuffer.fed(1002.1)
    assert prebuffer.size_ms == 120
    prebuffer.starved(1010.0)
    prebuffer.fed(1011.9)
    assert prebuffer.size_ms == 2060


def test_only_the_first_audio_after_the_gap_ends_it() -> None:
    prebuffer = Prebuffer(120, 600)
    prebuffer.fed(1000.0)
    prebuffer.starved(1001.0)
    prebuffer.fed(1001.05)
    prebuffer.fed(1001.5)
    assert prebuffer.size_ms == 210


def test_a_reply_that_ends_while_it_starves_was_not_late() -> None:
    prebuffer = Prebuffer(120, 600)
    prebuffer.starved(1000.0)
    prebuffer.over()
    prebuffer.fed(1000.1)
    assert prebuffer.size_ms == 120


@pytest.mark.parametrize("most_ms", [0, 119, 120])
def test_without_room_it_stays_as_it_is(most_ms: int) -> None:
    prebuffer = Prebuffer(120, most_ms)
    for _ in range(5):
        plays(prebuffer, 130, 500)
        assert prebuffer.size_ms == 120


def test_after_every_fifth_reply_in_a_row_that_came_in_time_half_of_the_growth_goes() -> None:
    prebuffer = Prebuffer(120, 600)
    plays(prebuffer, 420)
    sizes_ms = []
    for _ in range(25):
        plays(prebuffer)
        sizes_ms.append(prebuffer.size_ms)
    assert sizes_ms == [460] * 4 + [290] * 5 + [205] * 5 + [162] * 5 + [141] * 5 + [120]


def test_a_reply_that_came_late_begins_the_count_anew() -> None:
    prebuffer = Prebuffer(120, 600)
    plays(prebuffer, 300)
    for _ in range(4):
        plays(prebuffer)
    plays(prebuffer, 350)
    for _ in range(4):
        plays(prebuffer)
    assert prebuffer.size_ms == 390
    plays(prebuffer)
    assert prebuffer.size_ms == 255


events = st.lists(
    st.one_of(
        st.tuples(st.just("starved"), st.floats(0, 10)),
        st.tuples(st.just("fed"), st.floats(0, 10)),
        st.tuples(st.just("over"), st.floats(0, 10)),
    )
)


@given(least_ms=st.integers(0, 2000), most_ms=st.integers(0, 5000), history=events)
def test_it_never_leaves_its_bounds_and_a_steady_network_brings_it_back(
    least_ms: int, most_ms: int, history: list[tuple[str, float]]
) -> None:
    prebuffer = Prebuffer(least_ms, most_ms)
    now = 0.0
    for name, pause_s in history:
        now += pause_s
        if name == "over":
            prebuffer.over()
        else:
            getattr(prebuffer, name)(now)
        assert least_ms <= prebuffer.size_ms <= max(least_ms, most_ms)
    for _ in range(1 + 5 * 9):  # 5 s halved eight times is less than what is left of it
        prebuffer.over()
    assert prebuffer.size_ms == least_ms


@given(
    least_ms=st.integers(0, 2000),
    most_ms=st.integers(0, 5000),
    gap_ms=st.integers(0, 2000),
    gaps=st.integers(1, 20),
)
def test_gaps_that_can_be_covered_are_from_the_second_one_on(
    least_ms: int, most_ms: int, gap_ms: int, gaps: int
) -> None:
    prebuffer = Prebuffer(least_ms, most_ms)
    starved = plays(prebuffer, *[gap_ms] * gaps)
    if gap_ms <= max(least_ms, most_ms):
        assert starved <= 1
        assert plays(prebuffer, *[gap_ms] * gaps) == 0
    else:
        assert starved == gaps
        assert prebuffer.size_ms == least_ms
