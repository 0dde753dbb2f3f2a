"""A fresh session is told how it went before; a server that cannot take that is told nothing."""

from __future__ import annotations

from typing import Any

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import LinkPolicy
from speakerd.errors import Failure, FailureKind, Feature, classify
from tests.unit.story import NETWORK, Story

MODEL = "gemini-3.8-live"
HISTORY = frozenset({Feature.HISTORY})
ARGUMENT = classify(1007, "Request contains an invalid argument.")
INTERNAL = classify(1011, "Internal error encountered.")


def started(features: frozenset[Feature] = HISTORY, **more: Any) -> Story:  # noqa: ANN401 - as Story
    story = Story(features=features, **more)
    story.tell(ev.Started())
    return story


def told(story: Story) -> None:
    """The newest connection is open, and was told."""
    story.tell(ev.ConnectionOpened(story.generation, told=2))


def without(story: Story) -> list[frozenset[Feature]]:
    return [order.without for order in story.all(fx.Connect)]


def test_what_the_server_cannot_be_told_it_is_not_told_and_the_sentence_is_answered() -> None:
    story = started()
    told(story)
    turn = story.ask()
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == HISTORY, "at once"
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []
    assert story.core.status.without == ("history",)


def test_so_too_when_it_says_so_while_somebody_speaks() -> None:
    story = started()
    told(story)
    story.press()
    story.captured()
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == HISTORY


def test_trouble_of_its_own_counts_the_second_time_in_a_row() -> None:
    story = started(policy=LinkPolicy.ALWAYS)
    for expected in (frozenset(), frozenset(), HISTORY):
        story.wait_for(LinkState.CONNECTING)
        assert without(story)[-1] == expected
        told(story)
        story.close(INTERNAL)


def test_an_answer_in_between_clears_it() -> None:
    story = started(policy=LinkPolicy.ALWAYS)
    for _ in range(3):
        told(story)
        story.close(INTERNAL)
        story.wait_for(LinkState.CONNECTING)
        assert without(story)[-1] == frozenset()
        told(story)
        story.answer(story.ask())
        story.fail(FailureKind.NETWORK)
        story.wait_for(LinkState.CONNECTING)


@pytest.mark.parametrize(
    "failure", [NETWORK, Failure(FailureKind.IDLE, "aborted", 1008), classify(1011, "quota")]
)
def test_what_says_nothing_of_it_is_not_held_against_it(failure: Failure) -> None:
    story = started(policy=LinkPolicy.ALWAYS)
    for _ in range(4):
        told(story)
        story.close(failure)
        story.wait_for(LinkState.CONNECTING)
    assert without(story) == [frozenset()] * 5


@pytest.mark.parametrize("failure", [ARGUMENT, INTERNAL])
def test_a_server_that_has_answered_has_taken_it(failure: Failure) -> None:
    story = started(policy=LinkPolicy.ALWAYS)
    for _ in range(3):
        told(story)
        story.reply(story.ask())
        story.close(failure)
        story.wait_for(LinkState.CONNECTING)
    assert without(story) == [frozenset()] * 4


def test_a_session_that_was_told_nothing_is_not_suspected() -> None:
    story = started(policy=LinkPolicy.ALWAYS)
    for _ in range(3):
        story.open()
        story.close(ARGUMENT)
        story.wait_for(LinkState.CONNECTING)
    assert without(story) == [frozenset()] * 4


def test_a_session_that_was_told_and_never_answers_is_told_nothing_the_next_time() -> None:
    """A server may freeze at it, and must not do so for every sentence."""
    story = started()
    told(story)
    turn = story.ask()
    story.wait(story.rules.reply_timeout_s)
    story.close(None)
    told(story)
    story.sent(turn)
    story.wait(story.rules.reply_timeout_s)
    assert story.told == [fx.Notice.NO_ANSWER]
    story.close(None)
    story.press()
    assert without(story) == [frozenset(), frozenset(), HISTORY]


def test_a_setup_that_is_refused_may_be_refused_for_it() -> None:
    story = started(HISTORY | {Feature.TOOLS})
    for _ in range(2):
        story.close(ARGUMENT)
    assert without(story) == [frozenset(), HISTORY, HISTORY | {Feature.TOOLS}]


def test_a_setup_that_resumes_is_not_refused_for_it() -> None:
    story = Story(features=HISTORY | {Feature.TOOLS})
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == {Feature.TOOLS}


def test_it_is_told_again_after_a_while() -> None:
    story = started()
    told(story)
    story.close(ARGUMENT)
    story.wait(10.0)
    story.press()
    story.open()
    story.release()
    story.wait(story.rules.ask_again_s)
    story.press()
    assert without(story)[-2:] == [HISTORY, frozenset()]


def test_a_server_that_names_it_is_told_nothing_any_more() -> None:
    story = started()
    story.close(classify(1007, "Unknown name \"historyConfig\" at 'setup': Cannot find field."))
    assert story.one(fx.Connect).without == HISTORY
    story.open()
    story.wait(10 * story.rules.ask_again_s)
    story.press()
    assert without(story)[-1] == HISTORY


# --- forgetting


def test_a_conversation_that_is_over_is_forgotten_without_a_word() -> None:
    story = Story(conversation_timeout_s=60.0)
    story.connected()
    story.answer(story.ask())
    story.wait(59.0)
    assert not story.all(fx.Forgotten)
    story.wait(2.0)
    assert story.all(fx.Forgotten) == [fx.Forgotten(told=False)]
    assert fx.Cue.FORGOTTEN not in [order.cue for order in story.all(fx.PlayCue)]
    story.wait(1000.0)
    assert len(story.all(fx.Forgotten)) == 1


def test_a_wish_to_forget_says_so() -> None:
    story = Story(conversation_timeout_s=60.0)
    story.connected()
    story.answer(story.ask())
    story.tell(ev.ForgetRequested())
    assert story.all(fx.Forgotten) == [fx.Forgotten(told=True)]


def test_it_is_forgotten_before_the_next_connection_is_told() -> None:
    story = Story(conversation_timeout_s=60.0)
    story.connected(ev.SessionHandle("h", MODEL))
    story.answer(story.ask())
    story.press(at=story.now + 100.0)
    kinds = [type(order) for order in story.log]
    last_connect = len(kinds) - 1 - kinds[::-1].index(fx.Connect)
    assert kinds.index(fx.Forgotten) < last_connect


@pytest.mark.parametrize(
    "failure",
    [
        classify(1007, "Invalid session handle"),
        classify(1008, "BidiGenerateContent session not found"),
        classify(1008, "models/gemini-3.8-live is not found for API version v1beta"),
    ],
)
def test_a_conversation_that_the_server_has_lost_is_not_forgotten(failure: Failure) -> None:
    story = Story(models=(MODEL, "another"))
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    story.close(failure)
    assert story.one(fx.Connect).handle is None
    assert not story.all(fx.Forgotten)


def test_nor_is_one_that_is_wedged() -> None:
    story = Story(policy=LinkPolicy.ALWAYS)
    story.connected(ev.SessionHandle("h", MODEL))
    for _ in range(2):
        story.close(INTERNAL)
        story.wait_for(LinkState.CONNECTING)
        story.open()
    assert story.all(fx.Connect)[-1].handle is None
    assert not story.all(fx.Forgotten)
