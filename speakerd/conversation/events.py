"""What has happened: the facts the core is told.

Every fact about a turn carries its ``turn`` (counted from 1), every fact about a connection its
``generation`` (counted from 1). What comes back about an older one is stale, and the core drops
it. Times and durations are seconds, sound is never in here.
"""

from __future__ import annotations

import enum
import operator
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from speakerd.conversation.budget import Budget
    from speakerd.conversation.rules import Rules
    from speakerd.conversation.timer import Missed, Timer
    from speakerd.errors import Failure


class Device(enum.Enum):
    """The devices a speaker is made of; the values are their keys in the status."""

    MICROPHONE = "microphone"
    SPEAKER = "speaker"
    BUTTON = "button"


class Trigger(enum.Enum):
    """What is pressed to talk."""

    BUTTON = "button"  # on its GPIO line
    KEYPAD = "keypad"  # keys of a keypad, or a foot switch


class Key(enum.Enum):
    """The buttons beside the one to talk; the values are what people call them."""

    SECOND = "second button"
    VOLUME_UP = "volume up"
    VOLUME_DOWN = "volume down"
    MUTE = "mute switch"


class PadKey(enum.Enum):
    """What else the keys of a keypad do; the values are those of ``SPEAKERD_KEYPAD_KEYS``."""

    STOP = "stop"
    FORGET = "forget"
    MUTE = "mute"  # on and off in turn
    VOLUME_UP = "louder"
    VOLUME_DOWN = "softer"


@dataclass(frozen=True, slots=True)
class SessionHandle:
    """A resumption token with the model that issued it: to any other model it is poison."""

    value: str = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them: of what went in, the prompt, and of what came out.

    Beside the prompt, and in with it, is what tools of the server's own have found; beside the
    response are the thoughts, which are text. What is not known to be anything else is sound.
    """

    prompt_tokens: int = 0
    response_tokens: int = 0
    total_tokens: int = 0  # the server's own sum, whatever it puts into it
    text_in: int = 0
    text_out: int = 0  # of the response
    thought_tokens: int = 0
    image_in: int = 0  # or video
    tool_tokens: int = 0

    @property
    def audio_in(self) -> int:
        """Sound that went in, the answers of earlier turns too."""
        return max(0, self.prompt_tokens + self.tool_tokens - self.text_in - self.image_in)

    @property
    def audio_out(self) -> int:
        """Sound that came out."""
        return max(0, self.response_tokens - self.text_out)

    def plus(self, more: Usage) -> Usage:
        """Both together."""
        return Usage(*map(operator.add, astuple(self), astuple(more)))

    def beyond(self, counted: Usage) -> Usage:
        """What there is in this that was not ``counted`` before."""
        left = map(operator.sub, astuple(self), astuple(counted))
        return Usage(*(max(0, tokens) for tokens in left))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call of the model."""

    id: str
    name: str
    args: Mapping[str, object] = field(default_factory=dict)


# --- the daemon and the person


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon stands; ``handle`` is the conversation kept from before, if there is one."""

    handle: SessionHandle | None = None


@dataclass(frozen=True, slots=True)
class ButtonEdge:
    """A raw, undebounced edge of what is pressed to talk. Released is ``pressed=False``."""

    pressed: bool
    trigger: Trigger = Trigger.BUTTON


@dataclass(frozen=True, slots=True)
class ButtonHeldAtStart:
    """The button was already down when it was first looked at: stuck until it is released."""


@dataclass(frozen=True, slots=True)
class KeyEdge:
    """A raw, undebounced edge of another button."""

    key: Key | PadKey
    pressed: bool


@dataclass(frozen=True, slots=True)
class KeyFound:
    """Another button has been opened, and is ``pressed`` already or not."""

    key: Key
    pressed: bool


@dataclass(frozen=True, slots=True)
class KeyAwaited:
    """Another button is to be opened, or opened anew; what it is like is not known."""

    key: Key


@dataclass(frozen=True, slots=True)
class KeyLost:
    """Another button is missing; its edge keeps trying to open it."""

    key: Key
    reason: str


@dataclass(frozen=True, slots=True)
class KnobTurned:
    """The volume knob was turned by so many steps; to the left they are negative."""

    steps: int


@dataclass(frozen=True, slots=True)
class PressRequested:
    """The control socket pressed: no bounce, and it stays pressed until it releases."""


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The control socket released."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants silence: the answer ends, an unanswered sentence is given up."""


