"""The ledger of one turn: when each milestone was reached, and how it ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speakerd.conversation.events import Usage


class Outcome(enum.Enum):
    """How a turn ended, for the journal and the status."""

    ANSWERED = "answered"  # the reply was heard to its end
    SILENT = "silent"  # the model chose to say nothing
    STOPPED = "stopped"  # the person stopped it, or spoke into it
    SPOKEN_ON = "spoken-on"  # unanswered when the person spoke on; it goes with the next turn
    CUT = "cut"  # the reply was lost in the middle
    NOT_DELIVERED = "not-delivered"  # no connection in time; the person was told
    NO_ANSWER = "no-answer"  # delivered, never answered; the person was told
    RESULT_LOST = "result-lost"  # a tool has run, its answer was lost; the person was told
    EMPTY = "empty"  # nothing was captured; the person was told
    SHUTDOWN = "shutdown"  # the daemon ended under it


class Kind(enum.Enum):
    """What a turn begins with."""

    SPEECH = "speech"
    TEXT = "text"  # asked in writing
    ANNOUNCEMENT = "announcement"  # to be read out


class Context(enum.Enum):
    """What the server remembered when the turn was delivered."""

    NONE = "none"  # there was no connection
    FRESH = "fresh"
    RESUMED = "resumed"


@dataclass(slots=True)
class TurnRecord:
    """One turn's times (seconds of the core's clock; None: has not happened) and outcome."""

    turn: int
    model: str
    pressed_at: float
    released_at: float | None = None
    activity_start_at: float | None = None  # activityStart written, of the delivery that counted
    first_audio_sent_at: float | None = None
    utterance_ended_at: float | None = None  # the release plus the tail: the gate was closed
    activity_end_at: float | None = None
    first_reply_at: float | None = None  # first reply audio came from the network
    first_sample_at: float | None = None  # first sample written to the playback device
    generation_complete_at: float | None = None
    turn_complete_at: float | None = None
    drained_at: float | None = None
    utterance_s: float = 0.0  # what was captured: pre-roll, speech and tail
    reply_s: float = 0.0  # what was played
    deliveries: int = 0  # how often the utterance was begun to be sent
    underruns: int = 0
    overruns: int = 0
    repeats: bool = False  # an earlier answer was asked for again: this one is none to be so
    gaps: int = 0  # how often the reply paused because more of it came too late
    kind: Kind = Kind.SPEECH
    usage: Usage | None = None
    context: Context = Context.NONE
    outcome: Outcome | None = None  # None while the turn is under way
