"""Hands free: a tap opens a conversation, and the server hears when somebody has spoken."""

from __future__ import annotations

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.ledger import Outcome
from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnState
from speakerd.errors import FailureKind
from tests.unit.story import NETWORK, Story

IDLE, OPEN, REPLYING = TurnState.IDLE, TurnState.OPEN, TurnState.REPLYING


@pytest.fixture
def story() -> Story:
    story = Story()
    story.connected()
    story.go_hands_free()
    story.wait_until(10.0)
    return story


@pytest.fixture
def duplex() -> Story:
    """The microphone does not hear the speaker."""
    story = Story()
    story.connected()
    story.go_hands_free(full_duplex=True)
    story.wait_until(10.0)
    return story


def tap(story: Story) -> list[fx.Effect]:
    """Press the button shortly; what came of it, when it was let go."""
    story.tell(ev.ButtonEdge(pressed=True))
    story.wait(0.1)
    down = story.tell(ev.ButtonEdge(pressed=False))
    return down + story.wait(story.rules.debounce_s)


def opened(story: Story) -> int:
    tap(story)
    story.captured()
    return story.turn


def answering(story: Story) -> int:
    turn = opened(story)
    speaks(story, turn)
    story.reply(turn)
    story.plays(turn)
    assert story.is_in(REPLYING)
    return turn


def speaks(story: Story, turn: int) -> None:
    """Somebody says a sentence, as the server hears it."""
    story.tell(ev.VoiceHeard(story.generation, turn, speaks=True))
    story.wait(1.0)
    story.tell(ev.VoiceHeard(story.generation, turn, speaks=False))
    story.tell(ev.TranscriptReceived(story.generation, turn))


def gates(story: Story) -> list[fx.OpenGate]:
    return story.all(fx.OpenGate)


# --- opening and ending it


def test_a_tap_opens_it_and_sound_goes_out_as_it_comes(story: Story) -> None:
    pressed_at = story.now
    tap(story)
    assert story.is_in(OPEN)
    (gate,) = gates(story)
    assert pressed_at - story.rules.preroll_s <= gate.not_before <= story.now
    assert story.captured() == [fx.Deliver(1, 1)]
    assert story.core.status.state == "listening"
    assert story.all(fx.CloseGate) == []


def test_another_tap_ends_it(story: Story) -> None:
    opened(story)
    story.wait(2.0)
    effects = tap(story)
    assert story.is_in(IDLE)
    assert fx.DiscardUtterance(1) in effects
    assert fx.PlayCue(fx.Cue.HUNG_UP) in effects
    assert story.outcomes == []  # nobody has said anything


def test_what_was_said_and_hung_up_on_is_a_turn(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    tap(story)
    assert story.is_in(IDLE)
    assert story.outcomes == ["stopped"]


def test_so_does_silence(story: Story) -> None:
    opened(story)
    story.wait(story.rules.conversation_silence_s - 0.5)
    assert story.is_in(OPEN)
    story.wait(1.0)
    assert story.is_in(IDLE)
    assert fx.PlayCue(fx.Cue.HUNG_UP) in story.last


def test_whoever_speaks_is_not_hung_up_on(story: Story) -> None:
    turn = opened(story)
    story.wait(5.0)
    story.tell(ev.VoiceHeard(1, turn, speaks=True))
    story.wait(3 * story.rules.conversation_silence_s)
    assert story.is_in(OPEN)
    story.tell(ev.VoiceHeard(1, turn, speaks=False))
    story.wait(story.rules.conversation_silence_s + 0.1)
    assert story.is_in(IDLE)


def test_words_are_a_sign_of_life_as_well(story: Story) -> None:
    turn = opened(story)
    for _ in range(4):
        story.wait(story.rules.conversation_silence_s - 1.0)
        story.tell(ev.TranscriptReceived(1, turn))
    assert story.is_in(OPEN)


def test_it_lasts_for_its_time_and_no_longer(story: Story) -> None:
    turn = opened(story)
    story.tell(ev.VoiceHeard(1, turn, speaks=True))
    story.wait(story.rules.conversation_length_s + 1.0)
    assert story.is_in(IDLE)


@pytest.mark.parametrize(
    "event", [ev.StopRequested(), ev.MuteRequested(on=True), ev.ReleaseRequested()]
)
def test_stop_and_mute_and_the_control_socket_end_it(story: Story, event: ev.Event) -> None:
    story.tell(ev.PressRequested())
    assert story.is_in(OPEN)
    story.captured()
    effects = story.tell(event)
    assert story.is_in(IDLE)
    assert fx.DiscardUtterance(1) in effects


def test_a_disturbance_on_the_wire_opens_nothing(story: Story) -> None:
    story.tell(ev.ButtonEdge(pressed=True))
    story.wait(0.005)
    story.tell(ev.ButtonEdge(pressed=False))
    story.wait(1.0)
    assert story.is_in(IDLE)
    assert gates(story) == []


def test_while_it_is_muted_a_tap_opens_nothing_and_says_so(story: Story) -> None:
    story.tell(ev.MuteRequested(on=True))
    tap(story)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.MUTED]


