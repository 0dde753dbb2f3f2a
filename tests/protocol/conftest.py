"""One simulator for each test that wants one, at the address that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(speed=0)) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
