"""What the light can show."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from speakerd.errors import FailureKind

if TYPE_CHECKING:
    from speakerd.conversation.status import Status


class Light(enum.Enum):
    """The states that a person can tell apart by looking; how each looks is the panel's."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MUTED = "muted"
    OFFLINE = "offline"  # no connection, though one was tried for
    ERROR = "error"
    OFF = "off"  # the speaker does not run


_OF_TURNS = {
    "listening": Light.LISTENING,
    "thinking": Light.THINKING,
    "speaking": Light.SPEAKING,
    "ringing": Light.SPEAKING,
}
#: Why there is no connection, where it is not for somebody to mend something.
_OFFLINE = {FailureKind.NETWORK, FailureKind.TIMEOUT, FailureKind.SERVER, FailureKind.TOKEN}


def light_of(status: Status) -> Light:
    """What a person shall see: what it does, else what keeps it from it.

    The mute comes first: whoever has closed the microphone can rely on seeing it.
    """
    if status.state in _OF_TURNS:
        return _OF_TURNS[status.state]
    if status.muted:
        return Light.MUTED
    if status.state == "error":
        return Light.ERROR
    if status.trouble is not None and status.trouble.kind is not FailureKind.IDLE:
        return Light.OFFLINE if status.trouble.kind in _OFFLINE else Light.ERROR
    return Light.IDLE