def test_a_double_tap_is_one(story: Story) -> None:
    tap(story)
    tap(story)
    assert story.is_in(OPEN)


def test_a_microphone_that_goes_ends_it_aloud(story: Story) -> None:
    opened(story)
    story.lose(ev.Device.MICROPHONE)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.NO_MICROPHONE]


def test_a_microphone_that_gives_nothing_ends_it_aloud(story: Story) -> None:
    tap(story)
    story.wait(story.rules.echo_guard_s + story.rules.capture_timeout_s + 0.1)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.NO_MICROPHONE]


def test_what_was_said_in_its_time_is_answered(story: Story) -> None:
    turn = opened(story)
    story.tell(ev.VoiceHeard(1, turn, speaks=True))
    story.wait(story.rules.conversation_length_s - 1.0)
    story.tell(ev.VoiceHeard(1, turn, speaks=False))
    story.wait(3.0)
    assert story.is_in(OPEN)
    story.reply(turn)
    story.plays(turn)
    story.generated(turn)
    story.complete(turn)
    story.drained(turn)
    story.captured()
    assert story.is_in(IDLE)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize("state", [TurnState.THINKING, TurnState.SPEAKING])
def test_a_program_opens_it_also_while_a_text_is_answered(story: Story, state: TurnState) -> None:
    story.tell(ev.SayRequested("What time is it?"))
    story.sent(story.turn)
    if state is TurnState.SPEAKING:
        story.reply(story.turn)
        story.plays(story.turn)
    assert story.is_in(state)
    story.tell(ev.PressRequested())
    assert story.is_in(OPEN)
    assert story.outcomes == ["stopped"]
    story.captured()
    story.tell(ev.ReleaseRequested())
    assert story.is_in(IDLE)


# --- answers


