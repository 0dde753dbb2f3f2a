"""Timers by word of mouth, with the real daemon and the real SDK."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.audio import earcons
from speakerd.audio.earcons import Earcon
from speakerd.conversation import effects as fx
from speakerd.service.timers import FILE_NAME
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.protocol.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator

BELL = earcons.render(Earcon.TIMER)
#: Nobody waits a second for a timer, or a phrase.
RULES = {"ring_pause_s": 0.02}


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Rig]:  # noqa: ARG001 - it has to be there first
    made = Rig(tmp_path, rules=RULES)
    async with made.running():
        await made.link("ready")
        yield made


async def asked(rig: Rig, simulator: Simulator, tool: str, **args: object) -> Any:  # noqa: ANN401 - as JSON has it
    """Speak, and have the model call that; what it gets."""
    number = len(rig.turns) + 1
    simulator.plan.add(Phase.THINKING, faults.ToolCall(tool, args), turn=len(simulator.turns) + 1)
    await rig.say_aloud()
    assert (await rig.turn(number))["outcome"] == "answered"
    (response,) = simulator.turns[-1].tool_responses
    return response["response"]


async def heard_to_ring(rig: Rig, times: int = 2) -> None:
    await rig.state("ringing")
    await rig.until_heard(lambda: rig.speaker.clips.count(BELL) >= times)


async def test_a_timer_that_was_asked_for_rings_until_the_button_is_pressed(
    rig: Rig, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    answer = await asked(rig, simulator, "set_timer", seconds=1, name="eggs")
    assert (answer["set"]["number"], answer["set"]["name"]) == (1, "eggs")
    (listed,) = (await rig.command("status"))["timers"]
    assert listed["name"] == "eggs"
    await heard_to_ring(rig)
    drops = rig.speaker.drops
    rig.button.edge(pressed=True)
    await rig.state("idle")
    rig.button.edge(pressed=False)
    assert rig.speaker.drops == drops + 1
    assert (await rig.command("status"))["timers"] == []
    assert len(simulator.turns) == 1, "no window was opened"
    lines = [line for line in caplog.messages if line.startswith("timer")]
    assert lines == ["timer 1 rings", "timer 1 was silenced"], "its name is nobody's business"


async def test_a_reminder_is_read_out_where_there_is_no_voice_of_its_own(
    rig: Rig, simulator: Simulator
) -> None:
    await asked(rig, simulator, "set_timer", seconds=1, name="call mum", reminder=True)
    await heard_to_ring(rig)
    assert (await rig.command("stop"))["ok"]
    assert (await rig.turn(2))["kind"] == "announcement"
    assert "call mum" in simulator.turns[-1].text


async def test_what_was_due_while_the_daemon_was_off_rings_when_it_is_on_again(
    simulator: Simulator, tmp_path: Path
) -> None:
    first = Rig(tmp_path, rules=RULES)
    async with first.running():
        await first.link("ready")
        await asked(first, simulator, "set_timer", seconds=3600, name="eggs")
        await first.until_written(tmp_path / FILE_NAME, "eggs")
    kept = json.loads((tmp_path / FILE_NAME).read_text())
    kept["timers"][0]["due_at"] = time.monotonic() - 5
    (tmp_path / FILE_NAME).write_text(json.dumps(kept))
    second = Rig(tmp_path, rules=RULES)
    async with second.running():
        await heard_to_ring(second)
        (listed,) = (await second.command("status"))["timers"]
        assert (listed["name"], listed["rings"]) == ("eggs", True)


async def test_what_nobody_hears_is_told_after_the_next_turn_and_to_the_model(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, rules=RULES | {"ring_s": 0.1})
    async with rig.running():
        await rig.link("ready")
        await asked(rig, simulator, "set_timer", seconds=1, name="eggs")
        await heard_to_ring(rig, 1)
        await rig.state("idle")
        before = list(rig.speaker.clips)
        answer = await asked(rig, simulator, "list_timers")
        assert [each["name"] for each in answer["missed"]] == ["eggs"]
        told = earcons.render(fx.Notice.TIMER_MISSED)
        await rig.until_heard(lambda: rig.speaker.clips == [*before, told])


async def test_an_alarm_follows_the_clock_though_nothing_else_happens(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    rig = Rig(tmp_path, rules=RULES | {"look_at_clock_s": 0.05})
    async with rig.running():
        await rig.link("ready")
        at = datetime.now(UTC) + timedelta(minutes=90)
        await asked(rig, simulator, "set_alarm", time=at.strftime("%H:%M"))
        await rig.state("idle")
        monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours ahead: it was half an hour ago
        await heard_to_ring(rig)


async def test_a_ring_is_heard_also_where_earcons_are_off(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, rules=RULES, earcon_volume=0)
    async with rig.running():
        await rig.link("ready")
        await asked(rig, simulator, "set_timer", seconds=1)
        await heard_to_ring(rig)
