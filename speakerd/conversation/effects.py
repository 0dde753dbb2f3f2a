"""What shall be done: the orders the core gives.

Orders never fail: whoever carries one out reports what came of it as an event. Orders about a
turn or a connection that is no longer there are ignored by the edges.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speakerd.conversation.events import SessionHandle, ToolCall, Usage
    from speakerd.conversation.ledger import TurnRecord
    from speakerd.conversation.timer import Missed, Timer
    from speakerd.errors import Failure, Feature


class Notice(enum.Enum):
    """What the speaker tells the person by sound. The values name the earcon or the prompt."""

    NO_REPLY = "no-reply"  # the model chose silence: quiet and neutral
    NOT_DELIVERED = "not-delivered"  # the sentence could not be delivered: no connection in time
    NO_ANSWER = "no-answer"  # delivered, twice, and never answered
    ANSWER_CUT = "answer-cut"  # the connection was lost in mid-answer
    RESULT_LOST = "result-lost"  # a tool has run, but its spoken result was lost
    KEY_REFUSED = "key-refused"
    MODEL_GONE = "model-gone"
    SETUP_REFUSED = "setup-refused"
    QUOTA_USED_UP = "quota-used-up"
    NO_MICROPHONE = "no-microphone"
    SPEAKER_LOST = "speaker-lost"  # in an answer; heard when there is one again
    MUTED = "muted"  # somebody wants to speak, and the microphone is off
    BUDGET_NEAR = "budget-near"  # most of what today may cost is spent
    BUDGET_SPENT = "budget-spent"  # somebody wants to speak, and all of it is
    TIMER_MISSED = "timer-missed"  # a timer, an alarm or a reminder that nobody has silenced


class Cue(enum.Enum):
    """A sound that says that all is well. The values name it."""

    READY = "ready"  # after the start
    HEARD = "heard"  # the sentence is taken
    NOTHING = "nothing"  # it was only a tap: nothing was heard, and nothing is sent
    THINKING = "thinking"  # an answer is being waited for
    FORGOTTEN = "forgotten"  # the next conversation begins anew
    HUNG_UP = "hung-up"  # hands free: nobody listens any more
    VOLUME = "volume"  # at the new volume
    MUTED = "muted"
    UNMUTED = "unmuted"


class TimerNews(enum.Enum):
    """What has become of a timer."""

    RINGS = "rings"
    SILENCED = "silenced"
    MISSED = "missed"


# --- audio


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Begin the utterance of ``turn``: keep what is captured from ``not_before`` on.

    ``not_before`` is a time of the core's clock in seconds, at most the pre-roll back.
    """

    turn: int
    not_before: float


@dataclass(frozen=True, slots=True)
class CloseGate:
    """Complete the utterance: it must have all that was captured until ``covering`` (a time)."""

    turn: int
    covering: float


@dataclass(frozen=True, slots=True)
class DiscardUtterance:
    """Close the gate if it is open on ``turn`` and throw the sound away: it stays here.

    A window that the connection has already opened for it is closed (activityEnd), with no more
    sound.
    """

    turn: int


@dataclass(frozen=True, slots=True)
class ExpectReply:
    """From now on the reply of ``turn`` may be played, and no other."""

    turn: int


@dataclass(frozen=True, slots=True)
class FinishPlayback:
    """Nothing more of this reply is expected: play what has come to its end, then report.

    PlaybackDrained follows in any case, even if nothing had come. What comes later all the same
    is played, reported as resumed (or started), and drained again.
    """

    turn: int


@dataclass(frozen=True, slots=True)
class DropPlayback:
    """Silence at once, whatever is playing; nothing may be played until the next order."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the person by sound and in the journal, after what was to be told before.

    What is for a speaker that is gone comes in two parts: the one now, the other when it is back.
    """

    notice: Notice
    aloud: bool = True
    journal: bool = True


@dataclass(frozen=True, slots=True)
class PlayCue:
    """Play a cue, after what is to be heard before."""

    cue: Cue


@dataclass(frozen=True, slots=True)
class Ring:
    """Play one phrase of ringing, and say what rings, as far as it has ``names``."""

    names: tuple[str, ...]
    bell: bool = True  # otherwise the names alone


