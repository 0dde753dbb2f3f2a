"""What counts as the same line, and what is always told."""

from __future__ import annotations

import logging

import pytest

from speakerd.service.repeats import Repeats


def record(text: str, *args: object, name: str = "speakerd", **fields: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, text, args, None)
    if fields:
        made.speakerd = fields
    return made


def passed(repeats: Repeats, *records: logging.LogRecord) -> list[int]:
    """How often each line that passes was said."""
    return [each.times for each in records if repeats.filter(each)]  # type: ignore[attr-defined]  # set by it


def test_a_line_passes_at_every_power_of_two() -> None:
    repeats = Repeats()
    assert passed(repeats, *(record("missing") for _ in range(20))) == [1, 2, 4, 8, 16]


def test_two_lines_are_counted_apart() -> None:
    repeats = Repeats()
    flapping = [record("%s %s", "speaker", word) for _ in range(4) for word in ("ready", "lost")]
    assert passed(repeats, *flapping) == [1, 1, 2, 2, 4, 4]


def test_another_level_or_another_reason_is_another_line() -> None:
    repeats = Repeats()
    louder = record("missing")
    louder.levelno = logging.ERROR
    assert passed(repeats, record("missing"), louder, record("missing: 5")) == [1, 1, 1]


def test_a_library_may_change_its_numbers_and_its_arguments() -> None:
    repeats = Repeats()
    lines = [record(f"took {n} s: %s", object(), name="asyncio") for n in range(100)]
    assert len(passed(repeats, *lines)) == 7


@pytest.mark.parametrize("event", ["turn", "transcript"])
def test_what_people_do_is_always_told(event: str) -> None:
    repeats = Repeats()
    assert all(repeats.filter(record('heard: "yes"', event=event)) for _ in range(100))


def test_a_line_that_cannot_be_formatted_is_logging_s_trouble() -> None:
    assert Repeats().filter(record("%d", "x"))


def test_what_is_counted_is_bounded() -> None:
    repeats = Repeats()
    assert len(passed(repeats, *(record(f"port {n}") for n in range(1000)))) == 1000
    assert len(repeats._times) <= 100


def test_forgetting_makes_everything_news() -> None:
    repeats = Repeats()
    passed(repeats, *(record("missing") for _ in range(3)))
    repeats.forget()
    assert passed(repeats, record("missing")) == [1]
