"""What a fresh session is told: the last turns that were answered, and no more than is good."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation.ledger import Outcome, TurnRecord
from speakerd.live.history import MOST_LETTERS, MOST_LETTERS_TOLD, NOTHING, History, Past

if TYPE_CHECKING:
    from collections.abc import Callable


def ends(
    history: History, turn: int, outcome: Outcome = Outcome.ANSWERED, *, heard: bool | None = None
) -> None:
    """A turn is over; ``heard``: its answer was, at least its beginning."""
    if heard is None:
        heard = outcome in {Outcome.ANSWERED, Outcome.CUT}
    first = 1.0 if heard else None
    history.ended(TurnRecord(turn, "m", 0.0, first_reply_at=first, outcome=outcome))


def said(history: History, turn: int, heard: str, spoken: str = "") -> None:
    history.asked(turn)
    history.piece("heard", turn, heard)
    history.piece("spoken", turn, spoken)


def exchange(history: History, turn: int) -> None:
    said(history, turn, f"q{turn}", f"a{turn}")
    ends(history, turn)


def words(history: History) -> list[str]:
    return [f"{role}: {text}" for role, text in history.past().lines]


def test_nothing_was_said() -> None:
    assert History(5).past() is NOTHING


def test_the_pieces_of_a_turn_are_put_together() -> None:
    history = History(5)
    history.asked(1)
    for side, piece in (
        ("heard", "What "),
        ("spoken", " It "),
        ("heard", "time?"),
        ("spoken", "is"),
    ):
        history.piece(side, 1, piece)
    history.piece("spoken", 1, "\n noon. ")
    ends(history, 1)
    assert history.past() == Past(1, (("user", "What time?"), ("model", "It is noon.")))  # type: ignore[arg-type]  # as tuples


def test_a_text_is_what_was_asked() -> None:
    history = History(5)
    history.asked(1, " What time is it? ")
    history.piece("spoken", 1, "Noon.")
    ends(history, 1)
    assert words(history) == ["user: What time is it?", "model: Noon."]


def test_the_last_turns_are_told() -> None:
    history = History(2)
    for turn in range(1, 6):
        exchange(history, turn)
    assert history.past().turns == 2
    assert words(history) == ["user: q4", "model: a4", "user: q5", "model: a5"]


@pytest.mark.parametrize(
    ("outcome", "heard"),
    [
        (Outcome.STOPPED, False),  # so too if it was muted
        (Outcome.SILENT, False),
        (Outcome.NOT_DELIVERED, False),
        (Outcome.NO_ANSWER, False),
        (Outcome.RESULT_LOST, False),
        (Outcome.EMPTY, False),
        (Outcome.SHUTDOWN, False),
    ],
)
def test_a_turn_that_was_not_answered_does_not_count(outcome: Outcome, heard: bool) -> None:
    history = History(5)
    exchange(history, 1)
    said(history, 2, "q2", "an answer that nobody heard")
    ends(history, 2, outcome, heard=heard)
    history.piece("heard", 2, "late")
    exchange(history, 3)
    assert words(history) == ["user: q1", "model: a1", "user: q3", "model: a3"]


def test_a_turn_that_is_not_over_does_not_count() -> None:
    history = History(5)
    exchange(history, 1)
    said(history, 2, "q2", "a2")
    assert history.past().turns == 1


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.CUT])
def test_an_answer_that_was_cut_counts_as_far_as_it_was_transcribed(outcome: Outcome) -> None:
    history = History(5)
    said(history, 1, "q1", "It is")
    ends(history, 1, outcome, heard=True)
    history.piece("spoken", 1, " a late piece")
    assert words(history) == ["user: q1", "model: It is a late piece"]


def test_what_was_spoken_on_goes_with_the_next_turn() -> None:
    history = History(5)
    said(history, 1, "Well,")
    ends(history, 1, Outcome.SPOKEN_ON)
    assert history.past() is NOTHING
    said(history, 2, "what time is it?", "Noon.")
    ends(history, 2)
    assert words(history) == ["user: Well, what time is it?", "model: Noon."]
    assert history.past().turns == 2


def test_so_it_does_when_both_are_delivered_later_and_once_more() -> None:
    history = History(5)
    ends(history, 1, Outcome.SPOKEN_ON)
    for _ in range(2):
        said(history, 1, "Well,")
        said(history, 2, "what time is it?", "Noon.")
    ends(history, 2)
    assert words(history) == ["user: Well, what time is it?", "model: Noon."]


def test_so_it_does_when_that_is_not_answered() -> None:
    history = History(5)
    said(history, 1, "Well,")
    ends(history, 1, Outcome.SPOKEN_ON)
    said(history, 2, "what time is it?")
    ends(history, 2, Outcome.NO_ANSWER)
    exchange(history, 3)
    assert words(history) == ["user: q3", "model: a3"]


def test_a_turn_that_ends_without_a_word_does_not_go_with_the_next() -> None:
    """Hands free, what is being listened to when somebody hangs up is no turn."""
    history = History(1)
    exchange(history, 1)
    said(history, 2, "cough")
    exchange(history, 3)
    assert words(history) == ["user: q3", "model: a3"]


def test_a_sentence_that_was_sent_twice_was_said_once() -> None:
    history = History(5)
    said(history, 1, "q1", "half an ans")
    exchange(history, 1)
    assert words(history) == ["user: q1", "model: a1"]


def test_an_answer_to_nobody_knows_what_is_not_the_first() -> None:
    history = History(5)
    said(history, 1, "", "a1")
    ends(history, 1)
    assert history.past() is NOTHING
    exchange(history, 2)
    said(history, 3, "", "a3")
    ends(history, 3)
    assert words(history) == ["user: q2", "model: a2 a3"]
    assert history.past().turns == 2


def test_one_side_of_a_turn_is_cut() -> None:
    history = History(5)
    said(history, 1, "x" * 5000, "a1")
    ends(history, 1)
    assert history.past().lines[0].text == "x" * MOST_LETTERS + "..."


def test_the_oldest_are_not_told_when_it_is_too_much() -> None:
    history = History(50)
    for turn in range(1, 51):
        said(history, turn, "x" * MOST_LETTERS, f"a{turn}")
        ends(history, turn)
    told = history.past()
    assert told.turns == (MOST_LETTERS_TOLD - 10) // MOST_LETTERS
    assert told.lines[-1].text == "a50"


def test_what_is_forgotten_never_comes_back() -> None:
    history = History(5)
    exchange(history, 1)
    history.forget()
    history.piece("spoken", 1, "late")
    ends(history, 1)
    assert history.past() is NOTHING
    exchange(history, 2)
    assert words(history) == ["user: q2", "model: a2"]


def test_without_a_wish_nothing_is_collected() -> None:
    history = History(0)
    exchange(history, 1)
    history.limit(5)
    assert history.past() is NOTHING
    exchange(history, 2)
    assert words(history) == ["user: q2", "model: a2"]


@pytest.mark.parametrize(("most", "left"), [(2, 2), (5, 3), (0, 0)])
def test_another_limit_counts_at_once(most: int, left: int) -> None:
    history = History(3)
    for turn in (1, 2, 3):
        exchange(history, turn)
    history.limit(most)
    history.limit(10)
    assert history.past().turns == left


def test_nothing_grows_without_a_bound() -> None:
    history = History(3)
    for turn in range(1, 1000):
        said(history, turn, "and on")
        ends(history, turn, Outcome.SPOKEN_ON)
    assert len(history._said) < 20


TURNS = st.integers(1, 12)
TEXTS = st.text(max_size=30) | st.just("word " * 1500)
STEPS: st.SearchStrategy[Callable[[History], None]] = st.one_of(
    st.builds(lambda turn, text: lambda history: history.asked(turn, text), TURNS, TEXTS),
    st.builds(
        lambda side, turn, text: lambda history: history.piece(side, turn, text),
        st.sampled_from(["heard", "spoken"]),
        TURNS,
        TEXTS,
    ),
    st.builds(
        lambda turn, outcome, heard: lambda history: ends(history, turn, outcome, heard=heard),
        TURNS,
        st.sampled_from(Outcome),
        st.booleans(),
    ),
    st.builds(lambda most: lambda history: history.limit(most), st.integers(0, 50)),
    st.just(History.forget),
)


@given(most=st.integers(0, 50), steps=st.lists(STEPS, max_size=60))
def test_whatever_happens_a_server_can_be_told(
    most: int, steps: list[Callable[[History], None]]
) -> None:
    history = History(most)
    for step in steps:
        step(history)
    past = history.past()
    roles = [line.role for line in past.lines]
    assert roles[:1] in ([], ["user"])
    assert all(role != following for role, following in pairwise(roles))
    assert set(roles) <= {"user", "model"}
    assert all(line.text == line.text.strip() != "" for line in past.lines)
    assert sum(len(line.text) for line in past.lines) <= MOST_LETTERS_TOLD + 2 * past.turns
    assert past.turns <= history._most_turns
    assert (past is NOTHING) == (not past.lines)
    history.forget()
    assert history.past() is NOTHING
