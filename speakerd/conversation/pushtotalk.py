"""Push to talk: what holding the button does, from the press to the end of what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.ledger import Outcome, TurnRecord
from speakerd.conversation.memory import Hold, Turn
from speakerd.conversation.turn import Action, TurnInput

if TYPE_CHECKING:
    from speakerd.conversation.button import Button
    from speakerd.conversation.stage import Stage
    from speakerd.conversation.turn import Actions


class PushToTalk:
    """What the turn machine does while somebody speaks."""

    def __init__(self, stage: Stage, button: Button) -> None:
        self._stage = stage
        self._turns = stage.turns
        self._telling = stage.telling
        self._button = button

    def actions(self) -> Actions:
        """What it carries out for the machine."""
        return {
            Action.ARM: self._arm,
            Action.BARGE_IN: self._barge_in,
            Action.SPEAK_ON: self._speak_on,
            Action.TAKE_BACK: self._take_back,
            Action.DISARM: self._disarm,
            Action.OPEN: self._open,
            Action.BEGIN_TAIL: self._begin_tail,
            Action.BLOCK: self._block,
            Action.CONTINUE: self._continue,
            Action.COMPLETE: self._complete,
            Action.FAIL_CAPTURE: self._fail_capture,
            Action.MUTE: self._mute,
        }

    # --- the press

    def _arm(self) -> None:
        self._turns.close_books(Outcome.ANSWERED)
        self._open_gate(at_rest=not self._stage.playing.sounds)

    def _barge_in(self) -> None:
        self._turns.cancel_calls()
        self._turns.close_books(Outcome.STOPPED)
        self._open_gate()

    def _speak_on(self) -> None:
        turns, waited = self._turns, self._turns.current
        if waited is not None:
            turns.unanswered.append(waited)
        if len(turns.unanswered) > turns.rules.max_unanswered:
            turns.lose(turns.unanswered[0])
        self._open_gate(after=waited)

    def _open_gate(self, *, at_rest: bool = False, after: Turn | None = None) -> None:
        stage, rules, now = self._stage, self._stage.rules, self._stage.now
        stage.hush()
        stage.hold = Hold(now, at_rest, after)
        self._turns.current = None
        earliest = max(now - rules.preroll_s, stage.playing.ended_at + rules.echo_guard_s)
        stage.order(fx.OpenGate(stage.next_number(), min(now, earliest)))
        stage.call_link(sure=False)

    def _take_back(self) -> TurnInput | None:
        stage = self._stage
        stage.order(fx.DiscardUtterance(stage.number))
        turn = self._turns.unanswered.pop()
        if not turn.sent:
            turn.waiting_since = stage.now
        stage.begin(turn)
        return TurnInput.REFUSED if stage.link.refusal is not None else None

    def _disarm(self) -> None:
        stage = self._stage
        stage.order(fx.DiscardUtterance(stage.number))
        if stage.hold.after is not None:
            self._turns.cancel_calls()
        self._turns.let_go(Outcome.STOPPED)
        if stage.hold.at_rest and stage.input is TurnInput.RELEASE:
            self._telling.cue(fx.Cue.NOTHING)
        self._telling.tell()

    # --- what is said

    def _open(self) -> None:
        stage = self._stage
        for turn in self._turns.unanswered:
            self._turns.write(turn.record, Outcome.SPOKEN_ON)
        stage.press_is_sure()
        self._turns.cancel_calls(all_of_them=False)  # no sound can go out before they are answered
        record = TurnRecord(stage.number, stage.link.model, stage.hold.pressed_at)
        stage.begin(Turn(record, captured=stage.hold.captured))

    def _begin_tail(self) -> None:
        if self._turns.current is not None:
            self._turns.current.record.released_at = self._stage.now

    def _block(self) -> None:
        self._button.spend(self._stage.now, too_long=True)
        self._begin_tail()

    def _continue(self) -> None:
        if self._turns.current is not None:
            self._turns.current.record.released_at = None

    def _complete(self) -> TurnInput | None:
        stage, turn = self._stage, self._turns.current
        if turn is None:
            return None
        released_at = turn.record.released_at
        turn.record.utterance_ended_at = turn.waiting_since = stage.now
        turn.complete = True
        stage.order(fx.CloseGate(turn.number, stage.now if released_at is None else released_at))
        self._telling.cue(fx.Cue.HEARD)
        stage.wait()
        return TurnInput.REFUSED if stage.link.refusal is not None else None

    def _fail_capture(self) -> None:
        self._abandon(Outcome.EMPTY)
        self._telling.tell(fx.Notice.NO_MICROPHONE)

    def _mute(self) -> None:
        self._abandon(Outcome.STOPPED)
        self._telling.tell()

    def _abandon(self, outcome: Outcome) -> None:
        """End what is being said, and the waiting for answers to what was said before."""
        self._turns.cancel_calls()
        if self._turns.current is None:
            self._stage.order(fx.DiscardUtterance(self._stage.number))
        self._turns.abandon(outcome)
        self._stage.hush()
