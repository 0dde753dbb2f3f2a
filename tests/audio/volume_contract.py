"""What every mixer must do, real or fake, and the volume on top of it.

A subclass gives a ``world``: a mixer with a playback control "Master" that has a switch, and
another program that turns it.
"""

from __future__ import annotations

import contextlib
import select
import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from speakerd.audio.controls import choose
from speakerd.audio.volume import Volume
from speakerd.errors import DeviceError
from tests.audio.contract import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speakerd.audio.mixer import Element, Mixer


class MixerWorld(Protocol):
    name: str

    def open(self, name: str) -> Mixer: ...

    def turn(self, percent: int, *, on: bool) -> None:
        """Another program sets Master to a percentage of its raw range."""
        ...


class Told:
    """A listener of the volume's: what it was told, and waiting for it."""

    def __init__(self) -> None:
        self.all: list[object] = []
        self._lock = threading.Lock()
        self._taken = 0

    def ready(self) -> None:
        self._add("ready")

    def changed(self, percent: int, muted: bool) -> None:
        self._add((percent, muted))

    def refused(self, reason: str) -> None:
        self._add(f"refused: {reason}")

    def lost(self, reason: str) -> None:
        self._add(f"lost: {reason}")

    def next(self, count: int = 1) -> list[object]:
        """What comes after what was taken before; waits for it."""
        wait_until(lambda: len(self.all) >= self._taken + count)
        with self._lock:
            taken = self.all[self._taken : self._taken + count]
            self._taken += count
            return taken

    def nothing_more(self) -> bool:
        return len(self.all) == self._taken

    def _add(self, what: object) -> None:
        with self._lock:
            self.all.append(what)


class MixerContract:
    @pytest.fixture
    def mixer(self, world: MixerWorld) -> Iterator[Mixer]:
        world.turn(50, on=True)
        with contextlib.closing(world.open(world.name)) as mixer:
            yield mixer

    @pytest.fixture
    def master(self, mixer: Mixer) -> Element:
        control = choose(mixer.controls())
        assert control is not None
        assert str(control) == "Master"
        assert control.playback is not None
        assert control.playback.volume_percent == 50
        return mixer.element(control)

    @pytest.fixture
    def told(self) -> Told:
        return Told()

    @pytest.fixture
    def make(self, world: MixerWorld, told: Told) -> Iterator[Callable[..., Volume]]:
        world.turn(50, on=True)
        made: list[Volume] = []

        def make_volume(wanted: int | None = None, highest_percent: int = 100) -> Volume:
            volume = Volume(
                world.name,
                listener=told,
                wanted=wanted,
                highest_percent=highest_percent,
                open_mixer=world.open,
            )
            made.append(volume)
            volume.start()
            return volume

        yield make_volume
        for volume in made:
            volume.stop()

    def test_what_is_set_is_seen_by_others(
        self, world: MixerWorld, mixer: Mixer, master: Element
    ) -> None:
        low, high = master.raw_range
        for raw in (low, high, (low + high) // 3):
            master.set_raw(raw)
            assert master.raw() == raw
            with contextlib.closing(world.open(world.name)) as other:
                control = choose(other.controls())
                assert control is not None
                assert other.element(control).raw() == raw
        mixer.update()
        assert master.raw() == raw

    def test_the_switch_is_apart_from_the_volume(self, mixer: Mixer, master: Element) -> None:
        before = master.raw()
        for on in (False, True):
            master.switch(on=on)
            mixer.update()
            assert (master.on(), master.raw()) == (on, before)

    def test_a_change_by_others_is_told_by_a_descriptor(
        self, world: MixerWorld, mixer: Mixer, master: Element
    ) -> None:
        _, high = master.raw_range
        poll = select.poll()
        for descriptor, events in mixer.descriptors():
            poll.register(descriptor, events)
        while poll.poll(0):  # what there was to tell from before
            mixer.update()
        world.turn(100, on=False)

        def seen() -> bool:
            poll.poll(PATIENCE_S * 1000)
            mixer.update()
            return (master.raw(), master.on()) == (high, False)

        wait_until(seen)

    def test_a_mixer_that_is_not_there(self, world: MixerWorld) -> None:
        with pytest.raises(DeviceError, match=r"^the mixer nowhere: [A-Z][a-z ]+$"):
            world.open("nowhere")

    def test_the_volume_is_told_set_stepped_and_limited(
        self, make: Callable[..., Volume], told: Told
    ) -> None:
        volume = make(highest_percent=80)
        assert told.next(2) == ["ready", (50, False)]
        for order, number, percent in (
            (volume.set, 30, 30),
            (volume.step, 5, 35),
            (volume.step, -10, 25),
            (volume.set, 100, 80),
            (volume.step, 5, 80),
        ):
            order(number)
            assert told.next() == [(percent, False)]
        volume.set(0)
        assert told.next() == [(0, True)]
        volume.step(5)
        assert told.next() == [(5, False)]

    def test_the_volume_follows_others(
        self, world: MixerWorld, make: Callable[..., Volume], told: Told
    ) -> None:
        volume = make(wanted=20)
        assert told.next(2) == ["ready", (20, False)]
        world.turn(70, on=True)
        wait_until(lambda: told.all[-1] == (70, False))
        world.turn(70, on=False)
        wait_until(lambda: told.all[-1] == (70, True))
        volume.step(5)
        wait_until(lambda: told.all[-1] == (75, False))
