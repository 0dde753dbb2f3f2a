"""A session that begins afresh is told how it went before: the real daemon, over TLS."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from speakerd.conversation import events as ev
from speakerd.live.edge import LiveEdge
from speakerd.live.history import Line, Past
from speakerd.live.setup import Wishes
from speakerd.service.state import FILE_NAME
from speakerd.simulator import catalogue, faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY
from tests.protocol.rig import SPEECH, Rig
from tests.protocol.test_live_edge import Ears, spoken
from tests.protocol.test_reload import ReloadRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.records import ConnectionRecord
    from speakerd.simulator.server import Simulator

LIVE, THINKER = "gemini-3.8-live", "gemini-3.8-live-extended-thinking"
LEGACY, NATIVE = "gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-latest"
ANNOUNCED = {"initial_history_in_client_content": True}
PAST = Past(1, (Line("user", "I am Ada."), Line("model", "Hello Ada.")))
#: A turn as the simulator transcribes it.
TURN = [("user", "1.0 seconds of speech."), ("model", "You said 1.0 seconds of speech.")]


def announced(setup: dict[str, Any]) -> object:
    return setup.get("historyConfig")


# --- the edge


@pytest.fixture
async def told(simulator: Simulator) -> AsyncIterator[tuple[LiveEdge, Ears]]:  # noqa: ARG001 - it has to be there first
    ears = Ears()
    edge = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY), wishes=Wishes(history=True))
    yield edge, ears
    await edge.close()


@pytest.mark.parametrize("model", [LIVE, THINKER, LEGACY])
async def test_a_fresh_session_is_told_and_answers_what_is_asked_then(
    told: tuple[LiveEdge, Ears], simulator: Simulator, model: str
) -> None:
    edge, ears = told
    edge.connect(1, model, None, past=PAST)
    edge.deliver(1, 1, spoken(1))  # it must not overtake what is told
    assert await ears.hear(ev.ConnectionOpened) == ev.ConnectionOpened(1, told=1)
    await ears.hear(ev.TurnCompleted)
    assert announced(simulator.setups[0]) == ANNOUNCED
    assert simulator.connections[0].history == [("user", "I am Ada."), ("model", "Hello Ada.")]
    assert [turn.context for turn in simulator.turns] == [(0,)]
    assert ears.all(ev.TurnCompleted) == [ev.TurnCompleted(1, 1)], "what is told is not answered"


async def test_the_model_that_does_not_heed_it_is_told_nothing(
    told: tuple[LiveEdge, Ears], simulator: Simulator
) -> None:
    edge, ears = told
    edge.connect(1, NATIVE, None, past=PAST)
    assert await ears.hear(ev.ConnectionOpened) == ev.ConnectionOpened(1)
    assert announced(simulator.setups[0]) is None


async def test_a_handle_that_does_not_know_what_was_told_is_not_the_conversation(
    told: tuple[LiveEdge, Ears], simulator: Simulator
) -> None:
    edge, ears = told
    edge.connect(1, LIVE, None, past=PAST)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.HandleIssued)
    issued = simulator.connections[0].handles
    assert [event.handle for event in ears.all(ev.HandleIssued)] == issued[1:]


async def test_a_handle_that_comes_within_an_answer_knows_what_was_told(
    told: tuple[LiveEdge, Ears], simulator: Simulator
) -> None:
    handle = {"sessionResumptionUpdate": {"newHandle": "within", "resumable": True}}
    simulator.plan.add(Phase.REPLY, faults.Inject(handle), after_s=0.1)
    edge, ears = told
    edge.connect(1, LIVE, None, past=PAST)
    edge.deliver(1, 1, spoken(1))
    assert (await ears.hear(ev.HandleIssued)).handle == "within"


async def test_a_server_that_closes_at_it_ends_a_connection_that_was_open(
    told: tuple[LiveEdge, Ears], simulator: Simulator
) -> None:
    edge, ears = told
    simulator.plan.add(Phase.IDLE, faults.Close.of(catalogue.BAD_ARGUMENT))
    edge.connect(1, LIVE, None, past=PAST)
    closed = await ears.hear(ev.ConnectionClosed)
    assert str(closed.failure) == "1007 Request contains an invalid argument."
    assert ears.all(ev.ConnectionOpened) == [ev.ConnectionOpened(1, told=1)]


# --- the daemon


def written_in(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[ReloadRig]:  # noqa: ARG001 - it has to be there first
    made = ReloadRig(tmp_path, history_turns=2)
    async with made.running():
        await made.link("ready")
        yield made


async def ask(rig: Rig) -> dict[str, Any]:
    """A turn from its press to its end."""
    before = len(rig.turns)
    await rig.say_aloud(SPEECH)
    ledger = await rig.turn(before + 1)
    await rig.state("idle")
    return ledger


async def lose(simulator: Simulator, rig: Rig, *, session: bool = True) -> None:
    """The connection is lost; with its ``session``, the server will know it no more."""
    if session:
        simulator.plan.add(
            Phase.SETUP,
            faults.Close.of(catalogue.EXPIRED_HANDLE),
            connection=len(simulator.connections) + 1,
        )
    simulator.close()
    await rig.link("down")


def fresh(simulator: Simulator) -> ConnectionRecord:
    """The newest connection, which resumes nothing."""
    connection = simulator.connections[-1]
    assert connection.ready
    assert connection.resumed_handle is None
    return connection


async def test_nothing_is_told_before_anything_was_said(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await ask(rig)
    assert announced(simulator.setups[0]) is None
    assert simulator.connections[0].history == []


async def test_the_conversation_goes_on_where_the_server_has_lost_it(
    rig: ReloadRig, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    for _ in range(3):
        await ask(rig)
    await lose(simulator, rig)
    ledger = await ask(rig)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "fresh")
    assert fresh(simulator).history == TURN * 2
    assert simulator.turns[-1].context == (0,)
    lines = [record.getMessage() for record in caplog.records]
    assert (
        "connected to gemini-3.8-live, context=fresh, with the last 2 turns, after 2 tries" in lines
    )
    assert (await rig.command("status"))["context"] == "fresh"


async def test_what_it_was_told_is_part_of_the_conversation_from_then_on(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await ask(rig)
    await lose(simulator, rig)
    await ask(rig)
    await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
    await lose(simulator, rig, session=False)
    assert (await ask(rig))["context"] == "resumed"
    assert announced(simulator.setups[-1]) is None
    assert simulator.connections[-1].history == []
    assert simulator.turns[-1].context == (0, 2)


async def test_a_text_that_was_asked_is_told(rig: ReloadRig, simulator: Simulator) -> None:
    await rig.command("say", text="I am Ada.")
    await rig.turn()
    await rig.state("idle")
    await lose(simulator, rig)
    await ask(rig)
    assert fresh(simulator).history[0] == ("user", "I am Ada.")


async def test_what_was_sent_twice_is_told_once(rig: ReloadRig, simulator: Simulator) -> None:
    await ask(rig)
    # what was said is transcribed, and no sound has come
    simulator.plan.add(Phase.THINKING, faults.Abort(), turn=2, after_s=0.4)
    assert (await ask(rig))["deliveries"] == 2
    await lose(simulator, rig)
    await ask(rig)
    assert fresh(simulator).history == TURN * 2


async def test_forget_forgets_it(rig: ReloadRig, simulator: Simulator) -> None:
    await ask(rig)
    await rig.command("forget")
    await rig.link("down")
    await ask(rig)
    assert announced(simulator.setups[-1]) is None
    assert fresh(simulator).history == []


async def test_the_time_out_of_a_conversation_forgets_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, history_turns=5, rules={"conversation_timeout_s": 0.1})
    async with rig.running():
        await rig.link("ready")
        await ask(rig)
        await rig.link("down")
        await ask(rig)
    assert len(simulator.connections) == 2
    assert fresh(simulator).history == []


async def test_a_restart_knows_nothing_of_it(simulator: Simulator, tmp_path: Path) -> None:
    for _ in range(2):
        rig = Rig(tmp_path, history_turns=5)
        async with rig.running():
            await rig.link("ready")
            await ask(rig)
        files = await asyncio.to_thread(written_in, tmp_path)
        assert not any(b"of speech" in each for each in files), "it is in memory only"
        (tmp_path / FILE_NAME).unlink()
    assert [announced(setup) for setup in simulator.setups] == [None] * 2


async def test_a_reload_without_it_forgets_it(rig: ReloadRig, simulator: Simulator) -> None:
    await ask(rig)
    for count, turns in ((2, 0), (3, 5)):
        rig.write(history_turns=turns)
        assert (await rig.command("reload"))["applied"] is True
        await simulator.wait_for(lambda count=count: len(simulator.connections) == count)  # type: ignore[misc]  # bound
        await rig.link("ready")
    await lose(simulator, rig)
    await ask(rig)
    assert fresh(simulator).history == []


async def test_another_model_is_told(rig: ReloadRig, simulator: Simulator) -> None:
    await ask(rig)
    rig.write(model=LEGACY)
    await rig.command("reload")
    await ask(rig)
    assert simulator.setups[-1]["model"] == f"models/{LEGACY}"
    assert fresh(simulator).history == TURN


async def test_a_server_that_refuses_it_answers_without(
    rig: ReloadRig, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(rig)
    await lose(simulator, rig)
    connection = len(simulator.connections) + 2  # after the one that finds the session lost
    refusal = faults.Close.of(catalogue.BAD_ARGUMENT)
    simulator.plan.add(Phase.IDLE, refusal, connection=connection)
    assert (await ask(rig))["outcome"] == "answered"
    assert simulator.connections[connection - 1].history == TURN
    assert announced(simulator.setups[-1]) is None
    assert fresh(simulator).history == []
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "the server refuses history (SPEAKERD_HISTORY_TURNS) for gemini-3.8-live" in said


async def test_so_does_one_that_refuses_the_announcement(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await ask(rig)
    await lose(simulator, rig)
    connection = len(simulator.connections) + 2
    refusal = faults.Close.of(catalogue.BAD_ARGUMENT)
    simulator.plan.add(Phase.SETUP, refusal, connection=connection)
    assert (await ask(rig))["outcome"] == "answered"
    assert announced(simulator.setups[connection - 1]) == ANNOUNCED
    assert fresh(simulator).history == []


async def test_without_the_option_nothing_is_told(simulator: Simulator, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        await rig.link("ready")
        await ask(rig)
        await lose(simulator, rig)
        await ask(rig)
    assert not any("history" in str(setup).lower() for setup in simulator.setups)
    assert fresh(simulator).history == []
