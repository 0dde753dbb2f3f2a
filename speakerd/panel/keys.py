"""Further buttons and switches, each on a GPIO line of its own, by edges.

What a key does is not known here: it is whatever its owner calls it by.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from speakerd.panel.claim import DEVICES, FIRST_RETRY_S, STOP_S
from speakerd.panel.line import InputLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

K = TypeVar("K")


class GpioKeys(Generic[K]):
    """The keys on ``lines``: for each its BCM line and the variable that names it.

    A key whose line has been opened is told of by ``initial``, with whether it is pressed already,
    as a switch may be, and then by ``ready``; from then on every edge is told by ``edge``, raw. One
    that cannot be used is told of by ``lost``, once for each reason, and tried again; the others
    work meanwhile. All are called from foreign threads, and not after :meth:`stop`.
    """

    def __init__(
        self,
        lines: Mapping[K, tuple[int, str]],
        *,
        initial: Callable[[K, bool], None],
        edge: Callable[[K, bool], None],
        ready: Callable[[K], None],
        lost: Callable[[K, str], None],
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._initial = initial
        self._ready = ready
        self._lines = [
            InputLine(
                pin,
                option,
                on_open=partial(self._opened, key),
                on_edge=partial(edge, key),
                on_lost=partial(lost, key),
                devices=devices,
                first_retry_s=first_retry_s,
            )
            for key, (pin, option) in lines.items()
        ]

    def start(self) -> None:
        """Begin to look after all lines. Does not block: gpiozero is imported by a thread."""
        for line in self._lines:
            line.start()

    def stop(self) -> None:
        """Let go of all lines, within 1 s; nothing is told afterwards."""
        until = time.monotonic() + STOP_S
        for line in self._lines:
            line.stop(max(0.0, until - time.monotonic()))

    def _opened(self, key: K, pressed: bool) -> None:
        self._initial(key, pressed)
        self._ready(key)
