"""What today has cost: counted, kept, and never in the way."""

from __future__ import annotations

import json
import logging
import os
import stat
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.events import Usage
from speakerd.conversation.ledger import TurnRecord
from speakerd.service.usage import FILE_NAME, Tally, Totals

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "gemini-3.8-live"
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
UNSET = date(1970, 1, 1)
USAGE = Usage(prompt_tokens=10_000, response_tokens=1000, total_tokens=11_000)
COST_USD = 0.042  # 10,000 at 3.00 and 1,000 at 12.00 for a million


def turn(usage: Usage | None = USAGE, model: str = MODEL) -> TurnRecord:
    return TurnRecord(1, model, pressed_at=1.0, usage=usage)


def sums(counts: int, turns: int | None = None) -> Totals:
    """Those of so many times USAGE."""
    return Totals(
        turns=counts if turns is None else turns,
        prompt_tokens=counts * 10_000,
        response_tokens=counts * 1000,
        cost_usd=round(counts * COST_USD, 6),
        audio_in_tokens=counts * 10_000,
        audio_out_tokens=counts * 1000,
    )


class Clock:
    def __init__(self, today: date = MONDAY) -> None:
        self.today = today

    def __call__(self) -> date:
        return self.today


def tally(directory: Path | None, clock: Clock | None = None) -> Tally:
    made = Tally(directory, clock or Clock())
    made.load()
    return made


# --- prices


@pytest.mark.parametrize(
    ("usage", "cost_usd"),
    [
        (USAGE, COST_USD),
        (Usage(1_000_000), 3.00),
        (Usage(1_000_000, text_in=1_000_000), 0.75),
        (Usage(1_000_000, image_in=1_000_000), 1.00),
        (Usage(0, 1_000_000), 12.00),
        (Usage(0, 1_000_000, text_out=1_000_000), 4.50),
        (Usage(thought_tokens=1_000_000), 4.50),
        (Usage(tool_tokens=1_000_000, text_in=1_000_000), 0.75),
        (Usage(tool_tokens=1_000_000), 3.00),
        (Usage(1000, 100, text_in=400, text_out=20), 0.00315),
        (Usage(10, 10, text_in=1000, text_out=1000), 0.00525),
        (Usage(), 0.0),
        (None, None),
    ],
)
def test_a_turn_costs_what_its_tokens_do(usage: Usage | None, cost_usd: float | None) -> None:
    assert Tally(None).cost_of(turn(usage)) == pytest.approx(cost_usd)


def test_a_turn_as_the_service_counted_it() -> None:
    """One of gemini-3.8-live, whose details do not say what 25 of the tokens were."""
    usage = Usage(522, 42, 564, text_in=332, thought_tokens=136)
    assert (usage.audio_in, usage.audio_out) == (190, 42)
    assert Tally(None).cost_of(turn(usage)) == pytest.approx(0.001935)


def test_what_an_unknown_model_costs_is_not_known() -> None:
    assert Tally(None).cost_of(turn(model="gemini-99-live")) is None


def test_prices_of_ones_own_count_from_now_on() -> None:
    day = tally(None)
    day.add(turn())
    day.prices = ("audio-in=6", "audio-out=0")
    day.add(turn())
    assert day.totals.cost_usd == pytest.approx(COST_USD + 0.06)


# --- a day


def test_turns_are_summed() -> None:
    day = tally(None)
    for usage in (USAGE, None, USAGE):
        day.add(turn(usage))
    assert day.totals == sums(2, turns=3)


def test_each_kind_of_token_is_summed() -> None:
    day = tally(None)
    for _ in range(2):
        day.add(turn(Usage(100, 50, 150, 30, 5, thought_tokens=7, image_in=20, tool_tokens=10)))
    told = asdict(day.totals)
    assert {name: told[name] for name in told if name.endswith("tokens")} == {
        "prompt_tokens": 200,
        "response_tokens": 100,
        "audio_in_tokens": 120,
        "text_in_tokens": 60,
        "image_in_tokens": 40,
        "audio_out_tokens": 90,
        "text_out_tokens": 10,
        "thought_tokens": 14,
        "tool_tokens": 20,
        "unpriced_tokens": 0,
    }


def test_what_has_no_price_is_counted_apart() -> None:
    day = tally(None)
    for model in (MODEL, "gemini-99-live", MODEL):
        day.add(turn(model=model))
    assert day.totals == replace(sums(3), cost_usd=2 * COST_USD, unpriced_tokens=11_000)


def test_tokens_that_become_known_after_their_turn_are_counted_without_another_turn() -> None:
    day = tally(None)
    day.add(turn(None))
    day.add_late(MODEL, USAGE)
    assert day.totals == sums(1)


def test_all_days_are_summed(tmp_path: Path) -> None:
    clock = Clock()
    day = tally(tmp_path, clock)
    day.add(turn())
    clock.today = TUESDAY
    day.add(turn())
    day.save()
    after = tally(tmp_path, clock)
    after.add(turn())
    assert after.totals == sums(2)
    assert after.in_all == (MONDAY, sums(3))


def test_there_is_no_first_day_before_the_clock_was_set() -> None:
    clock = Clock(UNSET)
    day = tally(None, clock)
    since: list[date | None] = []
    for clock.today in (UNSET, MONDAY, TUESDAY):
        day.add(turn())
        since.append(day.in_all[0])
    assert since == [None, MONDAY, MONDAY]
    assert day.in_all[1] == sums(3)


