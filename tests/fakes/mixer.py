"""A sound card's mixer without ALSA, which other programs can turn, lock and unplug.

It satisfies ``speakerd.audio.mixer.Mixer`` and tells of changes through real file descriptors.
"""

from __future__ import annotations

import os
import select
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.audio.controls import Control, Side
from speakerd.audio.mixer import LockedError
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.mixer import Element, Mixer


@dataclass
class FakeControl:
    """One control: a volume of each channel, and a switch of each or none."""

    name: str = "PCM"
    raw_range: tuple[int, int] = (0, 100)
    volumes: list[int] = field(default_factory=lambda: [50, 50])
    switches: list[bool] | None = None
    db_of: Callable[[int], float | None] = lambda _raw: None
    locked: str | None = None  # why it cannot be set
    index: int = 0

    def control(self) -> Control:
        low, high = self.raw_range
        percent = round(100 * (max(self.volumes) - low) / (high - low))
        on = None if self.switches is None else any(self.switches)
        return Control(self.name, self.index, playback=Side(on, percent))


class FakeCard:
    """The card; :meth:`open` is what ``open_mixer`` is otherwise."""

    def __init__(self, *controls: FakeControl) -> None:
        self.controls = list(controls)
        self.missing: str | None = None  # why it cannot be opened
        self.failing: Exception | None = None  # what each look at a control raises
        self.hanging = threading.Event()  # while it is clear, opening blocks
        self.hanging.set()
        self.opened = 0
        self.updates = 0
        self.log: list[str] = []  # what was set, in its order
        self.lock = threading.RLock()  # of the mixers' descriptors
        self._open: list[_FakeMixer] = []

    def open(self, name: str) -> Mixer:
        self.opened += 1
        self.hanging.wait()
        if self.missing is not None:
            raise DeviceError(f"the mixer {name}: {self.missing}")
        with self.lock:
            mixer = _FakeMixer(self)
            self._open.append(mixer)
        return mixer

    # --- what a test, and another program, does to it

    def turn(self, raw: int | None = None, *, on: bool | None = None) -> None:
        """Another program turns the first control."""
        control = self.controls[0]
        if raw is not None:
            control.volumes = [raw] * len(control.volumes)
        if on is not None and control.switches is not None:
            control.switches = [on] * len(control.switches)
        self.notify()

    def add(self, control: FakeControl) -> None:
        self.controls.append(control)
        self.notify()

    def unplug(self, reason: str = "No such device") -> None:
        self.missing = reason
        with self.lock:
            for mixer in self._open:
                mixer.hang_up()

    def plug(self) -> None:
        self.missing = None

    def notify(self) -> None:
        with self.lock:
            for mixer in self._open:
                mixer.notify()

    def closed(self, mixer: _FakeMixer) -> None:
        self._open.remove(mixer)


class _FakeMixer:
    def __init__(self, card: FakeCard) -> None:
        self.card = card
        self._news, self._teller = os.pipe()

    def controls(self) -> list[Control]:
        return [each.control() for each in self.card.controls]

    def element(self, control: Control) -> Element:
        return _FakeElement(self.card, (control.name, control.index))

    def descriptors(self) -> list[tuple[int, int]]:
        return [(self._news, select.POLLIN)]

    def update(self) -> None:
        self.card.updates += 1
        if select.select([self._news], [], [], 0)[0]:
            os.read(self._news, 1000)

    def close(self) -> None:
        with self.card.lock:
            self.card.closed(self)
            os.close(self._news)
            self.hang_up()

    def notify(self) -> None:
        if self._teller >= 0:
            os.write(self._teller, b"x")

    def hang_up(self) -> None:
        if self._teller >= 0:
            os.close(self._teller)
        self._teller = -1


class _FakeElement:
    def __init__(self, card: FakeCard, identity: tuple[str, int]) -> None:
        self._card = card
        self._identity = identity

    @property
    def raw_range(self) -> tuple[int, int]:
        return self._control.raw_range

    def db_of(self, raw: int) -> float | None:
        return self._control.db_of(raw)

    def raw(self) -> int:
        return max(self._control.volumes)

    def on(self) -> bool | None:
        switches = self._control.switches
        return None if switches is None else any(switches)

    def set_raw(self, raw: int) -> None:
        control = self._writable()
        low, high = control.raw_range
        assert low <= raw <= high
        control.volumes = [raw] * len(control.volumes)
        self._card.log.append(f"raw {raw}")
        self._card.notify()  # ALSA tells everybody, and who has done it, too

    def switch(self, *, on: bool) -> None:
        if self._control.switches is not None:
            control = self._writable()
            control.switches = [on] * len(self._control.switches)
            self._card.log.append(f"on {on}")
            self._card.notify()

    def _writable(self) -> FakeControl:
        control = self._control
        if control.locked is not None:
            raise LockedError(f"the mixer fake: {control.locked}")
        return control

    @property
    def _control(self) -> FakeControl:
        if self._card.failing is not None:
            raise self._card.failing
        for each in self._card.controls:
            if (each.name, each.index) == self._identity:
                return each
        raise DeviceError(f"the mixer fake: {self._identity[0]} is gone")
