"""A simulator at the address that the environment names; what the stories assert is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytest.register_assert_rewrite("tests.faults.story")


@pytest.fixture
async def simulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Simulator]:
    """It answers at once; its other options may be given as the parameter, in a dict."""
    async with Simulator(SimulatorOptions(speed=0, **getattr(request, "param", {}))) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
