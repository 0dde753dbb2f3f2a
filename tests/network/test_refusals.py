"""No way to the server: nobody listens, or what listens hangs up or says nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.network.relay import Manner
from tests.network.rig import HASTY, SPEECH, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from tests.network.certificates import Certificates
    from tests.network.relay import Relay

TROUBLES = [Manner.RESET, Manner.RESET_HELLO, Manner.MUTE]
#: What the journal says of each.
WORDS = {
    Manner.RESET: "reset by peer",
    Manner.RESET_HELLO: "reset by peer",
    Manner.MUTE: "answer in",  # "no answer in 0.5 s", or the same by the edge
}


async def test_what_is_said_while_nobody_listens_is_delivered_when_somebody_does(
    person: Person, relay: Relay, simulator: Simulator
) -> None:
    await relay.close()
    async with person.running():
        turn = await person.says()
        await person.state("thinking")
        await person.status_says("Connection refused")
        await relay.open()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1)
    assert simulator.turns[0].utterance == SPEECH
    assert person.speaker.heard[1] == simulator.turns[0].reply
    assert person.was_told()


async def test_what_is_said_and_never_delivered_is_told_and_the_next_press_works(
    relay: Relay, simulator: Simulator, tmp_path: Path
) -> None:
    person = Person(tmp_path, patience_s=0.3)
    await relay.close()
    async with person.running():
        assert (await person.has_a_turn())["outcome"] == "not-delivered"
        assert person.was_told(Notice.NOT_DELIVERED)
        await relay.open()
        assert (await person.has_a_turn())["outcome"] == "answered"
    assert [bytes(turn.utterance) for turn in simulator.turns] == [SPEECH]
    assert person.was_told(Notice.NOT_DELIVERED)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_way_that_is_bad_for_a_while_costs_the_person_nothing(
    person: Person, relay: Relay, simulator: Simulator, trouble: Manner
) -> None:
    relay.manner = trouble
    async with person.running():
        turn = await person.says()
        await relay.wait_for(lambda: relay.accepted >= 2)
        await person.status_says(WORDS[trouble])
        relay.manner = Manner.PASS
        assert (await person.turn(turn))["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_way_that_becomes_bad_costs_the_conversation_nothing(
    person: Person, relay: Relay, simulator: Simulator, trouble: Manner
) -> None:
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        relay.manner = trouble
        relay.reset()
        await person.link("down")
        turn, before = await person.says(), relay.accepted
        await relay.wait_for(lambda: relay.accepted >= before + 1)
        relay.manner = Manner.PASS
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].context == (1,)
    assert person.was_told()


@pytest.mark.parametrize("trouble", [Manner.RESET, Manner.RESET_HELLO])
async def test_no_trouble_makes_a_storm(relay: Relay, tmp_path: Path, trouble: Manner) -> None:
    """However short the pauses are: ten connections a minute, also for a person who insists."""
    person = Person(tmp_path, patience_s=0.2, **HASTY)
    relay.manner = trouble
    async with person.running():
        await relay.wait_for(lambda: relay.accepted == 8)  # the rest is for presses
        for _ in range(4):
            assert (await person.has_a_turn())["outcome"] == "not-delivered"
    assert person.was_told(*[Notice.NOT_DELIVERED] * 4)
    assert relay.accepted == 10


@contextlib.asynccontextmanager
async def only_tls(certificates: Certificates) -> AsyncIterator[int]:
    """A port where TLS is spoken, and nothing with it."""
    busy: set[asyncio.Task[None] | None] = set()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=certificates.context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*(task for task in busy if task is not None))


async def test_an_upgrade_that_is_never_answered_is_given_up_and_tried_again(
    person: Person, relay: Relay, simulator: Simulator, certificates: Certificates
) -> None:
    async with only_tls(certificates) as port:
        relay.to_port = port
        async with person.running():
            turn = await person.says()
            await relay.wait_for(lambda: relay.accepted >= 2)
            await person.status_says("answer in")
            relay.to_port = simulator.port
            assert (await person.turn(turn))["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()


async def test_an_upgrade_that_is_cut_off_is_tried_again(
    person: Person, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.UPGRADE, faults.Abort(), times=2)
    async with person.running():
        ledger = await person.has_a_turn()
        await person.status_says("cut off before the server had answered")
    assert ledger["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()


async def test_a_server_in_trouble_is_tried_again(person: Person, simulator: Simulator) -> None:
    simulator.plan.add(Phase.UPGRADE, faults.HttpStatus(503), times=2)
    async with person.running():
        ledger = await person.has_a_turn()
        await person.status_says("HTTP 503")
    assert ledger["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()


@pytest.mark.parametrize(
    ("status", "notice"),
    [
        (429, Notice.QUOTA_USED_UP),
        (403, Notice.KEY_REFUSED),
        (404, Notice.MODEL_GONE),
    ],
)
async def test_a_refusal_is_told_at_the_start_and_to_who_speaks(
    person: Person, relay: Relay, simulator: Simulator, status: int, notice: Notice
) -> None:
    simulator.plan.add(Phase.UPGRADE, faults.HttpStatus(status), times=2)
    async with person.running():
        await person.until(lambda: person.was_told(notice))
        await person.status_says(f"HTTP {status}")
        assert (await person.has_a_turn())["outcome"] == "not-delivered"
        assert relay.accepted == 2
        ledger = await person.has_a_turn()
    assert ledger["outcome"] == "answered"
    assert person.was_told(*[notice] * 2)
    assert simulator.turns[0].utterance == SPEECH


async def test_a_flapping_link_lets_a_sentence_through_in_the_end(
    person: Person, relay: Relay, simulator: Simulator
) -> None:
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        turn = await person.says()
        for _ in range(4):
            before = relay.accepted
            relay.reset()
            await relay.close()
            await person.link("down")
            await relay.open()
            await relay.wait_for(lambda before=before: relay.accepted > before)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert relay.accepted <= 10
