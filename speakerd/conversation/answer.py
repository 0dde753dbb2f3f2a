"""The answer: what becomes of a turn from the waiting for its reply to the end of its books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.ledger import Outcome
from speakerd.conversation.turn import Action, TurnInput

if TYPE_CHECKING:
    from speakerd.conversation.stage import Stage
    from speakerd.conversation.turn import Actions


class Answer:
    """What the turn machine does once something has been said."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._turns = stage.turns
        self._telling = stage.telling

    def actions(self) -> Actions:
        """What it carries out for the machine."""
        return {
            Action.NOTE_INTERRUPTION: self._note_interruption,
            Action.RETRY: self._retry,
            Action.RECONNECT: self._reconnect,
            Action.GIVE_UP: self._give_up,
            Action.TELL_REFUSAL: self._tell_refusal,
            Action.HEAR: self._hear,
            Action.FINISH_PLAYBACK: self._finish_playback,
            Action.CUT: self._cut,
            Action.CUT_AND_RECONNECT: self._cut_and_reconnect,
            Action.RESUME: self._resume,
            Action.SETTLE: self._settle,
            Action.END: self._end,
            Action.END_SILENT: self._end_silent,
            Action.END_CUT: self._end_cut,
            Action.END_UNHEARD: self._end_unheard,
            Action.END_SHUTDOWN: self._end_shutdown,
            Action.STOP: self._stop,
            Action.HUSH: self._hush,
        }

    # --- waiting for it

    def _note_interruption(self) -> None:
        if self._turns.current is not None:
            self._turns.current.interrupted = True

    def _retry(self) -> TurnInput | None:
        turn = self._turns.current
        if turn is None:
            return None
        if not self._turns.may_be_sent_again(turn):
            return TurnInput.NO_ANSWER
        if turn.sent:
            turn.sent = False
            turn.waiting_since = self._stage.now
        return None

    def _reconnect(self) -> None:
        if self._turns.current is not None:
            self._turns.current.waiting_since = self._stage.now
        self._stage.restart_link("no answer to what was said")

    def _give_up(self) -> None:
        why, turn, link = self._stage.input, self._turns.current, self._stage.link
        if why is TurnInput.REFUSED and link.refusal is not None:
            outcome, notice = Outcome.NOT_DELIVERED, link.refusal
        elif turn is not None and turn.tool_ran:
            outcome, notice = Outcome.RESULT_LOST, fx.Notice.RESULT_LOST
        elif why is TurnInput.NO_ANSWER:
            outcome, notice = Outcome.NO_ANSWER, fx.Notice.NO_ANSWER
        else:
            outcome, notice = Outcome.NOT_DELIVERED, fx.Notice.NOT_DELIVERED
        if why is TurnInput.NO_ANSWER and turn is not None and turn.interrupted:
            link.session_is_wedged()
        elif why is TurnInput.NO_ANSWER and turn is not None and not turn.tool_ran:
            link.unanswered(self._stage.now)
        self._turns.cancel_calls()
        self._turns.let_go(outcome)
        self._turns.close_books(outcome)
        self._stage.hush()
        self._telling.tell(notice)
        # The next press gets another connection.
        self._stage.restart_link("no answer to what was said")

    def _tell_refusal(self) -> None:
        self._telling.tell(self._stage.link.refusal)

    # --- the reply

    def _hear(self) -> TurnInput | None:
        self._stage.answered()
        self._turns.let_go(Outcome.SPOKEN_ON)
        if self._telling.speaker_lost:
            return TurnInput.SPEAKER_LOST
        return TurnInput.REPLY_ENDED if self._stage.input is TurnInput.REPEAT else None

    def _finish_playback(self) -> None:
        turn = self._turns.current
        if turn is not None and not turn.finishing:
            turn.finishing = True
            turn.silent_since = None
            self._stage.order(fx.FinishPlayback(turn.number))

    def _cut(self) -> None:
        turn = self._turns.current
        if turn is None:
            return
        if turn.generation_done or turn.turn_done:
            turn.turn_done = True  # all of it had come
        else:
            turn.cut = True
        self._finish_playback()

    def _cut_and_reconnect(self) -> None:
        self._cut()
        self._stage.restart_link("the answer stopped coming")

    def _resume(self) -> None:
        """Late audio: it is part of the answer, and more of it may or may not come."""
        if self._turns.current is not None:
            self._turns.current.cut = False
            self._finish_playback()

    def _settle(self) -> None:
        """Nothing is heard any longer; only the books are open."""

    # --- the end

    def _end(self) -> None:
        self._telling.heard()
        self._turns.close_books(Outcome.ANSWERED)
        self._telling.tell()

    def _end_silent(self) -> None:
        self._turns.let_go(Outcome.SPOKEN_ON)
        self._turns.close_books(Outcome.SILENT)
        self._telling.tell(fx.Notice.NO_REPLY)

    def _end_cut(self) -> None:
        self._turns.drop_following()
        self._turns.close_books(Outcome.CUT)
        self._telling.tell(fx.Notice.ANSWER_CUT)

    def _end_unheard(self) -> None:
        self._turns.drop_following()
        self._turns.close_books(Outcome.CUT)
        self._stage.hush()
        self._telling.unheard()

    def _end_shutdown(self) -> None:
        self._turns.let_go(Outcome.SHUTDOWN)
        self._turns.close_books(Outcome.SHUTDOWN)
        self._stage.hush()

    def _stop(self) -> None:
        self._turns.cancel_calls()
        self._turns.let_go(Outcome.STOPPED)
        self._turns.close_books(Outcome.STOPPED)
        self._stage.hush()
        self._telling.tell()

    def _hush(self) -> None:
        self._stage.hush()
