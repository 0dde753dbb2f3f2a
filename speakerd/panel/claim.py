"""Claims on GPIO lines, through gpiozero and any of its pin factories.

A line that cannot be used is told of once for each reason and tried again, more and more rarely:
another program may let go of it, and at boot udev may not have handed it over yet. Only a machine
without any GPIO, where nobody asks for a certain pin factory, is not tried again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Where the kernel's GPIO chips are.
DEVICES = Path("/dev")
FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 60.0
STOP_S = 0.8  # the thread may be in the middle of an import: it is not waited for longer

_NO_GPIO = "this machine has no GPIO; "
_ELSEWHERE = "GPIOZERO_PIN_FACTORY names pins elsewhere"
_NO_LIBRARY = (
    "install lgpio beside speakerd (in a checkout: make pi), "
    "or set GPIOZERO_PIN_FACTORY to what is there"
)
#: (part of the error's text in lower case, what to do about it); the first match wins. {option} is
#: the variable that names the line.
_REMEDIES = (
    (
        "unable to find pin factory",
        "GPIOZERO_PIN_FACTORY may be lgpio, rpigpio, pigpio, native or mock",
    ),
    ("busy", "free it from the other program or overlay, or set {option}"),
    ("in use", "free it from the other program or overlay, or set {option}"),
    ("not a valid pin", "set {option} to a pin of this board"),
    ("gpiochip", "the user of speakerd must be in the group gpio"),
    ("permission", "the user of speakerd must be in the group gpio"),
)

# gpiozero makes the pin factory of all devices when the first of them is made, and does so without
# a lock: two at once would be two openings of the same chip.
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def gpiozero_alone() -> Iterator[Any]:
    """gpiozero, to make devices with, while no other thread does. Takes its time: it is imported.

    Not for the loop's thread.
    """
    with _one_at_a_time:
        import gpiozero  # noqa: PLC0415 - slow to import: not before a thread of its own runs

        # that another library was tried before is no news; if none will do, _explained says why
        warnings.simplefilter("ignore", gpiozero.PinFactoryFallback)
        warnings.simplefilter("ignore", gpiozero.NativePinFactoryFallback)
        yield gpiozero


class Claim:
    """One device's claim on its lines: ``attempt`` is called, on a thread, until it returns.

    ``attempt`` may raise whatever the pin library raises; it then has let go of all it had, is
    called again later, and ``lost`` gets the reason in one line, for people. ``what`` are the lines
    (GPIO17), ``option`` the variable that names them, ``instead`` what does without them.
    ``stopping`` is set by :meth:`stop`. ``lost`` is called on the thread.
    """

    def __init__(
        self,
        what: str,
        option: str,
        attempt: Callable[[], None],
        lost: Callable[[str], None],
        *,
        instead: str = "",
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self.stopping = threading.Event()
        self._what = what
        self._option = option
        self._attempt = attempt
        self._lost = lost
        self._instead = instead
        self._devices = devices
        self._first_retry_s = first_retry_s
        self._told = ""
        self._thread = threading.Thread(target=self._try, name=what, daemon=True)

    def start(self) -> None:
        """Begin to try. Does not block."""
        self._thread.start()

    def stop(self, within_s: float = STOP_S) -> None:
        """Try no more, and wait for the attempt that is under way, but no longer than this."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def held(self) -> None:
        """The lines are ours, says the attempt: if they are lost once more, that is news again."""
        self._told = ""

    def _try(self) -> None:
        if not os.environ.get("GPIOZERO_PIN_FACTORY") and not self._has_gpio():
            self._lost(f"{_NO_GPIO}{self._instead}{_ELSEWHERE}")
            return
        for delay_s in _backoff(self._first_retry_s):
            try:
                self._attempt()
            except Exception as error:  # noqa: BLE001 - each pin library has errors of its own
                self._tell(f"{self._what}: {_explained(error, self._option)}")
            else:
                return
            if self.stopping.wait(delay_s):
                return

    def _has_gpio(self) -> bool:
        return any(next(self._devices.glob(name), None) for name in ("gpiochip*", "gpiomem*"))

    def _tell(self, reason: str) -> None:
        if reason != self._told and not self.stopping.is_set():
            self._lost(reason)
            self._told = reason


def _backoff(first_s: float) -> Iterator[float]:
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, _LONGEST_RETRY_S)


def _explained(error: Exception, option: str) -> str:
    """One line: what the pin library says, and what to do about it."""
    if str(error) == "Unable to load any default pin factory!":
        error = _why_not_lgpio() or error
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        remedy = _NO_LIBRARY
    else:
        remedy = next((remedy for part, remedy in _REMEDIES if part in text.lower()), "")
    return f"{text}; {remedy.format(option=option)}" if remedy else text


def _why_not_lgpio() -> Exception | None:
    """What keeps gpiozero from its first choice; it does not say."""
    try:
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - may not be there

        LGPIOFactory().close()
    except Exception as error:  # noqa: BLE001 - lgpio's own
        return error
    return None
