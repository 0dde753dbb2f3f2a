"""A full disk, and a root that may not be written: it goes on, and says what is not kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi


@pytest.fixture(autouse=True)
async def writable(pi: Pi) -> AsyncIterator[None]:
    """It is empty enough, and may be written again, afterwards."""
    yield
    # a service keeps the mounts that it was started with: only another one may write again
    await pi.root.run(
        "! findmnt -n -o OPTIONS / | grep -qw ro || systemctl stop speakerd;"
        " mount -o remount,rw /; rm -f /ballast; sed -i '/ ro /d' /etc/fstab"
    )


async def test_a_full_disk(pi: Pi, simulator: Simulator) -> None:
    assert (await pi.say(words(0.6, seed=50)))["SPEAKERD_OUTCOME"] == "answered"
    mark = await pi.journal.mark()
    # root's reserve, too, and what is left of it byte by byte
    await pi.root.run(
        "fallocate -l $(df --output=avail -B1 / | tail -1) /ballast;"
        " cat /dev/zero >>/ballast; true",
        timeout_s=600,
    )
    pid = await pi.pid()

    turn = await pi.say(words(0.6, seed=51))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    await pi.journal.wait(since=mark, text="No space left on device")
    doctor = await pi.root.ask("speakerd doctor --no-ask", timeout_s=300)
    assert re.search("^(WARN|FAIL) +state ", doctor.out, re.MULTILINE), doctor.out

    await pi.root.run("rm /ballast")
    number = await pi.say_for_good(words(0.6, seed=52))
    assert await pi.pid() == pid
    await pi.restart()
    assert (await pi.say(words(0.6, seed=53)))["SPEAKERD_CONTEXT"] == "resumed"
    assert number in simulator.turns[-1].context


async def test_a_root_that_is_read_only(pi: Pi, simulator: Simulator) -> None:
    await pi.be_patient()
    number = await pi.say_for_good(words(0.6, seed=54))
    mark = await pi.journal.mark()
    await pi.root.run("echo '/dev/vda / ext4 ro 0 0' >>/etc/fstab")
    await pi.reboot()
    assert (await pi.root.ask("touch /x")).code != 0

    await pi.ready(since=mark)
    for seed in (55, 56):
        turn = await pi.say(words(0.6, seed=seed))
        assert turn["SPEAKERD_OUTCOME"] == "answered", turn
        assert turn["SPEAKERD_CONTEXT"] == "resumed", turn
        assert number in simulator.turns[-1].context
    assert "nothing new outlasts a restart" in pi.journal.messages(mark)
