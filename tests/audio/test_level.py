"""Peak, RMS and what they are called, on sounds that can be worked out by hand."""

from __future__ import annotations

import math
import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio.level import FLOOR_DBFS, QUIET_PEAK_DBFS, Level, Verdict, measure
from speakerd.audio.pcm import CAPTURE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP_DBFS = -90.3  # of one step of 16 bits


def pcm(samples: Sequence[float]) -> bytes:
    cut_off = (max(-32768, min(32767, round(sample))) for sample in samples)
    return struct.pack(f"<{len(samples)}h", *cut_off)


def sine(peak: float, offset: float = 0.0, duration_s: float = 0.3) -> list[float]:
    step = 2 * math.pi * 440 / CAPTURE_RATE_HZ
    count = int(duration_s * CAPTURE_RATE_HZ)
    return [offset + peak * math.sin(step * index) for index in range(count)]


def level_of(samples: Sequence[float]) -> Level:
    level = measure(pcm(samples))
    assert level is not None
    return level


def test_no_sound_has_no_level() -> None:
    assert measure(b"") is None
    assert measure(b"\1") is None


def test_a_sine_is_measured() -> None:
    level = level_of(sine(16384))
    assert level.peak_dbfs == pytest.approx(-6.0, abs=0.1)
    assert level.rms_dbfs == pytest.approx(-9.0, abs=0.1)
    assert level.verdict is Verdict.FINE


def test_a_full_scale_sine_is_at_zero() -> None:
    level = level_of(sine(32767))
    assert level.peak_dbfs == pytest.approx(0.0, abs=0.01)
    assert level.rms_dbfs == pytest.approx(-3.0, abs=0.05)


@pytest.mark.parametrize("value", [0, -1, 32767, -32768])
def test_a_line_that_never_moves_is_silent_wherever_it_rests(value: int) -> None:
    """An I2S microphone without its data line gives all zeros or all ones."""
    assert level_of([value] * 4800) == Level(FLOOR_DBFS, FLOOR_DBFS, Verdict.SILENT)


def test_one_step_of_noise_is_not_silence() -> None:
    level = level_of([0, 1] * 2400)
    assert level.verdict is Verdict.QUIET
    assert level.peak_dbfs < STEP_DBFS + 0.1


def test_an_offset_is_no_sound() -> None:
    plain, shifted = level_of(sine(60)), level_of(sine(60, offset=3000))
    assert shifted.verdict is Verdict.QUIET
    assert shifted.peak_dbfs == pytest.approx(plain.peak_dbfs, abs=0.2)
    assert shifted.rms_dbfs == pytest.approx(plain.rms_dbfs, abs=0.2)


def test_quiet_ends_where_speech_begins() -> None:
    at_the_edge = 32768 * 10 ** (QUIET_PEAK_DBFS / 20)
    assert level_of(sine(0.9 * at_the_edge)).verdict is Verdict.QUIET
    assert level_of(sine(1.1 * at_the_edge)).verdict is Verdict.FINE


def test_a_cut_off_wave_is_clipped_also_after_resampling() -> None:
    assert level_of(sine(60_000)).verdict is Verdict.CLIPPED
    dither = random.Random(1)  # noqa: S311 - no secret
    resampled = [
        max(-32740, min(32740, sample)) + dither.randint(-20, 20) for sample in sine(60_000)
    ]
    assert level_of(resampled).verdict is Verdict.CLIPPED


@pytest.mark.parametrize("side", [32767, -32768])
def test_a_click_is_no_clipping_and_a_wave_cut_off_on_one_side_is(side: int) -> None:
    quiet = sine(3000)
    assert level_of([side] * 4 + quiet[4:]).verdict is Verdict.FINE
    assert level_of([side] * 5 + quiet[5:]).verdict is Verdict.CLIPPED


def test_it_is_told_to_a_tenth_of_a_db() -> None:
    told = level_of(sine(1000)).as_dict()
    assert told == {"peak_dbfs": -30.3, "rms_dbfs": -33.3, "verdict": "fine"}
    assert type(told["verdict"]) is str


@given(st.lists(st.integers(-32768, 32767), min_size=1))
def test_whatever_comes_has_a_level(samples: list[int]) -> None:
    level = level_of(samples)
    assert FLOOR_DBFS <= level.rms_dbfs <= level.peak_dbfs + 1e-9 <= 1e-9
    assert (level.verdict is Verdict.SILENT) == (len(set(samples)) == 1)
