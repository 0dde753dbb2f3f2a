"""The push button on a GPIO line: the core's events of what the line does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation.events import (
    ButtonEdge,
    ButtonHeldAtStart,
    Device,
    DeviceLost,
    DeviceReady,
)
from speakerd.panel.claim import DEVICES, FIRST_RETRY_S
from speakerd.panel.line import InputLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.conversation.events import Event

_OPTION = "SPEAKERD_BUTTON_PIN"
_INSTEAD = "`speakerd press` and `speakerd release` are a button, too, and "


class GpioButton:
    """The button on BCM line ``pin``; posts ButtonEdge, ButtonHeldAtStart and the Device events.

    ``post`` is called from foreign threads. ``devices`` is where the kernel's GPIO chips are,
    ``first_retry_s`` how long after a failure the line is tried again at first.
    """

    def __init__(
        self,
        pin: int,
        post: Callable[[Event], None],
        *,
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._post = post
        self._line = InputLine(
            pin,
            _OPTION,
            on_open=self._opened,
            on_edge=lambda pressed: post(ButtonEdge(pressed)),
            on_lost=lambda reason: post(DeviceLost(Device.BUTTON, reason)),
            instead=_INSTEAD,
            devices=devices,
            first_retry_s=first_retry_s,
        )

    def start(self) -> None:
        """Begin to look after the line. Does not block: gpiozero is imported by a thread."""
        self._line.start()

    def stop(self) -> None:
        """Let go of the line, within 1 s; nothing is posted afterwards."""
        self._line.stop()

    def _opened(self, held: bool) -> None:
        if held:
            self._post(ButtonHeldAtStart())
        self._post(DeviceReady(Device.BUTTON))
