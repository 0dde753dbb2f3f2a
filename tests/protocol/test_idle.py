"""An idle daemon sleeps: what its loop has planned, in place of seconds of a clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from tests.protocol.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator


#: In a row: who looks at something now and then plans nothing while he does.
_LOOKS = 1000


async def sleeps(timers: int) -> None:
    """Wait until nobody here has anything to do, and so many timers at most are all there is."""
    loop = cast("Any", asyncio.get_running_loop())  # nothing public tells
    most = timers + 1  # with the one of this time-out
    quiet = 0
    async with asyncio.timeout(5):
        while quiet < _LOOKS:
            await asyncio.sleep(0)
            planned = sum(not timer.cancelled() for timer in loop._scheduled)
            quiet = 0 if loop._ready or planned > most else quiet + 1


async def test_without_a_link_there_is_nothing_to_wake_up_for(
    tmp_path: Path,
    simulator: Simulator,  # noqa: ARG001 - it has to be there
) -> None:
    rig = Rig(tmp_path, linger_s=0)
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        await rig.link("down")
        await sleeps(0)


async def test_a_link_is_pinged_and_let_go_of_in_the_end(
    tmp_path: Path,
    simulator: Simulator,  # noqa: ARG001 - it has to be there
) -> None:
    rig = Rig(tmp_path, linger_s=3600)
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        await rig.state("idle")
        await sleeps(3)  # a ping every 20 s, how long the server keeps a connection, and we
