"""One GPIO line that a button or a switch connects to ground, by edges.

The board's pull-up holds it high while nobody presses. Every edge is passed on as it comes, on the
pin library's thread: debouncing is the core's. Only a line that flutters faster than any finger, as
one with a broken wire does, is thinned out: of what is left out the last level is passed on, so
that no release is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from speakerd.panel.allowance import SETTLE_S, Allowance
from speakerd.panel.claim import DEVICES, FIRST_RETRY_S, STOP_S, Claim, gpiozero_alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)


class InputLine:
    """BCM line ``pin``, which the variable ``option`` names; pressed is low.

    ``on_open`` is told whether it is pressed when it has been opened, before any edge; ``on_edge``
    each edge after that; ``on_lost`` why it cannot be used, once for each reason, while it is tried
    again. They are called from foreign threads, and not after :meth:`stop`. ``instead`` says, as
    the beginning of a sentence, what does without the line where there is no GPIO at all.
    """

    def __init__(  # noqa: PLR0913 - half of them are of the surroundings
        self,
        pin: int,
        option: str,
        *,
        on_open: Callable[[bool], None],
        on_edge: Callable[[bool], None],
        on_lost: Callable[[str], None],
        instead: str = "",
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._pin = pin
        self._on_open = on_open
        self._on_edge = on_edge
        self._edges = threading.Lock()  # of what follows, and of the order of what is told
        self._allowance = Allowance()
        self._level = False  # of the newest edge
        self._settling: threading.Timer | None = None  # edges are left out until it ends
        self._device: Any = None
        self._lock = threading.Lock()  # of the device, between the claim and stop
        self._claim = Claim(
            f"GPIO{pin}",
            option,
            self._open,
            on_lost,
            instead=instead,
            devices=devices,
            first_retry_s=first_retry_s,
        )

    def start(self) -> None:
        """Begin to look after the line. Does not block: gpiozero is imported by a thread."""
        self._claim.start()

    def stop(self, within_s: float = STOP_S) -> None:
        """Let go of the line; nothing is told afterwards. Waits no longer than ``within_s``."""
        self._claim.stopping.set()
        until = time.monotonic() + within_s
        with self._edges:
            settling = self._settling
        if settling is not None:
            settling.cancel()
            settling.join(within_s)
        self._claim.stop(max(0.0, until - time.monotonic()))
        with self._lock:
            if self._device is not None:
                self._device.close()
                self._device = None

    def _open(self) -> None:
        """Open the line and tell what it is like. Raises whatever the pin library raises."""
        with gpiozero_alone() as gpiozero:
            if self._claim.stopping.is_set():
                return
            # gpiozero's Button is this plus a thread that wakes ten times a second for when_held
            device = gpiozero.DigitalInputDevice(self._pin, pull_up=True, bounce_time=None)
            try:
                self._watch(device)
            except BaseException:
                device.close()  # or the next attempt would find it taken, by ourselves
                raise

    def _watch(self, device: Any) -> None:  # noqa: ANN401 - gpiozero has no types
        """Tell edges from now on, and what the line is like now."""
        with self._lock:
            if self._claim.stopping.is_set():
                device.close()
                return
            with self._edges:  # an edge that comes now is told after what it is an edge from
                device.when_activated = self._pressed
                device.when_deactivated = self._released
                pressed = bool(device.is_active)
                self._device = device
                self._on_open(pressed)
            _log.debug("GPIO%d opened by %s", self._pin, type(device.pin_factory).__name__)

    def _pressed(self) -> None:
        self._edge(pressed=True)

    def _released(self) -> None:
        self._edge(pressed=False)

    def _edge(self, *, pressed: bool) -> None:
        with self._edges:
            self._level = pressed
            if self._claim.stopping.is_set() or self._settling is not None:
                return
            if self._allowance.one_more():
                self._on_edge(pressed)
                return
            self._settling = threading.Timer(SETTLE_S, self._settle)
            self._settling.daemon = True
            self._settling.start()

    def _settle(self) -> None:
        """Pass on what the edges that were left out have led to."""
        with self._edges:
            self._settling = None
            if not self._claim.stopping.is_set():
                self._on_edge(self._level)
