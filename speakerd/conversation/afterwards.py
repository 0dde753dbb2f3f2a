"""What the model was asked to do to the speaker itself, and is done when its answer is there.

Hands free it could not be heard otherwise: who hangs up before it answers hears no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.turn import TurnInput, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.events import LeaveRequested

#: The states in which it listens by itself, or will again.
CONVERSING = frozenset((TurnState.OPEN, TurnState.REPLYING))
#: Those in which somebody is being answered.
_ANSWERED = CONVERSING | {TurnState.THINKING, TurnState.SPEAKING}
#: Those in which an answer is over.
_QUIET = frozenset((TurnState.IDLE, TurnState.SETTLING))


class Afterwards:
    """The wishes that wait. ``out`` collects the orders; ``mute()`` switches the microphone off."""

    def __init__(self, dialogue: Dialogue, out: list[fx.Effect], mute: Callable[[], None]) -> None:
        self._dialogue = dialogue
        self._out = out
        self._mute = mute
        self._left: int | None = None  # the turn whose answer is still to begin
        self._mutes = False  # then
        self._hung_up = False  # during an answer: told when that is over

    def leave(self, event: LeaveRequested) -> None:
        """Listen no more as soon as the answer to what was said begins, or none does.

        While nobody is listened to, the microphone may be switched off at once.
        """
        dialogue = self._dialogue
        if dialogue.state in CONVERSING and dialogue.turn is not None:
            self._left = dialogue.turn.number
            self._mutes = self._mutes or event.mute
        elif event.mute:
            self._mute()
        else:
            self._out.append(fx.Refused("no conversation is open"))

    def repeat(self) -> None:
        """Let the answer before be heard again, as the end of the one that is to come."""
        turn, earlier = self._dialogue.turn, self._dialogue.turns.last_answer()
        if turn is None or self._dialogue.state not in _ANSWERED:
            self._out.append(fx.Refused("nobody is being answered"))
        elif earlier is None:
            self._out.append(fx.Refused("there is no answer that could be played again"))
        else:
            turn.repeats = earlier
            turn.record.repeats = True

    def wake(self) -> None:
        """Do what has become due; whenever anything has happened."""
        dialogue = self._dialogue
        if self._left is not None and not self._is_awaited(self._left):
            self._left = None
            self._hung_up = dialogue.state is TurnState.REPLYING and not self._mutes
            if self._mutes:
                self._mutes = False
                self._mute()
            else:
                dialogue.step(TurnInput.HANG_UP)
        if self._hung_up and dialogue.state is not TurnState.SPEAKING:
            self._hung_up = False
            if dialogue.state in _QUIET:
                dialogue.cue(fx.Cue.HUNG_UP)

    def close(self) -> None:
        """Do nothing of it: the daemon ends."""
        self._left, self._mutes, self._hung_up = None, False, False

    def _is_awaited(self, number: int) -> bool:
        """Whether the answer to that turn has not begun, and may."""
        turn = self._dialogue.turn
        return self._dialogue.state is TurnState.OPEN and turn is not None and turn.number == number
