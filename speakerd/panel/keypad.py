"""Keypads and foot switches: what the kernel's input devices say, through evdev.

The device is taken for speakerd alone (EVIOCGRAB): what its keys type is not for the console. A key
that is down when the device is opened means nothing before it has been let go of. When the kernel
has had to drop events (SYN_DROPPED in its Documentation/input/event-codes.rst), the device is asked
which keys are down, so that no release is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from speakerd.panel import inputs
from speakerd.panel.allowance import SETTLE_S, Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Use = TypeVar("Use")

_OPTION, _KEYS_OPTION = "SPEAKERD_KEYPAD", "SPEAKERD_KEYPAD_KEYS"
#: Where it is not there, it is looked for so often: somebody plugs it in and wants to use it.
_RETRY_S = 2.0
_LONGEST_RETRY_S = 60.0  # where it is there, and cannot be read
#: And so often for more devices of that name, once there is one: a foot switch that is keyboard and
#: mouse at once comes as two, one after the other.
_LOOKS = 5
_STOP_S = 0.8
_APPLY = "it may not be read; sudo speakerd-keypad --apply && sudo systemctl restart speakerd"
_REASONS = {
    errno.ENODEV: "it has been unplugged",
    errno.ENOTTY: f"it is no input device; set {_OPTION} to what speakerd-keypad lists",
    errno.EBUSY: "another program has it to itself; stop that one",
    errno.EACCES: _APPLY,
    errno.EPERM: _APPLY,  # by the unit's DeviceAllow=
}
_UP, _DOWN = 0, 1  # the values of EV_KEY; 2 is the keyboard's own repeat


def open_device(path: Path) -> Any:  # noqa: ANN401 - evdev.InputDevice, imported late
    """The input device at ``path``, not grabbed yet. Raises OSError."""
    import evdev  # noqa: PLC0415 - only who has a keypad needs it

    return evdev.InputDevice(path, readonly=True)


def code_of(key: str) -> int:
    """The kernel's number of a key: KEY_B, B, BTN_LEFT; or 84, which has no name.

    Raises ValueError.
    """
    from evdev import ecodes  # noqa: PLC0415 - as above

    for name in (key.upper(), f"KEY_{key.upper()}"):
        if name.startswith(("KEY_", "BTN_")) and name in ecodes.ecodes:
            return int(ecodes.ecodes[name])
    if key.isdecimal():
        return int(key)
    raise ValueError(f"no key is called {key}; speakerd-keypad --watch tells what yours are called")


def name_of(code: int) -> str:
    """What the kernel calls a key: KEY_B; a number where it has no name for it."""
    from evdev import ecodes  # noqa: PLC0415 - as above

    found = ecodes.keys.get(code, str(code))
    names = (found,) if isinstance(found, str) else found
    return next(name for name in names if name != "KEY_MIN_INTERESTING")  # that is KEY_MUTE's, too


class _Pressed(Generic[Use]):
    """Which keys of one device are down, and what comes of it."""

    def __init__(self, device: Any, use_of: Callable[[int], Use | None]) -> None:  # noqa: ANN401
        self.device = device
        self._use_of = use_of
        self._down = frozenset(device.active_keys())
        self._ignored = self._down  # they were down before anybody listened
        self._behind = False  # events were dropped, until the next report

    def uses(self) -> set[Use]:
        """What the keys that are down are for."""
        uses = (self._use_of(code) for code in self._down - self._ignored)
        return {use for use in uses if use is not None}

    def take(self, events: Iterable[Any]) -> Iterable[None]:
        """Take events; after each that may have changed anything it says so."""
        from evdev import ecodes  # noqa: PLC0415 - as above

        for event in events:
            if event.type == ecodes.EV_SYN and event.code == ecodes.SYN_DROPPED:
                self._behind = True
            elif event.type == ecodes.EV_SYN and self._behind:
                self._behind = False
                self._now_down(frozenset(self.device.active_keys()))
                yield
            elif event.type == ecodes.EV_KEY and not self._behind:
                if event.value == _DOWN:
                    self._now_down(self._down | {event.code})
                elif event.value == _UP:
                    self._now_down(self._down - {event.code})
                yield

    def _now_down(self, codes: frozenset[int]) -> None:
        self._down = codes
        self._ignored &= codes


class EvdevKeypad(Generic[Use]):
    """The devices that ``wanted`` means (:func:`speakerd.panel.inputs.named`), as one keypad.

    ``keys`` are the names of the keys that are for something, as :func:`code_of` takes them, and
    what they are for; with ``others`` all that are not named are for that. ``edge`` is told when
    the first key for a use goes down, and when the last goes up. ``ready`` is called when the
    devices are open; ``lost`` with the reason why they are not, once for each, while they are
    looked for: nothing is down then. All are called on a thread of its own, which sleeps while
    nobody presses, and not after :meth:`stop`.
    """

    def __init__(  # noqa: PLR0913 - half of them are of the surroundings
        self,
        wanted: str,
        keys: Mapping[str, Use],
        others: Use | None,
        *,
        edge: Callable[[Use, bool], None],
        ready: Callable[[], None],
        lost: Callable[[str], None],
        root: Path = Path("/"),
        opener: Callable[[Path], Any] = open_device,
        retry_s: float = _RETRY_S,
    ) -> None:
        self._wanted = wanted
        self._keys = keys
        self._others = others
        self._edge = edge
        self._ready = ready
        self._lost = lost
        self._root = root
        self._opener = opener
        self._retry_s = retry_s
        self._delay_s = retry_s
        self._told = ""
        self._uses: dict[int, Use] = {}
        self._allowance = Allowance()
        self._stopping = threading.Event()
        self._waker: int | None = None  # one end of a pipe, the thread has the other
        self._thread = threading.Thread()

    def start(self) -> None:
        """Begin to look for it. Does not block: evdev is imported by the thread."""
        wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, args=(wake,), name="keypad", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of it, within 1 s; nothing is told afterwards."""
        if self._stopping.is_set() or self._waker is None:
            return
        self._stopping.set()
        os.close(self._waker)  # the other end wakes the thread
        self._thread.join(_STOP_S)

    def _run(self, wake: int) -> None:
        while not self._stopping.is_set():
            self._use_once(wake)
        os.close(wake)

    def _use_once(self, wake: int) -> None:
        """Open it, and listen for as long as it is there and whole."""
        with contextlib.ExitStack() as opened:
            try:
                self._uses = self._named()
                paths = self._found()
                devices = [self._open(path, opened) for path in paths]
                self._tell_ready()
                self._listen(devices, paths, wake)
            except Exception as error:  # noqa: BLE001 - evdev's own, for a name that is no UTF-8
                self._tell(_explained(error))
                opened.close()
                self._stopping.wait(self._delay_s)
                self._delay_s = min(2 * self._delay_s, _LONGEST_RETRY_S)

    def _named(self) -> dict[int, Use]:
        """Raises ValueError."""
        try:
            return {code_of(key): use for key, use in self._keys.items()}
        except ValueError as error:
            raise ValueError(f"{_KEYS_OPTION}: {error}") from None

    def _found(self) -> list[Path]:
        """Raises OSError."""
        paths = inputs.named(self._wanted, self._root)
        if not paths:
            self._delay_s = self._retry_s
            called = "is there" if self._wanted.startswith("/") else "is called so"
            remedy = f"plug it in, or set {_OPTION} to what speakerd-keypad lists"
            raise FileNotFoundError(f"{self._wanted}: no input device {called}; {remedy}")
        return paths

    def _open(self, path: Path, opened: contextlib.ExitStack) -> _Pressed[Use]:
        """Raises OSError."""
        device = self._opener(path)
        opened.callback(device.close)
        device.grab()
        return _Pressed(device, lambda code: self._uses.get(code, self._others))

    def _listen(self, devices: list[_Pressed[Use]], paths: list[Path], wake: int) -> None:
        """Until it is to stop, or there are others. Raises OSError when one of them is gone."""
        down: set[Use] = set()
        looks, look_at = _LOOKS, time.monotonic() + self._retry_s
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as at_last:
            at_last.callback(lambda: self._changed(down, set()))
            selector.register(wake, selectors.EVENT_READ)
            for pressed in devices:
                selector.register(pressed.device.fd, selectors.EVENT_READ, pressed)
            while not self._stopping.is_set():
                looking = looks > 0 and not down  # a held key is not let go of for that
                ready = selector.select(max(0.0, look_at - time.monotonic()) if looking else None)
                if looking and time.monotonic() >= look_at:
                    looks, look_at = looks - 1, time.monotonic() + self._retry_s
                    self._delay_s = self._retry_s
                    if self._found() != paths:
                        return
                for key, _ in ready:
                    if key.data is None:
                        return
                    for _ in key.data.take(key.data.device.read()):
                        now = set[Use]().union(*(each.uses() for each in devices))
                        self._changed(down, now)
                        down = now
                    self._delay_s = self._retry_s

    def _changed(self, before: set[Use], now: set[Use]) -> None:
        for use in before ^ now:
            if not self._stopping.is_set():
                self._edge(use, use in now)
                if not self._allowance.one_more():
                    self._stopping.wait(SETTLE_S)  # the kernel drops the rest, and says so

    def _tell_ready(self) -> None:
        self._told = ""
        if not self._stopping.is_set():
            self._ready()

    def _tell(self, reason: str) -> None:
        if reason != self._told and not self._stopping.is_set():
            self._told = reason
            self._lost(reason)


def _explained(error: Exception) -> str:
    """One line: what is the matter, and what to do about it."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
