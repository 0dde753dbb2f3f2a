"""The simulator, with papers that can be exchanged, behind a way that can be cut."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.network.certificates import Certificates
from tests.network.namespace import CannotBeMadeError, Namespace
from tests.network.relay import Relay
from tests.network.rig import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def _session_elsewhere() -> Iterator[Namespace]:
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(Namespace())
        except CannotBeMadeError as error:
            pytest.skip(str(error))
        yield made


@pytest.fixture
def elsewhere(_session_elsewhere: Namespace) -> Iterator[Namespace]:
    """A network at the other end of a cable that can be pulled."""
    yield _session_elsewhere
    _session_elsewhere.plug_it_in()


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
def person(relay: Relay, tmp_path: Path) -> Person:  # noqa: ARG001 - it has to be there first
    """Not running yet."""
    return Person(tmp_path)
