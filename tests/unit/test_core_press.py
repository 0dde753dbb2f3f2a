"""The button, the gate and the window: rules 1, 3, 5 and 9 of a turn."""

from __future__ import annotations

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.ledger import Kind
from speakerd.conversation.turn import TurnState
from tests.unit.story import NETWORK, Story


@pytest.fixture
def story() -> Story:
    story = Story()
    story.connected()
    story.wait_until(10.0)
    return story


# --- press and hold


def test_the_gate_opens_at_the_first_edge_and_reaches_back_by_the_preroll(story: Story) -> None:
    story.press(at=20.0)
    assert story.one(fx.OpenGate) == fx.OpenGate(1, 20.0 - story.rules.preroll_s)


def test_nothing_is_sent_before_the_press_has_outlasted_the_minimum(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.wait_until(20.0 + story.rules.min_press_s - 0.001)
    assert story.all(fx.Deliver) == []
    story.wait_until(20.0 + story.rules.min_press_s)
    assert story.one(fx.Deliver) == fx.Deliver(1, 1)


def test_the_reply_of_the_new_turn_is_expected_when_its_window_opens(story: Story) -> None:
    story.press(at=20.0)
    assert story.got(fx.ExpectReply) is None
    story.wait(1.0)
    assert story.one(fx.ExpectReply) == fx.ExpectReply(1)


def test_nothing_is_sent_before_there_is_sound(story: Story) -> None:
    story.press(at=20.0)
    story.wait(1.0)
    assert story.all(fx.Deliver) == []
    assert story.captured() == [fx.Deliver(1, 1)]


def test_the_release_is_followed_by_the_tail_before_the_gate_closes(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.release(at=21.0)
    assert story.got(fx.CloseGate) is None
    story.wait_until(21.0 + story.rules.tail_s - 0.001)
    assert story.is_in(TurnState.TAIL)
    story.wait(0.002)
    assert story.one(fx.CloseGate) == fx.CloseGate(1, covering=21.0)
    assert story.is_in(TurnState.THINKING)


def test_a_press_in_the_tail_goes_on_with_the_same_utterance(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.release(at=21.0)
    story.press(at=21.2)
    story.wait_until(25.0)
    story.release(at=25.0)
    story.wait(1.0)
    assert story.one(fx.CloseGate) == fx.CloseGate(1, covering=25.0)
    assert len(story.all(fx.OpenGate)) == len(story.all(fx.Deliver)) == 1


def test_a_press_shorter_than_the_minimum_leaves_nothing_behind(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.release(at=20.2)
    assert story.last == [fx.DiscardUtterance(1), fx.PlayCue(fx.Cue.NOTHING)]
    story.wait(5.0)
    assert story.is_in(TurnState.IDLE)
    assert [*story.all(fx.Deliver), *story.told, *story.outcomes] == []


def test_a_glitch_on_the_wire_sounds_like_nothing(story: Story) -> None:
    story.press(at=20.0)
    story.release(at=20.01)
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    assert story.all(fx.PlayCue) == []


@pytest.mark.parametrize("sounding", ["reply", "thought", "notice", "cue"])
def test_a_tap_that_has_silenced_something_was_no_attempt_to_speak(
    story: Story, sounding: str
) -> None:
    match sounding:
        case "reply":
            turn = story.ask()
            story.reply(turn)
            story.plays(turn)
        case "thought":
            story.ask()
        case "notice":
            story.complete(story.ask())
        case _:
            story.tell(ev.ForgetRequested())
    story.press()
    story.release(at=story.now + 0.2)
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    assert fx.PlayCue(fx.Cue.NOTHING) not in story.all(fx.PlayCue)


# --- what else may sound


def test_the_preroll_does_not_reach_back_into_a_reply_or_its_echo(story: Story) -> None:
    turn = story.ask()
    story.answer(turn)
    heard_until = story.now
    story.press(at=heard_until + 0.05)
    assert story.one(fx.OpenGate).not_before == story.now
    story.release(at=story.now + 0.01)
    story.press(at=heard_until + 0.25)
    guarded = heard_until + story.rules.echo_guard_s
    assert story.one(fx.OpenGate).not_before == pytest.approx(guarded)


def test_the_preroll_does_not_reach_back_into_a_notice_or_its_echo(story: Story) -> None:
    turn = story.ask()
    story.complete(turn)
    assert story.one(fx.Tell) == fx.Tell(fx.Notice.NO_REPLY)
    story.tell(ev.NoticeEnded(), at=30.0)
    story.press(at=30.15)
    assert story.one(fx.OpenGate).not_before == pytest.approx(30.0 + story.rules.echo_guard_s)


def test_a_notice_that_was_silenced_does_not_sound_for_ever(story: Story) -> None:
    story.complete(story.ask())
    story.tap()
    story.press(at=story.now + 5.0)
    assert story.one(fx.OpenGate).not_before == pytest.approx(story.now - 0.3)


@pytest.mark.parametrize("sounding", ["reply", "notice"])
def test_a_press_into_sound_gets_no_preroll_at_all(story: Story, sounding: str) -> None:
    turn = story.ask()
    if sounding == "reply":
        story.reply(turn)
        story.plays(turn)
    else:
        story.complete(turn)
    story.press(at=story.now + 0.2)
    assert story.one(fx.OpenGate).not_before == story.now
    assert story.ordered(fx.DropPlayback)
    assert story.last.index(fx.DropPlayback()) < story.last.index(story.one(fx.OpenGate))


def test_a_pause_in_the_reply_still_keeps_the_preroll_out_of_what_was_heard(story: Story) -> None:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.tell(ev.PlaybackStarved(turn), at=30.0)
    story.press(at=30.2)
    assert story.one(fx.OpenGate).not_before == pytest.approx(30.1)


# --- barge-in, stopping, cancelling


def test_a_press_into_a_reply_silences_it_and_opens_a_new_window(story: Story) -> None:
    first = story.ask()
    story.reply(first)
    story.plays(first)
    second = story.ask()
    assert story.outcomes == ["stopped"]
    assert second == first + 1
    assert story.all(fx.Deliver)[-1].turn == second


def test_late_events_of_a_reply_that_was_spoken_into_change_nothing(story: Story) -> None:
    first = story.ask()
    story.reply(first)
    story.plays(first)
    story.press()
    story.captured()
    story.wait(1.0)
    for late in (
        story.interrupted,
        story.generated,
        story.complete,
        story.reply,
        story.plays,
        story.drained,
    ):
        assert late(first) == []
    assert story.is_in(TurnState.LISTENING)


def test_a_tap_stops_an_answer(story: Story) -> None:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.tap()
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["stopped"]
    assert story.told == []
    assert len(story.all(fx.Deliver)) == 1


def test_a_tap_while_thinking_cancels_the_sentence(story: Story) -> None:
    turn = story.ask()
    story.tap()
    assert fx.DiscardUtterance(turn) in story.log
    assert story.outcomes == ["stopped"]
    story.reply(turn)
    story.plays(turn)
    assert story.is_in(TurnState.IDLE)
    story.close()
    story.press()
    story.open()
    assert story.all(fx.Deliver)[-1].generation == 1, "what was cancelled is not sent again"


def test_a_cancelled_sentence_has_its_line_even_if_its_answer_comes_meanwhile(
    story: Story,
) -> None:
    turn = story.ask()
    story.press()
    story.reply(turn)
    story.release()
    story.wait(1.0)
    assert story.outcomes == ["stopped"]


@pytest.mark.parametrize(
    ("state", "outcomes"),
    [
        (TurnState.ARMED, []),
        (TurnState.LISTENING, ["stopped"]),
        (TurnState.TAIL, ["stopped"]),
        (TurnState.THINKING, ["stopped"]),
        (TurnState.SPEAKING, ["stopped"]),
        (TurnState.SETTLING, ["answered"]),
        (TurnState.IDLE, []),
    ],
)
def test_stop_ends_every_state_without_a_word(
    story: Story, state: TurnState, outcomes: list[str]
) -> None:
    story.bring_to(state)
    story.tell(ev.StopRequested())
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == outcomes
    assert story.told == []
    opened = {order.turn for order in story.all(fx.OpenGate)}
    assert opened <= {order.turn for order in story.all(fx.DiscardUtterance)}


def test_sound_that_was_on_its_way_when_it_was_stopped_wakes_nothing(story: Story) -> None:
    """The speaker's thread was quicker than the order: the turn must not be spoken for ever."""
    turn = story.ask()
    story.reply(turn)
    story.tell(ev.StopRequested())
    story.plays(turn)
    story.tell(ev.PlaybackResumed(turn))
    assert story.is_in(TurnState.IDLE)


def test_every_state_is_what_the_status_says() -> None:
    for state, word in {
        TurnState.ARMED: "listening",
        TurnState.LISTENING: "listening",
        TurnState.TAIL: "listening",
        TurnState.THINKING: "thinking",
        TurnState.SPEAKING: "speaking",
        TurnState.SETTLING: "idle",
        TurnState.IDLE: "idle",
    }.items():
        fresh = Story()
        fresh.connected()
        fresh.bring_to(state)
        assert fresh.core.status.state == word


# --- a stuck, bouncing or mashed button


def test_the_longest_utterance_ends_as_if_released_and_nothing_opens_before_a_release(
    story: Story,
) -> None:
    story.press(at=20.0)
    story.captured()
    story.wait_until(20.0 + story.rules.max_utterance_s + story.rules.tail_s + 0.001)
    assert len(story.all(fx.CloseGate)) == 1
    turn = story.turn
    story.sent(turn)
    story.answer(turn)
    story.wait(100.0)
    assert len(story.all(fx.OpenGate)) == 1
    story.release()
    story.wait(1.0)
    story.press()
    assert len(story.all(fx.OpenGate)) == 2


def test_a_new_press_after_the_longest_utterance_is_a_new_utterance(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.wait_until(20.0 + story.rules.max_utterance_s + 0.05)
    story.release()
    story.press(at=story.now + 0.1)
    assert story.is_in(TurnState.ARMED)
    story.captured()
    story.wait(5.0)
    assert story.is_in(TurnState.LISTENING)
    assert [order.turn for order in story.all(fx.CloseGate)] == [1]


def test_a_press_that_continues_does_not_outlast_the_longest_utterance(story: Story) -> None:
    story.press(at=20.0)
    story.captured()
    story.release(at=79.0)
    story.press(at=79.2)
    story.wait_until(80.5)
    assert [order.turn for order in story.all(fx.CloseGate)] == [1]


def test_a_button_that_is_down_at_the_start_opens_nothing(story: Story) -> None:
    story.tell(ev.ButtonHeldAtStart())
    story.wait(5.0)
    assert story.all(fx.OpenGate) == []
    story.release()
    story.wait(1.0)
    story.press()
    assert story.ordered(fx.OpenGate)


def test_a_control_client_that_never_releases_is_a_stuck_button_too(story: Story) -> None:
    story.tell(ev.PressRequested())
    story.captured()
    story.wait(100.0)
    story.tell(ev.PressRequested())
    assert len(story.all(fx.OpenGate)) == 1
    story.tell(ev.ReleaseRequested())
    story.tell(ev.PressRequested())
    assert len(story.all(fx.OpenGate)) == 2


def test_a_stuck_button_does_not_take_the_control_socket_with_it(story: Story) -> None:
    story.tell(ev.ButtonHeldAtStart())
    story.tell(ev.PressRequested())
    story.captured()
    story.wait(2.0)
    assert story.is_in(TurnState.LISTENING)
    story.tell(ev.ReleaseRequested())
    assert story.is_in(TurnState.TAIL)


def test_bounce_is_one_press_and_one_release(story: Story) -> None:
    for at, pressed in ((0, True), (3, False), (5, True), (9, False), (12, True)):
        story.tell(ev.ButtonEdge(pressed), at=20 + at / 1000)
    story.captured()
    story.wait_until(21.0)
    for at, pressed in ((0, False), (4, True), (6, False)):
        story.tell(ev.ButtonEdge(pressed), at=21 + at / 1000)
    story.wait(0.5)
    assert len(story.all(fx.OpenGate)) == 1
    assert story.one(fx.CloseGate).covering == 21.0


def test_a_minute_of_fifty_edges_a_second_does_not_wedge_it(story: Story) -> None:
    for index in range(3000):
        story.tell(ev.ButtonEdge(index % 2 == 0), at=20 + index * 0.02)
    story.release()
    story.wait(5.0)
    assert story.is_in(TurnState.IDLE)
    story.open()  # the first connection has been idle for too long meanwhile
    turn = story.ask()
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert len(story.all(fx.Connect)) <= 3


def test_a_button_that_is_lost_while_held_is_released(story: Story) -> None:
    story.bring_to(TurnState.LISTENING)
    story.lose(ev.Device.BUTTON)
    assert story.is_in(TurnState.TAIL)


# --- the microphone


def test_a_microphone_that_gives_nothing_is_told_after_the_tail(story: Story) -> None:
    story.press()
    story.wait(1.0)
    story.release()
    story.wait(1.0)
    assert story.told == [fx.Notice.NO_MICROPHONE]
    assert story.outcomes == ["empty"]
    assert fx.DiscardUtterance(1) in story.log


def test_the_sound_of_a_tap_does_not_stand_for_that_of_the_next_press(story: Story) -> None:
    story.press()
    story.captured()
    story.release(at=story.now + 0.1)
    story.press(at=story.now + 1.0)
    story.wait(1.0)
    assert story.all(fx.Deliver) == []


@pytest.mark.parametrize("state", [TurnState.ARMED, TurnState.LISTENING])
def test_a_microphone_that_is_lost_while_somebody_speaks_is_told_at_once(
    story: Story, state: TurnState
) -> None:
    story.bring_to(state)
    story.lose(ev.Device.MICROPHONE)
    assert story.told == [fx.Notice.NO_MICROPHONE]
    assert story.is_in(TurnState.IDLE)
    assert [order.turn for order in story.all(fx.DiscardUtterance)] == [1]


def test_a_microphone_that_is_lost_in_the_tail_costs_only_silence(story: Story) -> None:
    turn = story.bring_to(TurnState.TAIL)
    story.lose(ev.Device.MICROPHONE)
    story.wait(1.0)
    assert story.told == []
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_sound_that_begins_while_the_button_is_held_is_not_too_late(story: Story) -> None:
    story.press()
    story.lose(ev.Device.SPEAKER)
    story.wait(2.0)
    assert story.captured() == [fx.Deliver(1, 1)]


# --- say


def test_a_say_is_a_turn_of_text(story: Story) -> None:
    story.tell(ev.SayRequested("good morning"))
    assert story.one(fx.Deliver) == fx.Deliver(1, 1, "good morning")
    story.sent(1)
    story.answer(1)
    assert story.outcomes == ["answered"]
    assert [*story.all(fx.OpenGate), *story.all(fx.DiscardUtterance)] == []
    record = story.all(fx.TurnEnded)[0].record
    assert record.pressed_at == record.released_at == record.utterance_ended_at


@pytest.mark.parametrize("state", list(TurnState))
def test_a_say_waits_until_nobody_speaks(story: Story, state: TurnState) -> None:
    story.bring_to(state)
    story.tell(ev.SayRequested("hello"))
    free = state in {TurnState.IDLE, TurnState.SETTLING}
    assert story.got(fx.Postponed) == (None if free else fx.Postponed(0))
    assert (story.state is TurnState.THINKING) == (free or state is TurnState.THINKING)
    assert story.outcomes == (["answered"] if state is TurnState.SETTLING else [])


def texts(story: Story) -> list[str | None]:
    return [order.text for order in story.all(fx.Deliver)]


def test_texts_are_said_one_after_the_other_when_the_turn_is_over(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.SayRequested("one"))
    (second,) = story.tell(ev.SayRequested("two", read_out=True))
    assert second == fx.Postponed(1)
    assert texts(story) == [None]
    story.answer(turn)
    assert texts(story) == [None, "one"]
    story.sent(turn + 1)
    story.answer(turn + 1)
    assert story.all(fx.Deliver)[-1] == fx.Deliver(1, turn + 2, "two", read_out=True)
    story.sent(turn + 2)
    story.answer(turn + 2)
    kinds = [order.record.kind for order in story.all(fx.TurnEnded)]
    assert kinds == [Kind.SPEECH, Kind.TEXT, Kind.ANNOUNCEMENT]


def test_whoever_presses_goes_before_the_texts(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.SayRequested("later"))
    story.press()  # into the waiting for the answer
    story.captured()
    story.wait(1.0)
    story.release()
    story.wait(1.0)
    assert "later" not in texts(story)
    story.sent(turn + 1)
    story.answer(turn + 1)
    assert texts(story)[-1] == "later"


def test_a_text_does_not_cut_short_what_is_being_explained(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.SayRequested("later"))
    story.complete(turn)  # and the model has said nothing: that is told
    assert story.told == [fx.Notice.NO_REPLY]
    assert "later" not in texts(story)
    story.tell(ev.NoticeEnded())
    assert texts(story)[-1] == "later"


def test_with_no_speaker_a_text_waits_for_no_explanation(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.SayRequested("later"))
    story.tell(ev.DeviceLost(ev.Device.SPEAKER, "gone"))
    story.complete(turn)
    assert texts(story)[-1] == "later"


def test_stop_is_for_the_texts_that_wait_as_well(story: Story) -> None:
    story.ask()
    story.tell(ev.SayRequested("never"))
    story.tell(ev.StopRequested())
    story.wait(60.0)
    assert texts(story) == [None]


def test_no_more_texts_wait_than_anybody_has_patience_for(story: Story) -> None:
    story.ask()
    for _ in range(story.rules.max_texts):
        assert isinstance(story.tell(ev.SayRequested("one more"))[0], fx.Postponed)
    (refused,) = story.tell(ev.SayRequested("too many"))
    assert refused == fx.Refused("16 texts wait already: try again later")


def test_a_reload_comes_before_the_next_text(story: Story) -> None:
    turn = story.ask()
    story.tell(ev.SayRequested("later"))
    story.tell(ev.ReloadRequested(story.rules))
    story.answer(turn)
    orders = [type(order) for order in story.log]
    assert orders.index(fx.ApplySettings) < len(orders) - 1 - orders[::-1].index(fx.Deliver)


def test_after_the_shutdown_nothing_is_said(story: Story) -> None:
    story.ask()
    story.tell(ev.SayRequested("never"))
    story.tell(ev.ShutdownRequested())
    (refused,) = story.tell(ev.SayRequested("never"))
    assert refused == fx.Refused("the speaker is being shut down")
    assert texts(story) == [None]


def test_a_say_can_be_spoken_into_and_is_sent_again_as_text(story: Story) -> None:
    story.tell(ev.SayRequested("good morning"))
    story.press()
    story.captured()
    story.wait(1.0)
    story.close(NETWORK)
    story.open()
    assert story.last == [fx.Deliver(2, 1, "good morning"), fx.Deliver(2, 2)]


# --- the end


@pytest.mark.parametrize("state", list(TurnState))
def test_shutdown_ends_every_state_and_closes_the_connection(
    story: Story, state: TurnState
) -> None:
    story.bring_to(state)
    story.issue("h")
    story.tell(ev.ShutdownRequested())
    assert story.is_in(TurnState.IDLE)
    assert fx.Disconnect(1) in story.last
    if state is TurnState.SPEAKING:
        assert fx.DropPlayback() in story.last
    assert story.one(fx.SaveHandle).handle == ev.SessionHandle("h", "gemini-3.8-live")
    story.close(None)
    gates = len(story.all(fx.OpenGate))
    story.release()
    story.press(at=story.now + 1.0)
    assert len(story.all(fx.OpenGate)) == gates
    story.tell(ev.SayRequested("hello"))
    assert story.ordered(fx.Refused)
    story.tell(ev.Started())
    story.wait(100.0)
    assert story.core.next_deadline() is None
    assert len(story.all(fx.Connect)) == 1
    opened = {order.turn for order in story.all(fx.OpenGate)}
    gone = {order.turn for order in story.all(fx.DiscardUtterance)}
    assert opened == gone | {order.turn for order in story.all(fx.CloseGate)}


# --- the test tone


def test_the_tone_is_played_between_two_turns_and_no_pre_roll_has_it() -> None:
    story = Story()
    story.connected()
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    assert story.tell(ev.ToneRequested(), 10.0) == [fx.PlayTone()]
    story.tell(ev.NoticeEnded(), 11.1)
    story.press(11.3)
    assert story.one(fx.OpenGate).not_before == 11.1 + story.rules.echo_guard_s


def test_a_press_into_the_tone_silences_it() -> None:
    story = Story()
    story.connected()
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.tell(ev.ToneRequested(), 10.0)
    story.press(10.5)
    assert story.ordered(fx.DropPlayback)
    assert story.one(fx.OpenGate).not_before == 10.5


@pytest.mark.parametrize("state", [state for state in TurnState if state is not TurnState.IDLE])
def test_the_tone_disturbs_no_turn(state: TurnState) -> None:
    story = Story()
    story.connected()
    story.bring_to(state)
    story.tell(ev.ToneRequested())
    assert not story.ordered(fx.PlayTone)
    assert "after this turn" in story.one(fx.Refused).reason


def test_without_a_speaker_there_is_no_tone() -> None:
    story = Story()
    story.connected()
    story.lose(ev.Device.SPEAKER)
    story.tell(ev.ToneRequested())
    assert not story.ordered(fx.PlayTone)
    assert "unplugged" in story.one(fx.Refused).reason


# --- what was said before


@pytest.mark.parametrize("held_s", [0.1, 0.5])
def test_a_microphone_that_fails_leaves_nothing_untold(story: Story, held_s: float) -> None:
    story.ask()
    story.press()
    story.wait(held_s)
    story.lose(ev.Device.MICROPHONE)
    assert story.told == [fx.Notice.NO_ANSWER, fx.Notice.NO_MICROPHONE]
    assert story.outcomes[0] in {"spoken-on", "no-answer"}


def test_a_mute_before_any_sound_was_captured_blames_no_cable() -> None:
    story = Story(preroll_s=0.0)
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.connected()
    story.press()
    story.wait(1.0)
    story.release()
    story.tell(ev.MuteRequested(on=True))
    assert story.is_in(TurnState.IDLE)
    assert story.told == []


def test_a_press_on_the_explanation_that_it_is_muted_ends_that(story: Story) -> None:
    story.tell(ev.MuteRequested(on=True))
    for ended in (False, True, False):
        story.wait(1.0)
        before = len(story.told)
        assert fx.DropPlayback() in story.press()
        assert len(story.told) - before == (not ended)
        story.wait(0.2)
        story.release()
    assert story.told == [fx.Notice.MUTED] * 2
