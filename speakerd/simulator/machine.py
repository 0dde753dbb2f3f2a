"""What a connection does with each kind of input in each state, as a table.

::

    SETUP ──setup──> HISTORY ──clientContent──> IDLE     if the setup has announced a history
    SETUP ──setup──> IDLE ──activityStart──> WINDOW ──activityEnd──> GENERATING ──done──> IDLE
                      └──────text, clientContent──────────────────────> │  ^
                                        toolCall of a blocking function │  │ toolResponse
                                                                    TOOL_PENDING

:data:`TABLE` is total over the states in which anything is taken and all inputs; its values are
actions of the connection or refusals. It is for manual activity, the mode in which the client
says when an activity starts and ends; :data:`AUTOMATIC_TABLE` is for the other one, where speech
that is heard opens the window, and silence closes it.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from speakerd.simulator.catalogue import (
    BAD_ARGUMENT,
    EXPLICIT_ACTIVITY,
    NOT_ENABLED,
    PRECONDITION,
    Closing,
)


class State(enum.Enum):
    """Where a connection is."""

    SETUP = "setup"  # no setup message has come
    HISTORY = "waiting for the history"  # that the setup has announced
    IDLE = "idle"
    WINDOW = "window open"  # between the start and the end of an activity
    GENERATING = "generating"
    TOOL_PENDING = "tool call pending"  # the answer waits for the client
    CLOSED = "closed"


class Input(enum.Enum):
    """What a client can send; a realtimeInput with several fields is several inputs."""

    SETUP = "setup"
    ACTIVITY_START = "activityStart"
    AUDIO = "audio"
    VIDEO = "video"
    TEXT = "text"
    ACTIVITY_END = "activityEnd"
    STREAM_END = "audioStreamEnd"
    CONTENT = "clientContent"
    TOOL_RESPONSE = "toolResponse"
    CONTEXT_UPDATE = "contextUpdate"


class Action(enum.Enum):
    """What the connection does; each is one method of it."""

    SET_UP = "check the setup, answer"
    OPEN = "open a window, interrupt what is being answered"
    HEAR = "keep the audio; outside a window count it and forget it"
    DETECT = "look for the start and the end of speech, and do what they ask for"
    SEE = "keep the picture; where nothing is heard, count it and forget it"
    ANSWER = "answer what was heard"
    END_STREAM = "answer what was heard, if anything, and if the model takes it so"
    ASK = "answer the text, interrupt what is being answered"
    REMEMBER = "add to the context, answer nothing; if the turn is complete, wait no longer"
    ADD = "add to the context; if the turn is complete, answer"
    TAKE_RESULT = "take the results, go on answering"
    ACCEPT = "take it, do nothing"


Cell: TypeAlias = Action | Closing

_BEFORE_SETUP: dict[Input, Cell] = dict.fromkeys(Input, BAD_ARGUMENT)
_AFTER_SETUP: dict[Input, Cell] = {
    Input.SETUP: BAD_ARGUMENT,
    Input.ACTIVITY_START: Action.OPEN,
    Input.AUDIO: Action.HEAR,
    Input.VIDEO: Action.SEE,
    Input.TEXT: Action.ASK,
    Input.ACTIVITY_END: NOT_ENABLED,
    Input.STREAM_END: BAD_ARGUMENT,
    Input.CONTENT: Action.ADD,
    Input.TOOL_RESPONSE: Action.TAKE_RESULT,
    Input.CONTEXT_UPDATE: Action.ACCEPT,
}
_REALTIME = (
    Input.ACTIVITY_START,
    Input.AUDIO,
    Input.VIDEO,
    Input.TEXT,
    Input.ACTIVITY_END,
    Input.STREAM_END,
)

TABLE: dict[State, dict[Input, Cell]] = {
    State.SETUP: _BEFORE_SETUP | {Input.SETUP: Action.SET_UP},
    State.HISTORY: _AFTER_SETUP
    | dict.fromkeys(_REALTIME, PRECONDITION)
    | {Input.CONTENT: Action.REMEMBER},
    State.IDLE: _AFTER_SETUP,
    State.WINDOW: _AFTER_SETUP
    | {
        Input.ACTIVITY_START: PRECONDITION,
        Input.ACTIVITY_END: Action.ANSWER,
        Input.TEXT: PRECONDITION,
        Input.CONTENT: PRECONDITION,
    },
    State.GENERATING: _AFTER_SETUP,
    State.TOOL_PENDING: _AFTER_SETUP | dict.fromkeys(_REALTIME, NOT_ENABLED),
}

_EXPLICIT: dict[Input, Cell] = {
    Input.ACTIVITY_START: EXPLICIT_ACTIVITY,
    Input.ACTIVITY_END: EXPLICIT_ACTIVITY,
}
_LISTENING: dict[Input, Cell] = (
    _AFTER_SETUP
    | _EXPLICIT
    | {
        Input.AUDIO: Action.DETECT,
        Input.STREAM_END: Action.END_STREAM,
    }
)

#: With automatic activity detection.
AUTOMATIC_TABLE: dict[State, dict[Input, Cell]] = {
    State.SETUP: TABLE[State.SETUP],
    State.HISTORY: TABLE[State.HISTORY],
    State.IDLE: _LISTENING,
    State.WINDOW: _LISTENING,
    State.GENERATING: _LISTENING,
    State.TOOL_PENDING: TABLE[State.TOOL_PENDING] | _EXPLICIT,
}
