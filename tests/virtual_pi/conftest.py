"""Machines for the tests: one that all of them share, and one for each that installs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

from speakerd.simulator.faults import Plan
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.virtual_pi.pi import HOST, Pi, machine
from tests.virtual_pi.qemu import Image, made_by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Ignored by git, and removed by `make clean`
ARTEFACTS = Path(__file__).parents[2] / "build" / "virtual-pi"


def pytest_configure(config: pytest.Config) -> None:
    """What an earlier run has left there would be taken for this one's."""
    if not hasattr(config, "workerinput"):  # whoever starts the processes, if anybody does
        shutil.rmtree(ARTEFACTS, ignore_errors=True)


class TwoProcesses(LoadScopeScheduling):  # type: ignore[misc]  # without types
    """One for the tests that share a machine, one for those that install and have each its own."""

    def _split_scope(self, nodeid: str) -> str:
        return "own" if "test_install.py" in nodeid else "shared"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TwoProcesses:
    """Instead of ``--dist loadgroup``, whose groups pytest 9.2 does not let through."""
    return TwoProcesses(config, log)


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
async def booted(trixie: Image, packages: Path, simulator: Simulator) -> AsyncIterator[Pi]:
    """A machine on which speakerd was installed from its package, and runs with a key."""
    async with machine(trixie, simulator, ARTEFACTS / "machine") as pi:
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
