"""A core for which time passes faster, so that all its time-outs keep their proportions.

Minutes of a real day pass in seconds: the reply time-out, the backoff, the storm limit and the
server's GoAway are what they are in a living room, only :data:`SPEED` times as fast.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speakerd.conversation.core import Core
from speakerd.conversation.effects import CloseGate, Effect, OpenGate
from speakerd.conversation.events import Event, GoAwayReceived

if TYPE_CHECKING:
    from speakerd.conversation.ledger import TurnRecord

#: Seconds of the core in one real second. The shortest time-out that a turn without a fault has
#: to meet, 10 s for a connection, is then half a second: enough for a busy core.
SPEED = 20.0


class FastCore(Core):
    """A core in whose world a second lasts ``1 / SPEED`` of the daemon's."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        if isinstance(event, GoAwayReceived):
            event = replace(event, time_left_s=event.time_left_s * SPEED)
        return [_slowed(effect) for effect in super().handle(event, now * SPEED)]

    def wake(self, now: float) -> list[Effect]:
        return [_slowed(effect) for effect in super().wake(now * SPEED)]

    def next_deadline(self) -> float | None:
        at = super().next_deadline()
        return None if at is None else at / SPEED

    @property
    def current_turn(self) -> TurnRecord | None:
        """The books of the turn under way, or of the last one."""
        turn = self._dialogue.turn
        return None if turn is None else turn.record


def _slowed(effect: Effect) -> Effect:
    match effect:
        case OpenGate():
            return replace(effect, not_before=effect.not_before / SPEED)
        case CloseGate():
            return replace(effect, covering=effect.covering / SPEED)
        case _:
            return effect
