"""``reload`` in a living daemon: what changes at once, what with the next connection, what not."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from speakerd.config import Loaded, Origin
from speakerd.config.kinds import Text
from speakerd.config.settings import VARIABLES
from speakerd.daemon.devices import Devices, Part
from speakerd.daemon.reloads import Reloads
from speakerd.errors import ConfigError
from speakerd.simulator import faults
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.protocol.rig import SPEECH, Rig
from tests.protocol.shop import Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from speakerd.config.changes import Changes
    from speakerd.config.settings import Settings


def loaded(settings: Settings) -> Loaded:
    provenance = dict.fromkeys(VARIABLES, Origin.FILE)
    return Loaded(settings, provenance, {}, (), {}, env_file=settings.control_socket)


class ReloadRig(Rig):
    """A daemon whose env file is ``self.file``."""

    def __init__(self, directory: Path, **options: Any) -> None:  # noqa: ANN401 - as Rig
        self.refusal: str | None = None
        self.has_read = asyncio.Event()
        self.meanwhile: Callable[[], object] = lambda: None
        self._loop = asyncio.get_running_loop()
        super().__init__(directory, **options)
        self.file = loaded(self.settings)

    def _reading(self, settings: Settings) -> Any:  # noqa: ANN401 - as Daemon has it
        return loaded(settings), self.read

    def read(self) -> Loaded:
        """What the daemon calls, in a thread; ``self.meanwhile`` is what happens there."""
        self._loop.call_soon_threadsafe(self.has_read.set)  # it is read in a thread
        self.meanwhile()
        if self.refusal is not None:
            raise ConfigError(self.refusal)
        return self.file

    def write(self, **options: Any) -> None:  # noqa: ANN401 - any setting
        """Another env file."""
        settings = self.file.settings.model_copy(update=options)
        self.file = dataclasses.replace(self.file, settings=settings)


@pytest.fixture
async def rig(simulator: Simulator, tmp_path: Path) -> AsyncIterator[ReloadRig]:  # noqa: ARG001 - it has to be there first
    made = ReloadRig(tmp_path)
    async with made.running():
        await made.link("ready")
        yield made


async def ask(rig: Rig) -> dict[str, Any]:
    """A turn from its press to its end."""
    before = len(rig.turns)
    await rig.say_aloud()
    ledger = await rig.turn(before + 1)
    await rig.state("idle")
    return ledger


async def begin_to_reload(rig: ReloadRig) -> asyncio.Task[dict[str, Any]]:
    """Ask for it in the middle of a turn; returns when the file has been read."""
    asking = asyncio.create_task(rig.command("reload"))
    async with asyncio.timeout(10):
        await rig.has_read.wait()
    return asking


async def test_a_file_that_has_not_changed_changes_nothing(
    rig: ReloadRig, simulator: Simulator
) -> None:
    answer = await rig.command("reload")
    assert answer == {
        "ok": True,
        "changed": [],
        "restart": [],
        "warnings": [],
        "key": "file",
        "applied": True,
    }
    assert len(simulator.connections) == 1


async def test_another_voice_is_asked_for_in_the_same_conversation(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await ask(rig)
    rig.write(voice="Puck")
    answer = await rig.command("reload")
    assert answer["changed"] == ["SPEAKERD_VOICE: - -> Puck"]
    assert answer["applied"] is True
    await simulator.wait_for(lambda: len(simulator.setups) == 2)
    assert "Puck" not in str(simulator.setups[0])
    assert "Puck" in str(simulator.setups[1])
    assert (await ask(rig))["context"] == "resumed"


async def test_the_file_of_the_instruction_is_told_as_it_is_now(
    rig: ReloadRig, simulator: Simulator, tmp_path: Path
) -> None:
    path = tmp_path / "instruction.txt"
    await ask(rig)
    for number, text in ((2, "Be brief."), (3, "Be kind.")):
        rig.write(system_instruction_file=Text(path, text))
        await rig.command("reload")
        await simulator.wait_for(lambda n=number: len(simulator.setups) == n)  # type: ignore[misc]
        (part,) = simulator.setups[-1]["systemInstruction"]["parts"]
        assert part == {"text": text}
    assert (await ask(rig))["context"] == "resumed"


async def test_another_model_is_a_fresh_conversation_and_says_so(
    rig: ReloadRig, simulator: Simulator
) -> None:
    await ask(rig)
    rig.write(model="gemini-3.1-flash-live-preview")
    (line,) = (await rig.command("reload"))["changed"]
    assert line.startswith("SPEAKERD_MODEL: gemini-3.8-live -> gemini-3.1-flash-live-preview")
    assert line.endswith("a fresh conversation begins")
    await simulator.wait_for(lambda: len(simulator.setups) == 2)
    assert simulator.setups[1]["model"] == "models/gemini-3.1-flash-live-preview"
    assert (await ask(rig))["context"] == "fresh"


async def test_a_sentence_under_way_is_not_disturbed(rig: ReloadRig, simulator: Simulator) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")
    rig.write(voice="Puck", tail_ms=1000)
    asking = await begin_to_reload(rig)
    rig.hear(SPEECH)
    rig.button.edge(pressed=False)
    ledger = await rig.turn()
    answer = await asking
    assert answer["applied"] is True
    assert ledger["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert ledger["utterance_ended_ms"] - ledger["released_ms"] < 1000
    await simulator.wait_for(lambda: len(simulator.setups) == 2)


async def test_what_cannot_be_used_is_refused_and_loses_nothing(
    rig: ReloadRig, simulator: Simulator
) -> None:
    rig.refusal = "SPEAKERD_TAIL_MS is 'x'\nSPEAKERD_VOCIE is not an option"
    answer = await rig.command("reload")
    assert answer == {
        "ok": False,
        "error": "SPEAKERD_TAIL_MS is 'x'; SPEAKERD_VOCIE is not an option",
        "problems": ["SPEAKERD_TAIL_MS is 'x'", "SPEAKERD_VOCIE is not an option"],
    }
    assert (await ask(rig))["outcome"] == "answered"
    assert len(simulator.connections) == 1
    rig.refusal = None
    assert (await rig.command("reload"))["ok"] is True


@pytest.mark.parametrize(
    ("option", "device"),
    [
        ({"capture_device": "another"}, "microphone"),
        ({"playback_device": "another"}, "speaker"),
        ({"button_pin": 27}, "button"),
    ],
)
async def test_a_device_is_made_anew_and_works(
    rig: ReloadRig, simulator: Simulator, option: dict[str, Any], device: str
) -> None:
    devices = ("microphone", "speaker", "button")
    before = {name: getattr(rig, name) for name in devices}
    rig.write(**option)
    await rig.command("reload")
    assert {name for name in devices if getattr(rig, name) is not before[name]} == {device}
    while (await rig.command("status"))[device] != "ready":
        pass
    assert (await ask(rig))["outcome"] == "answered"
    assert simulator.turns[-1].utterance == SPEECH
    assert rig.speaker.heard[1] == simulator.turns[-1].reply


async def test_what_a_replaced_device_still_has_to_say_is_not_heard(rig: ReloadRig) -> None:
    """A press on the old button has no release; a loss of the old speaker is for ever."""
    button, speaker = rig.button, rig.speaker
    button.edge(pressed=True)  # it is on its way...
    rig.daemon._devices.reopen({Part.BUTTON}, rig.settings)  # ...as it is replaced
    rig.write(playback_device="another")
    await rig.command("reload")
    speaker.lose("unplugged")
    button.edge(pressed=True)
    assert (await ask(rig))["outcome"] == "answered"
    assert len(rig.turns) == 1
    assert (await rig.command("status"))["speaker"] == "ready"


class SlowEdge:
    """A device that is not let go of before the next one has been, or half a second is over."""

    def __init__(self, log: list[str], made: list[SlowEdge]) -> None:
        self._log, self._made = log, made
        self._number = len(made) + 1
        self.stopped = threading.Event()
        made.append(self)

    def start(self) -> None:
        self._log.append(f"start {self._number}")

    def stop(self) -> None:
        for following in self._made[self._number : 2]:
            following.stopped.wait(0.5)
        self._log.append(f"stop {self._number}")
        self.stopped.set()


async def test_of_several_swaps_each_waits_for_the_one_before(tmp_path: Path) -> None:
    """The third must not find the card taken by the first."""
    log: list[str] = []
    made: list[SlowEdge] = []
    rig = Rig(tmp_path)
    makers = dataclasses.replace(rig._makers(), button=lambda *_: SlowEdge(log, made))
    devices = Devices(makers, rig.settings, lambda _event, _counts: None)
    devices.start()
    devices.reopen({Part.BUTTON}, rig.settings)
    devices.reopen({Part.BUTTON}, rig.settings)
    async with asyncio.timeout(10):
        assert devices._swapping is not None
        await devices._swapping
    assert log == ["start 1", "stop 1", "start 2", "stop 2", "start 3"]
    await devices.stop()


class Holder:
    """A device that wants what another one has."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log

    def start(self) -> None:
        self._log.append(f"start {self._name}")

    def stop(self) -> None:
        self._log.append(f"stop {self._name}")


