"""A sentence spoken is a sentence delivered, or the person is told: rules 2, 6 and 8 of a turn."""

from __future__ import annotations

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.ledger import Outcome
from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind
from tests.unit.story import Story


@pytest.fixture
def story() -> Story:
    story = Story()
    story.connected()
    story.wait_until(10.0)
    return story


def deliveries(story: Story) -> list[tuple[int, int]]:
    return [(order.generation, order.turn) for order in story.all(fx.Deliver)]


# --- without a connection


def test_a_press_without_a_connection_is_captured_while_one_is_made(story: Story) -> None:
    story.close()
    story.press()
    assert story.one(fx.Connect).generation == 2
    assert story.ordered(fx.OpenGate)
    story.captured()
    story.wait(1.0)
    assert deliveries(story) == []
    assert story.open() == [fx.Deliver(2, 1)]


def test_a_press_while_the_daemon_is_starting_is_delivered() -> None:
    story = Story()
    turn = story.speak()
    story.tell(ev.Started())
    assert story.ordered(fx.Connect)
    assert story.open() == [fx.Deliver(1, turn)]


def test_what_cannot_be_delivered_within_the_patience_is_told(story: Story) -> None:
    story.close()
    turn = story.speak()
    ended_at = story.now
    story.wait_until(ended_at + story.rules.patience_s - 0.1)
    assert story.told == []
    story.wait(0.2)
    assert story.told == [fx.Notice.NOT_DELIVERED]
    assert story.outcomes == ["not-delivered"]
    assert fx.DiscardUtterance(turn) in story.last


def test_a_connection_within_the_patience_is_in_time(story: Story) -> None:
    story.close()
    turn = story.speak()
    while story.now < 28.0:
        if story.is_in(LinkState.CONNECTING):
            story.fail(FailureKind.NETWORK)
        story.wait(0.1)
    story.wait_for(LinkState.CONNECTING)
    assert story.is_in(TurnState.THINKING)
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_a_socket_that_takes_nothing_is_given_up_for_another_one(story: Story) -> None:
    turn = story.speak()
    story.wait(story.rules.patience_s)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    story.open()
    assert story.one(fx.Deliver).turn == turn
    story.wait(story.rules.patience_s)
    assert story.told == [fx.Notice.NOT_DELIVERED]
    assert story.outcomes == ["not-delivered"]


# --- lost connections


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("phase", ["listening", "tail", "unsent", "sent"])
def test_a_drop_before_the_first_audio_is_sent_again_whole_and_once(
    story: Story, phase: str, kind: FailureKind
) -> None:
    story.issue("newest")
    story.press()
    story.captured()
    turn = story.turn
    story.wait(1.0)
    if phase != "listening":
        story.release()
    if phase in {"unsent", "sent"}:
        story.wait(story.rules.tail_s)
    if phase == "sent":
        story.sent(turn)
    story.fail(kind)
    if kind in {FailureKind.KEY, FailureKind.MODEL, FailureKind.QUOTA}:
        return  # trying again at once is no use: see test_core_link
    connect = story.one(fx.Connect)
    assert connect.generation == 2
    assert connect.handle == ev.SessionHandle("newest", connect.model)
    story.open()
    assert story.got(fx.Deliver) == fx.Deliver(2, turn)
    if phase == "listening":
        story.release()
    story.wait(1.0)
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert deliveries(story) == [(1, turn), (2, turn)]
    assert story.told == []


def test_an_answer_that_begins_as_its_connection_is_given_up_is_not_heard_twice(
    story: Story,
) -> None:
    """Its first sound is in the speaker's queue, and its fact comes too late to count."""
    turn = story.ask()
    story.wait(story.rules.reply_timeout_s)
    assert story.ordered(fx.Disconnect)
    assert story.reply(turn) == [fx.DropPlayback(), fx.ExpectReply(turn)]
    story.close(None)
    assert story.open() == [fx.Deliver(2, turn)]
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_an_answer_that_begins_as_the_next_sentence_is_spoken_changes_nothing(
    story: Story,
) -> None:
    turn = story.ask()
    story.go_away(0.0)
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.reply(turn) == []


def test_after_a_drop_the_patience_begins_anew(story: Story) -> None:
    """The limit of a first delivery that took long must not be held against the second."""
    turn = story.ask()
    story.wait(14.0)
    story.transcript(turn)
    story.wait(14.0)
    assert story.fail(FailureKind.NETWORK) == [fx.Connect(2, "gemini-3.8-live", None)]
    assert story.is_in(TurnState.THINKING)
    story.wait(5.0)
    assert story.open() == [fx.Deliver(2, turn)]


