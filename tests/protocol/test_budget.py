"""A day that costs too much, with the real daemon and the real SDK: warned, refused, given back.

Every answer is paid for by its thoughts alone, 1 USD for each.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.service.usage import FILE_NAME
from speakerd.simulator.catalogue import Model
from speakerd.simulator.messages import THOUGHT_TOKENS
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.protocol.test_reload import ReloadRig, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USD = f"{1_000_000 / THOUGHT_TOKENS:g}"
PRICES = ("audio-in=0", "text-in=0", "image-in=0", "audio-out=0", f"text-out={USD}")
WARNING, REFUSAL = earcons.render(Notice.BUDGET_NEAR), earcons.render(Notice.BUDGET_SPENT)
#: The third answer is one too many, and the second comes near.
#: Nobody presses as fast as a test: what it does within 30 ms is no bounce.
BUDGET = {"prices": PRICES, "daily_budget": 2.4, "debounce_ms": 0}


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[ReloadRig]:  # noqa: ARG001 - it has to be there first
    made = ReloadRig(tmp_path, **BUDGET)
    async with made.running():
        await made.link("ready")
        yield made


async def spend_it(rig: ReloadRig) -> None:
    """Ask until nothing is left of it."""
    while (await budget(rig))["left"] != "spent":
        before = len(rig.turns)
        await rig.say_aloud()
        assert (await rig.turn(before + 1))["outcome"] == "answered"
    await heard(rig, WARNING)


async def budget(rig: ReloadRig) -> Any:  # noqa: ANN401 - as JSON has it
    return (await rig.command("status"))["budget"]


async def heard(rig: ReloadRig, *clips: bytes) -> None:
    """Wait until these have been told, and no others; that is no event."""
    async with asyncio.timeout(10):
        while rig.speaker.clips != [*clips]:
            await rig.command("status")


async def press_in_vain(rig: ReloadRig) -> None:
    before = rig.speaker.clips.copy()
    rig.button.edge(pressed=True)
    await heard(rig, *before, REFUSAL)
    rig.button.edge(pressed=False)


async def test_it_warns_in_the_pause_after_the_turn_that_came_near(rig: ReloadRig) -> None:
    await ask(rig)
    assert rig.speaker.clips == []
    assert await budget(rig) == {"daily_usd": 2.4, "left": "fine"}
    assert (await ask(rig))["cost_usd"] == 1.0
    await heard(rig, WARNING)
    assert await budget(rig) == {"daily_usd": 2.4, "left": "near"}
    status = await rig.command("status")
    assert (status["today"]["cost_usd"], status["in_all"]["cost_usd"]) == (2.0, 2.0)
    assert status["today"]["thought_tokens"] == 2 * THOUGHT_TOKENS


async def test_a_press_is_refused_aloud_and_nothing_is_sent(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await spend_it(rig)
    await rig.state("error")
    turns = len(simulator.turns)
    await press_in_vain(rig)
    assert rig.speaker.clips == [WARNING, REFUSAL]
    answer = await rig.command("say", text="hello")
    assert answer["ok"] is False
    assert "SPEAKERD_DAILY_BUDGET" in answer["error"]
    status = await rig.command("status")
    assert status["summary"].startswith("The day's budget is used up: ")
    assert len(simulator.turns) == turns == 3


async def test_no_connection_is_made_for_a_press_in_vain(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await spend_it(rig)
    simulator.close()
    await rig.link("down")
    await press_in_vain(rig)
    await rig.command("stop")
    assert len(simulator.connections) == 1


async def test_a_larger_budget_counts_after_the_reload(rig: ReloadRig) -> None:
    await spend_it(rig)
    await press_in_vain(rig)
    rig.write(daily_budget=10.0)
    answer = await rig.command("reload")
    assert answer["changed"] == ["SPEAKERD_DAILY_BUDGET: 2.4 -> 10"]
    assert await budget(rig) == {"daily_usd": 10.0, "left": "fine"}
    await rig.state("idle")
    assert (await ask(rig))["outcome"] == "answered"


async def test_other_prices_count_from_the_next_turn_on(rig: ReloadRig) -> None:
    assert (await ask(rig))["cost_usd"] == 1.0
    rig.write(prices=("text-out=0", *PRICES[:-1]))
    await rig.command("reload")
    assert (await ask(rig))["cost_usd"] == 0.0


async def test_a_restart_forgets_nothing_and_warns_nobody_twice(
    simulator: Simulator, tmp_path: Path
) -> None:
    first = ReloadRig(tmp_path, **BUDGET)
    async with first.running():
        await first.link("ready")
        await ask(first)
        await ask(first)
        await heard(first, WARNING)
    second = ReloadRig(tmp_path, **BUDGET)
    async with second.running():
        await second.link("ready")
        assert await budget(second) == {"daily_usd": 2.4, "left": "near"}
        await second.say_aloud()
        await second.turn()
        await second.state("error")
        await press_in_vain(second)
        assert second.speaker.clips == [REFUSAL]
    assert len(simulator.turns) == 3


@pytest.mark.parametrize(("days_ago", "left"), [(0, "spent"), (2, "fine")])
async def test_what_was_spent_counts_on_its_day(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    days_ago: int,
    left: str,
) -> None:
    day = datetime.now().astimezone().date() - timedelta(days=days_ago)
    kept = {"turns": 9, "prompt_tokens": 1, "response_tokens": 1, "cost_usd": 9.0}
    (tmp_path / FILE_NAME).write_text(json.dumps({"day": day.isoformat(), **kept}))
    rig = ReloadRig(tmp_path, **BUDGET)
    async with rig.running():
        await rig.link("ready")
        assert (await budget(rig))["left"] == left
        assert (await rig.command("status"))["in_all"]["cost_usd"] == 9.0


async def test_a_model_without_a_price_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SimulatorOptions(speed=0, models={"gemini-99-live": Model()})
    async with Simulator(options) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        rig = ReloadRig(tmp_path, model="gemini-99-live", daily_budget=0.0001)
        async with rig.running():
            await rig.link("ready")
            for _ in range(2):
                assert (await ask(rig))["cost_usd"] is None
            status = await rig.command("status")
    assert (status["today"]["turns"], status["today"]["cost_usd"]) == (2, None)
    assert status["in_all"]["unpriced_tokens"] > 0
    assert status["budget"] == {"daily_usd": 0.0001, "left": "fine"}