async def test_all_old_devices_are_let_go_of_before_a_new_one_begins(tmp_path: Path) -> None:
    """Two of them may have exchanged their pins."""
    log: list[str] = []
    rig = Rig(tmp_path)
    makers = dataclasses.replace(
        rig._makers(),
        button=lambda *_: Holder("button", log),
        knob=lambda *_: Holder("knob", log),
    )
    devices = Devices(makers, rig.settings, lambda _event, _counts: None)
    devices.start()
    log.clear()
    devices.reopen({Part.BUTTON, Part.KNOB}, rig.settings)
    assert devices._swapping is not None
    await devices._swapping
    assert sorted(log[:2]) == ["stop button", "stop knob"]
    assert log[2:] == ["start button", "start knob"]
    await devices.stop()


async def test_a_device_that_cannot_be_let_go_of_is_replaced_all_the_same(
    rig: ReloadRig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck() -> None:
        raise OSError("pigpiod is gone")

    monkeypatch.setattr(rig.button, "stop", stuck)
    rig.write(button_pin=27)
    await rig.command("reload")
    while (await rig.command("status"))["button"] != "ready":
        pass
    assert "pigpiod is gone" in caplog.text
    monkeypatch.setattr(rig.button, "stop", stuck)  # nor at the end: the rest ends all the same


async def test_where_it_listens_and_keeps_things_has_to_wait_for_a_restart(
    rig: ReloadRig, tmp_path: Path
) -> None:
    was = tmp_path / "control.sock"
    rig.write(control_socket=tmp_path / "b.sock", state_directory=tmp_path / "state")
    for _ in range(2):
        answer = await rig.command("reload")
        assert answer["changed"] == []
        assert answer["restart"] == [
            f"SPEAKERD_CONTROL_SOCKET: {was} -> {tmp_path / 'b.sock'}",
            f"SPEAKERD_STATE_DIRECTORY: {tmp_path} -> {tmp_path / 'state'}",
        ]


async def test_so_has_what_the_libraries_have_read(rig: ReloadRig) -> None:
    library = {"GOOGLE_GEMINI_BASE_URL": "https://localhost:1"}
    rig.file = dataclasses.replace(rig.file, library=library)
    answer = await rig.command("reload")
    assert answer["restart"] == ["GOOGLE_GEMINI_BASE_URL: - -> https://localhost:1"]


async def test_another_credential_needs_a_restart(rig: ReloadRig) -> None:
    """systemd copies it when it starts the service."""
    by_credential = {**rig.file.provenance, "GEMINI_API_KEY": Origin.CREDENTIAL}
    rig.file = dataclasses.replace(rig.file, provenance=by_credential)
    await rig.command("reload")
    rig.write(gemini_api_key=SecretStr("another-key-that-nobody-may-read"))
    answer = await rig.command("reload")
    assert answer["changed"] == []
    assert answer["key"] == "credential"
    assert answer["restart"] == ["GEMINI_API_KEY: another one, from the credential"]


async def test_a_key_that_was_refused_is_mended_by_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "speakerd")
    options = SimulatorOptions(speed=0, keys=("the-right-key-of-all",))
    async with Simulator(options) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        rig = ReloadRig(tmp_path, key="a-key-that-is-wrong")
        async with rig.running():
            await rig.state("error")
            rig.write(gemini_api_key=SecretStr("the-right-key-of-all"))
            answer = await rig.command("reload")
            assert answer["changed"] == ["GEMINI_API_KEY: another one, from the file"]
            await rig.link("ready")
            assert (await ask(rig))["outcome"] == "answered"
    assert "the-right-key-of-all" not in caplog.text


