"""The simulator, with papers that can be exchanged, behind a way that can be cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.network.certificates import Certificates
from tests.network.relay import Relay
from tests.network.rig import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def certificates(monkeypatch: pytest.MonkeyPatch) -> Certificates:
    made = Certificates()
    monkeypatch.setattr("speakerd.simulator.server.server_context", made.server_context)
    return made


@pytest.fixture
async def simulator(
    request: pytest.FixtureRequest,
    certificates: Certificates,  # noqa: ARG001 - they have to be there first
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Simulator]:
    """It answers at once, unless its speed is given as the parameter."""
    async with Simulator(SimulatorOptions(speed=getattr(request, "param", 0))) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def relay(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    async with Relay(simulator.port) as running:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://127.0.0.1:{running.port}")
        yield running


@pytest.fixture
def person(relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:  # noqa: ARG001 - it has to be there first
    """Not running yet."""
    # A dead peer costs this much at every close.
    monkeypatch.setattr("speakerd.live.edge.CLOSE_TIMEOUT_S", 0.1)
    return Person(tmp_path)
