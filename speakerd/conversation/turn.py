"""The turn machine: what one press of the button goes through, as a table.

    IDLE ── PRESS ──> ARMED ── HELD ──> LISTENING ── RELEASE ──> TAIL ── TAIL_OVER ──> THINKING
      ^                                     ^─────── PRESS ───────┘                       │
      └── SETTLING <── PLAYED ── SPEAKING <────────────── REPLY_AUDIO ────────────────────┘

and hands free, from one HANG_UP to the next::

    IDLE ── CONVERSE ──> OPEN ── REPLY_AUDIO ──> REPLYING ── PLAYED ──> OPEN ── HANG_UP ──> IDLE

:data:`TRANSITIONS` is the whole truth: for each state, the inputs that mean something, the state
they lead to and the action the core carries out on the way. :data:`IGNORED` names every other
input, with the reason why it is nothing there. Together they are total; a test holds them to it,
and the diagrams in the docs are drawn from them.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class TurnState(enum.Enum):
    """Where the conversation is."""

    IDLE = "idle"  # nothing is under way; notices may sound
    ARMED = "armed"  # pressed, the gate is open; too short so far to be an utterance
    LISTENING = "listening"  # the utterance is being captured (and sent, if there is a link)
    TAIL = "tail"  # released; the tail is being captured
    THINKING = "thinking"  # the utterance is complete; it is being sent or waits for its answer
    SPEAKING = "speaking"  # reply audio has come
    SETTLING = "settling"  # all was heard; the server has not called the turn complete yet
    OPEN = "open"  # hands free: the server hears when somebody has spoken
    REPLYING = "replying"  # hands free: reply audio has come; it will be open again


class TurnInput(enum.Enum):
    """What can happen to a turn; the core has sorted out what is stale before."""

    PRESS = "press"
    RELEASE = "release"
    TAKEN_BACK = "taken back"  # the press into the waiting for an answer was none
    HELD = "held"  # the press has outlasted the minimum
    TOO_LONG = "too long"  # the longest utterance is reached
    TAIL_OVER = "tail over"
    NOTHING_CAPTURED = "nothing captured"  # the tail is over and the microphone gave nothing
    CAPTURE_LOST = "capture lost"
    MUTED = "muted"  # the microphone goes off
    STOP = "stop"
    SAY = "say"
    CONVERSE = "converse"  # a conversation is to be opened, hands free
    HANG_UP = "hang up"  # it is over: by a tap, by silence, by its length
    CUT_IN = "cut in"  # a tap into an answer of it
    REPLY_AUDIO = "reply audio"
    REPLY_ENDED = "reply ended"  # generationComplete or turnComplete: no more audio is expected
    SILENT_END = "silent end"  # turnComplete, and no audio at all
    REPEAT = "repeat"  # so too, but an earlier answer is to be heard again
    INTERRUPTED = "interrupted"  # by the server, though nobody here pressed
    LINK_LOST = "link lost"
    REFUSED = "refused"  # the link cannot be made, and trying again now is no use
    UNDELIVERED = "undelivered"  # the patience is over and it is not on the wire
    OVERDUE = "overdue"  # no sign of life; it may be sent once more
    NO_ANSWER = "no answer"  # no sign of life; it may not be sent again
    STALLED = "stalled"  # reply audio stopped coming in the middle
    PLAYED = "played"  # all that came was heard, and the server had said the turn was complete
    PLAYED_EARLY = "played early"  # all that came was heard; turnComplete is still missing
    PLAYED_CUT = "played cut"  # all that came was heard, and it was not all of the answer
    PLAYBACK_RESUMED = "playback resumed"  # audio of this turn plays again after it had ended
    SPEAKER_LOST = "speaker lost"  # the reply cannot be heard
    TURN_COMPLETE = "turn complete"
    SETTLED = "settled"  # turnComplete is not waited for any longer
    SHUTDOWN = "shutdown"


class Action(enum.Enum):
    """What the core does on a transition; each is one method of a part of it."""

    ARM = "close the books of the last turn, open the gate"
    BARGE_IN = "silence, end the answer, open the gate"
    SPEAK_ON = "silence, keep the unanswered utterance, open the gate"
    DISARM = "throw the sound away"
    TAKE_BACK = "throw the sound away, wait on for the answer"
    OPEN = "begin the turn, deliver the utterance as it is captured"
    BEGIN_TAIL = "note the release"
    BLOCK = "block the button until it is released, note the release"
    CONTINUE = "go on with the same utterance"
    COMPLETE = "close the gate"
    FAIL_CAPTURE = "throw the sound away, tell: no microphone"
    ASK = "close the books of the last turn, begin one of text, deliver it"
    MUTE = "throw the sound away, tell of what was said before and goes unanswered"
    STOP = "throw away or silence what there is"
    HUSH = "silence"
    HEAR = "the utterance is answered: let it go"
    FINISH_PLAYBACK = "play what has come to its end"
    CUT = "play what has come to its end, remember that it is not all"
    CUT_AND_RECONNECT = "as CUT, on a new connection from here"
    NOTE_INTERRUPTION = "remember that the answer may never come"
    RETRY = "send the utterance again when there is a connection"
    RECONNECT = "make a new connection, send the utterance once more"
    GIVE_UP = "let the utterance go, tell why"
    TELL_REFUSAL = "tell why there will be no connection"
    END_SILENT = "tell: it chose to say nothing"
    END = "close the books of the turn"
    END_CUT = "close the books, tell: the answer was cut"
    END_UNHEARD = "silence, close the books, tell: the speaker is lost"
    END_SHUTDOWN = "close the gate and the books"
    RESUME = "the answer goes on"
    SETTLE = "wait for the server to call the turn complete"
    CONVERSE = (
        "close the books of the last turn, open the gate, deliver what is captured as it comes"
    )
    STREAM_AGAIN = "deliver it again when there is a connection"
    HEAR_ON = "the utterance is answered; where the speaker is not in the microphone, open the gate"
    LISTEN_AGAIN = "close the books of the turn, open the gate where it is not"
    LISTEN_NO_MORE = "close the gate where it is open"
    HANG_UP = "throw the sound away, tell that nobody listens any more"


#: What carries actions out; each gives back the input that it amounts to itself, if any.
Actions: TypeAlias = "Mapping[Action, Callable[[], TurnInput | None]]"

_S, _I, _A = TurnState, TurnInput, Action

TRANSITIONS: dict[TurnState, dict[TurnInput, tuple[TurnState, Action]]] = {
    _S.IDLE: {
        _I.PRESS: (_S.ARMED, _A.ARM),
        _I.SAY: (_S.THINKING, _A.ASK),
        _I.CONVERSE: (_S.OPEN, _A.CONVERSE),
        _I.STOP: (_S.IDLE, _A.HUSH),
        _I.PLAYBACK_RESUMED: (_S.SPEAKING, _A.RESUME),
        _I.REFUSED: (_S.IDLE, _A.TELL_REFUSAL),
        _I.SHUTDOWN: (_S.IDLE, _A.HUSH),
    },
    _S.ARMED: {
        _I.RELEASE: (_S.IDLE, _A.DISARM),
        _I.TAKEN_BACK: (_S.THINKING, _A.TAKE_BACK),
        _I.HELD: (_S.LISTENING, _A.OPEN),
        _I.STOP: (_S.IDLE, _A.DISARM),
        _I.MUTED: (_S.IDLE, _A.MUTE),
        _I.CAPTURE_LOST: (_S.IDLE, _A.FAIL_CAPTURE),
        _I.SHUTDOWN: (_S.IDLE, _A.DISARM),
    },
    _S.LISTENING: {
        _I.RELEASE: (_S.TAIL, _A.BEGIN_TAIL),
        _I.TOO_LONG: (_S.TAIL, _A.BLOCK),
        _I.STOP: (_S.IDLE, _A.STOP),
        _I.MUTED: (_S.IDLE, _A.MUTE),
        _I.CAPTURE_LOST: (_S.IDLE, _A.FAIL_CAPTURE),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
    _S.TAIL: {
        _I.PRESS: (_S.LISTENING, _A.CONTINUE),
        _I.TAIL_OVER: (_S.THINKING, _A.COMPLETE),
        _I.NOTHING_CAPTURED: (_S.IDLE, _A.FAIL_CAPTURE),
        _I.STOP: (_S.IDLE, _A.STOP),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
    _S.THINKING: {
        _I.PRESS: (_S.ARMED, _A.SPEAK_ON),
        _I.STOP: (_S.IDLE, _A.STOP),
        _I.REPLY_AUDIO: (_S.SPEAKING, _A.HEAR),
        _I.SILENT_END: (_S.IDLE, _A.END_SILENT),
        _I.REPEAT: (_S.SPEAKING, _A.HEAR),
        _I.INTERRUPTED: (_S.THINKING, _A.NOTE_INTERRUPTION),
        _I.LINK_LOST: (_S.THINKING, _A.RETRY),
        _I.OVERDUE: (_S.THINKING, _A.RECONNECT),
        _I.NO_ANSWER: (_S.IDLE, _A.GIVE_UP),
        _I.UNDELIVERED: (_S.IDLE, _A.GIVE_UP),
        _I.REFUSED: (_S.IDLE, _A.GIVE_UP),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
    _S.SPEAKING: {
        _I.PRESS: (_S.ARMED, _A.BARGE_IN),
        _I.STOP: (_S.IDLE, _A.STOP),
        _I.REPLY_ENDED: (_S.SPEAKING, _A.FINISH_PLAYBACK),
        _I.INTERRUPTED: (_S.SPEAKING, _A.CUT),
        _I.LINK_LOST: (_S.SPEAKING, _A.CUT),
        _I.STALLED: (_S.SPEAKING, _A.CUT_AND_RECONNECT),
        _I.PLAYED: (_S.IDLE, _A.END),
        _I.PLAYED_EARLY: (_S.SETTLING, _A.SETTLE),
        _I.PLAYED_CUT: (_S.IDLE, _A.END_CUT),
        _I.SPEAKER_LOST: (_S.IDLE, _A.END_UNHEARD),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
    _S.SETTLING: {
        _I.PRESS: (_S.ARMED, _A.ARM),
        _I.SAY: (_S.THINKING, _A.ASK),
        _I.CONVERSE: (_S.OPEN, _A.CONVERSE),
        _I.STOP: (_S.IDLE, _A.END),
        _I.PLAYBACK_RESUMED: (_S.SPEAKING, _A.RESUME),
        _I.TURN_COMPLETE: (_S.IDLE, _A.END),
        _I.SETTLED: (_S.IDLE, _A.END),
        _I.LINK_LOST: (_S.IDLE, _A.END),
        _I.SHUTDOWN: (_S.IDLE, _A.END),
    },
    _S.OPEN: {
        _I.HANG_UP: (_S.IDLE, _A.HANG_UP),
        _I.STOP: (_S.IDLE, _A.HANG_UP),
        _I.MUTED: (_S.IDLE, _A.HANG_UP),
        _I.CAPTURE_LOST: (_S.IDLE, _A.FAIL_CAPTURE),
        _I.REPLY_AUDIO: (_S.REPLYING, _A.HEAR_ON),
        _I.SILENT_END: (_S.OPEN, _A.LISTEN_AGAIN),
        _I.REPEAT: (_S.REPLYING, _A.HEAR_ON),
        _I.LINK_LOST: (_S.OPEN, _A.STREAM_AGAIN),
        _I.UNDELIVERED: (_S.IDLE, _A.GIVE_UP),
        _I.REFUSED: (_S.IDLE, _A.GIVE_UP),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
    _S.REPLYING: {
        _I.HANG_UP: (_S.SPEAKING, _A.LISTEN_NO_MORE),
        _I.CUT_IN: (_S.OPEN, _A.LISTEN_AGAIN),
        _I.STOP: (_S.IDLE, _A.STOP),
        _I.MUTED: (_S.SPEAKING, _A.LISTEN_NO_MORE),
        _I.CAPTURE_LOST: (_S.SPEAKING, _A.LISTEN_NO_MORE),
        _I.REPLY_ENDED: (_S.REPLYING, _A.FINISH_PLAYBACK),
        _I.INTERRUPTED: (_S.OPEN, _A.LISTEN_AGAIN),
        _I.LINK_LOST: (_S.REPLYING, _A.CUT),
        _I.STALLED: (_S.REPLYING, _A.CUT_AND_RECONNECT),
        _I.PLAYED: (_S.OPEN, _A.LISTEN_AGAIN),
        _I.PLAYED_EARLY: (_S.OPEN, _A.LISTEN_AGAIN),
        _I.PLAYED_CUT: (_S.IDLE, _A.END_CUT),
        _I.SPEAKER_LOST: (_S.IDLE, _A.END_UNHEARD),
        _I.SHUTDOWN: (_S.IDLE, _A.END_SHUTDOWN),
    },
}

_NO_HOLD = "nobody holds the button for this turn"
_HOLDING = "the button is held: there is nothing to press"
_HELD = "the hold has not come so far"
_NOT_ASKED = "nothing is being asked yet"
_NO_REPLY = "no reply of this turn has come"
_REPLIED = "the reply is there already"
_NOT_PLAYING = "nothing of this turn is being played"
_NO_LINK_NEEDED = "nothing of this turn depends on the link"
_LATER = "the person is still speaking: time enough to find out"
_FROM_ITS_BEGINNING = "it is sent from its beginning over the next connection"
_BUSY = "a turn is under way; whoever asked is told"
_NOT_CAPTURING = "the gate is closed"
_HANDS_FREE = "a tap opens and ends it; nothing is held"
_NO_CONVERSATION = "no conversation is open"
_HELD_BY_HAND = "a turn of another kind is under way"

_LINK_ENDS = (_I.UNDELIVERED, _I.OVERDUE, _I.NO_ANSWER)
_SERVER = (
    *(_I.REPLY_AUDIO, _I.REPLY_ENDED, _I.SILENT_END),
    *(_I.REPEAT, _I.INTERRUPTED, _I.TURN_COMPLETE),
)
_HOLD_ENDS = (
    *(_I.RELEASE, _I.TAKEN_BACK, _I.HELD),
    *(_I.TOO_LONG, _I.TAIL_OVER, _I.NOTHING_CAPTURED),
)
_PLAYBACK = (_I.STALLED, _I.PLAYED, _I.PLAYED_EARLY, _I.PLAYED_CUT, _I.SPEAKER_LOST)


def _because(reason: str, *inputs: TurnInput) -> dict[TurnInput, str]:
    return dict.fromkeys(inputs, reason)


IGNORED: dict[TurnState, dict[TurnInput, str]] = {
    _S.IDLE: (
        _because(_NO_CONVERSATION, _I.HANG_UP, _I.CUT_IN)
        | _because(_NO_HOLD, *_HOLD_ENDS)
        | _because(_NOT_CAPTURING, _I.CAPTURE_LOST, _I.MUTED)
        | _because(_NOT_ASKED, *_SERVER, *_LINK_ENDS)
        | _because(_NO_LINK_NEEDED, _I.LINK_LOST)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.SETTLED)
    ),
    _S.ARMED: (
        _because(_HELD_BY_HAND, _I.CONVERSE, _I.HANG_UP, _I.CUT_IN)
        | _because(_HOLDING, _I.PRESS)
        | _because(_BUSY, _I.SAY)
        | _because(_NOT_ASKED, *_SERVER, *_LINK_ENDS)
        | _because(_HELD, _I.TOO_LONG, _I.TAIL_OVER, _I.NOTHING_CAPTURED)
        | _because(_LATER, _I.LINK_LOST, _I.REFUSED)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.PLAYBACK_RESUMED, _I.SETTLED)
    ),
    _S.LISTENING: (
        _because(_HELD_BY_HAND, _I.CONVERSE, _I.HANG_UP, _I.CUT_IN)
        | _because(_HOLDING, _I.PRESS, _I.HELD)
        | _because(_BUSY, _I.SAY)
        | _because(_HELD, _I.TAIL_OVER, _I.NOTHING_CAPTURED)
        | _because("it is an utterance already", _I.TAKEN_BACK)
        | _because(_NOT_ASKED, *_SERVER, *_LINK_ENDS)
        | _because(_LATER, _I.REFUSED)
        | _because(_FROM_ITS_BEGINNING, _I.LINK_LOST)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.PLAYBACK_RESUMED, _I.SETTLED)
    ),
    _S.TAIL: (
        _because(_HELD_BY_HAND, _I.CONVERSE, _I.HANG_UP, _I.CUT_IN)
        | _because(_BUSY, _I.SAY)
        | _because(_NO_HOLD, _I.RELEASE, _I.TAKEN_BACK, _I.HELD, _I.TOO_LONG)
        | _because("the sentence is said; only silence is lost", _I.CAPTURE_LOST, _I.MUTED)
        | _because(_NOT_ASKED, *_SERVER, *_LINK_ENDS)
        | _because(_LATER, _I.REFUSED)
        | _because(_FROM_ITS_BEGINNING, _I.LINK_LOST)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.PLAYBACK_RESUMED, _I.SETTLED)
    ),
    _S.THINKING: (
        _because(_HELD_BY_HAND, _I.CONVERSE, _I.HANG_UP, _I.CUT_IN)
        | _because(_BUSY, _I.SAY)
        | _because(_NO_HOLD, *_HOLD_ENDS)
        | _because(_NOT_CAPTURING, _I.CAPTURE_LOST, _I.MUTED)
        | _because(_NO_REPLY, _I.REPLY_ENDED, _I.TURN_COMPLETE)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.PLAYBACK_RESUMED, _I.SETTLED)
    ),
    _S.SPEAKING: (
        _because(_HELD_BY_HAND, _I.CONVERSE, _I.HANG_UP, _I.CUT_IN)
        | _because(_BUSY, _I.SAY)
        | _because(_NO_HOLD, *_HOLD_ENDS)
        | _because(_NOT_CAPTURING, _I.CAPTURE_LOST, _I.MUTED)
        | _because(_REPLIED, _I.REPLY_AUDIO, _I.SILENT_END, _I.REPEAT, *_LINK_ENDS)
        | _because("what has come is played first", _I.TURN_COMPLETE, _I.PLAYBACK_RESUMED)
        | _because(_NO_LINK_NEEDED, _I.REFUSED)
        | _because("it is still being played", _I.SETTLED)
    ),
    _S.SETTLING: (
        _because(_NO_CONVERSATION, _I.HANG_UP, _I.CUT_IN)
        | _because(_NO_HOLD, *_HOLD_ENDS)
        | _because(_NOT_CAPTURING, _I.CAPTURE_LOST, _I.MUTED)
        | _because(_REPLIED, _I.REPLY_AUDIO, _I.REPLY_ENDED, _I.SILENT_END, _I.INTERRUPTED)
        | _because(_REPLIED, _I.REPEAT, *_LINK_ENDS)
        | _because(_NO_LINK_NEEDED, _I.REFUSED)
        | _because(_NOT_PLAYING, *_PLAYBACK)
    ),
    _S.OPEN: (
        _because(_HANDS_FREE, _I.PRESS, *_HOLD_ENDS)
        | _because(_BUSY, _I.SAY)
        | _because("it is open", _I.CONVERSE)
        | _because(_NO_REPLY, _I.REPLY_ENDED, _I.TURN_COMPLETE, _I.INTERRUPTED, _I.CUT_IN)
        | _because("nobody has to be answered", _I.OVERDUE, _I.NO_ANSWER)
        | _because(_NOT_PLAYING, *_PLAYBACK, _I.PLAYBACK_RESUMED, _I.SETTLED)
    ),
    _S.REPLYING: (
        _because(_HANDS_FREE, _I.PRESS, *_HOLD_ENDS)
        | _because(_BUSY, _I.SAY)
        | _because("it is open", _I.CONVERSE)
        | _because(_REPLIED, _I.REPLY_AUDIO, _I.SILENT_END, _I.REPEAT, *_LINK_ENDS)
        | _because("what has come is played first", _I.TURN_COMPLETE, _I.PLAYBACK_RESUMED)
        | _because(_NO_LINK_NEEDED, _I.REFUSED)
        | _because("it is still being played", _I.SETTLED)
    ),
}