async def test_tokens_instead_of_the_key(
    rig: ReloadRig, simulator: Simulator, tmp_path: Path
) -> None:
    shop = Shop(tmp_path)
    shop.stock(simulator.mint())
    await ask(rig)
    rig.write(gemini_api_key=None, token_command=shop.command)
    answer = await rig.command("reload")
    assert answer["changed"] == [
        "GEMINI_API_KEY: none any longer",
        f"SPEAKERD_TOKEN_COMMAND: - -> {shop.command}",
    ]
    await rig.until(lambda: len(simulator.connections) == 2)
    ledger = await ask(rig)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    paths = [each.path.endswith("Constrained") for each in simulator.connections]
    assert paths == [False, True]


async def test_the_address_of_tokens_is_not_told(rig: ReloadRig) -> None:
    rig.write(token_url=SecretStr("https://me:pass-word@127.0.0.1:1/"))
    answer = await rig.command("reload")
    assert answer["changed"] == ["SPEAKERD_TOKEN_URL: another one, from the file"]


async def test_a_turn_that_goes_on_and_on_keeps_nobody_waiting(tmp_path: Path) -> None:
    """What has been read is applied all the same, when the turn is over."""
    rig = ReloadRig(tmp_path)
    file = rig.file
    requested: list[Changes] = []
    reloads = Reloads(file, rig.read, requested.append, wait_s=0.01)
    rig.write(voice="Puck")
    assert (await reloads.command({}))["applied"] is False
    assert reloads.take() is requested[0]
    assert requested[0].loaded.settings.voice == "Puck"


