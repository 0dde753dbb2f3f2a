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
from speakerd.conversation.turn import Action, TurnInput

if TYPE_CHECKING:
    from speakerd.conversation.stage import Stage
    from speakerd.conversation.turn import Actions

#: What becomes of a turn when it is listened again.
_OUTCOMES = {
    TurnInput.PLAYED: Outcome.ANSWERED,
    TurnInput.PLAYED_EARLY: Outcome.ANSWERED,
    TurnInput.SILENT_END: Outcome.SILENT,
    TurnInput.INTERRUPTED: Outcome.STOPPED,
    TurnInput.CUT_IN: Outcome.STOPPED,
}


class HandsFree:
    """What the turn machine does hands free."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._turns = stage.turns
        self._began_at = 0.0
        self._somebody_speaks = False  # as the server hears it

    def actions(self) -> Actions:
        """What it carries out for the machine."""
        return {
            Action.CONVERSE: self._converse,
            Action.HANG_UP: self._hang_up,
            Action.HEAR_ON: self._hear_on,
            Action.LISTEN_AGAIN: self._listen_again,
            Action.LISTEN_NO_MORE: self._listen_no_more,
            Action.STREAM_AGAIN: self._stream_again,
        }

    # --- time, and what is heard

    def due(self) -> tuple[float, TurnInput]:
        """When something is due while it listens, and what."""
        turn, rules = self._turns.current, self._stage.rules
        end = self._began_at + rules.conversation_length_s
        if turn is None:
            return end, TurnInput.HANG_UP
        if not turn.captured:
            begins_at = turn.record.pressed_at + rules.echo_guard_s
            return begins_at + rules.capture_timeout_s, TurnInput.CAPTURE_LOST
        if not self._turns.is_on_the_way(turn):
            return turn.waiting_since + rules.patience_s, TurnInput.UNDELIVERED
        if self._somebody_speaks or self._turns.calls:
            silent_s = FOREVER
        elif turn.at_work:
            silent_s = rules.work_timeout_s
        else:
            silent_s = rules.conversation_silence_s
        if turn.heard and not self._somebody_speaks:  # it is about to be answered
            end += rules.reply_timeout_s
        return min(end, turn.alive_at + silent_s), TurnInput.HANG_UP

    def voice(self, turn: Turn, *, speaks: bool | None = None) -> TurnInput | None:
        """The server has heard somebody: who begins to speak, or ends; None: what was said."""
        if speaks is not None:
            self._somebody_speaks = speaks
        turn.heard = True
        turn.alive_at = self._stage.now
        if speaks is False:
            turn.record.utterance_ended_at = self._stage.now
        into_answer = turn is self._turns.following and (speaks or self._is_complete())
        return TurnInput.INTERRUPTED if into_answer else None

    def _is_complete(self) -> bool:
        """Whether the server has ended the answer; before, words may be late, of what is answered.

        Transcriptions come in no order (Live API guide).
        """
        return self._turns.current is not None and self._turns.current.turn_done

    # --- actions

    def _converse(self) -> None:
        stage = self._stage
        self._turns.close_books(Outcome.ANSWERED)
        stage.hush()
        self._began_at = stage.now
        stage.call_link()
        self._listen()

    def _hear_on(self) -> TurnInput | None:
        """The answer begins: the utterance is taken, and another one begins where it can."""
        turn = self._turns.current
        if turn is None:
            return None
        self._stage.answered()
        self._somebody_speaks = False
        if self._stage.rules.full_duplex:
            self._turns.following = self._begin(since=self._stage.now)
        self._turns.discard(turn)
        if self._stage.telling.speaker_lost:
            return TurnInput.SPEAKER_LOST
        return TurnInput.REPLY_ENDED if self._stage.input is TurnInput.REPEAT else None

    def _listen_again(self) -> None:
        stage, turns, why = self._stage, self._turns, self._stage.input
        if why in {TurnInput.INTERRUPTED, TurnInput.CUT_IN}:
            stage.hush()
        if why is TurnInput.CUT_IN:
            turns.cancel_calls()
        turns.settle(_OUTCOMES[why])
        if turns.following is None:
            before = turns.current
            if before is not None and not before.answered:
                turns.discard(before)
            turn = self._listen()
            if before is not None and not before.turn_done:  # the rest of it is an answer to this
                turn.continues, turn.open_calls = before.continues, before.open_calls
        else:
            turns.current, turns.following = turns.following, None
            stage.expect(turns.current)
            turns.current.alive_at = stage.now

    def _stream_again(self) -> TurnInput | None:
        """The connection is lost: it is sent from its beginning over the next one."""
        turn = self._turns.current
        self._somebody_speaks = False
        if turn is None:
            return None
        turn.waiting_since = self._stage.now
        turn.continues = False
        again = not (turn.tool_ran or turn.runaway)
        return None if again else TurnInput.UNDELIVERED  # it would run again

    def _listen_no_more(self) -> None:
        """What is being said is heard to its end."""
        self._turns.drop_following()

    def _hang_up(self) -> None:
        stage, turn = self._stage, self._turns.current
        self._turns.cancel_calls()
        if turn is not None and not turn.heard:  # nobody has said anything: it is no turn
            self._turns.discard(turn)
            self._turns.current = None
        self._turns.let_go(Outcome.STOPPED)
        self._turns.close_books(Outcome.STOPPED)
        stage.hush()
        if stage.input is TurnInput.HANG_UP:
            stage.telling.cue(fx.Cue.HUNG_UP)
        stage.telling.tell()

    # --- inside

    def _listen(self) -> Turn:
        turn = self._begin(since=self._stage.now - self._stage.rules.preroll_s)
        self._turns.current = turn
        self._stage.expect(turn)
        return turn

    def _begin(self, *, since: float) -> Turn:
        """Open the gate, on what is captured from that time on, as far as it is no echo."""
        stage, now, rules = self._stage, self._stage.now, self._stage.rules
        own_sound_until = stage.playing.ended_at + rules.echo_guard_s
        earliest = since if rules.full_duplex else max(since, own_sound_until)
        number = stage.next_number()
        stage.order(fx.OpenGate(number, earliest))
        record = TurnRecord(number, stage.link.model, now)
        self._somebody_speaks = False
        return Turn(record, streamed=True, complete=True, waiting_since=now, alive_at=now)
