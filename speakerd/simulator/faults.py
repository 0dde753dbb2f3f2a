"""What can be made to go wrong, as data, and the seam where it is decided.

At every :class:`Phase` of its life a connection asks its script what shall happen there
(:class:`Script`), and carries out the answer. :class:`Plan` is the script that tests usually
want: a list of faults, each for one phase, used up as they happen. Write another for weather
that depends on more, such as chance.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from speakerd.simulator.catalogue import ABORTED, Closing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Phase(enum.Enum):
    """Where in its life a connection is when it asks its script.

    What :attr:`Planned.after_s` counts is given with each.
    """

    UPGRADE = "upgrade"  # the HTTP request has come; nothing is counted
    SETUP = "setup"  # the setup message has come and is not answered: seconds
    IDLE = "idle"  # after setupComplete and the history it announced, and after each turn: seconds
    UTTERANCE = "utterance"  # in an activity window: seconds of audio heard
    THINKING = "thinking"  # between the end of the turn's input and its answer: seconds
    REPLY = "reply"  # while the answer is sent: seconds of reply audio sent


# --- at any phase but UPGRADE


@dataclass(frozen=True, slots=True)
class Close:
    """The server closes the connection."""

    code: int = ABORTED.code
    reason: str = ABORTED.reason

    @classmethod
    def of(cls, closing: Closing) -> Close:
        """A close from the catalogue."""
        return cls(closing.code, closing.reason)


@dataclass(frozen=True, slots=True)
class Abort:
    """The network breaks: TCP is reset, without a close frame. The client sees 1006."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server announces its close, and closes when the time is over."""

    time_left_s: float = 50.0
    closes: bool = True  # False: it only announces


@dataclass(frozen=True, slots=True)
class Silence:
    """The server sends nothing any more, and goes on taking what is sent.

    Without ``pongs`` it does not even read: the client's pings go unanswered and its sends fill
    the buffers, as with a half-open connection.
    """

    pongs: bool = True


@dataclass(frozen=True, slots=True)
class Inject:
    """The server sends this: a JSON object, or a frame's raw bytes."""

    message: Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens; with ``after_s`` at SETUP the answer is that late.

    At THINKING and REPLY what is due in the next ``duration_s`` seconds comes after them, at once.
    """

    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """The model calls functions, all of them in one message, whatever it is doing.

    If one of them is BLOCKING, the rest of an answer waits for the responses.
    """

    calls: tuple[ToolCall, ...]
    ends_turn: bool = False  # a turnComplete is in the same message


@dataclass(frozen=True, slots=True)
class CancelCalls:
    """The server wants calls left alone, and goes on as if they were answered.

    All that are pending, unless ``ids`` names some; those need not have been made.
    """

    ids: tuple[str, ...] = ()


#: The server says that the client interrupted, and it did not.
PHANTOM_INTERRUPTION = Inject({"serverContent": {"interrupted": True}})


# --- at UPGRADE


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """The server answers the HTTP request with this status instead of upgrading."""

    status: int = 503


# --- at THINKING, where they shape the answer; PrematureTurnComplete's time is its own


@dataclass(frozen=True, slots=True)
class NoReply:
    """No answer at all, not even turnComplete."""


@dataclass(frozen=True, slots=True)
class NoAudio:
    """A turn that completes without any audio: the model chose silence."""


@dataclass(frozen=True, slots=True)
class PrematureTurnComplete:
    """turnComplete after ``after_s`` seconds of reply audio; ``rest``: the rest still follows."""

    after_s: float
    rest: bool = False


@dataclass(frozen=True, slots=True)
class MissingTurnComplete:
    """generationComplete, and no turnComplete after it."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model calls a function before it answers.

    The answer waits for the response, unless the setup declared the function NON_BLOCKING.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""  # empty: one that no call has had


Act: TypeAlias = Close | Abort | GoAway | Silence | Inject | Pause | ToolCalls | CancelCalls
Shape: TypeAlias = NoReply | NoAudio | PrematureTurnComplete | MissingTurnComplete | ToolCall
Fault: TypeAlias = Act | Shape | HttpStatus

#: What can happen at a phase, where that is not just any :data:`Act`.
_FITTING = {Phase.UPGRADE: HttpStatus | Abort, Phase.THINKING: Act | Shape}


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and when in its phase it happens."""

    fault: Fault
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A connection enters a phase; both numbers count from 1, over all connections."""

    phase: Phase
    connection: int
    turn: int | None = None  # for UTTERANCE, THINKING and REPLY


class Script(Protocol):
    """Decides what goes wrong. Called once each time a phase is entered; must not block."""

    def faults(self, moment: Moment) -> Iterable[Planned]:
        """What happens there; what does not fit the phase is passed over."""


@dataclass(slots=True)
class _Entry:
    phase: Phase
    planned: Planned
    connection: int | None
    turn: int | None
    times: int

    def matches(self, moment: Moment) -> bool:
        return (
            self.phase is moment.phase
            and self.times > 0
            and self.connection in {None, moment.connection}
            and self.turn in {None, moment.turn}
        )


class Plan:
    """A list of faults, each happening ``times`` times and then no more."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(
        self,
        phase: Phase,
        fault: Fault,
        *,
        after_s: float = 0.0,
        connection: int | None = None,
        turn: int | None = None,
        times: int = 1,
    ) -> None:
        """Let ``fault`` happen at ``phase``, of any connection and turn unless one is named.

        Raises TypeError for a fault that cannot happen there.
        """
        if not isinstance(fault, _FITTING.get(phase, Act)):
            raise TypeError(f"{fault} cannot happen at {phase.name}")
        self._entries.append(_Entry(phase, Planned(fault, after_s), connection, turn, times))

    def faults(self, moment: Moment) -> list[Planned]:
        """What is planned for ``moment``, in the order in which it was added."""
        found = [entry for entry in self._entries if entry.matches(moment)]
        for entry in found:
            entry.times -= 1
        self._entries = [entry for entry in self._entries if entry.times > 0]
        return [entry.planned for entry in found]
