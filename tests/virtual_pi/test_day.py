"""A day in the life: a hundred sentences in all weathers, and what is left of it in the machine."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.virtual_pi.pi import DAC
from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from speakerd.simulator.faults import Plan
    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

TURNS = 100
#: After these nothing may grow any more: all libraries are loaded, all caches filled.
WARM = 20

#: What the server or the network does to a turn, and where in it.
SERVER = (
    (Phase.UPGRADE, faults.HttpStatus(503), 0.0),
    (Phase.SETUP, faults.Abort(), 0.0),
    (Phase.IDLE, faults.Abort(), 0.1),
    (Phase.IDLE, faults.GoAway(1.0), 0.1),
    (Phase.UTTERANCE, faults.Abort(), 0.2),
    (Phase.UTTERANCE, faults.GoAway(5.0), 0.2),
    (Phase.UTTERANCE, faults.Close(1011, "Internal error encountered."), 0.1),
    (Phase.THINKING, faults.Abort(), 0.1),
    (Phase.THINKING, faults.NoAudio(), 0.0),
    (Phase.THINKING, faults.Close(1008, "The operation was aborted."), 0.0),
    (Phase.THINKING, faults.PrematureTurnComplete(0.2, rest=True), 0.0),
    (Phase.REPLY, faults.Abort(), 0.2),
    (Phase.REPLY, faults.GoAway(5.0), 0.1),
    (Phase.REPLY, faults.Inject(b"\x00\xff not JSON"), 0.1),
)
#: How a sentence may end that was meant to be answered: for each of these there is an earcon, or it
#: was the person's own doing.
TOLD = {"answered", "silent", "stopped", "cut", "not-delivered", "no-answer", "result-lost"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the daemon takes."""

    resident_kib: int
    descriptors: int
    threads: int
    zombies: int


async def figures(pi: Pi) -> Figures:
    """Right now."""
    pid = await pi.pid()
    told = await pi.root.run(
        f"awk '/^(VmRSS|Threads):/ {{ print $2 }}' /proc/{pid}/status; ls /proc/{pid}/fd | wc -l;"
        f" ps -o stat= --ppid {pid} | grep -c ^Z || true"
    )
    resident, threads, descriptors, zombies = map(int, told.split())
    return Figures(resident, descriptors, threads, zombies)


async def journal_bytes(pi: Pi) -> int:
    """What the unit has written: the journal's files have a size that grows in big steps."""
    return int(await pi.root.run("journalctl -u speakerd -b -o cat | wc -c"))


# --- what a person or a house does besides


async def cable(pi: Pi) -> None:
    """A moment without any network."""
    await pi.qemu.cable(plugged=False)
    await pi.qemu.cable(plugged=True)


async def reload(pi: Pi) -> None:
    """An option is changed, and the file read again."""
    await pi.configure(SPEAKERD_TAIL_MS=str(200 + len(pi.journal.entries) % 200))
    await pi.command("reload")


async def tap(pi: Pi) -> None:
    """By mistake."""
    await pi.root.run("button press; button release")
    await pi.idle()


async def bounce(pi: Pi) -> None:
    """A worn contact."""
    await pi.root.run("button bounce 8; button release")
    await pi.idle()


async def text(pi: Pi) -> None:
    """Another program asks."""
    mark = await pi.journal.mark()
    await pi.command("say", text="What time is it?")
    await pi.journal.wait("turn", since=mark)


async def pulled(pi: Pi) -> None:
    """The DAC is unplugged and plugged in again."""
    mark = await pi.journal.mark()
    await pi.pull(DAC)
    await pi.plug(DAC)
    await pi.press()  # which looks for the card at once
    await pi.journal.wait("device", since=mark, device="speaker", state="ready")
    await pi.release()
    await pi.journal.wait("turn", since=mark)


async def nothing(pi: Pi) -> None:
    """A quiet moment."""


HOUSE: tuple[Callable[[Pi], Awaitable[None]], ...] = (
    *(cable, reload, tap, bounce, text, pulled),
    *[nothing] * 8,
)


@pytest.mark.timeout(3600)
async def test_a_day(pi: Pi, plan: Plan, simulator: Simulator) -> None:
    chance = random.Random(5)
    outcomes: Counter[str] = Counter()
    warm, written = None, 0
    pid = await pi.pid()

    for number in range(1, TURNS + 1):
        await chance.choice(HOUSE)(pi)
        if chance.random() < 1 / 3:
            phase, fault, after_s = chance.choice(SERVER)
            plan.add(phase, fault, after_s=after_s)
        mark = await pi.journal.mark()
        said = words(0.3, seed=1000 + number)
        await pi.speak(said)
        if chance.random() < 1 / 10:
            await pi.command("stop")
        turn = await pi.journal.wait("turn", since=mark)
        outcomes[turn["SPEAKERD_OUTCOME"]] += 1
        assert turn["SPEAKERD_OUTCOME"] in TOLD, turn
        if turn["SPEAKERD_OUTCOME"] == "answered" and turn["SPEAKERD_OVERRUNS"] == "0":
            assert any(said in bytes(record.utterance) for record in simulator.turns[-5:]), turn
        if number == WARM:
            warm, written = await figures(pi), await journal_bytes(pi)

    assert await pi.pid() == pid
    assert (await pi.unit("NRestarts"))["NRestarts"] == "0"
    assert outcomes["answered"] > TURNS // 2, outcomes
    assert warm is not None
    await pi.idle()
    await simulator.wait_for(lambda: simulator.open_connections <= 1, 60.0)
    evening = await figures(pi)
    assert evening.zombies == 0
    assert evening.threads <= warm.threads + 2, (warm, evening)
    assert evening.descriptors <= warm.descriptors + 2, (warm, evening)
    assert evening.resident_kib <= warm.resident_kib * 1.1, (warm, evening)
    a_turn = (await journal_bytes(pi) - written) / (TURNS - WARM)
    assert a_turn < 2000, f"{a_turn:.0f} bytes of journal a turn"
