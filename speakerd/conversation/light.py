"""What the light can show."""

from __future__ import annotations

import enum


class Light(enum.Enum):
    """The states that a person can tell apart by looking; how each looks is the panel's."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MUTED = "muted"
    OFFLINE = "offline"  # no network
    ERROR = "error"
    OFF = "off"  # the speaker does not run
