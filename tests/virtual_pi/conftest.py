"""Machines for the tests: built when needed, booted once for each file of tests."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, and the tests that share a machine in one process."""
    shares = {item: "booted" in getattr(item, "fixturenames", ()) for item in items}
    items.sort(key=shares.__getitem__)  # who installs has a machine of its own
    for item in items:
        if shares[item]:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


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
async def installed(
    trixie: Image, packages: Path, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A disk on which speakerd was installed from its package, and runs with a key."""
    disk = tmp_path_factory.mktemp("installed") / "disk.qcow2"
    async with machine(trixie, simulator, ARTEFACTS / "installed") as pi:
        await pi.power_on()
        await pi.set_up((await pi.bring(packages))[0])
        await pi.shut_down()
        shutil.move(pi.qemu.disk, disk)
    return disk


@pytest.fixture(scope="module")
async def booted(
    request: pytest.FixtureRequest, trixie: Image, installed: Path, simulator: Simulator
) -> AsyncIterator[Pi]:
    """A machine with speakerd, for all tests of a file."""
    name = Path(request.path).stem.removeprefix("test_")
    async with machine(trixie, simulator, ARTEFACTS / name, on=installed) as pi:
        await pi.power_on()
        yield pi


@pytest.fixture
async def pi(booted: Pi, simulator: Simulator) -> Pi:
    """The same, calm: an idle service with all its devices, and a server that works."""
    simulator.script = Plan()
    await booted.calm()
    return booted


@pytest.fixture
def plan(pi: Pi, simulator: Simulator) -> Plan:
    """What goes wrong in this test."""
    del pi  # which begins with a new one
    return simulator.plan
