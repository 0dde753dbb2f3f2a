"""A simulator of a scenario's own, and the scenario in a thread beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from speakerd.simulator import Simulator
from tests.bench.contenders import NAMES, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import SimulatorOptions

T = TypeVar("T")


def on_stage(
    card: StandInCard,
    cache: Path,
    options: SimulatorOptions,
    scenario: Callable[[Stage], T],
    names: Sequence[str] = NAMES,
) -> T:
    """The result of ``scenario``, which finds ``card`` and a simulator of these ``options``.

    It measures the contenders of these ``names``.
    """

    async def run() -> T:
        async with Simulator(options) as simulator:
            stage = Stage(card, simulator, asyncio.get_running_loop(), cache, names)
            return await asyncio.to_thread(scenario, stage)

    return asyncio.run(run())