@dataclass(frozen=True, slots=True)
class PlayAgain:
    """Play what was kept of the answer of ``turn``, after what is to be heard before."""

    turn: int


@dataclass(frozen=True, slots=True)
class PlayTone:
    """Play the test tone."""


@dataclass(frozen=True, slots=True)
class Mute:
    """Capture nothing at all, or do so again; ``told``: that is news for the journal."""

    on: bool
    told: bool = True


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Set the volume to ``percent`` (0 to 100), or as near as the limits allow."""

    percent: int


@dataclass(frozen=True, slots=True)
class StepVolume:
    """Make it louder by so many percent, or softer by a negative number."""

    percent: int


# --- live


@dataclass(frozen=True, slots=True)
class Connect:
    """Open connection ``generation``, resuming with ``handle`` where there is one.

    ``without`` are the optional parts that its setup must not have.
    """

    generation: int
    model: str
    handle: SessionHandle | None
    without: frozenset[Feature] = frozenset()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close connection ``generation``, or stop trying to open it.

    ``failure`` is why it is given up; None: it is not needed, or a new one is made in its place.
    """

    generation: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send the utterance of ``turn`` over ``generation``, from its beginning.

    activityStart, what is in the buffer, what is still being captured, then, when the utterance
    is complete, activityEnd. With ``text`` it is the text that is sent instead, to be answered, or
    to be ``read_out``.
    """

    generation: int
    turn: int
    text: str | None = None
    read_out: bool = False


@dataclass(frozen=True, slots=True)
class RunTools:
    """Execute these calls of the model and send it the results.

    With ``execute`` False nobody waits for them any longer: only answer that they were cancelled,
    because the server takes no input while a call is open. So too where they are ``too_many`` for
    one turn, and the model is told that. Every call ends in ToolResponseSent, unless its connection
    ends before.
    """

    generation: int
    turn: int
    calls: tuple[ToolCall, ...]
    execute: bool = True
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class CancelTools:
    """Leave these calls alone, as far as they are not carried out: nobody wants their results.

    ``told``: the model waits for them, and is told; each ends in ToolResponseSent then.
    """

    call_ids: tuple[str, ...]
    told: bool = False


# --- service


@dataclass(frozen=True, slots=True)
class SaveHandle:
    """Keep the conversation across restarts; None forgets it."""

    handle: SessionHandle | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The conversation has been forgotten: nobody is to be told of it any more.

    ``told``: somebody wished so, and that is news for the journal.
    """

    told: bool = True


@dataclass(frozen=True, slots=True)
class KeepVolume:
    """Keep the volume across restarts."""

    percent: int


@dataclass(frozen=True, slots=True)
class KeepMute:
    """Keep across restarts that the microphone was switched off, or is not any more."""

    on: bool


@dataclass(frozen=True, slots=True)
class KeepTimers:
    """Keep these across restarts, in place of what was kept."""

    timers: tuple[Timer, ...]  # by when they are due
    missed: tuple[Missed, ...]


@dataclass(frozen=True, slots=True)
class TimerTold:
    """Something has become of a timer: that is news for the journal."""

    timer: Timer
    news: TimerNews


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over: its line for the journal and its ledger for the status."""

    record: TurnRecord


@dataclass(frozen=True, slots=True)
class CountLate:
    """Tokens of a turn that was over when the server counted them: they are billed all the same."""

    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """No turn is under way: live by the new settings from here on."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """What was asked for is done later; ``after`` so many others that wait for the same."""

    after: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked for is not possible now; ``reason`` is one line for whoever asked."""

    reason: str


Effect = (
    OpenGate
    | CloseGate
    | DiscardUtterance
    | ExpectReply
    | FinishPlayback
    | DropPlayback
    | Tell
    | PlayCue
    | Ring
    | PlayAgain
    | PlayTone
    | Mute
    | SetVolume
    | StepVolume
    | Connect
    | Disconnect
    | Deliver
    | RunTools
    | CancelTools
    | SaveHandle
    | Forgotten
    | KeepVolume
    | KeepMute
    | KeepTimers
    | TimerTold
    | TurnEnded
    | CountLate
    | ApplySettings
    | Postponed
    | Refused
)
