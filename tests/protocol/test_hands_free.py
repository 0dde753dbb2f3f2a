"""Hands free, from the button to the server and back: the real daemon, SDK and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.live import shortcut
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator

QUIET = bytes(32_000)  # a second, which is longer than a pause in a sentence
HANDS_FREE = {"turn_taking": "conversation", "echo_guard_ms": 0}
#: The models that heed audioStreamEnd, and those that hear silence only.
MODELS = ["gemini-3.8-live", "gemini-3.1-flash-live-preview"]


def chunks(simulator: Simulator) -> int:
    """How many pieces of sound have come."""
    return sum(connection.received["audio"] for connection in simulator.connections)


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Rig]:  # noqa: ARG001 - it has to be there first
    rig = Rig(tmp_path, **HANDS_FREE)
    async with rig.running():
        yield rig


async def test_a_conversation_of_two_turns(rig: Rig, simulator: Simulator) -> None:
    assert await rig.command("press") == {"ok": True}
    for number in (1, 2):
        await rig.until(lambda n=number: rig.microphone.open_on == n)  # type: ignore[misc]
        rig.hear(SPEECH)
        rig.hear(QUIET)
        turn = await rig.turn(number)
        assert (turn["turn"], turn["outcome"]) == (number, "answered")
        assert SPEECH in bytes(simulator.turns[number - 1].utterance)
        assert rig.speaker.heard[number] == simulator.turns[number - 1].reply
    await rig.until(lambda: rig.microphone.open_on == 3)
    await rig.command("release")
    await rig.state("idle")
    assert rig.microphone.open_on is None
    assert len(rig.turns) == 2  # nobody said anything in the third
    detection = simulator.setups[0]["realtimeInputConfig"]["automatic_activity_detection"]
    assert detection == {}


async def test_while_an_answer_is_heard_the_microphone_is_closed(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, instant=False, **HANDS_FREE)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET)
        await rig.state("speaking")
        assert rig.microphone.open_on is None
        rig.hear(SPEECH)  # its own voice
        await simulator.wait_for(lambda: simulator.turns[0].completed_at)
        rig.speaker.play(60.0)
        await rig.state("listening")
        assert len(simulator.turns) == 1


async def test_without_an_echo_whoever_speaks_into_an_answer_silences_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, instant=False, **HANDS_FREE, echo_cancelled=True)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET)
        await rig.state("speaking")
        assert rig.microphone.open_on == 2
        rig.hear(SPEECH[: len(SPEECH) // 2])
        await rig.state("listening")
        rig.hear(QUIET)
        await rig.state("speaking")
        assert (await rig.turn())["outcome"] == "stopped"
        rig.speaker.play(60.0)
        assert (await rig.turn(2))["outcome"] == "answered"
        assert SPEECH[: len(SPEECH) // 2] in bytes(simulator.turns[1].utterance)


async def test_a_server_that_hears_who_speaks_is_read_all_the_time(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can tell that an answer is interrupted, however far ahead it is."""
    asked: list[float] = []
    monkeypatch.setattr(shortcut, "rest_s", asked.append)
    rig = Rig(tmp_path, ahead_s=1.0, **HANDS_FREE)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET)
        assert (await rig.turn())["outcome"] == "answered"
        assert rig.speaker.heard[1] == simulator.turns[0].reply
    assert not asked


async def test_a_sentence_outlives_its_connection(rig: Rig, simulator: Simulator) -> None:
    await rig.command("press")
    await rig.state("listening")
    rig.hear(SPEECH)
    await simulator.wait_for(lambda: chunks(simulator) > 10)
    simulator.drop()
    await rig.until(lambda: rig._last("state").get("link") != "ready")
    rig.hear(SPEECH)
    rig.hear(QUIET)
    assert (await rig.turn())["outcome"] == "answered"
    assert 2 * SPEECH in bytes(simulator.turns[-1].utterance)
    assert len(simulator.connections) == 2


@pytest.mark.parametrize("model", MODELS)
async def test_what_was_hung_up_on_is_no_part_of_what_is_said_next(
    simulator: Simulator, tmp_path: Path, model: str
) -> None:
    rig = Rig(tmp_path, **HANDS_FREE, model=model)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        await simulator.wait_for(lambda: chunks(simulator) > 20)
        await rig.command("release")
        await rig.state("idle")
        await simulator.wait_for(lambda: simulator.turns and simulator.turns[0].completed_at)
        assert rig.speaker.heard == {}  # its answer is nobody's
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH[:16_000])
        rig.hear(QUIET)
        await rig.until(lambda: any(turn["outcome"] == "answered" for turn in rig.turns))
        assert len(simulator.turns) == 2
        assert SPEECH not in bytes(simulator.turns[1].utterance)
        assert SPEECH[:16_000] in bytes(simulator.turns[1].utterance)


async def test_a_text_is_said_when_the_conversation_is_over(rig: Rig, simulator: Simulator) -> None:
    await rig.command("press")
    await rig.state("listening")
    assert await rig.command("say", text="What time is it?") == {"ok": True, "waits_for": 1}
    await rig.command("release")
    turn = await rig.turn()
    assert (turn["kind"], turn["outcome"]) == ("text", "answered")
    assert simulator.turns[0].text == "What time is it?"


@pytest.mark.parametrize("model", [*MODELS, "gemini-3.8-live-extended-thinking"])
async def test_a_function_is_called_in_it(simulator: Simulator, tmp_path: Path, model: str) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("get_volume"))
    rig = Rig(tmp_path, **HANDS_FREE, model=model)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET[:25_600])  # no more than it takes: where it waits for results none may come
        turn = await rig.turn()
        assert turn["outcome"] == "answered"
        (result,) = simulator.turns[0].tool_responses
        assert "error" in result["response"]  # there is no volume here
        assert len(simulator.connections) == 1
