"""The bench: what its tables say of the values they were given, and how it judges a turn."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from speakerd.simulator.records import Chunk, Outcome, TurnRecord
from tests.bench import __main__ as bench
from tests.bench import plot
from tests.bench.contenders import FRAMEWORKS, INTERPRETERS, NAMES, Stage, interpreter
from tests.bench.latency import caught_up_at
from tests.bench.process import Counters
from tests.bench.report import Comparison, Figure, Row, Section, comparison, saved, table
from tests.bench.rig import noise
from tests.bench.start import IMPORTS
from tests.bench.turns import Said

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "tests" / "bench" / "peers"
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


def test_a_comparison_has_as_many_columns_as_programs() -> None:
    programs = ("ours", "theirs", "least", "big", "bigger")
    rows = [row(ours=[1.0], theirs=[2.0], big=[3.0, 5.0, 4.0], bigger=[6.0])]

    lines = list(comparison([Comparison("Latency", rows)], programs))

    headings, values = (" ".join(line.split()) for line in (lines[0], lines[3]))
    assert headings == "ours min max theirs least big bigger ratio n target"
    assert values == "press, ms 1.0 1.0 1.0 2.0 - 4.0 6.0 0.50 1 ≤ 2"


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


def numbered(number: int, kind: str = "speech", **fields: Any) -> TurnRecord:  # noqa: ANN401
    return TurnRecord(number, 1, kind, **fields)


def stage(*turns: TurnRecord) -> Stage:
    """One on which there is nothing but a server that has these turns."""
    return Stage(*cast("Any", (None, SimpleNamespace(turns=list(turns)), None, None)))


@pytest.mark.parametrize("reply", [b"", b"ef"], ids=["at once", "late"])
def test_who_asks_again_is_answered_in_the_turn_that_was_spoken(reply: bytes) -> None:
    """livekit-agents sends an empty clientContent behind its activityEnd."""
    spoken = numbered(1, utterance=bytearray(b"ab"), outcome=Outcome.INTERRUPTED)
    spoken.reply += reply
    asked = numbered(2, "text", reply=bytearray(b"cd"), reply_chunks=[Chunk(7.0, 2)])
    asked.first_reply_at = 7.0

    turn = stage(spoken, asked).turn(1)

    assert turn is not None
    assert (turn.number, bytes(turn.utterance), bytes(turn.reply)) == (1, b"ab", b"cd")
    assert (turn.first_reply_at, turn.reply_chunks) == (7.0, [Chunk(7.0, 2)])
    assert turn.outcome is Outcome.OPEN


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (numbered(1), numbered(2)),
        (numbered(1, outcome=Outcome.INTERRUPTED), numbered(2)),
        (numbered(1, outcome=Outcome.INTERRUPTED), numbered(2, "text", text="And now?")),
    ],
    ids=["answered", "spoken into", "asked in writing"],
)
def test_all_other_turns_are_taken_as_they_are(first: TurnRecord, second: TurnRecord) -> None:
    assert stage(first, second).turn(1) is first
    assert stage(first).turn(1) is first
    assert stage(first).turn(2) is None


def test_each_framework_has_an_environment_of_its_own_and_nobody_else() -> None:
    assert {interpreter(name) for name in NAMES} == {sys.executable}
    assert [Path(interpreter(name)).relative_to(ROOT) for name in FRAMEWORKS] == [
        Path(".venv-peers", name, "bin", "python") for name in FRAMEWORKS
    ]
    assert f"FRAMEWORKS := {' '.join(FRAMEWORKS)}\n" in (ROOT / "Makefile").read_text()
    assert set(IMPORTS) == {*NAMES, *FRAMEWORKS}


def pins(path: Path) -> dict[str, str]:
    """The versions by the names of the packages."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_is_pinned_and_reaches_card_and_button_as_speakerd_does(name: str) -> None:
    lock = PEERS / f"{name}.lock"
    locked, ours = pins(lock), pins(ROOT / "requirements.lock")

    wanted = [line for line in (PEERS / f"{name}.in").read_text().split("\n") if line[:1].isalpha()]
    assert {line.partition("[")[0] for line in wanted} <= set(locked)
    assert {line.partition("==")[0] for line in lock.read_text().splitlines()} == set(locked)
    assert all(locked[package] == ours[package] for package in ("gpiozero", "pyalsaaudio"))


@pytest.mark.parametrize(
    ("chosen", "said"), [("pipecat", "pipecat is not installed: `make bench-peers`"), ("x", "'x'")]
)
def test_a_framework_that_cannot_be_measured_is_refused_before_all_else(
    chosen: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(INTERPRETERS, "pipecat", tmp_path / "python")
    monkeypatch.setattr(sys, "argv", ["bench", "--peers", chosen])

    with pytest.raises(SystemExit):
        bench.main()
    assert said in capsys.readouterr().err


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


def test_frameworks_are_drawn_where_they_were_measured() -> None:
    rows = [Row("edge -> wire", values={"speakerd": [1.0], "livekit": [9.0], "pipecat": [8.0]})]
    text = saved([], [Comparison("Turns", rows)], [])
    picture = ElementTree.fromstring(plot.drawn(json.loads(text)))  # noqa: S314 - it is our own
    words = [one.text for one in picture.findall(".//{*}text")]
    assert words == [
        *("speakerd", "pipecat", "livekit"),
        *("Turns", "edge -> wire, ms", "1", "8", "9"),
    ]