def test_what_an_older_speakerd_has_saved_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(saved(turns=7, cost_usd=0.5))
    day = tally(tmp_path)
    assert day.totals == Totals(7, 1, 1, 0.5)
    assert day.in_all == (MONDAY, day.totals)
    (tmp_path / FILE_NAME).write_text(saved(cost_usd=None))
    assert tally(tmp_path).totals == Totals(1, 1, 1, unpriced_tokens=2)


def test_midnight_begins_a_new_day() -> None:
    clock = Clock()
    day = tally(None, clock)
    day.add(turn())
    clock.today = TUESDAY
    assert day.totals == Totals()
    day.add(turn())
    assert day.totals == sums(1)


def test_a_clock_that_was_wrongly_in_the_future_can_be_set_right() -> None:
    clock = Clock(date(2099, 1, 1))
    day = tally(None, clock)
    day.add(turn())
    clock.today = MONDAY
    assert day.totals == Totals()


# --- a restart


def test_the_day_survives_a_restart(tmp_path: Path) -> None:
    before = tally(tmp_path)
    before.add(turn())
    before.save()
    after = tally(tmp_path)
    assert after.totals == before.totals == sums(1)
    after.add(turn())
    assert after.totals.turns == 2


def test_what_has_no_price_has_none_after_a_restart(tmp_path: Path) -> None:
    before = tally(tmp_path)
    before.add(turn(model="gemini-99-live"))
    before.save()
    assert tally(tmp_path).totals.unpriced_tokens == 11_000


def test_yesterday_is_not_counted_after_a_restart(tmp_path: Path) -> None:
    before = tally(tmp_path)
    before.add(turn())
    before.save()
    assert tally(tmp_path, Clock(TUESDAY)).totals == Totals()


def test_a_clock_that_is_not_set_yet_goes_on_with_the_day_there_was(tmp_path: Path) -> None:
    before = tally(tmp_path)
    before.add(turn())
    before.save()
    clock = Clock(UNSET)
    after = tally(tmp_path, clock)
    after.add(turn())
    after.save()
    assert tally(tmp_path, clock).totals.turns == 2
    clock.today = MONDAY
    assert after.totals.turns == 2
    clock.today = TUESDAY
    assert after.totals.turns == 0


def test_what_was_counted_before_the_clock_was_ever_set_belongs_to_today(tmp_path: Path) -> None:
    clock = Clock(UNSET)
    day = tally(tmp_path, clock)
    day.add(turn())
    day.save()
    clock.today = MONDAY
    assert tally(tmp_path, clock).totals.turns == day.totals.turns == 1
    day.add(turn())
    clock.today = TUESDAY
    assert day.totals.turns == 0


# --- the disk


def test_only_the_daemon_may_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    day = tally(tmp_path)
    day.add(turn())
    day.save()
    (file,) = tmp_path.iterdir()
    assert file.name == FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path) -> None:
    day = tally(tmp_path)
    day.save()
    assert list(tmp_path.iterdir()) == []
    day.add(turn())
    day.save()
    inode = (tmp_path / FILE_NAME).stat().st_ino
    day.save()
    tally(tmp_path).save()
    assert (tmp_path / FILE_NAME).stat().st_ino == inode


def test_a_write_that_breaks_off_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = tally(tmp_path)
    day.add(turn())
    day.save()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    day.add(turn())
    day.save()
    assert tally(tmp_path).totals.turns == 1
    assert day.totals.turns == 2, "the figure is there, only the copy is not"


def test_a_disk_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = tally(tmp_path / "gone")
    for _ in range(3):
        day.add(turn())
        day.save()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No such file or directory" in caplog.text
    (tmp_path / "gone").mkdir()
    day.save()  # it was not written before
    assert tally(tmp_path / "gone").totals.turns == 3


def saved(**wrong: object) -> str:
    right = {"day": "2026-11-23", "turns": 1, "prompt_tokens": 1, "response_tokens": 1}
    return json.dumps({**right, "cost_usd": 1.0, **wrong})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        saved(day="yesterday"),
        saved(day=20261123),
        saved(turns=-1),
        saved(prompt_tokens=1.5),
        saved(response_tokens=None),
        saved(cost_usd=float("nan")),
        saved(cost_usd=-1),
        saved(cost_usd=10**400),
        saved(cost_usd="1"),
        saved(thought_tokens=-1),
        saved(since="once", in_all={}),
        saved(since=None, in_all={"turns": "many"}),
    ],
)
def test_what_is_no_saved_day_is_ignored_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    day = tally(tmp_path)
    assert day.totals == Totals()
    assert "the day is counted anew" in caplog.text
    day.add(turn())
    day.save()
    assert json.loads((tmp_path / FILE_NAME).read_text())["turns"] == 1


def test_without_a_directory_nothing_is_written() -> None:
    day = tally(None)
    day.add(turn())
    day.save()
    assert day.totals.turns == 1


def test_a_clock_that_goes_a_day_back_and_forth_loses_nothing(tmp_path: Path) -> None:
    """Another time zone, or a clock that was set by hand and then by NTP."""
    clock = Clock(MONDAY)
    counted = tally(tmp_path, clock)
    counted.add(turn())
    clock.today = MONDAY - timedelta(days=1)
    counted.add(turn())
    clock.today = MONDAY
    assert counted.totals.turns == 2
    clock.today = MONDAY - timedelta(days=30)
    assert counted.totals.turns == 0, "it was the clock before that was wrong"