@dataclass(frozen=True, slots=True)
class ForgetRequested:
    """Somebody wants the conversation forgotten: the next one starts fresh."""


@dataclass(frozen=True, slots=True)
class VolumeRequested:
    """Somebody wants this volume, in percent from 0 to 100."""

    percent: int


@dataclass(frozen=True, slots=True)
class VolumeStepped:
    """Somebody wants it louder by so many percent, or softer by a negative number."""

    percent: int


@dataclass(frozen=True, slots=True)
class MuteRequested:
    """Somebody wants the microphone off, or on again; None: the other way round."""

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class LeaveRequested:
    """The model is to listen no more once it answers; ``mute``: the microphone goes off then.

    Where no conversation is open it goes off at once.
    """

    mute: bool = False


@dataclass(frozen=True, slots=True)
class RepeatRequested:
    """In the turn under way the answer before it is to be heard again, after its own."""


@dataclass(frozen=True, slots=True)
class SayRequested:
    """Ask the model ``text`` as if it had been spoken, or have it read out as it is."""

    text: str
    read_out: bool = False


@dataclass(frozen=True, slots=True)
class ToneRequested:
    """Somebody wants to hear whether the speaker works."""


@dataclass(frozen=True, slots=True)
class BudgetChanged:
    """So much is left of what today may cost. Before :class:`Started` it is no news."""

    left: Budget


@dataclass(frozen=True, slots=True)
class ReloadRequested:
    """There are new settings, to be applied between two turns.

    ``rules`` are those they make. ``setup``: the next connection has to ask for something else, or
    with another key. ``reopened``: the devices that are not the same any longer.
    """

    rules: Rules
    setup: bool = False
    reopened: frozenset[Device] = frozenset()


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The clock on the wall shows ``unix_s`` now, and local time is that of ``zone``.

    To be told at the start, and whenever it was put or the zone is another.
    """

    unix_s: float
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class TimersKept:
    """These were there when the daemon ended; those in ``missed`` nobody has heard."""

    timers: tuple[Timer, ...]
    missed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class TimerSet:
    """Somebody wants this timer, in place of the one with its number, if there is one."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class TimersCancelled:
    """Nobody wants the timers with these numbers any longer."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MissedTold:
    """Somebody has been told of every timer that was missed."""


@dataclass(frozen=True, slots=True)
class ToolsChanged:
    """The model is to be ``offered`` other tools than before, or none, at the next connection."""

    offered: bool


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """The daemon is ending: close what is open, keep what must be kept."""


# --- the devices


@dataclass(frozen=True, slots=True)
class DeviceReady:
    """``device`` has been opened (at the start, or again after it was lost)."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """``device`` is missing or has failed; its edge keeps trying to open it again."""

    device: Device
    reason: str


@dataclass(frozen=True, slots=True)
class PartReady:
    """A part that the speaker can do without is there: the light, the volume, another button."""

    name: str


@dataclass(frozen=True, slots=True)
class PartLost:
    """Such a part is missing or has failed; its edge keeps trying."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartGone:
    """Such a part is not wanted, or no longer."""

    name: str


@dataclass(frozen=True, slots=True)
class VolumeChanged:
    """The volume is ``percent`` now, and ``off`` or not, whoever has set it."""

    percent: int
    off: bool = False


@dataclass(frozen=True, slots=True)
class Xrun:
    """An overrun at capture or an underrun at playback, already recovered by the edge."""

    device: Device


@dataclass(frozen=True, slots=True)
class CaptureStarted:
    """The first captured frames of the utterance are in its buffer."""

    turn: int


