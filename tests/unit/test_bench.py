"""The bench: what its tables say of the values they were given, and how it judges a turn."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from speakerd.simulator.records import TurnRecord
from tests.bench import plot
from tests.bench.latency import caught_up_at
from tests.bench.process import Counters
from tests.bench.report import Comparison, Figure, Row, Section, comparison, saved, table
from tests.bench.rig import noise
from tests.bench.turns import Said

_PROGRAMS = ("ours", "theirs", "least")


def test_a_row_has_the_median_the_extremes_and_how_many() -> None:
    assert Figure("start", "ms", [3.0, 1.0, 250.0, 4.04]).cells() == (
        "3.5",
        "1.0",
        "250.0",
        "4",
        "",
    )


def test_what_is_below_one_keeps_two_digits() -> None:
    assert Figure("idle", "ms", [-0.25]).cells()[:3] == ("-0.25", "-0.25", "-0.25")


def test_zero_has_no_sign() -> None:
    assert Figure("idle", "ms", [-0.001]).cells()[0] == "0.00"


def test_the_columns_of_all_sections_are_aligned() -> None:
    lines = list(
        table(
            [
                Section("Latency", [Figure("press", "ms", [1.5], "≤ 5")]),
                Section("Idle", [Figure("wake-ups of all threads", "", [100, 120])]),
            ]
        )
    )

    assert lines == [
        "                            median      min      max        n   target",
        "",
        "Latency",
        "  press, ms                    1.5      1.5      1.5        1   ≤ 5",
        "",
        "Idle",
        "  wake-ups of all threads    110.0    100.0    120.0        2",
    ]


def row(**values: list[float]) -> Row:
    return Row("press", "ms", "≤ 2", values)


def test_a_comparison_has_our_spread_their_medians_and_the_ratio() -> None:
    cells = row(ours=[1.0, 3.0, 2.0], theirs=[4.0, 4.0, 5.0, 3.0], least=[0.5, 0.5]).cells(
        _PROGRAMS
    )

    assert cells == ("2.0", "1.0", "3.0", "4.0", "0.50", "0.50", "2", "≤ 2")


def test_who_was_not_measured_has_no_number_and_there_is_no_ratio() -> None:
    assert row(ours=[1.0]).cells(_PROGRAMS) == ("1.0", "1.0", "1.0", "-", "-", "", "1", "≤ 2")
    assert row(theirs=[1.0]).cells(_PROGRAMS) == ("-", "-", "-", "1.0", "-", "", "1", "≤ 2")


@pytest.mark.parametrize(("ours", "theirs"), [(1.0, 0.0), (1.0, -3.0), (-1.0, 3.0)])
def test_there_is_no_ratio_to_nothing_nor_of_what_is_negative(ours: float, theirs: float) -> None:
    assert row(ours=[ours], theirs=[theirs], least=[1.0]).cells(_PROGRAMS)[5] == ""


def test_the_comparison_names_its_programs() -> None:
    lines = list(comparison([Comparison("Latency", [row(ours=[1.5], theirs=[3.0])])], _PROGRAMS))

    assert lines == [
        "                ours      min      max   theirs    least    ratio        n   target",
        "",
        "Latency",
        "  press, ms      1.5      1.5      1.5      3.0        -     0.50        1   ≤ 2",
    ]


def said(utterance: bytes, sound: bytes) -> Said:
    """A turn that was pressed 0.5 s into the sound and released 0.5 s later."""
    record = TurnRecord(1, 1, "speech", utterance=bytearray(utterance))
    nothing = Counters(0.0, 0.0, 0, 0, 0)
    return Said(
        nothing, pressed_at=100.5, released_at=101.0, record=record, sound=sound, sound_at=100.0
    )


def test_what_was_sent_is_found_in_what_the_microphone_heard() -> None:
    sound = noise(2.0, 16_000)
    from_02_to_13_s = sound[int(0.2 * 32_000) : int(1.3 * 32_000)]

    heard = said(from_02_to_13_s, sound).first_and_last_heard_ms()

    assert heard == pytest.approx((-300.0, 300.0))


def test_what_the_microphone_has_not_heard_is_not_judged() -> None:
    sound = noise(2.0, 16_000)
    assert said(bytes(32_000), sound).first_and_last_heard_ms() is None
    assert said(sound[:16_000] + bytes(16_000), sound).first_and_last_heard_ms() is None


def chunks(*chunks_s: tuple[float, float]) -> TurnRecord:
    """A turn whose chunks came at these times, with so much sound in each."""
    return TurnRecord(
        1,
        1,
        "speech",
        chunk_at=[at for at, _ in chunks_s],
        chunk_bytes=[round(length_s * 32_000) for _, length_s in chunks_s],
    )


def test_a_backlog_is_over_when_no_more_is_missing_than_usual_before_a_chunk() -> None:
    """0.5 s and a bit were held back; the third chunk makes up for it, but for that bit."""
    turn = chunks((10.55, 0.1), (10.56, 0.2), (10.57, 0.2), (10.6, 0.1), (10.7, 0.1), (10.8, 0.1))

    assert caught_up_at(turn) == 10.57


def test_without_a_backlog_the_first_chunk_is_in_time() -> None:
    assert caught_up_at(chunks((10.1, 0.1), (10.2, 0.1), (10.3, 0.1))) == 10.1


def test_what_was_measured_can_be_saved_and_drawn() -> None:
    rows = [
        Row("edge -> wire", values={"speakerd": [1.0, 3.0, 2.0], "bare": [4.0], "floor": [1.5]}),
        Row("of its own & no other's", values={"speakerd": [7.0]}),
        Row("all before", values={"speakerd": [-2.0], "bare": [-1.0]}),
    ]
    own = [Section("Start", [Figure("a start", "ms", [1.0])])]
    text = saved(["a heading"], [Comparison("Turns <1>", rows)], own)
    picture = ElementTree.fromstring(plot.drawn(json.loads(text)))  # noqa: S314 - it is our own
    words = [one.text for one in picture.findall(".//{*}text")]
    assert words[:4] == ["a heading", "speakerd", "bare", "floor"]
    assert words[4:] == [
        *("Turns <1>", "edge -> wire, ms", "2", "4", "1.5"),
        *("all before, ms", "-2", "-1"),
    ]
