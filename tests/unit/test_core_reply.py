"""What becomes of an answer: rules 4, 5 and 7 of a turn, and the server's soft failures."""

from __future__ import annotations

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind
from tests.unit.story import Story


@pytest.fixture
def story() -> Story:
    story = Story()
    story.connected()
    story.wait_until(10.0)
    return story


def playing(story: Story) -> int:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    return turn


# --- the usual


def test_a_turn_from_press_to_drained(story: Story) -> None:
    turn = story.ask()
    assert story.reply(turn) == [fx.DiscardUtterance(turn)]
    assert story.plays(turn) == []
    assert story.generated(turn) == [fx.FinishPlayback(turn)]
    usage = ev.Usage(100, 50, 150)
    story.tell(ev.UsageReported(1, turn, usage))
    assert story.complete(turn) == []
    assert story.is_in(TurnState.SPEAKING)
    story.drained(turn, 2.5)
    record = story.one(fx.TurnEnded).record
    assert record.turn == turn
    assert record.outcome is not None
    assert record.outcome.value == "answered"
    assert (record.reply_s, record.usage) == (2.5, usage)
    times = [
        record.pressed_at,
        record.released_at,
        record.utterance_ended_at,
        record.activity_start_at,
        record.first_audio_sent_at,
        record.activity_end_at,
        record.first_reply_at,
        record.first_sample_at,
        record.generation_complete_at,
        record.turn_complete_at,
        record.drained_at,
    ]
    assert None not in times
    assert times == sorted(times, key=lambda at: at or 0.0)
    assert record.utterance_s == pytest.approx(1.3)
    assert story.told == []
    assert story.core.status.last_turn is record
    assert story.core.status.turns == 1


def test_xruns_are_in_the_books_of_their_turn(story: Story) -> None:
    story.press()
    story.captured()
    story.wait(1.0)
    story.tell(ev.Xrun(ev.Device.MICROPHONE))
    story.release()
    story.wait(0.5)
    story.sent(story.turn)
    story.reply(story.turn)
    story.tell(ev.Xrun(ev.Device.SPEAKER))
    story.tell(ev.Xrun(ev.Device.SPEAKER))
    story.complete(story.turn)
    story.drained(story.turn)
    story.tell(ev.Xrun(ev.Device.SPEAKER))
    record = story.all(fx.TurnEnded)[0].record
    assert (record.overruns, record.underruns) == (1, 2)


def test_gaps_in_the_middle_of_a_reply_are_in_the_books_of_their_turn(story: Story) -> None:
    turn = playing(story)
    for _ in range(2):
        story.tell(ev.PlaybackStarved(turn))
        story.wait(0.3)
        story.tell(ev.PlaybackResumed(turn))
    story.tell(ev.PlaybackStarved(turn))  # all of it was there: nothing follows
    story.complete(turn)
    story.drained(turn)
    assert story.all(fx.TurnEnded)[0].record.gaps == 2


def test_what_comes_after_the_end_of_a_reply_follows_no_gap(story: Story) -> None:
    turn = playing(story)
    story.interrupted(turn)
    story.drained(turn)
    story.tell(ev.PlaybackResumed(turn))
    story.complete(turn)
    story.drained(turn)
    assert story.all(fx.TurnEnded)[0].record.gaps == 0


# --- three different facts


def test_turn_complete_without_generation_complete_finishes_too(story: Story) -> None:
    turn = playing(story)
    assert story.complete(turn) == [fx.FinishPlayback(turn)]
    story.drained(turn)
    assert story.outcomes == ["answered"]


