"""The day's budget in the hands of the daemon: told when it changes, and given back at midnight."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from speakerd.conversation.budget import Budget
from speakerd.conversation.events import Usage
from speakerd.daemon.purse import Purse
from speakerd.service.usage import Tally

#: Of a thousand tokens of thought, in words of one's own: 1 USD.
PRICES = ("text-out=1000",)


class World:
    """A purse, and the day."""

    def __init__(self, daily_usd: float, look_again_s: float = 60.0) -> None:
        self.today = date(2026, 11, 23)
        self.told: list[Budget] = []
        self.tally = Tally(None, lambda: self.today, prices=PRICES)
        self.purse = Purse(self.tally, daily_usd, self.told.append, look_again_s)

    def spend(self, usd: float) -> None:
        usage = Usage(thought_tokens=round(1000 * usd))
        self.tally.add_late("gemini-3.8-live", usage)
        self.purse.look()

    def midnight(self) -> None:
        self.today += timedelta(days=1)


@pytest.fixture
async def world() -> World:
    return World(10.0)


async def test_what_changes_is_told_once(world: World) -> None:
    for usd in (7.9, 0.1, 1.0, 1.0, 5.0):
        world.spend(usd)
    world.purse.close()
    assert world.told == [Budget.NEAR, Budget.SPENT]
    assert world.purse.as_dict() == {"daily_usd": 10.0, "left": "spent"}


async def test_without_a_budget_nothing_is_told() -> None:
    world = World(0.0)
    world.spend(1000.0)
    assert world.told == []
    assert world.purse.as_dict() == {"daily_usd": None, "left": "fine"}


async def test_another_budget_counts_at_the_next_look(world: World) -> None:
    world.spend(10.0)
    for world.purse.daily_usd in (20.0, 11.0, 0.0, 5.0):
        world.purse.look()
    world.purse.close()
    assert world.told == [Budget.SPENT, Budget.FINE, Budget.NEAR, Budget.FINE, Budget.SPENT]


async def test_midnight_gives_it_back_at_the_next_look(world: World) -> None:
    world.spend(10.0)
    world.midnight()
    world.purse.look()
    world.purse.close()
    assert world.told == [Budget.SPENT, Budget.FINE]


async def test_midnight_is_found_when_nothing_happens() -> None:
    world = World(10.0, look_again_s=0.001)
    world.spend(10.0)
    world.midnight()
    async with asyncio.timeout(5):
        while len(world.told) < 2:  # noqa: ASYNC110 - it is told by a call
            await asyncio.sleep(0.001)
    assert world.told == [Budget.SPENT, Budget.FINE]


async def test_a_closed_purse_looks_no_more_by_itself(world: World) -> None:
    world.purse.close()
    world.spend(10.0)
    assert world.told == [Budget.SPENT]  # and the guard finds no timer
