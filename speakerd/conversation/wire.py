"""What comes over the wire: sorted out by its turn and its connection, and passed on.

What is about an older turn or connection is stale, and comes to nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnInput, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.link import Link
    from speakerd.conversation.memory import Turn

#: The states in which the model may work on an answer, and call tools for it.
_ANSWERING = {
    *(TurnState.THINKING, TurnState.SPEAKING, TurnState.SETTLING),
    *(TurnState.OPEN, TurnState.REPLYING),
}

_OnTheWire = (
    ev.ActivityStartSent
    | ev.FirstAudioSent
    | ev.UtteranceSent
    | ev.TranscriptReceived
    | ev.VoiceHeard
    | ev.ReplyStarted
    | ev.GenerationCompleted
    | ev.TurnCompleted
    | ev.AnswerContinues
    | ev.UsageReported
    | ev.Interrupted
    | ev.ToolCallReceived
)


class Wire:
    """The facts of the connections and of the turns on them. ``out`` collects the orders."""

    def __init__(self, dialogue: Dialogue, link: Link, out: list[fx.Effect]) -> None:
        self._dialogue = dialogue
        self._link = link
        self._out = out
        self._called = (0, 0)  # in which turn the model has called tools, and how many

    def handle(self, event: ev.Event) -> None:
        """Take one of the facts that are about it."""
        self._HANDLERS[type(event)](self, event)

    # --- the connection

    def _connection_opened(self, event: ev.ConnectionOpened) -> None:
        told = event.told > 0
        self._link.connection_opened(event.generation, self._dialogue.now, told=told)

    def _connection_closed(self, event: ev.ConnectionClosed) -> None:
        self._link.connection_closed(event.generation, event.failure, self._dialogue.now, self._out)

    def _go_away_received(self, event: ev.GoAwayReceived) -> None:
        self._link.go_away(event.generation, event.time_left_s, self._dialogue.now)

    def _handle_issued(self, event: ev.HandleIssued) -> None:
        if self._link.state is LinkState.CLOSING and self._dialogue.turns.owes(event.generation):
            return  # it remembers what is going to be said once more
        self._link.handle_issued(event.generation, event.handle, self._out)

    # --- a turn on the wire

    def _current(self, generation: int) -> bool:
        return generation == self._link.generation and self._link.state is LinkState.READY

    def _asked(self, event: _OnTheWire) -> Turn | None:
        """The turn an event of the living connection is about, if anybody still cares."""
        turn = self._dialogue.turns.find(event.turn) if self._current(event.generation) else None
        return turn if turn is not None and turn.ordered_on == event.generation else None

    def _replied(self, event: _OnTheWire) -> Turn | None:
        """The same, for what the server says of the turn that is under way or the last one.

        It can say nothing about an utterance that is not complete.
        """
        turn = self._asked(event)
        return turn if turn is self._dialogue.turn and turn is not None and turn.complete else None

    def _activity_start_sent(self, event: ev.ActivityStartSent) -> None:
        if (turn := self._asked(event)) is not None:
            turn.record.activity_start_at = self._dialogue.now

    def _first_audio_sent(self, event: ev.FirstAudioSent) -> None:
        if (turn := self._asked(event)) is not None:
            turn.record.first_audio_sent_at = self._dialogue.now

    def _utterance_sent(self, event: ev.UtteranceSent) -> None:
        turn = self._asked(event)
        if turn is not None and turn.complete:
            self._dialogue.turns.sent(turn)
            self._link.session.utterance_sent()

    def _transcript_received(self, event: ev.TranscriptReceived) -> None:
        streamed = self._streamed(event)
        if streamed is not None and event.heard:
            self._dialogue.voice(streamed)
        turn = self._replied(event)
        if turn is not None and not turn.extended:
            turn.extended = True
            turn.alive_at = self._dialogue.now

    def _voice_heard(self, event: ev.VoiceHeard) -> None:
        if (turn := self._streamed(event)) is not None:
            self._dialogue.voice(turn, speaks=event.speaks)

    def _streamed(self, event: ev.TranscriptReceived | ev.VoiceHeard) -> Turn | None:
        """The turn an event is about, if it is one in which the server listens by itself."""
        turn = self._asked(event)
        return turn if turn is not None and turn.streamed and not turn.answered else None

    def _reply_started(self, event: ev.ReplyStarted) -> None:
        if (turn := self._asked(event)) is None:
            if event.generation == self._link.generation:
                self._dialogue.answered_in_vain(event.turn)
            return
        if turn.streamed:
            self._link.session.utterance_sent()
        self._link.session.answered()
        if turn is self._dialogue.turns.following:  # the answer before it was spoken into
            self._dialogue.step(TurnInput.INTERRUPTED)
        if turn is self._dialogue.turn:
            self._dialogue.step(TurnInput.REPLY_AUDIO)
        else:
            self._dialogue.turns.answered_late(turn)

    def _generation_completed(self, event: ev.GenerationCompleted) -> None:
        turn = self._replied(event)
        if turn is not None and turn.answered:  # before any audio it says nothing
            turn.generation_done = True
            turn.record.generation_complete_at = self._dialogue.now
            self._dialogue.step(TurnInput.REPLY_ENDED)

    def _turn_completed(self, event: ev.TurnCompleted) -> None:
        if self._dialogue.turns.settling(event.turn) is not None:
            self._dialogue.turns.settle(None)
            return
        if (turn := self._replied(event)) is None:
            return
        self._link.session.answered()
        talks_of_result = turn.answered and bool(turn.calling)
        turn.calling.clear()
        if turn.open_calls or talks_of_result:  # it ends the call; what comes of it is to come
            turn.call_ended = bool(turn.open_calls)
            turn.alive_at = self._dialogue.now
            if turn.answered:
                self._dialogue.step(TurnInput.REPLY_ENDED)
            return
        turn.record.turn_complete_at = self._dialogue.now
        if turn.answered:
            self._dialogue.end_answer(turn)
        elif turn.interrupted and not turn.streamed:
            self._dialogue.step(self._dialogue.overdue(turn))
        elif self._dialogue.turns.calls or self._dialogue.ends_its_call(turn):
            turn.alive_at = self._dialogue.now  # the answer comes after the results
        else:
            turn.turn_done = True
            silent = turn.repeats is None
            self._dialogue.step(TurnInput.SILENT_END if silent else TurnInput.REPEAT)

    def _answer_continues(self, event: ev.AnswerContinues) -> None:
        if (turn := self._replied(event)) is not None:
            turn.continues = True
            turn.alive_at = self._dialogue.now

    def _usage_reported(self, event: ev.UsageReported) -> None:
        if event.generation == self._link.generation:  # it is billed, whoever still cares
            self._dialogue.turns.used(event.turn, event.usage)

    def _interrupted(self, event: ev.Interrupted) -> None:
        if self._replied(event) is not None:
            self._dialogue.step(TurnInput.INTERRUPTED)

    def _tool_call_received(self, event: ev.ToolCallReceived) -> None:
        if not self._current(event.generation):
            return
        if event.blocking:
            self._dialogue.tools_called(tuple(call.id for call in event.calls))
        turn, state = self._replied(event), self._dialogue.state
        beyond = self._calls_beyond(event)
        wanted = turn is not None and (state in _ANSWERING or turn.at_work)
        execute = wanted and beyond <= 0
        if turn is not None:
            turn.alive_at = self._dialogue.now
            turn.call_ended = False
            if execute and not event.blocking:
                call_ids = {call.id for call in event.calls}
                turn.open_calls |= call_ids
                turn.calling |= call_ids
        too_many = wanted and beyond > 0
        run = fx.RunTools(event.generation, event.turn, event.calls, execute, too_many)
        self._out.append(run)
        if beyond > self._dialogue.turns.rules.max_refused_calls:
            self._dialogue.give_connection_up("the model calls tools without end")

    def _calls_beyond(self, event: ev.ToolCallReceived) -> int:
        """How many calls, with these, there are of this turn that none should have."""
        turn, before = self._called
        count = len(event.calls) + (before if turn == event.turn else 0)
        self._called = event.turn, count
        return count - self._dialogue.turns.rules.max_calls

    def _tool_executed(self, event: ev.ToolExecuted) -> None:
        self._dialogue.tool_executed(event.turn)

    def _tool_response_sent(self, event: ev.ToolResponseSent) -> None:
        if self._current(event.generation):
            self._dialogue.tools_done((event.call_id,), in_silence=event.silent)

    def _tool_calls_cancelled(self, event: ev.ToolCallsCancelled) -> None:
        if event.call_ids and self._current(event.generation):
            self._out.append(fx.CancelTools(event.call_ids))
            self._dialogue.tools_done(event.call_ids, in_silence=True)

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        ev.ConnectionOpened: _connection_opened,
        ev.ConnectionClosed: _connection_closed,
        ev.GoAwayReceived: _go_away_received,
        ev.HandleIssued: _handle_issued,
        ev.ActivityStartSent: _activity_start_sent,
        ev.FirstAudioSent: _first_audio_sent,
        ev.UtteranceSent: _utterance_sent,
        ev.TranscriptReceived: _transcript_received,
        ev.VoiceHeard: _voice_heard,
        ev.ReplyStarted: _reply_started,
        ev.GenerationCompleted: _generation_completed,
        ev.TurnCompleted: _turn_completed,
        ev.AnswerContinues: _answer_continues,
        ev.UsageReported: _usage_reported,
        ev.Interrupted: _interrupted,
        ev.ToolCallReceived: _tool_call_received,
        ev.ToolExecuted: _tool_executed,
        ev.ToolResponseSent: _tool_response_sent,
        ev.ToolCallsCancelled: _tool_calls_cancelled,
    }
