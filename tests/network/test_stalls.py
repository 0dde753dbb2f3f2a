"""A way that is clogged: what is sent is taken by something in between, and goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.network.rig import SPEECH, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from tests.network.relay import Relay

HALF = len(SPEECH) // 2


@pytest.fixture
async def talking(person: Person) -> AsyncIterator[Person]:
    """Connected, and one turn old."""
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        yield person


async def stall_at_setup(person: Person, relay: Relay, simulator: Simulator) -> int:
    """Press; the setup is sent, and its answer does not come through. Returns the turn."""
    simulator.plan.add(Phase.SETUP, faults.Pause(), after_s=0.05)
    turn, setups = await person.says(), len(simulator.setups)
    await simulator.wait_for(lambda: len(simulator.setups) > setups)
    relay.stall()
    return turn


async def speak_into_a_stall(person: Person, relay: Relay, simulator: Simulator) -> None:
    """Hold the button and speak; the second half of the sentence does not get through."""
    turns = len(simulator.turns)
    person.button.edge(pressed=True)
    await person.state("listening")
    person.hear(SPEECH[:HALF])
    await simulator.wait_for(lambda: len(simulator.turns) > turns and simulator.turns[-1].utterance)
    relay.stall()
    person.hear(SPEECH[HALF:])
    person.button.edge(pressed=False)


async def test_a_setup_that_is_answered_late_is_all_that_a_short_stall_costs(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    relay.reset()
    await talking.link("down")
    turn = await stall_at_setup(talking, relay, simulator)
    relay.go_on()
    ledger = await talking.turn(turn)
    assert (ledger["outcome"], ledger["context"], ledger["deliveries"]) == (
        "answered",
        "resumed",
        1,
    )
    assert relay.accepted == 2
    assert talking.was_told()


async def test_a_setup_that_is_never_answered_is_tried_again(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    relay.reset()
    await talking.link("down")
    turn = await stall_at_setup(talking, relay, simulator)
    await talking.status_says("no answer in")
    relay.reset()
    relay.go_on()
    ledger = await talking.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert talking.was_told()


async def test_a_stall_while_nobody_speaks_goes_unnoticed(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    relay.stall()
    simulator.inject({"voiceActivity": {"type": "ACTIVITY_END"}})
    await relay.wait_for(lambda: relay.held)
    relay.go_on()
    ledger = await talking.has_a_turn()
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1)
    assert relay.accepted == 1
    assert talking.was_told()


async def test_a_pong_may_be_late(relay: Relay, simulator: Simulator, tmp_path: Path) -> None:
    person = Person(tmp_path, timeouts={"ping_interval_s": 0.02})
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        relay.stall()
        await relay.wait_for(lambda: relay.held)  # a ping: nothing else is sent
        relay.go_on()
        assert (await person.has_a_turn())["deliveries"] == 1
    assert len(simulator.connections) == 1


async def test_a_sentence_into_a_connection_that_died_quietly_is_sent_again(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    relay.stall()
    turn = await talking.says()
    await talking.link("connecting")  # nothing has come back in the time for an answer
    relay.reset()
    relay.go_on()
    ledger = await talking.turn(turn)
    assert (ledger["outcome"], ledger["context"], ledger["deliveries"]) == (
        "answered",
        "resumed",
        2,
    )
    assert simulator.turns[-1].utterance == SPEECH
    assert simulator.turns[-1].context == (1,)
    assert talking.was_told()


async def test_a_sentence_that_is_stuck_half_way_arrives_when_the_way_is_free(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    await speak_into_a_stall(talking, relay, simulator)
    await talking.state("thinking")
    relay.go_on()
    ledger = await talking.turn(2)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1)
    assert simulator.turns[-1].utterance == SPEECH
    assert relay.accepted == 1
    assert talking.was_told()


async def test_a_sentence_that_is_cut_in_half_is_sent_again_whole(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    await speak_into_a_stall(talking, relay, simulator)
    await talking.state("thinking")
    relay.reset()
    relay.go_on()
    ledger = await talking.turn(2)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert simulator.turns[-1].context == (1,)
    assert talking.was_told()


# It takes a quarter of a second to think.
@pytest.mark.parametrize("simulator", [2], indirect=True)
@pytest.mark.parametrize("in_time", [True, False])
async def test_an_answer_that_is_stuck_before_its_first_sound(
    talking: Person, relay: Relay, simulator: Simulator, in_time: bool
) -> None:
    """In time it is heard; when the connection is reset instead, the question is asked again."""
    turn = await talking.says()
    await simulator.wait_for(
        lambda: len(simulator.turns) > 1 and simulator.turns[1].activity_end_at
    )
    relay.stall()
    await relay.wait_for(lambda: relay.held)
    assert talking.states[-1] == "thinking"
    if not in_time:
        relay.reset()
    relay.go_on()
    ledger = await talking.turn(turn)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 1 if in_time else 2)
    assert ledger["context"] == ("fresh" if in_time else "resumed")
    assert talking.speaker.heard[2] == simulator.turns[-1].reply
    assert talking.was_told()


# An answer of a second that takes half of it to come.
@pytest.mark.parametrize("simulator", [2], indirect=True)
async def test_an_answer_that_stalls_and_comes_in_a_burst_is_heard_whole(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    turn = await talking.says()
    await talking.state("speaking")
    relay.stall()
    await relay.wait_for(lambda: relay.held)
    relay.go_on()
    assert (await talking.turn(turn))["outcome"] == "answered"
    assert talking.speaker.heard[2] == simulator.turns[-1].reply
    assert talking.was_told()


@pytest.mark.parametrize("simulator", [2], indirect=True)
async def test_an_answer_that_is_stuck_half_way_is_told_as_cut_and_the_next_press_works(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    turn = await talking.says()
    await talking.state("speaking")
    relay.stall()
    assert (await talking.turn(turn))["outcome"] == "cut"
    assert 0 < len(talking.speaker.heard[2]) < len(simulator.turns[1].reply)
    await talking.until(lambda: talking.was_told(Notice.ANSWER_CUT))
    relay.reset()
    relay.go_on()
    ledger = await talking.has_a_turn()
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert talking.speaker.heard[3] == simulator.turns[-1].reply
    assert talking.was_told(Notice.ANSWER_CUT)


async def test_a_way_that_stays_clogged_is_told_and_forgotten_when_it_is_free(
    relay: Relay, simulator: Simulator, tmp_path: Path
) -> None:
    person = Person(tmp_path, patience_s=0.5, reply_timeout_s=0.5)
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        relay.stall()
        assert (await person.has_a_turn())["outcome"] == "not-delivered"
        await person.until(lambda: person.was_told(Notice.NOT_DELIVERED))
        relay.reset()
        relay.go_on()
        ledger = await person.has_a_turn()
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].context == (1,)
    assert person.was_told(Notice.NOT_DELIVERED)


async def test_a_server_that_has_not_noticed_the_end_resumes_the_conversation_when_it_does(
    talking: Person, relay: Relay, simulator: Simulator
) -> None:
    """It refuses a second connection to the same conversation: 1011."""
    relay.forget()
    await talking.link("down")
    turn = await talking.says()
    await talking.status_says("1011 Internal error")
    relay.reset()
    ledger = await talking.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].utterance == SPEECH
    assert simulator.turns[-1].context == (1,)
    assert talking.was_told()
