"""A network that is cut, slow, lossy, or not there yet: packets are lost for real."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

#: What comes and what goes is dropped, and nobody is told.
BLACK_HOLE = """
nft -f - <<'RULES'
table inet hole {
  chain input { type filter hook input priority 0; iifname "home" drop; }
  chain output { type filter hook output priority 0; oifname "home" drop; }
}
RULES
"""
#: A bad corner of a Wi-Fi.
BAD = "tc qdisc replace dev home root netem delay 120ms 40ms loss 3% rate 512kbit"


@pytest.fixture(autouse=True)
async def mended(pi: Pi) -> AsyncIterator[None]:
    """The network is whole again afterwards."""
    yield
    await pi.qemu.cable(plugged=True)
    await pi.root.run("nft delete table inet hole; tc qdisc del dev home root; true")


@contextlib.asynccontextmanager
async def half_said(pi: Pi, simulator: Simulator, said: bytes) -> AsyncIterator[None]:
    """The button is held, the words are being spoken, and the first of them have arrived."""
    before = len(simulator.turns)
    async with pi.speaking(said):
        await pi.arriving(since=before)
        yield


async def test_a_cable_pulled_in_the_middle_of_a_sentence(pi: Pi, simulator: Simulator) -> None:
    said = words(5.0, seed=30)
    mark = await pi.journal.mark()

    async with half_said(pi, simulator, said):
        await pi.qemu.cable(plugged=False)
    await pi.qemu.cable(plugged=True)

    turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert said in bytes(simulator.turns[-1].utterance), "the words are not all there"


async def test_packets_that_vanish_in_the_middle_of_a_sentence(
    pi: Pi, simulator: Simulator
) -> None:
    said = words(6.0, seed=31)
    mark = await pi.journal.mark()

    async with half_said(pi, simulator, said):
        await pi.root.run(BLACK_HOLE)
    await pi.root.run("nft delete table inet hole")

    turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert said in bytes(simulator.turns[-1].utterance), "the words are not all there"


async def test_a_network_that_stays_away_in_an_answer(pi: Pi, simulator: Simulator) -> None:
    """The person is told that the answer was cut off; the next press finds the conversation."""
    number = await pi.say_for_good(words(0.6, seed=29))
    mark = await pi.journal.mark()
    await pi.speak(words(8.0, seed=32))
    await pi.reach("speaking")
    await pi.root.run(BLACK_HOLE)

    turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] in {"cut", "result-lost"}, turn
    await pi.journal.wait("notice", since=mark)
    simulator.drop()  # it has found out, too
    await pi.root.run("nft delete table inet hole")
    turn = await pi.say(words(0.6, seed=33))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert turn["SPEAKERD_CONTEXT"] == "resumed", turn
    assert number in simulator.turns[-1].context


async def test_a_slow_and_lossy_network(pi: Pi, simulator: Simulator) -> None:
    await pi.root.run(BAD)
    for seed in (34, 35, 36):
        said = words(1.5, seed=seed)
        async with pi.listening(f"lossy-{seed}"):
            turn = await pi.say(said)
            await pi.hears(bytes(simulator.turns[-1].reply))

        assert turn["SPEAKERD_OUTCOME"] == "answered", turn
        assert said in bytes(simulator.turns[-1].utterance)


async def test_a_boot_without_a_network(pi: Pi, simulator: Simulator) -> None:
    """Refused aloud while there is none; the first press when there is one is answered."""
    number = await pi.say_for_good(words(0.6, seed=37))
    mark = await pi.journal.mark()
    await pi.qemu.cable(plugged=False)
    simulator.drop()  # nobody tells it, and long before the machine is up again it has found out
    await pi.reboot()
    await pi.ready(since=mark)

    async with pi.listening("no-network"):
        turn = await pi.say(words(0.6, seed=38))
        assert turn["SPEAKERD_OUTCOME"] == "not-delivered", turn
        await pi.hears(earcons.render(Notice.NOT_DELIVERED))
    # On a slow machine the first try may still be on its way.
    await pi.journal.wait(since=mark, text="no connection: ")
    assert (await pi.status())["last_error"]

    await pi.qemu.cable(plugged=True)
    await pi.root.until("ip route get 10.0.2.2")
    turn = await pi.say(words(0.6, seed=39))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert turn["SPEAKERD_CONTEXT"] == "resumed", turn
    assert number in simulator.turns[-1].context