def test_an_answer_takes_the_utterance_and_closes_the_microphone(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    assert story.reply(turn) == [fx.DiscardUtterance(turn)]
    assert story.is_in(REPLYING)
    assert story.core.status.state == "speaking"
    assert len(gates(story)) == 1


def test_after_it_another_utterance_begins_behind_its_echo(story: Story) -> None:
    turn = answering(story)
    story.generated(turn)
    story.complete(turn)
    drained_at = story.now
    story.drained(turn)
    assert story.is_in(OPEN)
    assert story.outcomes == ["answered"]
    _, gate = gates(story)
    assert gate.turn == turn + 1
    assert gate.not_before >= drained_at + story.rules.echo_guard_s
    assert story.captured() == [fx.Deliver(1, turn + 1)]
    assert story.all(fx.ExpectReply)[-1] == fx.ExpectReply(turn + 1)


def test_many_turns_in_one_conversation(story: Story) -> None:
    turn = opened(story)
    for _ in range(5):
        speaks(story, turn)
        story.reply(turn)
        story.plays(turn)
        story.generated(turn)
        story.complete(turn)
        story.drained(turn)
        turn = story.turn
        story.captured()
    tap(story)
    assert story.outcomes == ["answered"] * 5
    assert story.is_in(IDLE)


def test_a_turn_complete_that_trails_closes_the_books_with_its_tokens(story: Story) -> None:
    turn = answering(story)
    story.generated(turn)
    story.drained(turn)
    assert story.is_in(OPEN)
    assert story.outcomes == []
    story.captured()
    usage = ev.Usage(100, 50, 150)
    story.tell(ev.UsageReported(1, turn, usage))
    story.complete(turn)
    (ended,) = story.all(fx.TurnEnded)
    assert (ended.record.outcome, ended.record.usage) == (Outcome.ANSWERED, usage)
    assert story.is_in(OPEN)


def test_books_that_nobody_closes_are_closed_at_the_end(story: Story) -> None:
    turn = answering(story)
    story.generated(turn)
    story.drained(turn)
    story.captured()
    story.wait(0.5)
    tap(story)
    assert story.outcomes == ["answered"]


def test_a_tap_into_an_answer_silences_it_and_listens(story: Story) -> None:
    turn = answering(story)
    effects = tap(story)
    assert story.is_in(OPEN)
    assert fx.DropPlayback() in effects
    assert gates(story)[-1].turn == turn + 1
    story.complete(turn)
    assert story.outcomes == ["stopped"]


def test_stop_is_for_the_conversation_too(story: Story) -> None:
    answering(story)
    story.tell(ev.StopRequested())
    assert story.is_in(IDLE)
    assert story.outcomes == ["stopped"]


def test_hung_up_on_by_a_program_an_answer_is_heard_to_its_end(story: Story) -> None:
    story.tell(ev.PressRequested())
    story.captured()
    story.reply(story.turn)
    story.plays(story.turn)
    story.tell(ev.ReleaseRequested())
    assert story.is_in(TurnState.SPEAKING)
    story.generated(1)
    story.complete(1)
    story.drained(1)
    assert story.is_in(IDLE)
    assert len(gates(story)) == 1


def test_what_the_model_chose_not_to_answer_is_no_fault(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.complete(turn)
    assert story.is_in(OPEN)
    assert story.outcomes == ["silent"]
    assert story.told == []
    assert gates(story)[-1].turn == turn + 1


def test_a_tool_may_be_called_before_any_sound(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    call = ev.ToolCall("1", "lamp")
    (run,) = story.tell(ev.ToolCallReceived(1, turn, (call,)))
    assert run == fx.RunTools(1, turn, (call,), execute=True)
    story.wait(story.rules.conversation_silence_s + 1.0)
    assert story.is_in(OPEN)  # it is waited for


def test_a_function_that_is_not_waited_for_may_take_its_time(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.call(turn, blocking=False)
    story.wait(story.rules.conversation_silence_s + 1.0)
    assert story.is_in(OPEN)
    story.responded(turn)
    story.wait(story.rules.conversation_silence_s + 1.0)
    assert story.is_in(IDLE)


@pytest.mark.parametrize("blocking", [True, False])
def test_who_hangs_up_wants_no_result(story: Story, blocking: bool) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.call(turn, "a", blocking=blocking)
    story.tap()
    assert story.is_in(IDLE)
    assert story.all(fx.CancelTools) == [fx.CancelTools(("a",), told=True)]


def test_so_may_one_that_was_announced(story: Story) -> None:
    turn = answering(story)
    story.call(turn, blocking=False)
    story.generated(turn)
    story.drained(turn)
    story.captured()
    story.complete(turn)
    story.wait(story.rules.conversation_silence_s + 1.0)
    assert story.is_in(OPEN)
    story.responded(turn)
    story.reply(turn + 1)
    assert story.is_in(REPLYING)


def test_the_other_part_of_an_answer_is_waited_for(story: Story) -> None:
    turn = answering(story)
    story.generated(turn)
    story.tell(ev.AnswerContinues(1, turn))
    story.drained(turn)
    story.captured()
    story.wait(story.rules.conversation_silence_s + 1.0)
    assert story.is_in(OPEN)
    story.wait(story.rules.work_timeout_s)
    assert story.is_in(IDLE)


def test_whoever_has_only_paused_is_heard_on_without_a_gap(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.reply(turn)  # nothing of it is heard yet
    closed_at = story.now
    story.wait(0.1)
    story.interrupted(turn)
    assert story.is_in(OPEN)
    assert gates(story)[-1].not_before <= closed_at


# --- speaking into an answer


def test_where_there_is_no_echo_it_listens_beside_the_answer(duplex: Story) -> None:
    turn = opened(duplex)
    speaks(duplex, turn)
    effects = duplex.reply(turn)
    assert [type(each) for each in effects] == [fx.OpenGate, fx.DiscardUtterance]
    duplex.plays(turn)
    assert duplex.tell(ev.CaptureStarted(turn + 1)) == [fx.Deliver(1, turn + 1)]
    assert duplex.is_in(REPLYING)


def test_whoever_speaks_into_it_silences_it(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.tell(ev.CaptureStarted(turn + 1))
    effects = duplex.interrupted(turn)
    assert effects[:1] == [fx.DropPlayback()]
    assert duplex.is_in(OPEN)
    assert len(gates(duplex)) == 2  # the one that was open goes on
    speaks(duplex, turn + 1)
    duplex.reply(turn + 1)
    duplex.plays(turn + 1)
    duplex.complete(turn)
    assert duplex.outcomes == ["stopped"]


def test_so_it_does_when_the_server_has_only_heard_it(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.generated(turn)
    duplex.complete(turn)
    duplex.tell(ev.CaptureStarted(turn + 1))
    duplex.tell(ev.TranscriptReceived(1, turn + 1))
    assert duplex.is_in(OPEN)
    assert fx.DropPlayback() in duplex.last


def test_words_of_the_answer_silence_nothing(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.tell(ev.CaptureStarted(turn + 1))
    duplex.tell(ev.TranscriptReceived(1, turn, heard=False))
    duplex.tell(ev.TranscriptReceived(1, turn))  # and those of what was asked, which come late
    assert duplex.is_in(REPLYING)


def test_what_is_heard_late_of_what_is_answered_silences_nothing(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.tell(ev.CaptureStarted(turn + 1))
    duplex.tell(ev.VoiceHeard(1, turn + 1, speaks=False))
    duplex.tell(ev.TranscriptReceived(1, turn + 1))
    assert duplex.is_in(REPLYING)
    duplex.tell(ev.VoiceHeard(1, turn + 1, speaks=True))
    assert duplex.is_in(OPEN)


def test_an_answer_to_that_silences_the_one_before(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.generated(turn)
    duplex.complete(turn)
    duplex.tell(ev.CaptureStarted(turn + 1))
    duplex.reply(turn + 1)
    assert duplex.is_in(REPLYING)
    assert duplex.outcomes == ["stopped"]
    assert duplex.all(fx.ExpectReply)[-1] == fx.ExpectReply(turn + 1)


def test_what_is_played_to_its_end_goes_on_with_what_was_said_meanwhile(duplex: Story) -> None:
    turn = answering(duplex)
    duplex.tell(ev.CaptureStarted(turn + 1))
    duplex.generated(turn)
    duplex.complete(turn)
    duplex.drained(turn)
    assert duplex.is_in(OPEN)
    assert len(gates(duplex)) == 2
    duplex.reply(turn + 1)
    assert duplex.is_in(REPLYING)


# --- the link


def test_what_was_said_is_sent_again_over_the_next_connection(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.close(NETWORK)
    assert story.is_in(OPEN)
    story.open()
    assert story.last == [fx.Deliver(2, turn)]


def test_a_connection_that_takes_its_time_is_no_silence(story: Story) -> None:
    turn = opened(story)
    story.close(NETWORK)
    story.wait(story.rules.conversation_silence_s - 5.0)
    story.close(NETWORK)
    story.wait_for(LinkState.CONNECTING)
    story.wait(5.0)
    assert story.open() == [fx.Deliver(story.generation, turn)]
    story.wait(2.0)
    assert story.is_in(OPEN)


def test_a_connection_that_is_to_end_is_exchanged_in_a_pause(story: Story) -> None:
    turn = answering(story)
    story.go_away(50.0)
    story.generated(turn)
    story.complete(turn)
    story.wait(5.0)
    assert not story.all(fx.Disconnect)
    story.drained(turn)
    story.captured()
    story.wait(story.rules.handle_grace_s)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]
    story.close(None)
    assert story.is_in(OPEN)
    story.wait_for(LinkState.CONNECTING)
    assert story.open() == [fx.Deliver(2, turn + 1)]


def test_but_not_before_the_last_turn_is_known_to_be_complete(story: Story) -> None:
    turn = answering(story)
    story.go_away(50.0)
    story.generated(turn)
    story.drained(turn)
    story.captured()
    story.wait(5.0)
    assert not story.all(fx.Disconnect)
    story.complete(turn)
    story.wait(story.rules.handle_grace_s)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]


def test_but_not_while_somebody_is_heard(story: Story) -> None:
    turn = opened(story)
    story.tell(ev.VoiceHeard(1, turn, speaks=True))
    story.go_away(50.0)
    story.wait(10.0)
    assert not story.all(fx.Disconnect)


def test_what_a_function_has_done_is_not_done_again(story: Story) -> None:
    turn = opened(story)
    speaks(story, turn)
    story.call(turn, blocking=False)
    story.executed(turn)
    story.close(NETWORK)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.RESULT_LOST]
    assert story.outcomes == ["result-lost"]


def test_without_a_connection_it_ends_aloud(story: Story) -> None:
    opened(story)
    story.close(NETWORK)
    for _ in range(30):
        story.wait(1.0)
        story.close(NETWORK)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.NOT_DELIVERED]


def test_a_refused_key_ends_it_aloud(story: Story) -> None:
    opened(story)
    story.fail(FailureKind.KEY)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.KEY_REFUSED]


def test_an_answer_that_breaks_off_ends_it_aloud(story: Story) -> None:
    turn = answering(story)
    story.close(NETWORK)
    story.drained(turn)
    assert story.is_in(IDLE)
    assert story.told == [fx.Notice.ANSWER_CUT]


def test_the_handle_that_remembers_a_turn_of_it_is_kept(story: Story) -> None:
    turn = answering(story)
    story.generated(turn)
    story.complete(turn)
    story.drained(turn)
    tap(story)
    story.issue("newer")
    assert story.all(fx.SaveHandle)[-1].handle == ev.SessionHandle("newer", "gemini-3.8-live")


# --- beside it


def test_push_to_talk_knows_nothing_of_it() -> None:
    story = Story()
    story.connected()
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.is_in(TurnState.LISTENING)


def test_a_text_is_asked_when_the_conversation_is_over(story: Story) -> None:
    opened(story)
    assert story.tell(ev.SayRequested("later")) == [fx.Postponed(0)]
    story.wait(1.0)
    tap(story)
    assert story.all(fx.Deliver)[-1].text == "later"
    assert story.is_in(TurnState.THINKING)
    story.wait(1.0)
    tap(story)
    assert story.is_in(IDLE)  # it was given up
    assert len(gates(story)) == 1


def test_a_shutdown_closes_the_gate(story: Story) -> None:
    turn = answering(story)
    effects = story.tell(ev.ShutdownRequested())
    assert story.is_in(IDLE)
    assert fx.DiscardUtterance(turn) in effects
    assert story.outcomes == ["shutdown"]
