"""The speaker itself by word of mouth: the real daemon, core and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.protocol.rig import SPEECH, Rig
from tests.protocol.test_panel import PanelRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from speakerd.simulator.server import Simulator

QUIET = bytes(32_000)
TOOLS = ("volume", "speaker")
HANDS_FREE = {"turn_taking": "conversation", "echo_guard_ms": 0, "tools": TOOLS}
#: One that does not wait for results while sound goes out, and one that always does.
MODELS = ["gemini-3.8-live", "gemini-3.1-flash-live-preview"]


def calls(simulator: Simulator, name: str, turn: int) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall(name), turn=turn)


def result(simulator: Simulator, turn: int) -> Mapping[str, object]:
    """What the model was answered in that turn."""
    (response,) = simulator.turns[turn - 1].tool_responses
    answer: Mapping[str, object] = response["response"]
    return answer


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Rig]:  # noqa: ARG001 - it has to be there first
    rig = Rig(tmp_path, tools=TOOLS)
    async with rig.running():
        await rig.link("ready")
        yield rig


async def ask(rig: Rig, number: int, pcm: bytes = SPEECH) -> None:
    await rig.say_aloud(pcm)
    assert (await rig.turn(number))["outcome"] == "answered"
    await rig.state("idle")


# --- the last answer again


async def test_the_last_answer_is_heard_again_sample_for_sample(
    rig: Rig, simulator: Simulator
) -> None:
    for turn in (2, 3):
        calls(simulator, "repeat_last_answer", turn)
    await ask(rig, 1, SPEECH[:16_000])
    await ask(rig, 2)
    await ask(rig, 3)
    first, second, third = (bytes(turn.reply) for turn in simulator.turns)
    assert result(simulator, 2)["last_answer"] == "played again after what you say now"
    assert rig.speaker.sound == first + second + first + third + first
    assert rig.speaker.clips == [first, first]


async def test_a_press_silences_it_and_is_heard(simulator: Simulator, tmp_path: Path) -> None:
    calls(simulator, "repeat_last_answer", 2)
    rig = Rig(tmp_path, instant=False, tools=TOOLS)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        await rig.state("speaking")
        await simulator.wait_for(lambda: simulator.turns[0].completed_at)
        while not rig.turns:  # it plays what has come by then
            rig.speaker.play()
            await rig.command("status")
        await rig.say_aloud()
        await rig.state("speaking")
        while len(rig.speaker.heard[1]) > len(rig.speaker.heard.get(2, b"")):
            rig.speaker.play()
            await rig.command("status")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        assert not rig.speaker.playing
        assert rig.speaker.clips == []


async def test_what_is_forgotten_is_not_played_again(rig: Rig, simulator: Simulator) -> None:
    calls(simulator, "repeat_last_answer", 2)
    await ask(rig, 1)
    await rig.command("forget")
    await ask(rig, 2)
    assert "no answer" in str(result(simulator, 2)["error"])
    assert rig.speaker.clips == []


@pytest.mark.parametrize("model", MODELS)
async def test_hands_free_it_is_heard_between_two_sentences(
    simulator: Simulator, tmp_path: Path, model: str
) -> None:
    calls(simulator, "repeat_last_answer", 2)
    rig = Rig(tmp_path, **HANDS_FREE, model=model)
    async with rig.running():
        await rig.link("ready")
        await rig.command("press")
        for number in (1, 2):
            await rig.until(lambda n=number: rig.microphone.open_on == n)  # type: ignore[misc]
            rig.hear(SPEECH)
            rig.hear(QUIET[:25_600])  # no more than it takes, see test_hands_free
            assert (await rig.turn(number))["outcome"] == "answered"
        await rig.until(lambda: rig.microphone.open_on == 3)
        first, second = (bytes(turn.reply) for turn in simulator.turns[:2])
        assert rig.speaker.sound.startswith(first + second + first)


# --- the rest


async def test_it_is_muted_by_word_of_mouth_and_only_by_hand_no_longer(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(simulator, "mute_microphone", 1)
    rig = PanelRig(tmp_path, monkeypatch, tools=TOOLS, second_button="mute")
    async with rig.running():
        await rig.link("ready")
        await ask(rig, 1)
        assert "the second button" in str(result(simulator, 1)["say"])
        assert rig.microphone.muted
        await rig.muted_is(True)


@pytest.mark.parametrize("model", MODELS)
async def test_a_conversation_is_over_after_the_answer(
    simulator: Simulator, tmp_path: Path, model: str
) -> None:
    calls(simulator, "end_conversation", 1)
    rig = Rig(tmp_path, **HANDS_FREE, model=model)
    async with rig.running():
        await rig.link("ready")
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET[:25_600])
        assert (await rig.turn())["outcome"] == "answered"
        await rig.state("idle")
        assert rig.microphone.open_on is None
        assert rig.speaker.heard[1].startswith(simulator.turns[0].reply)


async def test_the_conversation_is_forgotten_when_the_answer_was_heard(
    rig: Rig, simulator: Simulator
) -> None:
    calls(simulator, "forget_conversation", 1)
    await ask(rig, 1)
    assert "forgotten" in str(result(simulator, 1)["conversation"])
    await ask(rig, 2)
    assert simulator.setups[-1].get("sessionResumption", {}) == {}
    assert len(simulator.connections) == 2


async def test_how_the_speaker_is_can_be_asked(rig: Rig, simulator: Simulator) -> None:
    calls(simulator, "get_speaker_state", 1)
    await ask(rig, 1)
    told = result(simulator, 1)
    assert (told["microphone"], told["model"]) == ("on", "gemini-3.8-live")
