"""The eyes of the model: a camera that takes pictures of what somebody speaks about."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Protocol

from speakerd.camera.camera import Camera
from speakerd.conversation import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.config.settings import Settings

#: What the status and the journal call it.
NAME = "camera"


class CameraPort(Protocol):
    """Takes pictures for a turn, from :meth:`begin` to :meth:`end`; neither blocks."""

    def start(self) -> None:
        """Begin to look after it."""
        ...

    def stop(self) -> None:
        """Let go of it, within 1 s."""
        ...

    def begin(self, turn: int, show: Callable[[bytes], None]) -> None:
        """Take pictures, and hand each JPEG to ``show`` in the loop's thread."""
        ...

    def end(self, turn: int) -> None:
        """Take no more for this turn."""
        ...


def camera(settings: Settings, post: Callable[[ev.Event], None]) -> CameraPort | None:
    """The one that the settings name."""
    if not settings.camera_command:
        return None
    return Camera(
        shlex.split(settings.camera_command),
        settings.camera_interval_s,
        ready=lambda: post(ev.PartReady(NAME)),
        lost=lambda reason: post(ev.PartLost(NAME, reason)),
    )
