"""The stage: what every turn is played out on, however it is begun.

The time, the connection, the turns with what is told by sound, and whose reply may be heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.memory import Hold
from speakerd.conversation.rules import FOREVER
from speakerd.conversation.telling import Telling
from speakerd.conversation.turn import TurnInput
from speakerd.conversation.turns import Turns
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from speakerd.conversation.link import Link
    from speakerd.conversation.memory import Clock, Playing, Turn
    from speakerd.conversation.rules import Rules


class Stage:
    """What the actions of the turn machine work on. ``out`` collects the orders."""

    def __init__(self, rules: Rules, clock: Clock, link: Link, out: list[fx.Effect]) -> None:
        self._clock = clock
        self._out = out
        self.link = link
        self.telling = Telling(clock, out)
        self.turns = Turns(rules, clock, link, self.telling, out)
        self.input = TurnInput.STOP  # the one being carried out
        self.expected: Turn | None = None  # the one whose reply the speaker may play
        self.hold = Hold()  # the last one
        self.number = 0  # of the last window that was opened
        self.cue_at = FOREVER  # when it is told again that an answer is being waited for

    @property
    def rules(self) -> Rules:
        """What it lives by."""
        return self.turns.rules

    @property
    def now(self) -> float:
        """The time."""
        return self._clock.now

    @property
    def turn(self) -> Turn | None:
        """The one under way, or the last one."""
        return self.turns.current

    @property
    def playing(self) -> Playing:
        """What the speaker is sounding."""
        return self.telling.playing

    def order(self, effect: fx.Effect) -> None:
        """Have something done."""
        self._out.append(effect)

    def next_number(self) -> int:
        """The id of a new turn."""
        self.number += 1
        return self.number

    def begin(self, turn: Turn) -> None:
        """Let ``turn`` be the one under way, and have it delivered as soon as it can be."""
        self.turns.current = turn
        self.expect(turn)
        self.turns.deliver()

    def expect(self, turn: Turn) -> None:
        """Let the reply of ``turn`` be played, from its beginning."""
        self.expected = turn
        self.order(fx.ExpectReply(turn.number))

    def answered(self) -> None:
        """Reply audio of the turn under way has come, or none does and an earlier one is played."""
        if self.turn is not None:
            self.turn.answered = True
            if self.input is TurnInput.REPLY_AUDIO:
                self.turn.record.first_reply_at = self.now
            self.turn.silent_since = None if self.playing.reply else self.now

    def hush(self) -> None:
        """Silence at once; nothing is to be played."""
        self.telling.hush()
        self.expected = None

    def wait(self) -> None:
        """An answer is being waited for from now on."""
        every_s = self.rules.thinking_cue_s
        self.cue_at = self.now + every_s if every_s > 0 else FOREVER

    def call_link(self, *, sure: bool = True) -> None:
        """Somebody needs a connection now; not ``sure``: it may have been a tap."""
        self.link.busy = self.link.urgent = True
        self.link.press(self.now, self._out, sure=sure)

    def press_is_sure(self) -> None:
        """The press was no tap."""
        self.link.held(self.now, self._out)

    def restart_link(self, reason: str) -> None:
        """Have another connection made."""
        self.link.restart(Failure(FailureKind.TIMEOUT, reason), self.now, self._out)
