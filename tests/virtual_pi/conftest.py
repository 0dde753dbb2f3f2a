"""Machines for the tests: one for each process, and one for each test that installs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.faults import Plan
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.virtual_pi.pi import HOST, Pi, machine
from tests.virtual_pi.qemu import Image, made_by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Ignored by git, and removed by `make clean`
ARTEFACTS = Path(__file__).parents[2] / "build" / "virtual-pi"
#: From 27 and 11 minutes down
_RANKS = {"test_install.py": 0, "test_day.py": 1}


def pytest_configure(config: pytest.Config) -> None:
    """What an earlier run has left there would be taken for this one's."""
    if not hasattr(config, "workerinput"):  # whoever starts the processes, if anybody does
        shutil.rmtree(ARTEFACTS, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest is begun first, so that no process is left alone with it at the end.

    xdist's ``--no-loadscope-reorder`` leaves it at that.
    """
    items.sort(key=lambda item: _RANKS.get(item.path.name, len(_RANKS)))


@pytest.fixture(scope="session")
def trixie() -> Image:
    """Debian 13 without speakerd."""
    return Image(made_by("build.sh", "trixie"))


@pytest.fixture(scope="session")
def packages() -> Path:
    """A folder with this checkout's Debian package for trixie, and with one that is newer."""
    return made_by("package.sh", "trixie")


@pytest.fixture(scope="session")
async def simulator() -> AsyncIterator[Simulator]:
    """The Live API, on this host, for all machines of this process."""
    async with Simulator(SimulatorOptions(name=HOST, keep=10_000)) as running:
        yield running


@pytest.fixture(scope="session")
async def booted(
    trixie: Image, packages: Path, simulator: Simulator, worker_id: str
) -> AsyncIterator[Pi]:
    """A machine on which speakerd was installed from its package, and runs with a key."""
    async with machine(trixie, simulator, ARTEFACTS / f"machine-{worker_id}") as pi:
        await pi.power_on()
        await pi.set_up((await pi.bring(packages))[0])
        yield pi


@pytest.fixture
async def pi(request: pytest.FixtureRequest, booted: Pi, simulator: Simulator) -> Pi:
    """The same, calm: an idle service with all its devices, and a server that works."""
    booted.journal.headline(request.node.name)
    simulator.script = Plan()
    await booted.calm()
    return booted


@pytest.fixture
def plan(pi: Pi, simulator: Simulator) -> Plan:
    """What goes wrong in this test."""
    del pi  # which begins with a new one
    return simulator.plan
