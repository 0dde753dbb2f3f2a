"""The day's budget: a warning in a pause, then a refusal, and never in mid-sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.budget import Budget, budget_at
from speakerd.conversation.effects import Notice
from speakerd.conversation.light import Light, light_of
from speakerd.conversation.rules import ButtonMode, LinkPolicy
from speakerd.conversation.turn import TurnState
from tests.unit.story import Story
from tests.unit.test_core_handsfree import answering, opened, speaks, tap

SUMS = st.floats(0, 1e6)
#: How much is left, from all of it to nothing.
ORDER = list(Budget)
UNDER_WAY = (TurnState.LISTENING, TurnState.TAIL, TurnState.THINKING, TurnState.SPEAKING)


# --- what is left


@given(spent=SUMS)
def test_without_a_budget_nothing_is_ever_spent(spent: float) -> None:
    assert budget_at(spent, 0) is Budget.FINE


@given(daily=st.floats(1e-6, 1e6))
def test_nothing_is_spent_at_first_and_all_of_it_at_the_budget(daily: float) -> None:
    assert budget_at(0.0, daily) is Budget.FINE
    assert budget_at(0.79 * daily, daily) is Budget.FINE
    assert budget_at(0.81 * daily, daily) is Budget.NEAR
    assert budget_at(0.99 * daily, daily) is Budget.NEAR
    assert budget_at(daily, daily) is Budget.SPENT


@given(spent=SUMS, more=SUMS, daily=SUMS)
def test_who_spends_more_has_less(spent: float, more: float, daily: float) -> None:
    assert ORDER.index(budget_at(spent, daily)) <= ORDER.index(budget_at(spent + more, daily))


@given(spent=SUMS, daily=st.floats(1e-6, 1e6), more=SUMS)
def test_a_larger_budget_leaves_more(spent: float, daily: float, more: float) -> None:
    assert ORDER.index(budget_at(spent, daily + more)) <= ORDER.index(budget_at(spent, daily))


# --- what comes of it


def a_story(**rules: Any) -> Story:  # noqa: ANN401 - as Story's
    story = Story(**rules)
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.connected()
    story.wait(10.0)
    return story


@pytest.fixture
def story() -> Story:
    return a_story()


def finish(story: Story, turn: int) -> None:
    """Lead a turn from where it is to its turnComplete."""
    if story.is_in(TurnState.LISTENING):
        story.release()
    if story.is_in(TurnState.TAIL):
        story.wait(story.rules.tail_s)
        story.sent(turn)
    if story.is_in(TurnState.THINKING):
        story.reply(turn)
        story.plays(turn)
    if story.is_in(TurnState.SPEAKING):
        story.generated(turn)
        story.drained(turn)
    assert story.is_in(TurnState.SETTLING)


def spend(story: Story, left: Budget = Budget.SPENT) -> list[fx.Effect]:
    return story.tell(ev.BudgetChanged(left))


def test_the_warning_is_told_when_nobody_speaks(story: Story) -> None:
    story.answer(story.ask())
    spend(story, Budget.NEAR)
    assert story.last == [fx.Tell(Notice.BUDGET_NEAR)]


@pytest.mark.parametrize("state", [*UNDER_WAY, TurnState.SETTLING])
def test_the_warning_waits_for_the_end_of_the_turn(story: Story, state: TurnState) -> None:
    turn = story.bring_to(state)
    assert spend(story, Budget.NEAR) == []
    finish(story, turn)
    assert story.told == []
    story.complete(turn)
    assert story.told == [Notice.BUDGET_NEAR]


def test_the_warning_is_told_once(story: Story) -> None:
    for left in (Budget.NEAR, Budget.NEAR, Budget.SPENT, Budget.NEAR):
        spend(story, left)
    assert story.told == [Notice.BUDGET_NEAR]
    spend(story, Budget.FINE)  # midnight
    spend(story, Budget.NEAR)
    assert story.told == 2 * [Notice.BUDGET_NEAR]


def test_what_was_told_before_a_restart_is_not_told_after_it() -> None:
    story = Story()
    spend(story, Budget.NEAR)
    story.connected()
    story.answer(story.ask())
    assert story.told == []


def test_what_is_owed_besides_is_told_too(story: Story) -> None:
    """The next sentence is spoken into the last one, which then is not answered."""
    first = story.ask()
    story.press()
    story.captured()
    story.wait(1.0)
    story.executed(first)
    story.close()
    spend(story, Budget.NEAR)
    story.release()
    story.wait(1.0)
    story.wait_for(story.core.link_state)
    story.tell(ev.StopRequested())
    assert story.told == [Notice.RESULT_LOST, Notice.BUDGET_NEAR]


def test_a_press_is_refused_aloud_without_a_connection(story: Story) -> None:
    story.close(None)
    spend(story)
    connections = story.generation
    story.press()
    story.wait(5.0)
    story.release()
    story.wait(5.0)
    assert story.told == [Notice.BUDGET_SPENT]
    assert (story.generation, story.turn) == (connections, 0)
    story.tell(ev.NoticeEnded())
    story.press()
    assert story.told == 2 * [Notice.BUDGET_SPENT]


@pytest.mark.parametrize("mode", ButtonMode)
def test_every_way_to_press_is_refused_and_told_once(mode: ButtonMode) -> None:
    story = a_story(button_mode=mode)
    spend(story)
    story.press()
    story.wait(1.0)
    story.release()
    story.wait(3.0)
    assert story.told == [Notice.BUDGET_SPENT]
    assert story.turn == 0


def test_a_program_that_presses_or_says_is_refused_in_words(story: Story) -> None:
    spend(story)
    for event in (ev.PressRequested(), ev.SayRequested("hello")):
        story.tell(event)
        assert "SPEAKERD_DAILY_BUDGET" in story.one(fx.Refused).reason
    assert story.turn == 0


def test_texts_that_wait_are_dropped_and_that_is_said(story: Story) -> None:
    turn = story.bring_to(TurnState.SPEAKING)
    story.tell(ev.SayRequested("hello"))
    assert story.ordered(fx.Postponed)
    assert spend(story) == []
    finish(story, turn)
    story.complete(turn)
    story.wait(5.0)
    assert story.told == [Notice.BUDGET_SPENT]
    assert story.turn == turn


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_turn_under_way_is_finished(story: Story, state: TurnState) -> None:
    turn = story.bring_to(state)
    assert spend(story) == []
    finish(story, turn)
    story.complete(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_a_sentence_may_be_gone_on_with_in_its_tail(story: Story) -> None:
    story.bring_to(TurnState.TAIL)
    spend(story)
    story.wait(0.1)
    story.press()
    story.wait(0.1)
    assert story.is_in(TurnState.LISTENING)
    assert story.told == []


def test_the_tools_of_a_turn_under_way_still_run(story: Story) -> None:
    turn = story.ask()
    spend(story)
    assert story.call(turn) == [fx.RunTools(1, turn, (ev.ToolCall("c1", "set_volume"),))]


def test_a_press_into_the_last_answer_ends_it_and_says_why_nobody_listens(story: Story) -> None:
    story.bring_to(TurnState.SPEAKING)
    spend(story)
    story.press()
    assert story.outcomes == ["stopped"]
    assert story.told == [Notice.BUDGET_SPENT]
    story.press()  # and out of the explanation
    assert story.told == [Notice.BUDGET_SPENT]


def test_a_press_while_the_last_answer_is_awaited_does_not_give_it_up(story: Story) -> None:
    turn = story.bring_to(TurnState.THINKING)
    spend(story)
    story.press()
    story.release()
    assert story.is_in(TurnState.THINKING)
    assert story.told == [Notice.BUDGET_SPENT]
    story.answer(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("left", [Budget.FINE, Budget.NEAR])
def test_midnight_or_a_larger_budget_lets_it_listen_again(story: Story, left: Budget) -> None:
    spend(story)
    spend(story, left)
    story.answer(story.ask())
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_a_kept_connection_is_kept() -> None:
    """It costs nothing while nobody speaks."""
    story = a_story(policy=LinkPolicy.ALWAYS)
    assert spend(story) == []
    story.close()
    assert story.ordered(fx.Connect)


def test_the_mute_is_told_before_the_budget(story: Story) -> None:
    story.tell(ev.MuteRequested(on=True))
    spend(story)
    story.press()
    assert story.told == [Notice.MUTED]


def test_it_is_to_be_seen_that_nobody_listens(story: Story) -> None:
    assert (story.core.status.state, light_of(story.core.status)) == ("idle", Light.IDLE)
    spend(story)
    assert (story.core.status.state, light_of(story.core.status)) == ("error", Light.ERROR)
    assert story.core.status.budget is Budget.SPENT


# --- hands free


@pytest.fixture
def hands_free(story: Story) -> Story:
    story.go_hands_free()
    story.wait(10.0)
    return story


def test_a_tap_is_refused(hands_free: Story) -> None:
    spend(hands_free)
    tap(hands_free)
    assert (hands_free.state, hands_free.turn) == (TurnState.IDLE, 0)
    assert hands_free.told == [Notice.BUDGET_SPENT]


def test_a_conversation_ends_after_the_answer_that_cost_the_rest(hands_free: Story) -> None:
    turn = answering(hands_free)
    spend(hands_free)
    assert hands_free.is_in(TurnState.SPEAKING)
    assert hands_free.told == []
    hands_free.generated(turn)
    hands_free.complete(turn)
    hands_free.drained(turn)
    assert hands_free.is_in(TurnState.IDLE)
    assert hands_free.outcomes == ["answered"]
    assert hands_free.told == [Notice.BUDGET_SPENT]


def test_a_conversation_in_which_nobody_speaks_ends_at_once(hands_free: Story) -> None:
    opened(hands_free)
    spend(hands_free)
    assert hands_free.is_in(TurnState.IDLE)
    assert hands_free.told == [Notice.BUDGET_SPENT]


def test_what_somebody_is_saying_in_it_is_answered_first(hands_free: Story) -> None:
    turn = opened(hands_free)
    speaks(hands_free, turn)
    assert spend(hands_free) == []
    assert hands_free.is_in(TurnState.OPEN)
    hands_free.reply(turn)
    hands_free.plays(turn)
    assert hands_free.is_in(TurnState.SPEAKING)
    finish(hands_free, turn)
    hands_free.complete(turn)
    assert hands_free.outcomes == ["answered"]
    assert hands_free.told == [Notice.BUDGET_SPENT]


# --- what counts


def used(story: Story, turn: int, prompt: int, response: int = 10) -> list[fx.Effect]:
    usage = ev.Usage(prompt, response, prompt + response)
    return story.tell(ev.UsageReported(story.generation, turn, usage))


def prompt_tokens(story: Story) -> int:
    (ended,) = story.all(fx.TurnEnded)
    assert ended.record.usage is not None
    return ended.record.usage.prompt_tokens


def test_the_generations_of_a_turn_add_up(story: Story) -> None:
    """That of a tool call, and that of the answer, which is given the result too."""
    turn = story.ask()
    story.call(turn)
    used(story, turn, 500)
    story.executed(turn)
    story.responded(turn)
    used(story, turn, 600)
    story.answer(turn)
    assert prompt_tokens(story) == 1100
    assert story.all(fx.CountLate) == []


def test_one_generation_that_is_counted_again_and_again_is_one(story: Story) -> None:
    turn = story.ask()
    for response in (1, 10, 30, 30):
        used(story, turn, 500, response)
    story.answer(turn)
    assert prompt_tokens(story) == 500
    record = story.all(fx.TurnEnded)[0].record
    assert record.usage is not None
    assert (record.usage.response_tokens, record.usage.total_tokens) == (30, 530)


def test_what_is_asked_again_is_paid_again(story: Story) -> None:
    turn = story.ask()
    used(story, turn, 500)
    story.close()
    story.open()
    story.sent(turn)
    used(story, turn, 500)
    story.answer(turn)
    assert prompt_tokens(story) == 1000


def test_an_answer_that_was_stopped_is_paid_for_all_the_same(story: Story) -> None:
    turn = story.bring_to(TurnState.SPEAKING)
    story.tell(ev.StopRequested())
    used(story, turn, 500)
    assert story.one(fx.CountLate) == fx.CountLate("gemini-3.8-live", ev.Usage(500, 10, 510))
    used(story, turn, 500, 11)
    assert story.one(fx.CountLate).usage == ev.Usage(0, 1, 1)


def test_so_is_one_that_was_spoken_into(story: Story) -> None:
    turn = story.bring_to(TurnState.SPEAKING)
    story.press()
    used(story, turn, 500)
    assert story.one(fx.CountLate).usage.prompt_tokens == 500


def test_what_an_older_connection_has_counted_is_stale(story: Story) -> None:
    turn = story.ask()
    story.close()
    story.open()
    story.tell(ev.UsageReported(1, turn, ev.Usage(500)))
    assert story.last == []
