"""What the model was asked to do to the speaker itself, and what waits for its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.rules import ButtonMode
from speakerd.conversation.turn import TurnState
from tests.unit.story import Story

IDLE, OPEN, REPLYING = TurnState.IDLE, TurnState.OPEN, TurnState.REPLYING
SPEAKING, THINKING = TurnState.SPEAKING, TurnState.THINKING
MUTE = ev.LeaveRequested(mute=True)
LEAVE = ev.LeaveRequested()


@pytest.fixture
def story() -> Story:
    story = Story()
    story.connected()
    story.wait_until(10.0)
    return story


@pytest.fixture(params=[False, True], ids=["half duplex", "full duplex"])
def conversation(request: pytest.FixtureRequest) -> Story:
    """Somebody has said something, hands free, and the model has called for something."""
    story = Story()
    story.connected()
    story.go_hands_free(full_duplex=request.param)
    story.wait_until(10.0)
    story.bring_to(OPEN)
    story.captured()
    for speaks in (True, False):
        story.tell(ev.VoiceHeard(story.generation, story.turn, speaks))
    story.call(story.turn)
    return story


def cues(story: Story) -> list[fx.Cue]:
    return [order.cue for order in story.all(fx.PlayCue)]


def is_listening(story: Story) -> bool:
    """Whether a gate is open."""
    opened = [order.turn for order in story.all(fx.OpenGate)]
    closed = {order.turn for order in story.all(fx.CloseGate)}
    closed |= {order.turn for order in story.all(fx.DiscardUtterance)}
    return bool(set(opened) - closed)


# --- the mute


def test_while_the_button_is_what_listens_it_is_muted_at_once(story: Story) -> None:
    turn = story.ask()
    story.call(turn)
    story.tell(MUTE)
    assert story.one(fx.Mute) == fx.Mute(on=True)
    assert story.one(fx.KeepMute).on
    assert story.one(fx.PlayCue).cue is fx.Cue.MUTED
    story.responded(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.core.status.muted


def test_hands_free_the_answer_is_heard_and_nobody_is_listened_to_from_there(
    conversation: Story,
) -> None:
    story = conversation
    turn = story.turn
    story.tell(MUTE)
    assert not story.last
    story.responded(turn)
    story.reply(turn)
    assert story.one(fx.Mute) == fx.Mute(on=True)
    assert story.is_in(SPEAKING)
    assert not is_listening(story)
    story.plays(turn)
    story.complete(turn)
    story.drained(turn)
    assert story.is_in(IDLE)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("wish", [MUTE, LEAVE])
def test_in_an_answer_nobody_is_listened_to_from_there(conversation: Story, wish: ev.Event) -> None:
    story = conversation
    turn = story.turn
    story.reply(turn)
    story.plays(turn)
    story.tell(wish)
    assert story.is_in(SPEAKING)
    assert not is_listening(story)
    assert story.core.status.muted is (wish == MUTE)


def test_an_answer_without_words_mutes_too(conversation: Story) -> None:
    story = conversation
    turn = story.turn
    story.tell(MUTE)
    story.responded(turn)
    story.wait(2.0)
    story.complete(turn)
    assert story.is_in(IDLE)
    assert story.core.status.muted
    assert cues(story)[-1] is fx.Cue.MUTED
    assert not is_listening(story)


@pytest.mark.parametrize("ends", ["a tap", "the network", "the switch", "silence"])
def test_what_was_promised_is_done_however_it_ends(conversation: Story, ends: str) -> None:
    story = conversation
    story.tell(MUTE)
    story.executed(story.turn)
    match ends:
        case "a tap":
            story.tell(ev.ReleaseRequested())
        case "the network":
            story.close()
        case "the switch":
            story.tell(ev.KeyFound(ev.Key.MUTE, pressed=True))
            story.tell(ev.KeyFound(ev.Key.MUTE, pressed=False))
        case _:
            story.responded(story.turn)
            story.wait(60.0)
    assert story.is_in(IDLE)
    assert story.core.status.muted
    assert len(story.all(fx.KeepMute)) == 1


def test_at_the_end_nothing_is_muted_any_more(conversation: Story) -> None:
    story = conversation
    story.tell(MUTE)
    story.tell(ev.ShutdownRequested())
    assert not story.all(fx.Mute)
    story.tell(MUTE)
    assert story.ordered(fx.Refused)


# --- the end of a conversation


def test_who_says_goodbye_hears_the_answer_and_is_not_listened_to_any_more(
    conversation: Story,
) -> None:
    story = conversation
    turn = story.turn
    story.tell(LEAVE)
    story.responded(turn)
    story.reply(turn)
    assert story.is_in(SPEAKING)
    assert not is_listening(story)
    story.plays(turn)
    story.complete(turn)
    assert cues(story).count(fx.Cue.HUNG_UP) == 0
    story.drained(turn)
    assert story.is_in(IDLE)
    assert story.outcomes == ["answered"]
    assert cues(story)[-1] is fx.Cue.HUNG_UP
    story.wait(5.0)
    assert cues(story).count(fx.Cue.HUNG_UP) == 1
    story.tell(ev.ReleaseRequested())
    story.tell(ev.PressRequested())
    story.captured()
    story.reply(story.turn)
    assert story.is_in(REPLYING), "the next conversation goes on"


def test_a_goodbye_without_an_answer_is_the_end_too(conversation: Story) -> None:
    story = conversation
    story.tell(LEAVE)
    story.responded(story.turn)
    story.wait(2.0)
    story.complete(story.turn)
    assert story.is_in(IDLE)
    assert cues(story)[-1] is fx.Cue.HUNG_UP
    assert not is_listening(story)


@pytest.mark.parametrize("state", [IDLE, THINKING, SPEAKING])
def test_there_is_nothing_to_leave_where_a_button_is_held(story: Story, state: TurnState) -> None:
    story.bring_to(state)
    story.tell(LEAVE)
    assert story.one(fx.Refused).reason == "no conversation is open"
    assert story.is_in(state)


# --- forgetting


def test_what_is_to_be_forgotten_hands_free_is_so_when_the_answer_was_heard(
    conversation: Story,
) -> None:
    story = conversation
    turn = story.turn
    story.tell(LEAVE)
    story.tell(ev.ForgetRequested())
    story.responded(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.one(fx.Forgotten).told
    assert cues(story)[-2:] == [fx.Cue.HUNG_UP, fx.Cue.FORGOTTEN]


# --- the last answer again


@pytest.fixture
def told() -> Story:
    """A button is held to speak, and one question is answered."""
    story = Story(keeps_answers=True)
    story.connected()
    story.wait_until(10.0)
    story.answer(story.ask())
    return story


def again(story: Story) -> int:
    """Somebody asks for it, and the model calls the tool."""
    turn = story.ask()
    story.call(turn)
    story.tell(ev.RepeatRequested())
    assert not story.ordered(fx.Refused)
    story.executed(turn)
    story.responded(turn)
    return turn


def heard_its_own(story: Story) -> int:
    """The same; what it says itself has been heard, and the last answer begins."""
    turn = again(story)
    story.answer(turn)
    return turn


def test_it_is_played_after_what_the_model_says_and_the_turn_is_over_after_it(told: Story) -> None:
    turn = heard_its_own(told)
    assert told.last == [fx.PlayAgain(1)]
    assert told.is_in(SPEAKING)
    assert told.core.status.state == "speaking"
    told.wait(30.0)
    told.tell(ev.NoticeEnded())
    assert told.is_in(IDLE)
    assert told.outcomes == ["answered", "answered"]
    record = told.one(fx.TurnEnded).record
    assert (record.turn, record.reply_s) == (turn, 2.0), "it is no part of the answer"


def test_what_is_said_around_it_is_never_what_is_played_again(told: Story) -> None:
    for _ in range(3):
        heard_its_own(told)
        assert told.one(fx.PlayAgain).turn == 1
        told.tell(ev.NoticeEnded())
    told.answer(told.ask())
    newest = told.turn
    heard_its_own(told)
    assert told.one(fx.PlayAgain).turn == newest


@pytest.mark.parametrize("how", ["press", "stop", "mute key", "shutdown"])
def test_it_is_silenced_as_any_answer(told: Story, how: str) -> None:
    heard_its_own(told)
    match how:
        case "press":
            told.press()
            assert told.one(fx.OpenGate).not_before >= told.now
        case "stop":
            told.tell(ev.StopRequested())
        case "mute key":
            told.tell(ev.MuteRequested(on=True))
            told.press()
        case _:
            told.tell(ev.ShutdownRequested())
    assert told.ordered(fx.DropPlayback)
    assert not told.is_in(SPEAKING)


@pytest.mark.parametrize("mode", ["hold", "toggle", "auto"])
def test_a_tap_is_enough_to_silence_it(mode: str) -> None:
    story = Story(keeps_answers=True, button_mode=ButtonMode(mode))
    story.connected()
    story.wait_until(10.0)
    story.answer(story.ask_by_control())
    turn = story.ask_by_control()
    story.call(turn)
    story.tell(ev.RepeatRequested())
    story.responded(turn)
    story.answer(turn)
    assert story.ordered(fx.PlayAgain)
    story.tap()
    story.wait(1.0)
    assert story.is_in(IDLE)
    assert story.times(fx.DropPlayback)[-1] > story.times(fx.PlayAgain)[-1]


def test_after_it_was_silenced_its_end_is_no_news(told: Story) -> None:
    heard_its_own(told)
    drops = told.core._dialogue.telling.drops
    told.tell(ev.StopRequested())
    turn = told.ask()
    told.reply(turn)
    told.tell(ev.NoticeEnded(drops))
    assert told.is_in(SPEAKING)


def test_an_answer_that_was_stopped_can_be_heard_again_as_far_as_it_came(told: Story) -> None:
    turn = told.ask()
    told.reply(turn)
    told.plays(turn)
    told.tap()
    again(told)
    told.answer(told.turn)
    assert told.one(fx.PlayAgain).turn == turn


def test_what_was_forgotten_is_not_played_again(told: Story) -> None:
    told.tell(ev.ForgetRequested())
    turn = told.ask()
    told.call(turn)
    told.tell(ev.RepeatRequested())
    assert told.one(fx.Refused).reason == "there is no answer that could be played again"
    told.responded(turn)
    told.answer(turn)
    assert not told.all(fx.PlayAgain)


def test_where_nothing_is_kept_there_is_nothing_to_play(story: Story) -> None:
    story.answer(story.ask())
    story.call(story.ask())
    story.tell(ev.RepeatRequested())
    assert story.ordered(fx.Refused)


def test_what_was_said_before_answers_were_kept_is_not_there(story: Story) -> None:
    story.answer(story.ask())
    story.tell(ev.ReloadRequested(replace(story.rules, keeps_answers=True)))
    story.call(story.ask())
    story.tell(ev.RepeatRequested())
    assert story.ordered(fx.Refused)


def test_what_was_kept_is_let_go_when_it_is_not_wanted_any_longer(told: Story) -> None:
    for keeps in (False, True):
        told.tell(ev.ReloadRequested(replace(told.rules, keeps_answers=keeps)))
    told.call(told.ask())
    told.tell(ev.RepeatRequested())
    assert told.ordered(fx.Refused)


def test_while_nobody_is_answered_there_is_nothing_to_come_after(told: Story) -> None:
    told.tell(ev.RepeatRequested())
    assert told.one(fx.Refused).reason == "nobody is being answered"
    told.tell(ev.ShutdownRequested())
    told.tell(ev.RepeatRequested())
    assert told.ordered(fx.Refused)


def test_a_model_that_says_nothing_itself_is_not_waited_for(told: Story) -> None:
    turn = again(told)
    told.wait(2.0)
    told.complete(turn)
    assert told.one(fx.FinishPlayback).turn == turn
    told.drained(turn, 0.0)
    assert told.one(fx.PlayAgain).turn == 1
    told.tell(ev.NoticeEnded())
    assert told.outcomes == ["answered", "answered"]
    assert told.all(fx.TurnEnded)[-1].record.first_reply_at is None
    assert not told.told


def test_late_words_of_its_own_are_heard_after_it(told: Story) -> None:
    turn = heard_its_own(told)
    told.tell(ev.PlaybackResumed(turn))
    told.tell(ev.NoticeEnded())
    assert told.is_in(SPEAKING)
    told.drained(turn)
    assert told.is_in(IDLE)


def test_a_speaker_that_is_lost_in_it_is_told(told: Story) -> None:
    heard_its_own(told)
    told.lose(ev.Device.SPEAKER)
    assert told.is_in(IDLE)
    told.tell(ev.DeviceReady(ev.Device.SPEAKER))
    assert fx.Notice.SPEAKER_LOST in told.told


@pytest.mark.parametrize("silent", [False, True])
def test_hands_free_it_is_heard_before_anybody_is_listened_to_again(silent: bool) -> None:
    story = Story(keeps_answers=True)
    story.connected()
    story.go_hands_free()
    story.wait_until(10.0)
    story.bring_to(REPLYING)
    story.complete(story.turn)
    story.drained(story.turn)
    assert story.is_in(OPEN)
    story.captured()
    turn = story.turn
    story.call(turn)
    story.tell(ev.RepeatRequested())
    story.executed(turn)
    story.responded(turn)
    if silent:
        story.wait(2.0)
        story.complete(turn)
        story.drained(turn)
    else:
        story.answer(turn)
    assert story.one(fx.PlayAgain).turn == 1
    assert story.is_in(REPLYING)
    assert not is_listening(story)
    story.wait(20.0)
    story.tell(ev.NoticeEnded())
    assert story.is_in(OPEN)
    assert story.one(fx.OpenGate).not_before >= story.now
    assert story.outcomes == ["answered", "answered"]


def test_hands_free_a_goodbye_may_come_with_it() -> None:
    story = Story(keeps_answers=True)
    story.connected()
    story.go_hands_free()
    story.wait_until(10.0)
    story.bring_to(REPLYING)
    story.complete(story.turn)
    story.drained(story.turn)
    story.captured()
    story.tell(ev.RepeatRequested())
    story.tell(LEAVE)
    story.answer(story.turn)
    assert story.ordered(fx.PlayAgain)
    assert story.is_in(SPEAKING)
    story.tell(ev.NoticeEnded())
    assert story.is_in(IDLE)
    assert cues(story)[-1] is fx.Cue.HUNG_UP


def test_late_words_that_end_before_it_do_not_end_it(told: Story) -> None:
    turn = heard_its_own(told)
    told.drained(turn)
    assert told.is_in(SPEAKING)
    told.tell(ev.NoticeEnded())
    assert told.is_in(IDLE)
