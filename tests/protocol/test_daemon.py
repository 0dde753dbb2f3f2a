"""The daemon as a whole, with the real SDK over TLS: everything but ALSA and GPIO is real."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.live import shortcut
from speakerd.live.edge import LiveEdge
from speakerd.service.state import HandleStore
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.fakes.audio import FakeSpeaker
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Rig]:  # noqa: ARG001 - it has to be there first
    made = Rig(tmp_path)
    async with made.running():
        await made.link("ready")
        yield made


async def test_hold_speak_hear(rig: Rig, simulator: Simulator) -> None:
    await rig.say_aloud()
    ledger = await rig.turn()
    assert ledger["outcome"] == "answered"
    assert ledger["context"] == "fresh"
    assert simulator.turns[0].utterance == SPEECH
    assert rig.speaker.heard[1] == simulator.turns[0].reply
    await rig.state("idle")


async def test_the_ledger_has_every_milestone_in_order(rig: Rig) -> None:
    await rig.say_aloud()
    ledger = await rig.turn()
    order = [
        "activity_start_ms",
        "first_audio_sent_ms",
        "activity_end_ms",
        "first_reply_ms",
        "first_sample_ms",
        "drained_ms",
    ]
    times = [ledger[name] for name in order]
    assert None not in times
    assert times == sorted(times)
    assert ledger["total_tokens"] > 0
    assert ledger["utterance_s"] == 1.0


async def test_a_turn_is_one_line_of_the_journal(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    await rig.say_aloud()
    await rig.turn()
    said = [record.getMessage() for record in caplog.records if record.name == "speakerd"]
    (line,) = (message for message in said if message.startswith("turn 1: "))
    assert "context=fresh" in line


async def test_the_status_has_the_keys_that_programs_rely_on(rig: Rig) -> None:
    await rig.say_aloud()
    await rig.turn()
    status = await rig.command("status")
    assert status["ok"] is True
    assert {key: status[key] for key in ("state", "link", "context", "model", "turns")} == {
        "state": "idle",
        "link": "ready",
        "context": "fresh",
        "model": "gemini-3.8-live",
        "turns": 1,
    }
    assert {status[device] for device in ("microphone", "speaker", "button")} == {"ready"}
    assert (status["last_error"], status["reconnects"]) == (None, 0)
    assert status["last_turn"]["turn"] == 1


async def test_the_control_socket_is_a_button(rig: Rig, simulator: Simulator) -> None:
    assert await rig.command("press") == {"ok": True}
    rig.hear()
    assert await rig.command("release") == {"ok": True}
    assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH


async def test_say_asks_in_writing(rig: Rig, simulator: Simulator) -> None:
    assert await rig.command("say", text=" What time is it? ") == {"ok": True}
    assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].text == "What time is it?"
    assert rig.speaker.heard[1] == simulator.turns[0].reply


async def test_an_announcement_is_read_out(rig: Rig, simulator: Simulator) -> None:
    assert await rig.command("announce", text="Dinner is ready.") == {"ok": True}
    turn = await rig.turn()
    assert (turn["kind"], turn["outcome"]) == ("announcement", "answered")
    assert '"Dinner is ready."' in simulator.turns[0].text


async def test_a_text_waits_until_nobody_speaks(rig: Rig, simulator: Simulator) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")
    assert await rig.command("say", text="What time is it?") == {"ok": True, "waits_for": 1}
    assert await rig.command("announce", text="Dinner!") == {"ok": True, "waits_for": 2}
    rig.hear()
    rig.button.edge(pressed=False)
    kinds = [(await rig.turn(count))["kind"] for count in (1, 2, 3)]
    assert kinds == ["speech", "text", "announcement"]
    assert simulator.turns[0].utterance == SPEECH
    assert simulator.turns[1].text == "What time is it?"


@pytest.mark.parametrize("command", ["say", "announce"])
@pytest.mark.parametrize("text", ["", "  "])
async def test_a_text_without_words_is_refused(rig: Rig, command: str, text: str) -> None:
    answer = await rig.command(command, text=text)
    assert answer["ok"] is False
    assert answer["error"].startswith(f'{command} needs "text"')


async def test_a_tap_sends_nothing(simulator: Simulator, tmp_path: Path) -> None:
    rig = Rig(tmp_path, min_press_ms=2000)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        await rig.state("idle")
    assert simulator.turns == []


async def test_a_press_into_an_answer_silences_it_and_listens(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        await rig.link("ready")
        simulator.plan.add(Phase.REPLY, faults.Silence(), after_s=0.5, turn=1)
        await rig.say_aloud()
        await rig.state("speaking")
        drops = rig.speaker.drops
        rig.button.edge(pressed=True)
        assert (await rig.turn())["outcome"] == "stopped"
        assert rig.speaker.drops > drops
        await rig.state("listening")
        assert rig.microphone.open_on == 2


async def test_an_answer_far_ahead_is_read_now_and_then_heard_whole_and_stopped_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest_s = shortcut.rest_s
    rests = []

    def noted(lasts_s: float) -> float:
        rests.append(rest_s(lasts_s))
        return rests[-1]

    monkeypatch.setattr(shortcut, "rest_s", noted)
    async with Simulator(SimulatorOptions(generation_rate=4.0)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        rig = Rig(tmp_path, ahead_s=1.0)
        async with rig.running():
            await rig.say_aloud()
            assert (await rig.turn())["outcome"] == "answered"
            assert rig.speaker.heard[1] == simulator.turns[0].reply
            assert set(rests) == {0.1}
            simulator.plan.add(Phase.REPLY, faults.Silence(), after_s=0.1)
            await rig.say_aloud()
            await rig.state("speaking")
            rig.button.edge(pressed=True)
            assert (await rig.turn(2))["outcome"] == "stopped"


async def test_an_unheard_utterance_is_sent_again_whole_on_the_resumed_session(
    rig: Rig, simulator: Simulator
) -> None:
    await rig.say_aloud()
    await rig.turn()
    simulator.plan.add(Phase.THINKING, faults.Abort(), turn=2)
    await rig.say_aloud()
    ledger = await rig.turn(2)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert ledger["deliveries"] == 2
    assert [bytes(turn.utterance) for turn in simulator.turns] == [SPEECH] * 3
    assert rig.speaker.heard[2] == simulator.turns[2].reply
    assert simulator.turns[2].context[0] == 1


async def test_an_answer_that_comes_as_we_hang_up_is_heard_once(
    rig: Rig, simulator: Simulator
) -> None:
    await rig.say_aloud()
    await rig.turn()
    await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
    await rig.state("idle")
    simulator.plan.add(Phase.THINKING, faults.GoAway(0.0, closes=False))
    await rig.say_aloud()
    ledger = await rig.turn(2)
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 2)
    assert rig.speaker.heard[2] == simulator.turns[-1].reply
    assert simulator.turns[-1].context == (1,)


async def test_the_conversation_survives_a_restart_of_the_daemon(
    simulator: Simulator, tmp_path: Path
) -> None:
    contexts = []
    for _ in range(2):
        rig = Rig(tmp_path)
        async with rig.running():
            await rig.link("ready")
            await rig.say_aloud()
            contexts.append((await rig.turn())["context"])
            # the handle that covers the turn comes after its end, and is kept at the close
            await simulator.wait_for(lambda: len(simulator.connections[-1].handles) > 1)
    assert contexts == ["fresh", "resumed"]
    assert simulator.turns[1].context == (1,)


async def test_forget_begins_anew(rig: Rig, simulator: Simulator) -> None:
    await rig.say_aloud()
    await rig.turn()
    assert await rig.command("forget") == {"ok": True}
    await rig.link("down")
    await rig.say_aloud()
    assert (await rig.turn(2))["context"] == "fresh"
    assert simulator.turns[1].context == ()


async def test_a_refused_key_is_told_by_sound_and_status(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, key="AIzaWrongKey")
    async with rig.running():
        await rig.state("error")
        status = await rig.command("status")
        assert "API key" in status["last_error"]
        assert rig.speaker.clips == [earcons.render(Notice.KEY_REFUSED)]
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "not-delivered"
    assert simulator.turns == []
    assert rig.speaker.clips == [earcons.render(Notice.KEY_REFUSED)] * 2


async def test_silence_of_the_model_is_told_quietly(rig: Rig, simulator: Simulator) -> None:
    simulator.plan.add(Phase.THINKING, faults.NoAudio())
    await rig.say_aloud()
    assert (await rig.turn())["outcome"] == "silent"
    await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.NO_REPLY)])


async def test_silence_is_told_though_the_end_of_the_answer_before_came_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Simulator(SimulatorOptions(speed=100, turn_complete_lag_s=6000.0)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        simulator.plan.add(Phase.THINKING, faults.NoAudio(), turn=2)
        rig = Rig(tmp_path)
        async with rig.running():
            await rig.link("ready")
            await rig.say_aloud()
            # all was heard; turnComplete is a minute away
            await rig.until(lambda: "speaking" in rig.states and rig.states[-1] == "idle")
            await rig.say_aloud()
            ledger = await rig.turn(2)
    assert (ledger["outcome"], ledger["deliveries"]) == ("silent", 1)


async def test_an_answer_that_breaks_off_is_played_as_far_as_it_came_and_told(
    rig: Rig, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.REPLY, faults.Abort(), after_s=0.5)
    await rig.say_aloud()
    assert (await rig.turn())["outcome"] == "cut"
    assert 0 < len(rig.speaker.heard[1]) <= len(simulator.turns[0].reply)
    await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.ANSWER_CUT)])


async def test_a_tool_nobody_has_is_answered_so_that_the_turn_goes_on(
    rig: Rig, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("lamp", {"on": True}))
    await rig.say_aloud()
    assert (await rig.turn())["outcome"] == "answered"
    (response,) = simulator.turns[0].tool_responses
    assert response["response"] == {"error": "there is no tool 'lamp'"}


async def test_a_microphone_that_is_lost_while_somebody_speaks_is_told(rig: Rig) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")
    rig.hear()
    rig.microphone.lose("microphone: unplugged")
    assert (await rig.turn())["outcome"] == "empty"
    assert (await rig.command("status"))["microphone"] == "microphone: unplugged"
    assert rig.speaker.clips == [earcons.render(Notice.NO_MICROPHONE)]


async def test_a_bug_ends_the_daemon_instead_of_deafening_it(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(tmp_path)

    def explode(*_args: object) -> None:
        raise ZeroDivisionError("planted")

    async def press() -> None:
        async with rig.running():
            await rig.link("ready")
            monkeypatch.setattr(rig.microphone, "open_gate", explode)
            rig.button.edge(pressed=True)

    with pytest.raises(ZeroDivisionError, match="planted"):
        await press()


async def test_a_bug_at_a_time_out_ends_the_daemon_too(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(tmp_path, min_press_ms=20)

    def explode(*_args: object) -> None:
        raise ZeroDivisionError("planted")

    async def hold() -> None:
        async with rig.running():
            await rig.link("ready")
            monkeypatch.setattr(rig.speaker, "expect", explode)
            rig.button.edge(pressed=True)  # and it is held: the timer says when it is a turn
            await rig.ended()

    with pytest.raises(ZeroDivisionError, match="planted"):
        await hold()


async def test_transcriptions_are_published(rig: Rig) -> None:
    await rig.say_aloud()
    await rig.turn()
    sides = {event["side"] for event in rig.events if event["event"] == "transcript"}
    assert sides == {"heard", "spoken"}


async def test_twenty_turns_in_a_row(rig: Rig, simulator: Simulator) -> None:
    for number in range(1, 21):
        await rig.say_aloud(SPEECH[: 3200 * number])
        assert (await rig.turn(number))["outcome"] == "answered"
        assert rig.speaker.heard[number] == simulator.turns[number - 1].reply
    assert len(simulator.connections) == 1


async def test_what_is_said_before_the_sdk_is_loaded_is_delivered(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = asyncio.Event()

    async def load(_edge: LiveEdge) -> None:
        await loaded.wait()

    monkeypatch.setattr(LiveEdge, "load", load)
    rig = Rig(tmp_path)
    async with rig.running():
        await rig.say_aloud()
        await rig.state("thinking")
        assert simulator.connections == []
        loaded.set()
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH


async def test_an_installation_without_the_sdk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.genai.live", None)
    rig = Rig(tmp_path)
    with pytest.raises(ImportError, match=r"google\.genai\.live"):
        await rig.daemon.serve()


async def test_the_journal_gives_the_reason_before_what_follows_from_it(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig(tmp_path, key="AIzaWrongKey")
    async with rig.running():
        await rig.state("error")
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.split(":")[0] for line in said] == ["no connection", "the API key is refused"]


async def test_the_journal_says_why_a_connection_is_given_up(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.plan.add(Phase.THINKING, faults.NoReply(), turn=1)
    rig = Rig(tmp_path, reply_timeout_s=1)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        ledger = await rig.turn()
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 2)
    assert "connection given up: no answer to what was said" in caplog.messages


async def test_a_device_that_does_not_answer_keeps_nobody_waiting(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSpeaker, "start", lambda _self: None)
    rig = Rig(tmp_path, devices_timeout_s=0.05)
    async with rig.running():
        await rig.link("ready")
        status = await rig.command("status")
        assert "has not answered" in status["speaker"]
        rig.speaker.find()
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH


async def test_a_slow_disk_holds_up_neither_a_turn_nor_the_end(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = threading.Event()
    monkeypatch.setattr(HandleStore, "save", lambda _self, _handle: written.wait(30))
    rig = Rig(tmp_path)
    async with asyncio.timeout(20), rig.running():
        await rig.link("ready")
        for number in (1, 2):
            await rig.say_aloud()
            assert (await rig.turn(number))["outcome"] == "answered"
    written.set()
    assert len(simulator.turns) == 2


async def test_the_doctor_can_hear_the_microphone_and_have_a_tone_played(rig: Rig) -> None:
    assert await rig.command("tone") == {"ok": True}
    assert rig.speaker.clips == [earcons.tone()]
    assert (await rig.command("level"))["ok"] is False, "nothing has been heard yet"
    rig.button.edge(pressed=True)
    await rig.state("listening")
    rig.hear(b"\xff\x7f\x00\x80" * 8_000)
    level = await rig.command("level")
    assert level == {"ok": True, "peak_dbfs": 0.0, "rms_dbfs": 0.0, "verdict": "clipped"}
    refused = await rig.command("tone")
    assert refused["ok"] is False
    rig.button.edge(pressed=False)
    await rig.turn()
