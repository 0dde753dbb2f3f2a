"""What the model was asked to do to the speaker itself, and what waits for its answer."""

from __future__ import annotations

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
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
