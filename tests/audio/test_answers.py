"""What is kept of the last answer, and for how long."""

from __future__ import annotations

import pytest

from speakerd.audio.answers import MOST_BYTES, Answers
from speakerd.conversation.ledger import TurnRecord

NOTHING = (b"", 24_000)


@pytest.fixture
def answers() -> Answers:
    return Answers(wanted=True)


def ended(turn: int, *, heard: bool = True, repeats: bool = False) -> TurnRecord:
    return TurnRecord(turn, "m", 0.0, first_reply_at=1.0 if heard else None, repeats=repeats)


def say(answers: Answers, turn: int, pcm: bytes, rate_hz: int = 24_000) -> None:
    answers.expect(turn)
    answers.feed(turn, pcm, rate_hz)


def test_an_answer_is_kept_as_it_came_in_odd_pieces_too(answers: Answers) -> None:
    answers.expect(1)
    for piece in (b"a", b"bcd", b"ef"):
        answers.feed(1, piece, 24_000)
    answers.ended(ended(1))
    assert answers.of(1) == (b"abcdef", 24_000)


def test_what_the_speaker_does_not_take_is_not_kept(answers: Answers) -> None:
    say(answers, 1, b"ab")
    answers.feed(2, b"xy", 24_000)
    answers.feed(1, b"xy", 1_000_000)
    answers.silenced()
    answers.feed(1, b"xy", 24_000)
    assert answers.of(1) == (b"ab", 24_000)
    assert answers.of(2) == NOTHING


def test_an_answer_that_begins_anew_is_kept_from_there(answers: Answers) -> None:
    say(answers, 1, b"ab")
    say(answers, 1, b"cd")
    assert answers.of(1) == (b"cd", 24_000)
    answers.feed(1, b"ef", 16_000)
    assert answers.of(1) == (b"ef", 16_000)


def test_of_a_long_one_there_is_the_first_minute(answers: Answers) -> None:
    answers.expect(1)
    for _ in range(5):
        answers.feed(1, bytes(MOST_BYTES // 4), 24_000)
    assert len(answers.of(1)[0]) == MOST_BYTES


def test_the_next_answer_takes_the_place_of_the_last(answers: Answers) -> None:
    for turn in (1, 2):
        say(answers, turn, b"ab")
        answers.ended(ended(turn))
    assert answers.of(1) == NOTHING
    assert answers.of(2) == (b"ab", 24_000)


@pytest.mark.parametrize("record", [ended(2, repeats=True), ended(2, heard=False)])
def test_what_is_no_answer_does_not(answers: Answers, record: TurnRecord) -> None:
    say(answers, 1, b"ab")
    answers.ended(ended(1))
    say(answers, 2, b"here it is")
    answers.ended(record)
    assert answers.of(1) == (b"ab", 24_000)
    assert answers.of(2) == NOTHING


def test_what_is_forgotten_is_gone(answers: Answers) -> None:
    say(answers, 1, b"ab")
    answers.forget()
    assert answers.of(1) == NOTHING


def test_where_nobody_wants_it_nothing_is_kept() -> None:
    answers = Answers(wanted=False)
    say(answers, 1, b"ab")
    assert answers.of(1) == NOTHING
    answers.want(True)
    say(answers, 2, b"ab")
    answers.want(False)
    assert answers.of(2) == NOTHING
