"""The cable is pulled, under real TCP: nothing arrives, and nobody says so."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from speakerd.live.transport import Timeouts
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.network.rig import SPEECH, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.network.certificates import Certificates
    from tests.network.namespace import Namespace

#: For 7 s; the kernel's first repetition comes after 0.2 s and cannot be hurried.
UNACKNOWLEDGED_S = 0.3
#: What would find a dead connection if TCP did not.
REPLY_TIMEOUT_S = 30.0
HALF = len(SPEECH) // 2


@pytest.fixture
async def simulator(
    request: pytest.FixtureRequest,
    certificates: Certificates,  # noqa: ARG001 - they have to be there first
    elsewhere: Namespace,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Simulator]:
    simulator = Simulator(
        SimulatorOptions(host=elsewhere.address, speed=getattr(request, "param", 0))
    )
    with elsewhere.entered():
        await simulator.__aenter__()
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    yield simulator
    await simulator.__aexit__(None, None, None)


@pytest.fixture
def person(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
) -> Person:
    """Not running yet, and with the patience to prove that it was not the core's that ran out."""
    return impatient(tmp_path, UNACKNOWLEDGED_S, reply_timeout_s=REPLY_TIMEOUT_S)


def impatient(directory: Path, unacknowledged_s: float, **options: float) -> Person:
    """Whose daemon believes a link dead after that time."""
    return Person(directory, timeouts={"unacknowledged_s": unacknowledged_s}, **options)


@contextlib.asynccontextmanager
async def talking(person: Person) -> AsyncIterator[None]:
    """Connected, and one turn old."""
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        yield


async def test_a_sentence_into_a_black_hole_is_sent_again_when_the_network_is_back(
    person: Person, simulator: Simulator, elsewhere: Namespace
) -> None:
    async with talking(person):
        person.button.edge(pressed=True)
        await person.state("listening")
        person.hear(SPEECH[:HALF])
        await simulator.wait_for(lambda: len(simulator.turns) > 1 and simulator.turns[1].utterance)
        elsewhere.pull_the_cable()
        person.hear(SPEECH[HALF:])
        person.button.edge(pressed=False)
        await person.status_says("the network has swallowed what was sent for 0.3 s")
        elsewhere.plug_it_in()
        ledger = await person.turn(2)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert simulator.turns[-1].context == (1,)
    assert person.was_told()


async def test_a_connection_that_died_while_nobody_spoke_is_found_dead_by_the_first_words(
    person: Person, simulator: Simulator, elsewhere: Namespace
) -> None:
    async with talking(person):
        elsewhere.pull_the_cable()
        turn = await person.says()
        await person.status_says("swallowed")
        elsewhere.plug_it_in()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert simulator.turns[-1].context == (1,)
    assert person.was_told()


async def test_a_connection_that_died_is_found_dead_by_a_ping_before_anybody_speaks(
    simulator: Simulator, elsewhere: Namespace, tmp_path: Path
) -> None:
    often = {"unacknowledged_s": UNACKNOWLEDGED_S, "ping_interval_s": 0.05}
    person = Person(tmp_path, timeouts=often)
    async with talking(person):
        elsewhere.pull_the_cable()
        await person.link("down")
        elsewhere.plug_it_in()
        ledger = await person.has_a_turn()
    assert (ledger["outcome"], ledger["context"], ledger["deliveries"]) == (
        "answered",
        "resumed",
        1,
    )
    assert simulator.turns[-1].context == (1,)
    assert person.was_told()


async def test_an_outage_that_tcp_bridges_goes_unnoticed(
    simulator: Simulator, elsewhere: Namespace, tmp_path: Path
) -> None:
    person = impatient(tmp_path, 20.0, reply_timeout_s=REPLY_TIMEOUT_S)
    async with talking(person):
        elsewhere.pull_the_cable()
        turn = await person.says()
        await person.state("thinking")
        assert len(simulator.turns) == 1
        elsewhere.plug_it_in()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1)
    assert len(simulator.connections) == 1
    assert person.was_told()


# It takes a quarter of a second to think.
@pytest.mark.parametrize("simulator", [2], indirect=True)
async def test_an_answer_that_never_comes_out_of_a_black_hole_is_asked_for_again(
    simulator: Simulator, elsewhere: Namespace, tmp_path: Path
) -> None:
    """All of the sentence has arrived: TCP has nothing to miss, only the core has."""
    person = impatient(tmp_path, UNACKNOWLEDGED_S, reply_timeout_s=0.5)
    async with talking(person):
        turn = await person.says()
        await simulator.wait_for(
            lambda: len(simulator.turns) > 1 and simulator.turns[1].activity_end_at
        )
        elsewhere.pull_the_cable()
        await person.link("connecting")
        elsewhere.plug_it_in()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert person.speaker.heard[2] == simulator.turns[-1].reply
    assert person.was_told()


async def test_what_is_said_without_a_network_is_delivered_when_there_is_one(
    person: Person, simulator: Simulator, elsewhere: Namespace
) -> None:
    elsewhere.pull_the_cable()
    async with person.running():
        turn = await person.says()
        await person.status_says("answer in")  # time
        elsewhere.plug_it_in()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1)
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()


async def test_a_black_hole_that_stays_is_told_and_the_conversation_goes_on_after_it(
    simulator: Simulator, elsewhere: Namespace, tmp_path: Path
) -> None:
    person = impatient(tmp_path, UNACKNOWLEDGED_S, patience_s=0.5)
    async with talking(person):
        elsewhere.pull_the_cable()
        assert (await person.has_a_turn())["outcome"] == "not-delivered"
        await person.until(lambda: person.was_told(Notice.NOT_DELIVERED))
        elsewhere.plug_it_in()
        ledger = await person.has_a_turn()
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].context == (1,)
    assert person.was_told(Notice.NOT_DELIVERED)


async def test_the_daemon_ends_in_a_black_hole_in_the_time_it_promises(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    elsewhere: Namespace,
    tmp_path: Path,
) -> None:
    """With the time-outs of life: none of them may be what is waited for."""
    person = Person(tmp_path, timeouts=asdict(Timeouts()))
    async with talking(person):
        elsewhere.pull_the_cable()
        began = time.monotonic()
    assert time.monotonic() - began < 2.0, "what systemd is promised"