async def test_who_waits_for_a_reload_is_not_waited_for_at_the_end(
    rig: ReloadRig,
) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")
    rig.write(voice="Puck")
    asking = await begin_to_reload(rig)
    rig.daemon.stop()
    assert await asking == {"ok": False, "error": "the speaker is being shut down"}
    assert rig.daemon._settings.voice == ""


async def test_a_file_that_takes_for_ever_to_be_read_does_not_hold_up_the_end(
    tmp_path: Path,
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
) -> None:
    """As on a share that hangs. The rig waits for 5 s at most until the daemon has ended."""
    go_on = threading.Event()
    rig = ReloadRig(tmp_path)
    rig.meanwhile = lambda: go_on.wait(30)
    try:
        async with rig.running():
            await rig.link("ready")
            asking = await begin_to_reload(rig)
        with pytest.raises((ConnectionError, ValueError)):  # it has been hung up on
            await asking
    finally:
        go_on.set()


async def test_a_bug_in_the_reading_is_an_answer(
    rig: ReloadRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.meanwhile = lambda: 1 / 0
    assert (await rig.command("reload"))["ok"] is False
    assert "ZeroDivisionError" in caplog.text


async def test_of_two_reloads_that_wait_both_are_told_what_has_become_true(
    rig: ReloadRig,
) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")
    rig.write(voice="Puck")
    first = await begin_to_reload(rig)
    rig.has_read.clear()
    rig.write(voice="Kore")
    second = await begin_to_reload(rig)
    rig.hear()
    rig.button.edge(pressed=False)
    for asking in (first, second):
        assert (await asking)["changed"] == ["SPEAKERD_VOICE: - -> Kore"]


async def test_a_key_that_the_server_quotes_is_shown_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "AIzaSyThe-key-that-is-suspended-012345"
    reason = f"Consumer 'api_key:{key}' has been suspended by {key}"[:-5]
    async with Simulator(SimulatorOptions(speed=0, keys=(key,))) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        rig = ReloadRig(tmp_path, key=key)
        async with rig.running():
            await rig.link("ready")
            simulator.act(faults.Close(1008, reason))
            await rig.until(lambda: rig.daemon._core.status.last_error is not None)
            status = await rig.command("status")
    assert "Consumer 'api_key:[secret]' has been suspended by [secret]" in str(status)
    ours = [each for each in caplog.messages if each.startswith("connection closed: 1008")]
    assert ours
    assert not [line for line in ours if "AIza" in line]


async def test_a_daemon_without_a_file_has_nothing_to_reload(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        assert (await rig.command("reload"))["ok"] is False


async def test_each_change_is_in_the_journal(
    rig: ReloadRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    rig.write(tail_ms=400, state_directory=None)
    await rig.command("reload")
    assert "SPEAKERD_TAIL_MS: 0 -> 400" in caplog.text
    assert "SPEAKERD_STATE_DIRECTORY" in caplog.text
