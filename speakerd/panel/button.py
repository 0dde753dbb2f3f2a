"""The push button on a GPIO line, by edges, through gpiozero and any of its pin factories.

The button connects the line to ground; the board's pull-up holds it high while nobody presses.
Every edge is passed on as it comes, on the pin library's thread: debouncing is the core's. Only a
line that flutters faster than any finger, as one with a broken wire does, is thinned out: of what
is left out the last level is passed on, so that no release is lost.

A line that cannot be used is reported once for each reason and tried again, more and more
rarely: another program may let go of it, and at boot udev may not have handed it over yet. Only a
machine without any GPIO, where nobody asks for a certain pin factory, is not tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.conversation.events import (
    ButtonEdge,
    ButtonHeldAtStart,
    Device,
    DeviceLost,
    DeviceReady,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import gpiozero

    from speakerd.conversation.events import Event

_log = logging.getLogger(__name__)

_FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 60.0
_STOP_S = 0.8  # the opener may be in the middle of an import: it is not waited for longer

#: Edges passed on in a burst, and then in a second: a mashed and bouncing button makes 50.
_BURST_EDGES = 400
_EDGES_PER_S = 200
_SETTLE_S = 0.1  # how long edges are left out when there were more

_NO_GPIO = (
    "this machine has no GPIO; `speakerd press` and `speakerd release` are a button, too, "
    "and GPIOZERO_PIN_FACTORY names pins elsewhere"
)
_NO_LIBRARY = (
    "install lgpio beside speakerd (in a checkout: make pi), "
    "or set GPIOZERO_PIN_FACTORY to what is there"
)
#: (part of the error's text in lower case, what to do about it); the first match wins.
_REMEDIES = (
    ("unable to find pin factory", "GPIOZERO_PIN_FACTORY may be lgpio, rpigpio, pigpio or native"),
    ("busy", "free it from the other program or overlay, or set SPEAKERD_BUTTON_PIN"),
    ("in use", "free it from the other program or overlay, or set SPEAKERD_BUTTON_PIN"),
    ("not a valid pin", "set SPEAKERD_BUTTON_PIN to a pin of this board"),
    ("gpiochip", "the user of speakerd must be in the group gpio"),
    ("permission", "the user of speakerd must be in the group gpio"),
)


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
        devices: Path = Path("/dev"),
        first_retry_s: float = _FIRST_RETRY_S,
    ) -> None:
        self._pin = pin
        self._post = post
        self._devices = devices
        self._first_retry_s = first_retry_s
        self._moved = False  # an edge has come since the line was opened
        self._edges = threading.Lock()  # of what follows
        self._allowance: float = _BURST_EDGES
        self._allowed_at = time.monotonic()
        self._level = False  # of the newest edge
        self._settling: threading.Timer | None = None  # edges are left out until it ends
        self._stopping = threading.Event()
        self._line: Any = None
        self._lock = threading.Lock()  # of the line, between the opener and stop
        self._opener = threading.Thread(target=self._open, name="button", daemon=True)

    def start(self) -> None:
        """Begin to look after the line. Does not block: gpiozero is imported by a thread."""
        self._opener.start()

    def stop(self) -> None:
        """Let go of the line, within 1 s; nothing is posted afterwards."""
        self._stopping.set()
        with self._edges:
            settling = self._settling
        if settling is not None:
            settling.cancel()
            settling.join(_STOP_S)
        if self._opener.is_alive():
            self._opener.join(_STOP_S)
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None

    def _open(self) -> None:
        """Open the line, however often it takes."""
        if not os.environ.get("GPIOZERO_PIN_FACTORY") and not self._has_gpio():
            self._post(DeviceLost(Device.BUTTON, _NO_GPIO))
            return
        told = ""
        for delay_s in _backoff(self._first_retry_s):
            try:
                self._claim()
            except Exception as error:  # noqa: BLE001 - each pin library has errors of its own
                reason = f"GPIO{self._pin}: {_explained(error)}"
                if reason != told and not self._stopping.is_set():
                    self._post(DeviceLost(Device.BUTTON, reason))
                    told = reason
            else:
                return
            if self._stopping.wait(delay_s):
                return

    def _has_gpio(self) -> bool:
        return any(next(self._devices.glob(name), None) for name in ("gpiochip*", "gpiomem*"))

    def _claim(self) -> None:
        """Open the line and report what it is like. Raises whatever the pin library raises."""
        import gpiozero  # noqa: PLC0415 - slow to import: not before its own thread runs

        # that another library was tried before is no news; if none will do, _explained says why
        warnings.simplefilter("ignore", gpiozero.PinFactoryFallback)
        warnings.simplefilter("ignore", gpiozero.NativePinFactoryFallback)
        # gpiozero's Button is this plus a thread that wakes ten times a second for when_held
        line = gpiozero.DigitalInputDevice(self._pin, pull_up=True, bounce_time=None)
        try:
            self._watch(line)
        except BaseException:
            line.close()  # or the next attempt would find it taken, by ourselves
            raise

    def _watch(self, line: gpiozero.DigitalInputDevice) -> None:
        """Report edges from now on, and what the line is like now."""
        with self._lock:
            if self._stopping.is_set():
                line.close()
                return
            line.when_activated = self._pressed
            line.when_deactivated = self._released
            if line.is_active and not self._moved:
                self._post(ButtonHeldAtStart())
            _log.debug("GPIO%d opened by %s", self._pin, type(line.pin_factory).__name__)
            self._line = line
            self._post(DeviceReady(Device.BUTTON))

    def _pressed(self) -> None:
        self._edge(pressed=True)

    def _released(self) -> None:
        self._edge(pressed=False)

    def _edge(self, *, pressed: bool) -> None:
        self._moved = True
        with self._edges:
            self._level = pressed
            if self._stopping.is_set() or self._settling is not None:
                return
            if self._allows_one_more():
                self._post(ButtonEdge(pressed))
                return
            self._settling = threading.Timer(_SETTLE_S, self._settle)
            self._settling.daemon = True
            self._settling.start()

    def _allows_one_more(self) -> bool:
        now = time.monotonic()
        earned = (now - self._allowed_at) * _EDGES_PER_S
        self._allowance = min(_BURST_EDGES, self._allowance + earned) - 1
        self._allowed_at = now
        if self._allowance < 0:
            self._allowance = 0
            return False
        return True

    def _settle(self) -> None:
        """Pass on what the edges that were left out have led to."""
        with self._edges:
            self._settling = None
            if not self._stopping.is_set():
                self._post(ButtonEdge(self._level))


def _backoff(first_s: float) -> Iterator[float]:
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, _LONGEST_RETRY_S)


def _explained(error: Exception) -> str:
    """One line: what the pin library says, and what to do about it."""
    if str(error) == "Unable to load any default pin factory!":
        error = _why_not_lgpio() or error
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        remedy = _NO_LIBRARY
    else:
        remedy = next((remedy for part, remedy in _REMEDIES if part in text.lower()), "")
    return f"{text}; {remedy}" if remedy else text


def _why_not_lgpio() -> Exception | None:
    """What keeps gpiozero from its first choice; it does not say."""
    try:
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - may not be there

        LGPIOFactory().close()
    except Exception as error:  # noqa: BLE001 - lgpio's own
        return error
    return None
