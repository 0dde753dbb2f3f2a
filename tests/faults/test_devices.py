"""Sound cards and buttons that are missing, fail or come back: the daemon stays up and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.conversation.events import ButtonHeldAtStart, Device, DeviceLost, DeviceReady, Xrun
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.fakes.audio import FakeMicrophone, FakeSpeaker
from tests.faults.story import BRISK, HALVES
from tests.protocol.rig import SPEECH, FakeButton, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator

GONE = "plughw:CARD=Mic: No such device"


def clips(rig: Rig, *notices: Notice) -> bool:
    return rig.speaker.clips == [earcons.render(notice) for notice in notices]


async def honest_turn(rig: Rig, number: int) -> None:
    await rig.say_aloud()
    assert (await rig.turn(number))["outcome"] == "answered"


async def test_a_microphone_that_is_missing_at_the_start_is_told_at_the_press(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMicrophone, "start", lambda self: self.lose(GONE))
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        assert (await rig.command("status"))["microphone"] == GONE
        assert rig.states[-1] == "error"
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.button.edge(pressed=False)
        assert (await rig.turn())["outcome"] == "empty"
        await rig.until(lambda: clips(rig, Notice.NO_MICROPHONE))
        rig.microphone.find()
        await rig.state("idle")
        await honest_turn(rig, 2)
    assert len(simulator.turns) == 1


async def test_a_microphone_that_is_found_while_the_button_is_held_is_heard(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMicrophone, "start", lambda self: self.lose(GONE))
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.microphone.find()
        rig.hear()
        rig.button.edge(pressed=False)
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH


async def test_a_microphone_that_is_pulled_out_ends_the_sentence_aloud(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await honest_turn(rig, 1)
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.hear(HALVES[0])
        await simulator.wait_for(lambda: len(simulator.turns) == 2)
        rig.microphone.lose(GONE)
        assert (await rig.turn(2))["outcome"] == "empty"
        await rig.until(lambda: clips(rig, Notice.NO_MICROPHONE))
        assert (await rig.command("status"))["last_error"] == GONE
        rig.button.edge(pressed=False)
        rig.microphone.find()
        await honest_turn(rig, 3)
        assert (await rig.command("status"))["context"] == "fresh"
    assert len(simulator.connections) == 1
    assert simulator.turns[-1].context[0] == 1, "it is the same conversation"


async def test_a_microphone_that_is_pulled_out_after_the_sentence_costs_nothing(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, tail_ms=3000, rules=BRISK | {"tail_s": 0.2})
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        rig.microphone.lose(GONE)
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH


async def test_a_speaker_that_is_pulled_out_ends_the_answer_and_the_next_one_is_heard(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        simulator.plan.add(Phase.REPLY, faults.Pause(duration_s=30.0), after_s=0.4, turn=1)
        await rig.say_aloud()
        await rig.state("speaking")
        rig.speaker.lose("plughw:CARD=Dac: No such device")
        assert (await rig.turn())["outcome"] == "cut"
        await rig.state("error")
        rig.speaker.find()
        await rig.state("idle")
        await honest_turn(rig, 2)
    assert rig.speaker.heard[2] == simulator.turns[1].reply


async def test_without_a_speaker_a_turn_ends_and_says_so_in_the_journal(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(FakeSpeaker, "start", lambda self: self.lose("busy: held by mpd (812)"))
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "cut"
        assert "the speaker is lost: see SPEAKERD_PLAYBACK_DEVICE" in caplog.messages
        assert "held by mpd (812)" in str((await rig.command("status"))["speaker"])
        rig.speaker.find()
        await honest_turn(rig, 2)
    assert len(simulator.turns) == 2


async def test_a_button_that_is_pulled_out_ends_the_sentence_as_if_released(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.hear()
        rig.daemon.post(DeviceLost(Device.BUTTON, "GPIO17: no such line"))
        assert (await rig.turn())["outcome"] == "answered"
        rig.daemon.post(DeviceReady(Device.BUTTON))
        await honest_turn(rig, 2)
    assert simulator.turns[0].utterance == SPEECH


async def test_a_button_that_is_held_at_the_start_opens_nothing_until_it_was_released(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(button: FakeButton) -> None:
        button._post(DeviceReady(Device.BUTTON))
        button._post(ButtonHeldAtStart())

    monkeypatch.setattr(FakeButton, "start", start)
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        rig.hear()
        rig.button.edge(pressed=True)
        await rig.command("status")  # by now the edge has been looked at
        assert rig.microphone.open_on is None
        rig.button.edge(pressed=False)
        await honest_turn(rig, 1)
    assert rig.states.count("listening") == 1
    assert [bytes(turn.utterance) for turn in simulator.turns] == [SPEECH]


async def test_a_stuck_button_ends_at_the_longest_utterance_and_opens_nothing_more(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK | {"max_utterance_s": 0.3})
    async with rig.running():
        await rig.link("ready")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.hear()
        assert (await rig.turn())["outcome"] == "answered"
        await rig.state("idle")
        assert rig.microphone.open_on is None
        rig.button.edge(pressed=False)
        await honest_turn(rig, 2)
    assert len(simulator.turns) == 2


async def test_a_mashed_button_wedges_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """A minute of 50 edges a second, as fast as they can be taken."""
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        for number in range(3000):
            rig.button.edge(pressed=number % 2 == 0)
            if number % 100 == 0:
                await rig.command("status")
        rig.button.edge(pressed=False)
        await rig.until(lambda: rig.states[-1] == "idle")
        before = len(rig.turns)
        await honest_turn(rig, before + 1)
    assert len(simulator.connections) <= 10


@pytest.mark.parametrize("device", [Device.MICROPHONE, Device.SPEAKER])
async def test_a_storm_of_xruns_is_counted_and_costs_no_turn(
    simulator: Simulator, tmp_path: Path, device: Device
) -> None:
    rig = Rig(tmp_path, debounce_ms=0, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        for _ in range(1000):
            rig.daemon.post(Xrun(device))
        rig.hear()
        rig.button.edge(pressed=False)
        ledger = await rig.turn()
    counted = {Device.MICROPHONE: "overruns", Device.SPEAKER: "underruns"}[device]
    assert (ledger["outcome"], ledger[counted]) == ("answered", 1000)
    assert simulator.turns[0].utterance == SPEECH
