"""The fake mixer does what every mixer must; tests/alsa has the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.errors import DeviceError
from tests.audio.volume_contract import MixerContract
from tests.fakes.mixer import FakeCard, FakeControl

if TYPE_CHECKING:
    from speakerd.audio.mixer import Mixer


class FakeWorld:
    name = "fake"

    def __init__(self) -> None:
        self.card = FakeCard(FakeControl("Master", switches=[True, True]))

    def open(self, name: str) -> Mixer:
        if name != self.name:
            raise DeviceError(f"the mixer {name}: No such file")
        return self.card.open(name)

    def turn(self, percent: int, *, on: bool) -> None:
        self.card.turn(percent, on=on)


class TestFakeMixer(MixerContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()