def test_nothing_is_sent_whole_before_it_is_whole(story: Story) -> None:
    story.press()
    story.captured()
    story.wait(1.0)
    story.sent(story.turn)
    story.close()
    story.release()
    story.wait(story.rules.patience_s + 1.0)
    assert story.told == [fx.Notice.NOT_DELIVERED]


def test_an_utterance_is_delivered_whole_twice_at_the_most(story: Story) -> None:
    turn = story.ask()
    story.close()
    story.open()
    story.sent(turn)
    story.close()
    assert story.told == [fx.Notice.NO_ANSWER]
    assert story.outcomes == ["no-answer"]
    story.press()
    story.open()
    assert deliveries(story) == [(1, turn), (2, turn)]


def test_the_books_count_deliveries_and_say_which_context(story: Story) -> None:
    story.issue("h")
    turn = story.ask()
    story.close()
    story.open()
    story.sent(turn)
    story.answer(turn)
    record = story.all(fx.TurnEnded)[0].record
    assert (record.deliveries, record.context.value) == (2, "resumed")
    assert record.model == story.core.status.model
    assert record.activity_end_at is not None
    assert record.first_reply_at is not None
    assert record.activity_end_at < record.first_reply_at


# --- no sign of life


def test_no_sign_of_life_is_a_new_connection_and_one_more_delivery_then_told(story: Story) -> None:
    story.issue("h")
    turn = story.ask()
    sent_at = story.now
    story.wait_until(sent_at + story.rules.reply_timeout_s - 0.01)
    assert story.got(fx.Disconnect) is None
    story.wait_until(sent_at + story.rules.reply_timeout_s)
    silence = Failure(FailureKind.TIMEOUT, "no answer to what was said")
    assert story.one(fx.Disconnect) == fx.Disconnect(1, silence)
    assert story.got(fx.Connect) is None, "the old socket is closed first"
    story.close(None)
    assert story.one(fx.Connect).handle == ev.SessionHandle("h", "gemini-3.8-live")
    story.open()
    story.sent(turn)
    assert story.told == []
    story.wait(story.rules.reply_timeout_s)
    assert story.told == [fx.Notice.NO_ANSWER]
    assert story.outcomes == ["no-answer"]
    assert story.one(fx.Disconnect) == fx.Disconnect(2, silence)
    assert story.core.status.last_error == "no answer to what was said"
    story.plays(turn)
    assert story.is_in(TurnState.IDLE), "too late"


def test_a_transcription_extends_the_limit_once(story: Story) -> None:
    turn = story.ask()
    sent_at = story.now
    story.wait_until(sent_at + 10.0)
    story.transcript(turn)
    heard_at = story.now
    story.wait_until(sent_at + 20.0)
    story.transcript(turn)
    story.wait_until(heard_at + story.rules.reply_timeout_s - 0.01)
    assert story.all(fx.Disconnect) == []
    story.wait(0.02)
    assert story.ordered(fx.Disconnect)


def test_a_transcription_that_came_while_speaking_does_not_use_up_the_extension(
    story: Story,
) -> None:
    story.press()
    story.captured()
    story.wait(1.0)
    story.transcript(story.turn)
    story.release()
    story.wait(0.5)
    story.sent(story.turn)
    sent_at = story.now
    story.wait(10.0)
    story.transcript(story.turn)
    story.wait_until(sent_at + 20.0)
    assert story.all(fx.Disconnect) == []


@pytest.mark.parametrize("sign", ["call", "call that does not block"])
def test_a_tool_call_is_a_sign_of_life(story: Story, sign: str) -> None:
    turn = story.ask()
    story.wait(14.0)
    story.call(turn, blocking=sign == "call")
    story.wait(14.0)
    assert story.all(fx.Disconnect) == []


# --- spoken on


def test_utterances_spoken_on_are_delivered_again_in_their_order(story: Story) -> None:
    first, second, third = story.ask(), story.ask(), story.ask()
    assert story.outcomes == ["spoken-on", "spoken-on"]
    story.close()
    story.open()
    assert deliveries(story)[3:] == [(2, first), (2, second), (2, third)]
    for turn in (first, second, third):
        story.sent(turn)
    story.answer(third)
    assert story.outcomes == ["spoken-on", "spoken-on", "answered"]
    assert story.told == []


def test_the_answer_lets_go_of_all_that_was_spoken_on(story: Story) -> None:
    first, second = story.ask(), story.ask()
    story.reply(second)
    assert {order.turn for order in story.all(fx.DiscardUtterance)} == {first, second}
    story.close()
    story.press()
    story.captured()
    story.wait(1.0)
    story.open()
    assert [order.turn for order in story.all(fx.Deliver)][-1] == 3
    assert len(story.all(fx.Deliver)) == 3


