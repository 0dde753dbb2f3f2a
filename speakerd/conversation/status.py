"""What is going on, in the words that programs rely on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.conversation.budget import Budget
from speakerd.conversation.events import Device
from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.conversation.ledger import TurnRecord
    from speakerd.conversation.timer import Missed, Pending
    from speakerd.errors import Failure

#: What is said of a device; anything else is why it is missing.
READY, STARTING = "ready", "starting"

TURN_WORDS = {
    TurnState.IDLE: "idle",
    TurnState.ARMED: "listening",
    TurnState.LISTENING: "listening",
    TurnState.TAIL: "listening",
    TurnState.THINKING: "thinking",
    TurnState.SPEAKING: "speaking",
    TurnState.SETTLING: "idle",
    TurnState.OPEN: "listening",
    TurnState.REPLYING: "speaking",
}
_LINK_WORDS = {LinkState.READY: "ready", LinkState.CONNECTING: "connecting"}


@dataclass(frozen=True, slots=True)
class Status:
    """What is going on, for lamps, the journal and ``speakerd status``."""

    state: str  # idle, listening, thinking, speaking, ringing, error
    link: str  # down, connecting, ready
    context: str  # resumed, fresh, none
    model: str
    turns: int  # ended since the start
    reconnects: int  # connections after the first
    without: tuple[str, ...]  # what of the setup the server refuses
    last_error: str | None
    devices: tuple[tuple[str, str], ...]  # (name, "ready" or "starting" or why it is missing)
    parts: tuple[tuple[str, str], ...] = ()  # so too, of what it can do without
    tapped: bool = False  # the button is tapped before and after, not held
    conversing: bool = False  # a conversation is open: it listens by itself, or will again
    muted: bool = False
    volume: int | None = None  # in percent; None: it is not known
    budget: Budget = Budget.FINE  # what is left of what today may cost
    last_failure: Failure | None = None  # what last_error says, where it was of the connection
    trouble: Failure | None = None  # why there is no connection; None: nothing has gone wrong
    timers: tuple[Pending, ...] = ()  # by when they are due
    missed: tuple[Missed, ...] = ()
    last_turn: TurnRecord | None = field(default=None, compare=False)


def state_word(
    turn: TurnState,
    link: LinkState,
    devices: Mapping[Device, str],
    budget: Budget,
    *,
    rings: bool,
) -> str:
    """The word for what the speaker does; ``error`` where it could do nothing."""
    if rings:
        return "ringing"
    word = TURN_WORDS[turn]
    sound = {devices[Device.MICROPHONE], devices[Device.SPEAKER]}
    broken = link is LinkState.REFUSED or not sound <= {READY, STARTING}
    in_vain = broken or budget is Budget.SPENT
    return "error" if word == "idle" and in_vain else word


def link_word(link: LinkState) -> str:
    """The word for the connection."""
    return _LINK_WORDS.get(link, "down")
