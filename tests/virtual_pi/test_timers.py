"""A timer on a real clock, a real disk and a real DAC, with nothing but the machine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.audio.earcons import Earcon
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

BELL = earcons.render(Earcon.TIMER)
KEPT = "/var/lib/speakerd/timers.json"


@pytest.fixture(autouse=True)
async def mended(pi: Pi) -> AsyncIterator[None]:
    """The network is whole again afterwards, and nothing rings."""
    yield
    await pi.qemu.cable(plugged=True)
    await pi.command("stop")
    await pi.reach("idle")


async def set_timer(pi: Pi, simulator: Simulator, seconds: int) -> None:
    """Ask for one by word of mouth; it is on the disk."""
    await pi.be_patient()
    call = faults.ToolCall("set_timer", {"seconds": seconds, "name": "eggs"})
    simulator.plan.add(Phase.THINKING, call, turn=len(simulator.turns) + 1)
    turn = await pi.say(words(0.6, seed=40))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    (response,) = simulator.turns[-1].tool_responses
    assert response["response"]["set"]["name"] == "eggs"
    await pi.root.until(f"grep -q eggs {KEPT}")


async def test_it_rings_without_a_network_until_the_button_is_pressed(
    pi: Pi, simulator: Simulator
) -> None:
    mark = await pi.journal.mark()
    await set_timer(pi, simulator, 60)
    turns = len(simulator.turns)
    await pi.qemu.cable(plugged=False)

    await pi.journal.wait("timer", since=mark, state="rings", timeout_s=300.0)
    async with pi.listening("ringing"):
        await pi.hears(BELL)
        await pi.press()
        await pi.journal.wait("timer", since=mark, state="silenced")
        await pi.release()

    await pi.idle()
    assert (await pi.status())["timers"] == []
    assert len(simulator.turns) == turns, "the press has opened a window"


async def test_it_rings_after_the_power_was_cut(pi: Pi, simulator: Simulator) -> None:
    await set_timer(pi, simulator, 60)
    mark = await pi.journal.mark()
    await pi.cut_the_power()

    await pi.ready(since=mark)
    await pi.journal.wait("timer", since=mark, state="rings", timeout_s=300.0)
    assert (await pi.status())["timers"][0]["rings"]
    await pi.press()
    await pi.journal.wait("timer", since=mark, state="silenced")
    await pi.release()
    await pi.root.until(f"! grep -q eggs {KEPT}")