def test_an_answer_to_what_was_spoken_on_lets_it_go_and_is_not_heard(story: Story) -> None:
    first = story.ask()
    story.press()
    story.captured()
    story.wait(1.0)
    story.reply(first)
    assert story.one(fx.DiscardUtterance) == fx.DiscardUtterance(first)
    assert story.is_in(TurnState.LISTENING)
    story.close()
    story.open()
    assert story.got(fx.Deliver) == fx.Deliver(2, 2)


def test_what_was_spoken_on_is_not_delivered_whole_a_third_time_but_told(story: Story) -> None:
    first = story.ask()
    story.close()
    story.open()
    story.sent(first)
    second = story.ask()
    story.close()
    story.wait(1.0)
    story.open()
    assert [turn for generation, turn in deliveries(story) if generation == 3] == [second]
    assert story.told == []
    story.sent(second)
    story.answer(second)
    assert story.told == [fx.Notice.NO_ANSWER], "told in the first pause"


def test_only_so_many_utterances_are_kept(story: Story) -> None:
    story.close()
    turns = []
    for _ in range(8):
        story.press()
        story.captured()
        turns.append(story.turn)
        story.wait(0.3)
        story.release()
        story.wait(0.31)
    kept = {order.turn for order in story.all(fx.OpenGate)}
    kept -= {order.turn for order in story.all(fx.DiscardUtterance)}
    assert kept == set(turns[-(story.rules.max_unanswered + 1) :])
    story.open()
    assert [order.turn for order in story.all(fx.Deliver)] == sorted(kept)
    for turn in sorted(kept):
        story.sent(turn)
    story.answer(turns[-1])
    assert story.told == [fx.Notice.NOT_DELIVERED]


def test_what_the_server_has_already_need_not_be_kept(story: Story) -> None:
    turns = [story.ask() for _ in range(8)]
    kept = {order.turn for order in story.all(fx.OpenGate)}
    kept -= {order.turn for order in story.all(fx.DiscardUtterance)}
    assert kept == set(turns[-(story.rules.max_unanswered + 1) :])
    story.answer(turns[-1])
    assert story.outcomes == ["spoken-on"] * 7 + ["answered"]
    assert story.told == []


