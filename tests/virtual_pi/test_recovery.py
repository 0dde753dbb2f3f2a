"""What stops it is noticed, it is up again, and the conversation goes on where it was."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

#: strace holds one thread in a system call for as long as it would take a person to reboot.
HOLD = (
    "systemd-run -q --collect --unit=hold "
    "strace -o /dev/null -p {thread} -e inject={call}:delay_exit=600000000"
)
#: The thread that reads the microphone: who asks the driver for frames.
CAPTURE_THREAD = """
timeout 3 strace -f -qq -e trace=ioctl -o /run/calls -p {pid}
awk '/READI_FRAMES/ {{ print $1; found = 1; exit }} END {{ exit !found }}' /run/calls
"""


@pytest.fixture
async def remembered(pi: Pi) -> int:
    """A turn that shall not be forgotten."""
    await pi.be_patient()
    return await pi.say_for_good(words(0.6, seed=9))


@contextlib.asynccontextmanager
async def held(pi: Pi, thread: int, call: str) -> AsyncIterator[None]:
    """One thread of the daemon does not come back from a system call."""
    await pi.root.run(HOLD.format(thread=thread, call=call))
    try:
        yield
    finally:
        await pi.root.ask("systemctl stop hold")  # which has ended with the process it held


async def goes_on(pi: Pi, simulator: Simulator, remembered: int, *, since: int) -> None:
    """It is ready again, and the next turn knows what was said."""
    await pi.ready(since=since)
    turn = await pi.say(words(0.6, seed=10))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert turn["SPEAKERD_CONTEXT"] == "resumed", turn
    assert remembered in simulator.turns[-1].context


async def watched(pi: Pi, *, since: int) -> None:
    """systemd's watchdog has struck, and the journal has the stack of every thread."""
    await pi.journal.wait(since=since, text="Watchdog timeout")
    await pi.journal.wait(since=since, text="most recent call first")


async def test_stopped(pi: Pi, simulator: Simulator, remembered: int) -> None:
    mark = await pi.journal.mark()
    await pi.root.run(f"kill -STOP {await pi.pid()}")

    await watched(pi, since=mark)
    await goes_on(pi, simulator, remembered, since=mark)


async def test_a_hung_loop(pi: Pi, simulator: Simulator, remembered: int) -> None:
    mark = await pi.journal.mark()
    async with held(pi, await pi.pid(), "epoll_wait"):
        await watched(pi, since=mark)
    await goes_on(pi, simulator, remembered, since=mark)


async def test_a_capture_thread_that_hangs_in_the_driver(
    pi: Pi, simulator: Simulator, remembered: int
) -> None:
    mark = await pi.journal.mark()
    thread = await pi.root.until(CAPTURE_THREAD.format(pid=await pi.pid()))
    async with held(pi, int(thread), "ioctl"):
        await pi.journal.wait("watchdog", since=mark, text="the microphone stands still")
        await watched(pi, since=mark)
    await goes_on(pi, simulator, remembered, since=mark)


async def test_killed_in_the_middle_of_an_answer(
    pi: Pi, simulator: Simulator, remembered: int
) -> None:
    mark = await pi.journal.mark()
    pid = await pi.pid()
    await pi.speak(words(6.0, seed=11))
    await pi.reach("speaking")
    await pi.root.run(f"kill -KILL {pid}")

    await goes_on(pi, simulator, remembered, since=mark)
    assert len(pi.journal.since(mark, "turn")) == 1, "it had been heard out"


async def test_a_reboot(pi: Pi, simulator: Simulator, remembered: int) -> None:
    mark = await pi.journal.mark()
    await pi.reboot()

    await goes_on(pi, simulator, remembered, since=mark)


async def test_a_power_cut_in_the_middle_of_a_turn(
    pi: Pi, simulator: Simulator, remembered: int
) -> None:
    mark, before = await pi.journal.mark(), len(simulator.turns)
    await pi.press()
    await pi.arriving(since=before)
    await pi.cut_the_power()

    for file in (await pi.root.run("ls /var/lib/speakerd/*.json")).split():
        json.loads(await pi.root.get(file))
    await goes_on(pi, simulator, remembered, since=mark)
