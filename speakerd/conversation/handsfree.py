"""Hands free: a conversation that a tap opens, in which the server hears when somebody has spoken.

The sound goes out as it is captured, without activityStart and activityEnd. An utterance lasts from
where the answer before it has ended (or, where the microphone does not hear the speaker, has begun)
until its own answer begins; it can be delivered again as any other. Nobody has to take part: what
is silence to the server is never answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.ledger import Outcome, TurnRecord
from speakerd.conversation.memory import Turn
from speakerd.conversation.rules import FOREVER
from speakerd.conversation.turn import Action, TurnInput, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.rules import Rules

#: What becomes of a turn when it is listened again.
_OUTCOMES = {
    TurnInput.PLAYED: Outcome.ANSWERED,
    TurnInput.PLAYED_EARLY: Outcome.ANSWERED,
    TurnInput.SILENT_END: Outcome.SILENT,
    TurnInput.INTERRUPTED: Outcome.STOPPED,
    TurnInput.CUT_IN: Outcome.STOPPED,
}


class HandsFree:
    """The part of the dialogue that is hands free."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._turns = dialogue.turns
        self._began_at = 0.0
        self._somebody_speaks = False  # as the server hears it

    def actions(self) -> dict[Action, Callable[[], None]]:
        """What it carries out for the machine."""
        return {
            Action.CONVERSE: self._converse,
            Action.HANG_UP: self._hang_up,
            Action.HEAR_ON: self._hear_on,
            Action.LISTEN_AGAIN: self._listen_again,
            Action.LISTEN_NO_MORE: self._listen_no_more,
            Action.STREAM_AGAIN: self._stream_again,
        }

    @property
    def _rules(self) -> Rules:
        return self._turns.rules

    # --- time, and what is heard

    def due(self) -> tuple[float, TurnInput]:
        """When something is due while it listens, and what."""
        turn = self._turns.current
        end = self._began_at + self._rules.conversation_length_s
        if turn is None:
            return end, TurnInput.HANG_UP
        if not turn.captured:
            begins_at = turn.record.pressed_at + self._rules.echo_guard_s
            return begins_at + self._rules.capture_timeout_s, TurnInput.CAPTURE_LOST
        if not self._turns.is_on_the_way(turn):
            return turn.waiting_since + self._rules.patience_s, TurnInput.UNDELIVERED
        if self._somebody_speaks or self._turns.calls:
            silent_s = FOREVER
        elif turn.at_work:
            silent_s = self._rules.work_timeout_s
        else:
            silent_s = self._rules.conversation_silence_s
        if turn.heard and not self._somebody_speaks:  # it is about to be answered
            end += self._rules.reply_timeout_s
        return min(end, turn.alive_at + silent_s), TurnInput.HANG_UP

    def voice(self, turn: Turn, *, speaks: bool | None = None) -> None:
        """The server has heard somebody: who begins to speak, or ends; None: what was said."""
        if speaks is not None:
            self._somebody_speaks = speaks
        turn.heard = True
        turn.alive_at = self._dialogue.now
        if speaks is False:
            turn.record.utterance_ended_at = self._dialogue.now
        if turn is self._turns.following and (speaks or self._is_complete()):  # into the answer
            self._dialogue.step(TurnInput.INTERRUPTED)

    def _is_complete(self) -> bool:
        """Whether the server has ended the answer; before, words may be late, of what is answered.

        Transcriptions come in no order (Live API guide).
        """
        return self._turns.current is not None and self._turns.current.turn_done

    # --- actions

    def _converse(self) -> None:
        dialogue = self._dialogue
        self._turns.close_books(Outcome.ANSWERED)
        dialogue.hush()
        self._began_at = dialogue.now
        dialogue.call_link()
        self._listen(since=dialogue.now - self._rules.preroll_s)

    def _hear_on(self) -> None:
        """The answer begins: the utterance is taken, and another one begins where it can."""
        turn = self._turns.current
        if turn is None:
            return
        now = self._dialogue.now
        turn.answered = True
        turn.record.first_reply_at = now
        turn.silent_since = None if self._dialogue.playing.reply else now
        self._somebody_speaks = False
        if self._rules.full_duplex:
            self._turns.following = self._begin(since=now)
        self._turns.discard(turn)
        if self._dialogue.telling.speaker_lost:
            self._dialogue.step(TurnInput.SPEAKER_LOST)

    def _listen_again(self) -> None:
        dialogue, turns, why = self._dialogue, self._turns, self._dialogue.input
        if why in {TurnInput.INTERRUPTED, TurnInput.CUT_IN}:
            dialogue.hush()
        turns.settle(_OUTCOMES[why])
        if turns.following is None:
            before = turns.current
            if before is not None and not before.answered:
                turns.discard(before)
            turn = self._listen(since=dialogue.now - self._rules.preroll_s)
            if before is not None and not before.turn_done:  # the rest of it is an answer to this
                turn.continues, turn.open_calls = before.continues, before.open_calls
        else:
            turns.current, turns.following = turns.following, None
            dialogue.expect(turns.current)
            turns.current.alive_at = dialogue.now

    def _stream_again(self) -> None:
        """The connection is lost: it is sent from its beginning over the next one."""
        turn = self._turns.current
        self._somebody_speaks = False
        if turn is None:
            return
        turn.waiting_since = self._dialogue.now
        turn.continues = False
        if turn.tool_ran:  # it would run again
            self._dialogue.step(TurnInput.UNDELIVERED)

    def _listen_no_more(self) -> None:
        """What is being said is heard to its end."""
        self._turns.drop_following()

    def _hang_up(self) -> None:
        turn = self._turns.current
        if turn is not None and not turn.heard:  # nobody has said anything: it is no turn
            self._turns.discard(turn)
            self._turns.current = None
        self._turns.let_go(Outcome.STOPPED)
        self._turns.close_books(Outcome.STOPPED)
        self._dialogue.hush()
        if self._dialogue.input is TurnInput.HANG_UP:
            self._dialogue.cue(fx.Cue.HUNG_UP)
        self._dialogue.telling.tell()

    # --- inside

    def _listen(self, *, since: float) -> Turn:
        turn = self._turns.current = self._begin(since=since)
        self._dialogue.expect(turn)
        return turn

    def _begin(self, *, since: float) -> Turn:
        """Open the gate, on what is captured from that time on, as far as it is no echo."""
        dialogue, now = self._dialogue, self._dialogue.now
        own_sound_until = dialogue.playing.ended_at + self._rules.echo_guard_s
        earliest = since if self._rules.full_duplex else max(since, own_sound_until)
        number = dialogue.next_number()
        dialogue.order(fx.OpenGate(number, earliest))
        record = TurnRecord(number, dialogue.model, now)
        self._somebody_speaks = False
        return Turn(record, streamed=True, complete=True, waiting_since=now, alive_at=now)


#: The states in which it listens, or will again.
STATES = frozenset((TurnState.OPEN, TurnState.REPLYING))
