"""An idle daemon sleeps: what its loop has planned, in place of seconds of a clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

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


@pytest.mark.parametrize(
    ("linger_s", "link", "timers"),
    [
        (0, "down", 0),
        (3600, "ready", 3),  # a ping every 20 s, how long the server keeps a connection, and we
    ],
)
async def test_only_a_link_has_something_to_wake_up_for(
    tmp_path: Path,
    simulator: Simulator,  # noqa: ARG001 - it has to be there
    linger_s: int,
    link: str,
    timers: int,
) -> None:
    rig = Rig(tmp_path, linger_s=linger_s)
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        await rig.link(link)
        await sleeps(timers)
