"""What is normal: the end of a quiet connection, by the server or by ourselves. Nothing is said."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from speakerd.simulator import faults
from tests.faults.story import BRISK
from tests.protocol.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator


async def answered(rig: Rig, simulator: Simulator, number: int) -> str:
    """One turn, and the handle that remembers it; returns its context."""
    await rig.say_aloud()
    ledger = await rig.turn(number)
    assert ledger["outcome"] == "answered"
    await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
    return str(ledger["context"])


@pytest.fixture
def silence(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "speakerd")
    return caplog


def nothing_was_said(rig: Rig, log: pytest.LogCaptureFixture) -> bool:
    warnings = [record for record in log.records if record.levelno >= logging.WARNING]
    return not warnings and not rig.speaker.clips


async def test_a_connection_that_nobody_needs_is_closed_and_the_conversation_goes_on(
    simulator: Simulator, tmp_path: Path, silence: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, linger_s=0, rules=BRISK)
    async with rig.running():
        for number in range(1, 4):
            await answered(rig, simulator, number)
            await rig.link("down")
        assert nothing_was_said(rig, silence)
    assert simulator.turns[-1].context == (1, 2)
    assert {record.close_code for record in simulator.connections} == {1000}


@pytest.mark.parametrize("simulator", [{"idle_timeout_s": 0.2}], indirect=True)
async def test_the_close_of_an_idle_connection_is_normal(
    simulator: Simulator, tmp_path: Path, silence: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, rules=BRISK)
    async with rig.running():
        for number in range(1, 4):
            await answered(rig, simulator, number)
            await rig.link("down")
        assert nothing_was_said(rig, silence)
        assert rig.states[-1] == "idle"
    assert {record.close_reason for record in simulator.connections} == {
        "The operation was aborted."
    }
    assert simulator.turns[-1].context == (1, 2)


@pytest.mark.parametrize("simulator", [{"idle_timeout_s": 0.2}], indirect=True)
async def test_a_connection_that_is_always_wanted_is_made_again_without_a_word(
    simulator: Simulator, tmp_path: Path, silence: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, link="always", rules=BRISK | {"stable_s": 0.1})
    async with rig.running():
        await answered(rig, simulator, 1)
        await simulator.wait_for(lambda: sum(one.ready for one in simulator.connections) == 5)
        assert nothing_was_said(rig, silence)
    later = simulator.connections[1:5]
    assert all(record.resumed_handle is not None for record in later)


@pytest.mark.parametrize("policy", ["on-demand", "always"])
async def test_go_away_between_two_turns_is_not_noticed(
    simulator: Simulator, tmp_path: Path, silence: pytest.LogCaptureFixture, policy: str
) -> None:
    """Also the one that is said while the handle that remembers the turn is on its way."""
    rig = Rig(tmp_path, link=policy, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        for number in range(1, 4):
            simulator.plan.add(faults.Phase.REPLY, faults.GoAway(300.0), after_s=0.4)
            await answered(rig, simulator, number)
        assert nothing_was_said(rig, silence)
    assert simulator.turns[-1].context == (1, 2)


async def test_a_conversation_is_forgotten_after_its_time(
    simulator: Simulator, tmp_path: Path, silence: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, conversation_timeout_s=0.3, rules=BRISK)
    async with rig.running():
        await answered(rig, simulator, 1)
        await rig.link("down")
        assert await answered(rig, simulator, 2) == "fresh"
        assert nothing_was_said(rig, silence)
    assert simulator.turns[-1].context == ()
