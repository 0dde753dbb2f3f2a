"""What a finger means in each mode, told as stories; and that each table is whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.button import MODES, Phase, Touch
from speakerd.conversation.rules import ButtonMode
from speakerd.conversation.turn import TurnState
from tests.unit.story import Story

TAPPED = (ButtonMode.TOGGLE, ButtonMode.AUTO)


def story_of(mode: ButtonMode) -> Story:
    story = Story(button_mode=mode)
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.connected()
    return story


def speaking(mode: ButtonMode) -> Story:
    """The model answers a sentence that was held in the control socket's hand."""
    story = story_of(mode)
    story.ask_by_control()
    story.reply(story.turn)
    story.plays(story.turn)
    assert story.is_in(TurnState.SPEAKING)
    return story


@pytest.mark.parametrize("mode", ButtonMode)
def test_whatever_a_finger_can_do_is_in_the_table(mode: ButtonMode) -> None:
    table = MODES[mode]
    reached, new = set[Phase](), {Phase.UP}
    while new:
        reached |= new
        for phase in new:
            down = phase in {Phase.UP, Phase.LATCHED}
            up = {Touch.GLITCH, Touch.TAP, Touch.LIFT}
            touches = set(Touch) - up if down else up
            if phase is Phase.LATCHED:  # nothing has been ended by a tap, and nothing rings
                touches -= {Touch.DOWN_AGAIN, Touch.DOWN_IN_RING}
            assert touches == {touch for each, touch in table if each is phase}, phase
        new = {table[phase, touch][0] for phase, touch in table if phase in reached} - reached
    assert reached == {phase for phase, _ in table}


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_begins_and_a_tap_ends(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    assert story.all(fx.OpenGate)
    story.captured()
    story.wait(3.0)
    assert story.is_in(TurnState.LISTENING)
    story.tap()
    assert story.is_in(TurnState.TAIL)
    story.wait(story.rules.tail_s)
    assert story.is_in(TurnState.THINKING)
    assert len(story.all(fx.CloseGate)) == 1


@pytest.mark.parametrize("mode", TAPPED)
def test_the_sentence_ends_as_the_second_tap_begins(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    story.captured()
    story.wait(2.0)
    story.press()
    assert story.is_in(TurnState.TAIL)
    story.wait(5.0)
    story.release()
    assert story.is_in(TurnState.THINKING)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_second_tap_too_many_begins_nothing(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    story.captured()
    story.wait(2.0)
    story.tap()
    story.tap()
    story.wait(0.5)
    assert story.is_in(TurnState.THINKING)
    assert len(story.all(fx.OpenGate)) == 1


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_that_comes_after_the_longest_utterance_begins_nothing(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    story.captured()
    story.wait(story.rules.max_utterance_s + 1.0)
    assert story.is_in(TurnState.THINKING)
    story.tap()
    assert story.is_in(TurnState.THINKING)
    story.answer(1)
    assert story.outcomes == ["answered"]
    story.wait(story.rules.late_tap_s)
    story.tap()
    assert story.is_in(TurnState.ARMED)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_while_it_thinks_is_a_change_of_mind(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.ask_by_control()
    story.tap()
    assert story.is_in(TurnState.IDLE)
    story.wait(5.0)
    assert story.is_in(TurnState.IDLE)  # nobody listens
    assert story.outcomes == ["stopped"]
    story.tap()
    assert story.is_in(TurnState.ARMED)


@pytest.mark.parametrize("mode", TAPPED)
@pytest.mark.parametrize("when", ["thinking", "speaking"])
def test_who_taps_twice_to_stop_it_does_not_begin_to_speak(mode: ButtonMode, when: str) -> None:
    story = speaking(mode) if when == "speaking" else story_of(mode)
    if when == "thinking":
        story.ask_by_control()
    story.tap()
    story.wait(0.1)
    story.tap()
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["stopped"]


def test_held_in_auto_right_after_the_tap_that_ended_it_more_is_said() -> None:
    story = story_of(ButtonMode.AUTO)
    story.tap()
    story.captured()
    story.wait(1.0)
    story.tap()
    story.wait(story.rules.tail_s + 0.05)
    assert story.is_in(TurnState.THINKING)
    story.press()
    story.captured()
    story.wait(2.0)
    assert story.is_in(TurnState.LISTENING)
    story.release()
    story.wait(1.0)
    assert story.is_in(TurnState.THINKING)


GLITCH_S = 0.003


@pytest.mark.parametrize("mode", ButtonMode)
def test_a_glitch_costs_no_answer_that_is_awaited(mode: ButtonMode) -> None:
    story = story_of(mode)
    turn = story.ask_by_control()
    story.press()
    story.release(story.now + GLITCH_S)
    story.wait(1.0)
    assert story.is_in(TurnState.THINKING)
    assert (story.told, story.outcomes) == ([], [])
    story.answer(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("mode", ButtonMode)
def test_a_glitch_at_rest_begins_nothing(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.press()
    story.release(story.now + GLITCH_S)
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    assert fx.PlayCue(fx.Cue.NOTHING) not in story.all(fx.PlayCue)


def test_how_short_a_glitch_is_can_be_said() -> None:
    story = Story(glitch_s=0.0)
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.connected()
    story.press()
    story.release(story.now + GLITCH_S)
    story.wait(1.0)
    assert fx.PlayCue(fx.Cue.NOTHING) in story.all(fx.PlayCue)


@pytest.mark.parametrize("mode", [ButtonMode.HOLD, ButtonMode.AUTO])
def test_a_button_that_is_gone_has_stopped_nothing(mode: ButtonMode) -> None:
    story = story_of(mode)
    turn = story.ask_by_control()
    story.press()
    story.wait(0.1)
    story.lose(ev.Device.BUTTON)
    assert story.is_in(TurnState.THINKING)
    story.answer(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("mode", [ButtonMode.HOLD, ButtonMode.AUTO])
def test_what_is_taken_back_is_delivered_again_after_a_lost_link(mode: ButtonMode) -> None:
    story = story_of(mode)
    turn = story.ask_by_control()
    story.press()
    story.close()
    story.release(story.now + GLITCH_S)
    story.wait(0.1)
    story.connected()
    assert [order.turn for order in story.all(fx.Deliver)] == [turn, turn]
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_in_toggle_a_mode_that_changes_under_the_finger_is_lived_by() -> None:
    story = story_of(ButtonMode.TOGGLE)
    turn = story.ask_by_control()
    story.press()  # it will be a stop when it is let go
    story.reply(turn)
    story.plays(turn)
    story.complete(turn)
    story.drained(turn)
    story.tell(ev.ReloadRequested(replace(story.rules, button_mode=ButtonMode.HOLD)))
    story.release()
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)


def test_held_in_auto_while_it_thinks_it_speaks_on() -> None:
    story = story_of(ButtonMode.AUTO)
    story.ask_by_control()
    story.press()
    story.captured()
    story.wait(1.0)
    story.release()
    story.wait(1.0)
    assert story.is_in(TurnState.THINKING)
    assert story.outcomes == ["spoken-on"]


def test_held_in_auto_it_ends_when_it_is_let_go() -> None:
    story = story_of(ButtonMode.AUTO)
    story.press()
    story.captured()
    story.wait(2.0)
    story.release()
    assert story.is_in(TurnState.TAIL)


def test_held_in_toggle_it_goes_on_when_it_is_let_go() -> None:
    story = story_of(ButtonMode.TOGGLE)
    story.press()
    story.captured()
    story.wait(2.0)
    story.release()
    story.wait(2.0)
    assert story.is_in(TurnState.LISTENING)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_during_an_answer_stops_it_and_no_more(mode: ButtonMode) -> None:
    story = speaking(mode)
    gates = len(story.all(fx.OpenGate))
    deliveries = len(story.all(fx.Deliver))
    story.press()
    assert story.ordered(fx.DropPlayback)
    story.release(story.now + story.rules.tap_s - 0.01)
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["stopped"]
    assert len(story.all(fx.Deliver)) == deliveries, "a window was opened"
    assert len(story.all(fx.OpenGate)) == gates + (mode is ButtonMode.AUTO)
    story.tap()
    assert story.is_in(TurnState.LISTENING) or story.is_in(TurnState.ARMED)


def test_held_during_an_answer_auto_takes_it_for_a_sentence() -> None:
    story = speaking(ButtonMode.AUTO)
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.is_in(TurnState.LISTENING)
    story.release()
    assert story.is_in(TurnState.TAIL)


def test_a_touch_in_the_tail_does_not_keep_auto_listening() -> None:
    story = story_of(ButtonMode.AUTO)
    story.press()
    story.captured()
    story.wait(2.0)
    story.release()
    story.press(story.now + 0.1)
    assert story.is_in(TurnState.LISTENING)
    story.release(story.now + 0.05)
    story.wait(1.0)
    assert story.is_in(TurnState.THINKING)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_on_a_notice_costs_no_answer_that_is_awaited(mode: ButtonMode) -> None:
    story = story_of(mode)
    turn = story.ask_by_control()
    story.tell(ev.MuteRequested(on=True))
    story.tap()
    story.tap()
    assert story.told == [fx.Notice.MUTED]  # and not once more into it
    story.answer(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("mode", TAPPED)
def test_a_tap_ends_what_is_being_explained(mode: ButtonMode) -> None:
    story = story_of(mode)
    turn = story.ask_by_control()
    story.complete(turn)  # it chose silence, and that is told
    assert story.told == [fx.Notice.NO_REPLY]
    story.tap()
    assert story.is_in(TurnState.IDLE)
    story.wait(story.rules.double_tap_s)
    story.tap()
    assert not story.is_in(TurnState.IDLE)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_sentence_that_came_to_nothing_is_not_waited_for(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    story.captured()
    story.wait(1.0)
    story.tell(ev.StopRequested())
    assert story.is_in(TurnState.IDLE)
    story.tap()
    assert story.is_in(TurnState.ARMED) or story.is_in(TurnState.LISTENING)


@pytest.mark.parametrize("mode", TAPPED)
def test_a_button_that_is_gone_has_ended_the_sentence(mode: ButtonMode) -> None:
    story = story_of(mode)
    story.tap()
    story.captured()
    story.wait(1.0)
    story.lose(ev.Device.BUTTON)
    assert story.is_in(TurnState.TAIL)


def test_the_control_socket_holds_whatever_the_mode() -> None:
    story = story_of(ButtonMode.TOGGLE)
    story.tell(ev.PressRequested())
    story.captured()
    story.wait(1.0)
    story.tell(ev.ReleaseRequested())
    assert story.is_in(TurnState.TAIL)


def test_a_reload_brings_another_mode() -> None:
    story = story_of(ButtonMode.HOLD)
    story.tap()
    assert story.is_in(TurnState.IDLE)
    rules = Story(button_mode=ButtonMode.TOGGLE).rules
    story.tell(ev.ReloadRequested(rules))
    story.tap()
    assert not story.is_in(TurnState.IDLE)