@dataclass(frozen=True, slots=True)
class CaptureEnded:
    """The utterance is complete in its buffer: it lasts ``duration_s``, pre-roll and tail too."""

    turn: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of the reply has been written to the playback device."""

    turn: int


@dataclass(frozen=True, slots=True)
class PlaybackStarved:
    """The queue ran dry although the reply was not finished: silence is being heard."""

    turn: int


@dataclass(frozen=True, slots=True)
class PlaybackResumed:
    """Reply audio plays again after :class:`PlaybackStarved`."""

    turn: int


@dataclass(frozen=True, slots=True)
class PlaybackDrained:
    """All of the reply has been heard; ``duration_s`` of sound were played in this turn."""

    turn: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class NoticeEnded:
    """What was ordered by a Tell, a PlayCue or a PlayTone has been heard.

    ``drops`` is how often the speaker had been silenced by then; None: it does not matter.
    """

    drops: int | None = None


# --- the connection


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """The server has accepted the setup: the connection can be used.

    ``told``: of so many turns before it, which its session does not know, it has been told.
    """

    generation: int
    told: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The socket is closed, or was never made. ``failure`` is None after our own Disconnect.

    Comes exactly once for every Connect, last of all the facts of its generation.
    """

    generation: int
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The server will close this connection in ``time_left_s`` seconds."""

    generation: int
    time_left_s: float


@dataclass(frozen=True, slots=True)
class HandleIssued:
    """A resumable session handle; it supersedes every earlier one."""

    generation: int
    handle: str = field(repr=False)


# --- a turn on the wire


@dataclass(frozen=True, slots=True)
class ActivityStartSent:
    """activityStart of this utterance has been written to the socket."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class FirstAudioSent:
    """The first chunk of this utterance has been written to the socket."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class UtteranceSent:
    """activityEnd (or the text of a say) has been written: all of it is on the wire."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class TranscriptReceived:
    """Some of a transcription has come, of the answer or of what was ``heard``.

    The text goes another way.
    """

    generation: int
    turn: int
    heard: bool = True


@dataclass(frozen=True, slots=True)
class VoiceHeard:
    """Hands free: the server hears that somebody begins to speak, or ends (``voiceActivity``)."""

    generation: int
    turn: int
    speaks: bool


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The first reply audio of this turn on this connection has come."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class GenerationCompleted:
    """The model has generated all of its answer (``generationComplete``)."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """The server calls the turn complete (``turnComplete``)."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class AnswerContinues:
    """A part of the answer is complete, and the model works on the rest of it."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The server has counted tokens of this turn; comes before its TurnCompleted.

    Every generation is counted and billed by itself, that of a tool call too, with all of the
    context in its prompt: they add up. A second count of the same generation replaces the first.
    """

    generation: int
    turn: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The server says that it has cut the answer of this turn short (``interrupted``)."""

    generation: int
    turn: int


@dataclass(frozen=True, slots=True)
class ToolCallReceived:
    """The model calls tools. While a blocking one is pending no realtime input may be sent."""

    generation: int
    turn: int
    calls: tuple[ToolCall, ...]
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class ToolExecuted:
    """A tool of this turn has been executed: its utterance must not be sent again.

    Counts whenever it comes, also after the connection was lost: what has happened has happened.
    """

    generation: int
    turn: int
    call_id: str


@dataclass(frozen=True, slots=True)
class ToolResponseSent:
    """The result of a call is on the wire: it is pending no longer.

    ``silent``: the model, which has not waited for it, has been told to say nothing of it.
    """

    generation: int
    turn: int
    call_id: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallsCancelled:
    """The server wants these calls undone or left alone (``toolCallCancellation``)."""

    generation: int
    call_ids: tuple[str, ...]


Event = (
    Started
    | ButtonEdge
    | ButtonHeldAtStart
    | KeyEdge
    | KeyFound
    | KeyAwaited
    | KeyLost
    | KnobTurned
    | PressRequested
    | ReleaseRequested
    | StopRequested
    | ForgetRequested
    | VolumeRequested
    | VolumeStepped
    | MuteRequested
    | LeaveRequested
    | RepeatRequested
    | SayRequested
    | ToneRequested
    | BudgetChanged
    | ReloadRequested
    | ClockRead
    | TimersKept
    | TimerSet
    | TimersCancelled
    | MissedTold
    | ToolsChanged
    | ShutdownRequested
    | DeviceReady
    | DeviceLost
    | PartReady
    | PartLost
    | PartGone
    | VolumeChanged
    | Xrun
    | CaptureStarted
    | CaptureEnded
    | PlaybackStarted
    | PlaybackStarved
    | PlaybackResumed
    | PlaybackDrained
    | NoticeEnded
    | ConnectionOpened
    | ConnectionClosed
    | GoAwayReceived
    | HandleIssued
    | ActivityStartSent
    | FirstAudioSent
    | UtteranceSent
    | TranscriptReceived
    | VoiceHeard
    | ReplyStarted
    | GenerationCompleted
    | TurnCompleted
    | AnswerContinues
    | UsageReported
    | Interrupted
    | ToolCallReceived
    | ToolExecuted
    | ToolResponseSent
    | ToolCallsCancelled
)