def test_a_missing_turn_complete_is_waited_for_in_silence_and_not_for_ever(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    story.drained(turn)
    assert story.is_in(TurnState.SETTLING)
    story.wait(story.rules.settle_s)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_turn_complete_after_the_last_sample_ends_the_turn(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    story.drained(turn)
    story.wait(8.0)
    story.complete(turn)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["answered"]


def test_the_next_press_or_a_lost_connection_need_not_wait_for_turn_complete(
    story: Story,
) -> None:
    for end in (story.press, story.close):
        turn = playing(story)
        story.generated(turn)
        story.drained(turn)
        end()
        assert story.outcomes[-1] == "answered"
        story.release()
        story.wait(2.0)
    assert story.told == []


def test_an_early_turn_complete_cuts_nothing(story: Story) -> None:
    turn = playing(story)
    story.complete(turn)
    story.drained(turn)
    assert story.is_in(TurnState.IDLE)
    story.tell(ev.PlaybackResumed(turn))
    assert story.is_in(TurnState.SPEAKING)
    story.drained(turn)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["answered"]
    assert story.told == []
    assert story.all(fx.DropPlayback) == [fx.DropPlayback()], "only the press was silencing"


def test_audio_after_a_silent_end_is_heard_to_its_end(story: Story) -> None:
    turn = story.ask()
    story.complete(turn)
    story.reply(turn)
    assert story.plays(turn) == [fx.FinishPlayback(turn)]
    assert story.is_in(TurnState.SPEAKING)
    story.drained(turn)
    assert story.is_in(TurnState.IDLE)


@pytest.mark.parametrize("early", ["generated", "complete", "interrupted"])
def test_nothing_said_while_the_person_speaks_is_about_this_utterance(
    story: Story, early: str
) -> None:
    """The end of an interrupted answer must not be taken for the end of the next one."""
    story.press()
    story.captured()
    story.wait(1.0)
    turn = story.turn
    getattr(story, early)(turn)
    story.release()
    story.wait(0.5)
    story.sent(turn)
    assert story.reply(turn) == [fx.DiscardUtterance(turn)]
    story.plays(turn)
    assert story.is_in(TurnState.SPEAKING)
    story.complete(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]


def test_playback_may_be_reported_before_the_reply(story: Story) -> None:
    """The speaker's thread may be quicker; the reply must not count as stalled then."""
    turn = story.ask()
    story.plays(turn)
    story.reply(turn)
    story.wait(60.0)
    assert story.is_in(TurnState.SPEAKING)
    assert story.all(fx.FinishPlayback) == []


# --- silence


def test_the_model_may_choose_silence(story: Story) -> None:
    turn = story.ask()
    story.complete(turn)
    assert story.told == [fx.Notice.NO_REPLY]
    assert story.outcomes == ["silent"]
    assert fx.DiscardUtterance(turn) in story.last
    story.wait(100.0)
    assert len(story.all(fx.Deliver)) == 1


def test_generation_complete_alone_is_no_answer(story: Story) -> None:
    turn = story.ask()
    story.generated(turn)
    assert story.is_in(TurnState.THINKING)
    story.complete(turn)
    assert story.outcomes == ["silent"]


# --- cut, interrupted, stalled


def test_a_drop_in_mid_reply_plays_what_has_come_and_tells(story: Story) -> None:
    turn = playing(story)
    story.close()
    assert fx.FinishPlayback(turn) in story.last
    assert story.told == []
    story.drained(turn)
    assert story.told == [fx.Notice.ANSWER_CUT]
    assert story.outcomes == ["cut"]


def test_after_a_drop_in_mid_reply_the_session_is_resumed_at_once(story: Story) -> None:
    story.issue("h")
    turn = playing(story)
    story.close()
    assert story.one(fx.Connect).handle == ev.SessionHandle("h", story.core.status.model)
    story.open()
    assert story.all(fx.Deliver) == [fx.Deliver(1, turn)]
    story.drained(turn)
    follow_up = story.ask()
    story.answer(follow_up)
    assert story.outcomes == ["cut", "answered"]


@pytest.mark.parametrize("said", ["generated", "complete"])
@pytest.mark.parametrize("end", ["close", "interrupted"])
def test_what_had_come_whole_is_not_cut_by_what_happens_while_it_plays(
    story: Story, said: str, end: str
) -> None:
    turn = playing(story)
    getattr(story, said)(turn)
    story.close() if end == "close" else story.interrupted(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_interrupted_by_nobody_in_mid_reply_is_a_cut_answer(story: Story) -> None:
    turn = playing(story)
    assert story.interrupted(turn) == [fx.FinishPlayback(turn)]
    story.complete(turn)
    story.drained(turn)
    assert story.told == [fx.Notice.ANSWER_CUT]


def test_a_phantom_interruption_before_the_answer_is_passed_over(story: Story) -> None:
    turn = story.ask()
    story.interrupted(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_an_interrupted_turn_without_audio_is_asked_once_more(story: Story) -> None:
    turn = story.ask()
    story.interrupted(turn)
    story.complete(turn)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.open() == [fx.Deliver(2, turn)]
    story.sent(turn)
    story.interrupted(turn)
    story.complete(turn)
    assert story.told == [fx.Notice.NO_ANSWER]


def test_a_session_that_is_frozen_after_an_interruption_is_left(story: Story) -> None:
    turn = story.ask()
    story.interrupted(turn)
    story.wait(story.rules.reply_timeout_s)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.open() == [fx.Deliver(2, turn)]


def test_a_stall_shorter_than_the_limit_is_waited_out(story: Story) -> None:
    turn = playing(story)
    story.tell(ev.PlaybackStarved(turn))
    story.wait(story.rules.reply_timeout_s - 1)
    story.tell(ev.PlaybackResumed(turn))
    story.wait(100.0)
    story.complete(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("heard", [True, False])
def test_an_answer_that_stops_coming_is_a_cut_answer_on_a_bad_connection(
    story: Story, heard: bool
) -> None:
    turn = story.ask()
    story.reply(turn)
    if heard:
        story.plays(turn)
        story.tell(ev.PlaybackStarved(turn))
    story.wait(story.rules.reply_timeout_s)
    assert story.one(fx.FinishPlayback) == fx.FinishPlayback(turn)
    stalled = Failure(FailureKind.TIMEOUT, "the answer stopped coming")
    assert story.one(fx.Disconnect) == fx.Disconnect(1, stalled)
    story.drained(turn)
    assert story.told == [fx.Notice.ANSWER_CUT]
    assert story.outcomes == ["cut"]


def test_audio_after_a_cut_goes_on(story: Story) -> None:
    turn = playing(story)
    story.interrupted(turn)
    story.drained(turn)
    story.tell(ev.PlaybackResumed(turn))
    story.complete(turn)
    story.drained(turn)
    assert story.told == [fx.Notice.ANSWER_CUT]
    assert story.state in {TurnState.IDLE, TurnState.SETTLING}


# --- the speaker


def test_a_speaker_that_is_lost_in_mid_reply_ends_the_turn(story: Story) -> None:
    playing(story)
    story.lose(ev.Device.SPEAKER)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["cut"]
    assert story.last[-2:] == [fx.DropPlayback(), fx.Tell(fx.Notice.SPEAKER_LOST, aloud=False)]


def test_who_missed_an_answer_hears_why_as_soon_as_there_is_a_speaker(story: Story) -> None:
    playing(story)
    story.lose(ev.Device.SPEAKER)
    story.wait(3600.0)
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    assert story.last == [fx.Tell(fx.Notice.SPEAKER_LOST, journal=False)]
    story.lose(ev.Device.SPEAKER)
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    assert story.told == [fx.Notice.SPEAKER_LOST] * 2  # there was no answer this time


def test_who_presses_as_the_speaker_comes_back_hears_it_in_the_next_pause(story: Story) -> None:
    playing(story)
    story.lose(ev.Device.SPEAKER)
    story.press()
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.wait(0.1)
    assert story.told == [fx.Notice.SPEAKER_LOST]  # for the journal alone
    story.release()
    assert story.is_in(TurnState.IDLE)
    assert story.all(fx.Tell)[1:] == [fx.Tell(fx.Notice.SPEAKER_LOST, journal=False)]


def test_who_hears_the_next_answer_knows_that_there_is_a_speaker(story: Story) -> None:
    playing(story)
    story.lose(ev.Device.SPEAKER)
    story.press()
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.captured()
    story.wait(1.0)
    story.release()
    story.wait(1.0)
    story.sent(story.turn)
    story.answer(story.turn)
    story.wait(10.0)
    assert story.outcomes == ["cut", "answered"]
    assert story.told == [fx.Notice.SPEAKER_LOST]


def test_an_answer_that_comes_without_a_speaker_is_not_counted_as_heard(story: Story) -> None:
    story.lose(ev.Device.SPEAKER)
    turn = story.ask()
    story.reply(turn)
    assert story.outcomes == ["cut"]
    assert story.told == [fx.Notice.SPEAKER_LOST]


def test_a_speaker_that_is_back_speaks(story: Story) -> None:
    story.lose(ev.Device.SPEAKER)
    assert story.core.status.state == "error"
    turn = story.ask()
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.core.status.state == "idle"


def test_a_speaker_that_is_lost_after_the_last_sample_spoils_nothing(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    story.drained(turn)
    story.lose(ev.Device.SPEAKER)
    story.complete(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_a_speaker_that_never_drains_does_not_hold_the_turn_for_ever(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    story.wait(900.0)  # a long answer may still be playing
    assert story.is_in(TurnState.SPEAKING)
    story.wait(101.0)
    assert story.is_in(TurnState.IDLE)
    assert story.told == [fx.Notice.SPEAKER_LOST]


def test_silence_after_the_second_sending_is_no_interruption(story: Story) -> None:
    """What the server had interrupted was the first one."""
    turn = story.ask()
    story.interrupted(turn)
    story.complete(turn)
    story.close(None)
    story.open()
    story.sent(turn)
    story.complete(turn)
    assert story.outcomes == ["silent"]
    assert story.told == [fx.Notice.NO_REPLY]


def test_generation_complete_before_any_audio_says_nothing_of_what_comes_then(
    story: Story,
) -> None:
    turn = story.ask()
    story.generated(turn)
    story.reply(turn)
    story.plays(turn)
    story.close()
    story.drained(turn)
    assert story.told == [fx.Notice.ANSWER_CUT]


# --- answers in parts (extended thinking)


def continues(story: Story, turn: int) -> None:
    story.tell(ev.AnswerContinues(story.generation, turn))


def test_an_answer_that_is_said_to_go_on_is_waited_for_longer(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    continues(story, turn)
    story.drained(turn)
    assert story.is_in(TurnState.SETTLING)
    story.wait(story.rules.work_timeout_s - 0.1)
    assert story.is_in(TurnState.SETTLING)
    story.tell(ev.PlaybackResumed(turn))
    assert story.is_in(TurnState.SPEAKING)
    story.complete(turn)
    story.drained(turn)
    assert story.is_in(TurnState.IDLE)
    assert story.told == []


def test_but_not_for_ever(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    continues(story, turn)
    story.drained(turn)
    story.wait(story.rules.work_timeout_s)
    assert story.is_in(TurnState.IDLE)


def test_a_model_at_work_may_be_silent_before_it_says_anything(story: Story) -> None:
    turn = story.ask()
    continues(story, turn)
    story.wait(story.rules.work_timeout_s - 0.1)
    assert story.is_in(TurnState.THINKING)
    assert story.all(fx.Disconnect) == []
    story.wait(0.2)
    assert story.all(fx.Disconnect) != []  # and is asked once more


def test_a_model_at_work_may_call_tools_after_what_it_has_said(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    continues(story, turn)
    story.drained(turn)
    call = ev.ToolCall("1", "lamp")
    (run,) = story.tell(ev.ToolCallReceived(story.generation, turn, (call,), blocking=False))
    assert run == fx.RunTools(story.generation, turn, (call,), execute=True)


# --- functions that the model does not wait for


def test_an_answer_to_a_result_that_comes_later_is_part_of_the_turn(story: Story) -> None:
    turn = story.ask()
    story.call(turn, blocking=False)
    story.complete(turn)  # of the call
    assert story.is_in(TurnState.THINKING)
    story.wait(story.rules.reply_timeout_s + 5.0)
    assert story.is_in(TurnState.THINKING)
    story.tell(ev.ToolResponseSent(story.generation, turn, "c1"))
    story.reply(turn)
    story.plays(turn)
    story.generated(turn)
    story.complete(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_what_is_said_before_the_result_is_played_and_more_is_waited_for(story: Story) -> None:
    turn = playing(story)
    story.call(turn, blocking=False)
    assert story.complete(turn) == [fx.FinishPlayback(turn)]
    story.drained(turn)
    assert story.is_in(TurnState.SETTLING)
    story.wait(story.rules.settle_s + 10.0)
    assert story.is_in(TurnState.SETTLING)
    story.tell(ev.ToolResponseSent(story.generation, turn, "c1"))
    story.wait(5.0)
    story.tell(ev.PlaybackResumed(turn))
    assert story.is_in(TurnState.SPEAKING)
    story.complete(turn)
    story.drained(turn)
    assert story.outcomes == ["answered"]


def test_a_result_that_nothing_is_said_about_ends_the_turn_in_the_end(story: Story) -> None:
    turn = playing(story)
    story.call(turn, blocking=False)
    story.complete(turn)
    story.drained(turn)
    story.tell(ev.ToolResponseSent(story.generation, turn, "c1"))
    story.wait(story.rules.settle_s)
    assert story.outcomes == ["answered"]


def test_a_call_that_follows_from_a_result_is_made_though_all_was_heard(story: Story) -> None:
    turn = playing(story)
    story.call(turn, "a", blocking=False)
    story.complete(turn)
    story.drained(turn)
    story.responded(turn, "a")
    assert story.is_in(TurnState.SETTLING)
    assert story.ran(story.call(turn, "b", blocking=False))
    story.wait(story.rules.settle_s + 10.0)
    assert story.is_in(TurnState.SETTLING)


def test_so_too_where_the_result_was_quicker_than_the_end_of_what_was_said(story: Story) -> None:
    turn = playing(story)
    story.call(turn, "a", blocking=False)
    story.responded(turn, "a")
    story.complete(turn)
    story.drained(turn)
    assert story.is_in(TurnState.SETTLING)
    assert story.ran(story.call(turn, "b", blocking=False))
    story.responded(turn, "b")
    story.complete(turn)
    story.complete(turn)
    assert story.outcomes == ["answered"]


def test_a_call_that_the_model_waits_for_keeps_a_turn_open_that_was_heard(story: Story) -> None:
    turn = playing(story)
    story.generated(turn)
    story.drained(turn)
    story.call(turn)
    story.wait(story.rules.settle_s + 10.0)
    assert story.is_in(TurnState.SETTLING)


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("why", ["a silent result", "a cancellation"])
def test_a_turn_that_waits_only_for_what_nothing_is_said_of_is_over(
    story: Story, heard: bool, why: str
) -> None:
    turn = playing(story) if heard else story.ask()
    for call_id in ("a", "b"):
        story.call(turn, call_id, blocking=False)
    story.complete(turn)
    if heard:
        story.drained(turn)
    for call_id in ("a", "b"):
        assert story.outcomes == []
        if why == "a cancellation":
            story.tell(ev.ToolCallsCancelled(story.generation, (call_id,)))
        else:
            story.tell(ev.ToolResponseSent(story.generation, turn, call_id, silent=True))
    assert story.outcomes == ["answered" if heard else "silent"]


def test_of_one_result_nothing_is_said_and_of_the_other_something(story: Story) -> None:
    turn = story.ask()
    for call_id in ("a", "b"):
        story.call(turn, call_id, blocking=False)
    story.complete(turn)
    story.responded(turn, "a")
    story.tell(ev.ToolResponseSent(story.generation, turn, "b", silent=True))
    assert story.is_in(TurnState.THINKING)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_the_server_takes_input_while_such_a_call_is_open(story: Story) -> None:
    turn = story.ask()
    story.call(turn, blocking=False)
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.all(fx.Deliver)[-1].turn == turn + 1


def test_calls_of_a_connection_that_is_lost_are_left_alone(story: Story) -> None:
    turn = story.ask()
    story.call(turn, "a")
    story.call(turn, "b", blocking=False)
    story.fail(FailureKind.NETWORK)
    assert story.one(fx.CancelTools).call_ids == ("a", "b")


def test_calls_that_the_server_cancels_are_left_alone(story: Story) -> None:
    turn = story.ask()
    story.call(turn, "a", blocking=False)
    effects = story.tell(ev.ToolCallsCancelled(story.generation, ("a",)))
    assert fx.CancelTools(("a",)) in effects


def test_a_press_that_is_sure_does_not_wait_for_a_call_that_the_model_waits_for(
    story: Story,
) -> None:
    turn = story.ask()
    story.call(turn, "a")
    story.call(turn, "b", blocking=False)
    story.press()
    story.captured()
    assert not story.ordered(fx.CancelTools)
    story.wait(story.rules.min_press_s)
    assert story.one(fx.CancelTools) == fx.CancelTools(("a",), told=True)
    assert not story.ordered(fx.Deliver), "no sound before the call is answered"
    story.tell(ev.ToolResponseSent(story.generation, turn, "a"))
    assert story.one(fx.Deliver).turn == turn + 1


@pytest.mark.parametrize("how", [ev.ButtonEdge(True), ev.StopRequested()])
def test_a_barge_in_and_a_stop_leave_all_calls_of_the_answer_alone(
    story: Story, how: ev.Event
) -> None:
    turn = playing(story)
    story.call(turn, "a", blocking=False)
    story.tell(how)
    assert story.one(fx.CancelTools) == fx.CancelTools(("a",), told=True)


def test_a_tap_into_the_waiting_leaves_the_call_alone(story: Story) -> None:
    turn = story.ask()
    story.call(turn, "a", blocking=False)
    story.tap()
    assert story.all(fx.CancelTools) == [fx.CancelTools(("a",), told=True)]


def test_once_all_was_heard_a_press_does_not_undo_what_is_being_done(story: Story) -> None:
    turn = playing(story)
    story.call(turn, "a", blocking=False)
    story.complete(turn)
    story.drained(turn)
    story.press()
    story.captured()
    story.wait(1.0)
    assert not story.all(fx.CancelTools)


def test_what_takes_too_long_is_left_alone_when_the_turn_is_given_up(story: Story) -> None:
    turn = story.ask()
    story.call(turn, "a")
    story.tell(ev.ToolExecuted(story.generation, turn, "a"))
    story.wait(story.rules.tool_timeout_s)
    assert fx.CancelTools(("a",), told=True) in story.last
    assert story.told == [fx.Notice.RESULT_LOST]


# --- a model that calls without end


def called(story: Story, turn: int, count: int, *, blocking: bool = True) -> list[fx.RunTools]:
    """So many calls, each answered before the next one."""
    before = len(story.all(fx.RunTools))
    for number in range(count):
        story.wait(0.1)
        story.call(turn, str(number), blocking=blocking)
        story.responded(turn, str(number))
    return story.all(fx.RunTools)[before:]


@pytest.mark.parametrize("blocking", [True, False])
def test_there_is_an_end_to_the_calls_of_a_turn(story: Story, blocking: bool) -> None:
    rules = story.rules
    turn = story.ask()
    assert all(run.execute for run in called(story, turn, rules.max_calls, blocking=blocking))
    for run in called(story, turn, rules.max_refused_calls, blocking=blocking):
        assert (run.execute, run.too_many) == (False, True)
    assert story.all(fx.Disconnect) == []
    called(story, turn, 1, blocking=blocking)
    assert len(story.all(fx.Disconnect)) == 1
    story.close(None)
    assert story.outcomes == ["no-answer"]
    assert story.told == [fx.Notice.NO_ANSWER]
    assert len(story.all(fx.Deliver)) == 1, "it would call as often again"


def test_who_has_been_told_that_it_is_enough_may_answer(story: Story) -> None:
    turn = story.ask()
    called(story, turn, story.rules.max_calls + 1)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    turn = story.ask()
    assert called(story, turn, 1)[0].execute, "another turn has calls of its own"


def test_calls_without_end_after_a_stop_end_too(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.StopRequested())
    rules = story.rules
    runs = called(story, turn, rules.max_calls + rules.max_refused_calls + 1)
    assert not any(run.execute or run.too_many for run in runs)
    assert len(story.all(fx.Disconnect)) == 1
    assert story.told == []
