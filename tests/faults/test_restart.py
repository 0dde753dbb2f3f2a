"""The conversation outlives the daemon and the machine; a bad state file costs only the context."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.service.state import FILE_NAME
from tests.faults.story import BRISK
from tests.protocol.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.simulator.server import Simulator

ANOTHER_MODEL = "gemini-2.5-flash-native-audio-latest"


async def one_turn(directory: Path, simulator: Simulator, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """Start a daemon, speak, be answered, stop it; returns the ledger."""
    rig = Rig(directory, rules=BRISK, **settings)
    async with rig.running():
        await rig.say_aloud()
        ledger = await rig.turn()
        await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
    assert ledger["outcome"] == "answered"
    return ledger


async def test_a_restart_goes_on_with_the_conversation(
    simulator: Simulator, tmp_path: Path
) -> None:
    contexts = [(await one_turn(tmp_path, simulator))["context"] for _ in range(3)]
    assert contexts == ["fresh", "resumed", "resumed"]
    assert simulator.turns[-1].context == (1, 2)


async def test_a_machine_that_loses_its_power_goes_on_too(
    simulator: Simulator, tmp_path: Path
) -> None:
    """What counts is what is on the disk while the daemon is running."""
    rig = Rig(tmp_path, rules=BRISK)
    path = tmp_path / FILE_NAME
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
        newest = simulator.connections[-1].handles[-1]
        await rig.until_written(path, newest)
        on_disk = path.read_bytes()
        await rig.say_aloud()
        await rig.turn(2)
    path.write_bytes(on_disk)
    assert (await one_turn(tmp_path, simulator))["context"] == "resumed"
    assert simulator.turns[-1].context == (1,)


async def test_a_handle_that_the_server_has_forgotten_is_dropped(
    simulator: Simulator, tmp_path: Path
) -> None:
    await one_turn(tmp_path, simulator)
    stale = {"model": "gemini-3.8-live", "handle": "00000000-0000-4000-8000-000000000000"}
    (tmp_path / FILE_NAME).write_text(json.dumps(stale))
    assert (await one_turn(tmp_path, simulator))["context"] == "fresh"
    assert (await one_turn(tmp_path, simulator))["context"] == "resumed"


async def test_a_handle_is_never_presented_to_another_model(
    simulator: Simulator, tmp_path: Path
) -> None:
    await one_turn(tmp_path, simulator)
    assert (await one_turn(tmp_path, simulator, model=ANOTHER_MODEL))["context"] == "fresh"
    assert simulator.connections[-1].resumed_handle is None
    assert (await one_turn(tmp_path, simulator, model=ANOTHER_MODEL))["context"] == "resumed"


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\x00" * 1000)


def of_something_else(path: Path) -> None:
    path.write_text('{"version": 7, "conversations": []}')


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil", [missing, empty, cut_short, not_text, of_something_else, a_directory]
)
async def test_a_spoilt_state_file_costs_the_context_only(
    spoil: Callable[[Path], None],
    simulator: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await one_turn(tmp_path, simulator)
    spoil(tmp_path / FILE_NAME)
    caplog.clear()
    assert (await one_turn(tmp_path, simulator))["context"] == "fresh"
    complaints = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert bool(complaints) is (spoil is not missing)
    assert all(FILE_NAME in record.getMessage() for record in complaints)


async def test_a_state_directory_that_cannot_be_written_costs_the_context_only(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "a file where the directory should be"
    state.write_text("")
    for _ in range(2):
        assert (await one_turn(tmp_path, simulator, state_directory=state))["context"] == "fresh"
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("simulator", [{"handle_validity_s": 0.0}], indirect=True)
async def test_a_handle_that_has_expired_begins_a_fresh_conversation(
    simulator: Simulator, tmp_path: Path
) -> None:
    await one_turn(tmp_path, simulator)
    assert (await one_turn(tmp_path, simulator))["context"] == "fresh"


async def test_what_is_said_before_the_restart_is_over_is_delivered_after_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    """A press while it is still booting: the sentence is kept until there is a connection."""
    await one_turn(tmp_path, simulator)
    rig = Rig(tmp_path, rules=BRISK)
    async with rig.running():
        await rig.say_aloud()  # nobody waits for the connection here
        assert (await rig.turn())["outcome"] == "answered"
