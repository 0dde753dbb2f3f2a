"""Input devices without a kernel: sysfs' files for their names, and a pipe for what they say.

The events are read by evdev's own code; only the ioctls are made up.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
from typing import TYPE_CHECKING, Any

from evdev import ecodes
from evdev.eventio import EventIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: struct input_event of linux/input.h: two longs of time, type, code, value.
_EVENT = struct.Struct("llHHi")


class FakeInput(EventIO):
    """An open device; ``down`` are the codes of the keys that are held."""

    def __init__(self, port: FakePort) -> None:
        self.port = port
        self.name = port.name
        self.fd, self._writer = os.pipe()
        self.grabbed = self.closed = False
        self._unplugged = False
        os.set_blocking(self.fd, False)

    def grab(self) -> None:
        if self.port.grabbed_by_another:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.grabbed = True

    def ungrab(self) -> None:
        self.grabbed = False

    def active_keys(self) -> list[int]:
        return sorted(self.port.down)

    def read(self) -> Iterator[Any]:
        events = list(super().read())
        if self._unplugged and not events:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return iter(events)

    def close(self) -> None:
        self.closed = True
        os.close(self.fd)
        if not self._unplugged:
            os.close(self._writer)

    def unplug(self) -> None:
        """What was typed before is still read."""
        self._unplugged = True
        os.close(self._writer)

    def tell(self, *events: tuple[int, int, int]) -> None:
        os.write(self._writer, b"".join(_EVENT.pack(0, 0, *event) for event in events))


class FakePort:
    """What a device is plugged into, as /dev/input/event``number`` below ``root``."""

    def __init__(self, root: Path, number: int, name: str, *, keys: str = "3 0") -> None:
        self.path = root / f"dev/input/event{number}"
        self._sys = root / f"sys/class/input/event{number}/device"
        self.name = name
        self._keys = keys
        self.down: set[int] = set()
        self.grabbed_by_another = False
        self.refusal: OSError | UnicodeDecodeError | None = None  # for whoever opens it
        self.attempts = 0
        self.opened: list[FakeInput] = []
        self.plug_in()

    @property
    def device(self) -> FakeInput:
        """The newest one."""
        return self.opened[-1]

    def plug_in(self) -> None:
        (self._sys / "capabilities").mkdir(parents=True, exist_ok=True)
        (self._sys / "capabilities/key").write_text(f"{self._keys}\n", encoding="ascii")
        (self._sys / "name").write_text(f"{self.name}\n", encoding="utf-8")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def unplug(self) -> None:
        self.path.unlink()
        (self._sys / "name").unlink()
        if self.opened:
            self.device.unplug()

    def open(self) -> FakeInput:
        self.attempts += 1
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(FakeInput(self))
        return self.device

    def press(self, *codes: int) -> None:
        for code in codes:
            self.down.add(code)
            self._tell(code, 1)

    def release(self, *codes: int) -> None:
        for code in codes:
            self.down.remove(code)
            self._tell(code, 0)

    def repeat(self, code: int) -> None:
        """What a keyboard does while a key is held."""
        self._tell(code, 2)

    def drop_events(self) -> None:
        """The kernel's buffer was full."""
        self.device.tell((ecodes.EV_SYN, ecodes.SYN_DROPPED, 0))

    def report(self) -> None:
        self.device.tell((ecodes.EV_SYN, ecodes.SYN_REPORT, 0))

    def _tell(self, code: int, value: int) -> None:
        self.device.tell((ecodes.EV_KEY, code, value), (ecodes.EV_SYN, ecodes.SYN_REPORT, 0))


class FakePorts:
    """All of them below ``root``; ``open`` is the keypad's opener."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ports: dict[Path, FakePort] = {}
        self._lock = threading.Lock()

    def add(self, name: str, *, keys: str = "3 0") -> FakePort:
        """Plug in one more; with ``keys="0"`` it has none, as a lid switch."""
        made = FakePort(self.root, len(self._ports), name, keys=keys)
        with self._lock:
            self._ports[made.path] = made
        return made

    def open(self, path: Path) -> FakeInput:
        with self._lock:
            return self._ports[path.resolve()].open()
