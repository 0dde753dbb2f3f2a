"""The light's patterns: each state can be told from the others, by its rhythm alone."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest

from speakerd.conversation.light import Light
from speakerd.panel.patterns import PATTERNS, Kind, period

DARK = {Light.IDLE, Light.OFF}
LIT = [light for light in Light if light not in DARK]


def rhythm(light: Light) -> tuple[float, float]:
    """For how long it is on and then off, on an LED that cannot be dimmed."""
    frames = period(PATTERNS[light], smooth=False)
    on, *off = (math.inf if frame.hold_s is None else frame.hold_s for frame in frames)
    return on, sum(off)


def times_apart(first: float, second: float) -> float:
    least, most = sorted((first, second))
    return 1 if least == most else most / least if least else math.inf


def test_every_state_has_a_pattern() -> None:
    assert set(PATTERNS) == set(Light)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("light", sorted(DARK, key=str))
def test_nothing_moves_while_it_is_dark(light: Light, smooth: bool) -> None:
    (frame,) = period(PATTERNS[light], smooth=smooth)
    assert (frame.level, frame.hold_s) == (0, None)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(LIT, 2)))
def test_rhythms_can_be_told_apart(first: Light, second: Light) -> None:
    pairs = zip(rhythm(first), rhythm(second), strict=True)
    assert max(times_apart(*pair) for pair in pairs) >= 2


def test_colours_can_be_told_apart_by_an_led_that_cannot_be_dimmed() -> None:
    colours = [tuple(share >= 0.5 for share in PATTERNS[light].colour) for light in LIT]
    assert len(set(colours)) == len(LIT)


@pytest.mark.parametrize("light", LIT)
def test_nothing_flashes_more_than_three_times_a_second(light: Light) -> None:
    assert sum(rhythm(light)) >= 1 / 3


PAGE = Path(__file__).parents[2] / "docs" / "using.md"
COLOURS: dict[tuple[float, float, float], str] = {
    (0, 0, 1): "blue",
    (1, 1, 1): "white",
    (0, 1, 0): "green",
    (1, 0, 0): "red",
    (1, 0.5, 0): "amber",
    (1, 0, 1): "magenta",
}


def test_the_page_for_the_house_shows_them_as_they_are() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## What the light says")[1].split("\n## ")[0]
    rows = re.findall(
        r"^\| (is|swells|flashes|blinks|flickers)(.*) \| .* \| (\w*) ?\|$", section, re.M
    )
    states = [light for light in Light if light is not Light.OFF]
    assert len(rows) == len(states)
    for light, (verb, more, colour) in zip(states, rows, strict=True):
        assert colour == ("" if light in DARK else COLOURS[PATTERNS[light].colour])
        if light in {Light.IDLE, Light.LISTENING}:
            assert verb + more == ("is dark" if light in DARK else "is lit")
        else:
            every_s = re.fullmatch(r".*, every ([0-9.]+) s", more)
            assert every_s is not None
            assert float(every_s[1]) == pytest.approx(sum(rhythm(light)), abs=0.05)
            assert (verb == "swells") == (PATTERNS[light].kind is Kind.PULSE)


@pytest.mark.parametrize("light", LIT)
def test_it_is_lit_at_once(light: Light) -> None:
    for smooth in (True, False):
        assert period(PATTERNS[light], smooth=smooth)[0].level > 0


@pytest.mark.parametrize("light", LIT)
def test_a_period_is_as_long_where_it_cannot_be_dimmed(light: Light) -> None:
    smooth, plain = (
        sum(frame.hold_s or 0 for frame in period(PATTERNS[light], smooth=smooth))
        for smooth in (True, False)
    )
    assert smooth == pytest.approx(plain)


@pytest.mark.parametrize("light", [Light.THINKING, Light.SPEAKING])
def test_a_pulse_rises_and_falls_in_small_steps(light: Light) -> None:
    levels = [frame.level for frame in period(PATTERNS[light], smooth=True)]
    peak = levels.index(1)
    assert levels[: peak + 1] == sorted(levels[: peak + 1])
    assert levels[peak:] == sorted(levels[peak:], reverse=True)
    assert max(abs(a - b) for a, b in itertools.pairwise(levels)) < 0.25