def test_an_answer_cut_and_a_sentence_lost_are_both_told(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.executed(first)
    story.responded(first)
    second = story.ask()
    story.close()
    story.open()
    story.sent(second)
    story.reply(second)
    story.plays(second)
    story.close()
    story.drained(second)
    assert story.told == [fx.Notice.RESULT_LOST, fx.Notice.ANSWER_CUT]


# --- tools


def test_no_realtime_input_while_a_blocking_call_is_pending(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.press()
    story.captured()
    story.wait(1.0)
    assert deliveries(story) == [(1, first)]
    assert story.responded(first) == [fx.Deliver(1, 2)]


def test_a_turn_may_complete_with_its_call_and_be_answered_in_the_next(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.executed(turn)
    story.responded(turn)
    story.tell(ev.TurnCompleted(1, turn), story.now + 0.05)
    assert story.is_in(TurnState.THINKING)
    story.answer(turn)
    assert story.told == []
    assert story.all(fx.TurnEnded)[-1].record.outcome is Outcome.ANSWERED


def test_a_second_completion_without_a_word_is_the_end(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.responded(turn)
    story.tell(ev.TurnCompleted(1, turn), story.now + 0.05)
    story.tell(ev.TurnCompleted(1, turn), story.now + 0.05)
    assert story.told == [fx.Notice.NO_REPLY]


def test_so_is_one_that_comes_long_after_the_result(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.responded(turn)
    story.tell(ev.TurnCompleted(1, turn), story.now + story.rules.call_end_s)
    assert story.told == [fx.Notice.NO_REPLY]


def test_every_pending_call_must_be_answered_or_cancelled_first(story: Story) -> None:
    first = story.ask()
    story.call(first, "a")
    story.call(first, "b")
    story.press()
    story.captured()
    story.wait(1.0)
    story.responded(first, "a")
    assert story.got(fx.Deliver) is None
    story.tell(ev.ToolCallsCancelled(1, ("b",)))
    assert story.got(fx.Deliver) == fx.Deliver(1, 2)


def test_a_call_that_does_not_block_holds_nothing_up(story: Story) -> None:
    first = story.ask()
    story.call(first, blocking=False)
    story.press()
    story.captured()
    story.wait(1.0)
    assert deliveries(story) == [(1, first), (1, 2)]


def test_the_calls_of_a_lost_connection_hold_nothing_up(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.close()
    assert story.open() == [fx.Deliver(2, first)]


def test_a_call_that_comes_when_the_turn_is_over_is_not_executed(story: Story) -> None:
    turn = story.ask()
    story.answer(turn)
    story.call(turn)
    assert not story.one(fx.RunTools).execute


def test_a_call_is_executed_only_for_the_turn_that_is_waited_for(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    assert story.one(fx.RunTools).execute
    story.press()
    story.call(turn, "late")
    assert not story.one(fx.RunTools).execute
    assert story.one(fx.RunTools).generation == 1


def test_after_a_tool_has_run_it_is_not_sent_again_but_told(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.executed(turn)
    story.close()
    assert story.told == [fx.Notice.RESULT_LOST]
    assert story.outcomes == ["result-lost"]
    assert fx.DiscardUtterance(turn) in story.last


def test_a_tool_that_ends_after_the_drop_counts_too(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.close()
    assert story.told == []
    story.executed(turn)
    assert story.told == [fx.Notice.RESULT_LOST]
    story.open()
    assert deliveries(story) == [(1, turn)]


def test_no_word_after_a_tool_has_run_is_told_without_a_second_delivery(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.executed(turn)
    story.responded(turn)
    story.wait(story.rules.reply_timeout_s)
    assert story.told == [fx.Notice.RESULT_LOST]
    assert deliveries(story) == [(1, turn)]


def test_what_was_spoken_on_after_its_tool_has_run_is_told_when_it_is_lost(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.executed(first)
    story.responded(first)
    second = story.ask()
    story.close()
    story.open()
    assert [turn for generation, turn in deliveries(story) if generation == 2] == [second]
    story.sent(second)
    story.answer(second)
    assert story.told == [fx.Notice.RESULT_LOST]


def test_a_tool_that_ends_after_the_drop_of_what_was_spoken_on_counts_too(story: Story) -> None:
    first = story.ask()
    story.call(first)
    second = story.speak()
    story.close()
    story.executed(first)
    story.open()
    assert deliveries(story) == [(1, first), (2, second)]


def test_a_tool_may_take_its_time_but_not_for_ever(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.wait(story.rules.tool_timeout_s - 1)
    assert story.all(fx.Disconnect) == []
    story.wait(2.0)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.open() == [fx.Deliver(2, turn)]


def test_what_waits_behind_the_call_of_a_cancelled_turn_has_its_own_patience(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.tap()
    story.speak()
    story.wait(story.rules.patience_s)
    assert story.told == [fx.Notice.NOT_DELIVERED]


def test_the_books_name_the_model_that_was_asked_in_the_end() -> None:
    story = Story(models=("a", "b"))
    story.tell(ev.Started())
    turn = story.speak()
    story.fail(FailureKind.MODEL)
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.one(fx.TurnEnded).record.model == "b"


def test_the_limit_begins_anew_with_the_result_of_a_tool(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.wait(20.0)
    story.responded(turn)
    story.wait(story.rules.reply_timeout_s - 0.1)
    assert story.all(fx.Disconnect) == []
    story.wait(0.2)
    assert story.ordered(fx.Disconnect)


def test_what_is_owed_is_told_after_a_stop_too(story: Story) -> None:
    first = story.ask()
    story.call(first)
    story.executed(first)
    story.responded(first)
    story.ask()
    story.close()
    story.tell(ev.StopRequested())
    assert story.told == [fx.Notice.RESULT_LOST]


def test_a_turn_is_not_complete_while_its_call_is_pending(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.complete(turn)
    assert story.is_in(TurnState.THINKING)
    story.executed(turn)
    story.responded(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_a_tool_in_mid_reply_is_waited_for(story: Story) -> None:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.call(turn)
    story.tell(ev.PlaybackStarved(turn))
    story.wait(story.rules.reply_timeout_s + 5)
    assert story.is_in(TurnState.SPEAKING)
    story.responded(turn)
    story.wait(story.rules.reply_timeout_s - 1)
    assert story.got(fx.FinishPlayback) is None
    story.tell(ev.PlaybackResumed(turn))
    story.complete(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]


# --- refusals while somebody waits


@pytest.mark.parametrize(
    ("kind", "notice"),
    [
        (FailureKind.KEY, fx.Notice.KEY_REFUSED),
        (FailureKind.MODEL, fx.Notice.MODEL_GONE),
        (FailureKind.SETUP, fx.Notice.SETUP_REFUSED),
        (FailureKind.QUOTA, fx.Notice.QUOTA_USED_UP),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_a_refusal_is_told_instead_of_waited_out(
    story: Story, kind: FailureKind, notice: fx.Notice, early: bool
) -> None:
    story.close()
    story.press()
    story.captured()
    story.wait(1.0)
    if early:
        story.fail(kind)
        assert story.told == [], "not while the person speaks"
    story.release()
    story.wait(0.5)
    if not early:
        story.fail(kind)
    assert story.told == [notice]
    assert story.outcomes == ["not-delivered"]
    expected = LinkState.DOWN if kind is FailureKind.QUOTA else LinkState.REFUSED
    assert story.is_in(expected)
