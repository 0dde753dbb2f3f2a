"""Lamp, keys, knob, volume, mute and voice in a running daemon, with fakes for what they touch."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.audio import earcons
from speakerd.audio.volume import Volume
from speakerd.conversation.effects import Cue, Notice
from speakerd.conversation.events import Key
from speakerd.conversation.light import Light
from speakerd.daemon import devices
from speakerd.daemon.devices import Makers
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.fakes.mixer import FakeCard, FakeControl
from tests.fakes.panel import FakeKeys, FakeKnob, FakeLamp
from tests.protocol.rig import Rig
from tests.protocol.test_reload import ReloadRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from speakerd.config.settings import Settings
    from speakerd.conversation.events import Event
    from speakerd.simulator.server import Simulator

MUTED_PROMPT = b"mu" * 100
PANEL: dict[str, Any] = {
    "led_pins": (5,),
    "second_button_pin": 6,
    "volume_up_pin": 12,
    "volume_down_pin": 13,
    "mute_pin": 16,
    "knob_pins": (22, 23),
    "debounce_ms": 0,
}


class FakeVoice:
    """Has one sentence."""

    def start(self) -> None:
        """It is there already."""

    def stop(self) -> None:
        """It keeps nothing."""

    def prompt(self, notice: Notice) -> bytes | None:
        return MUTED_PROMPT if notice is Notice.MUTED else None

    def word(self, _name: str) -> bytes | None:
        return None


class PanelRig(ReloadRig):
    """A daemon with the whole panel; ``made`` has each part that was made, the newest last."""

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        **options: Any,  # noqa: ANN401 - as Rig
    ) -> None:
        self.card = FakeCard(FakeControl("Digital"))
        self.made: list[Any] = []
        for name, fake in (("GpioKeys", FakeKeys), ("GpioKnob", FakeKnob), ("Lamp", FakeLamp)):
            monkeypatch.setattr(devices, name, partial(self._make, fake))
        with_card = partial(Volume, open_mixer=self.card.open)
        monkeypatch.setattr(devices, "Volume", partial(self._make, with_card))
        super().__init__(directory, **(PANEL | options))

    def _make(self, kind: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever it takes
        made = kind(*args, **options)
        self.made.append(made)
        return made

    def _makers(self) -> Makers:
        return Makers(
            self._make_microphone,
            self._make_speaker,
            self._make_button,
            voice=self._make_voice,
        )

    def _make_voice(self, _settings: Settings, _post: Callable[[Event], None]) -> FakeVoice:
        return FakeVoice()

    def _newest(self, kind: type[Any]) -> Any:  # noqa: ANN401 - of that kind
        return next(made for made in reversed(self.made) if isinstance(made, kind))

    @property
    def keys(self) -> FakeKeys[Key]:
        newest: FakeKeys[Key] = self._newest(FakeKeys)
        return newest

    @property
    def knob(self) -> FakeKnob:
        newest: FakeKnob = self._newest(FakeKnob)
        return newest

    @property
    def lamp(self) -> FakeLamp:
        newest: FakeLamp = self._newest(FakeLamp)
        return newest

    @property
    def volume(self) -> int:
        """What the mixer has; the control's steps are percents."""
        return self.card.controls[0].volumes[0]

    async def volume_is(self, percent: int) -> None:
        await self.until(lambda: self._last("state").get("volume") == percent)

    async def muted_is(self, muted: bool) -> None:
        await self.until(lambda: self._last("state").get("muted") is muted)


@pytest.fixture
async def rig(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[PanelRig]:
    made = PanelRig(tmp_path, monkeypatch)
    async with made.running():
        await made.link("ready")
        await made.volume_is(made.settings.volume)
        yield made


async def test_the_lamp_shows_what_the_speaker_does(rig: PanelRig) -> None:
    await rig.say_aloud()
    await rig.turn()
    await rig.state("idle")
    shown = [light for light in rig.lamp.shown if light is not Light.OFFLINE]
    distinct = [light for at, light in enumerate(shown) if at == 0 or light is not shown[at - 1]]
    assert distinct[-4:] == [Light.LISTENING, Light.THINKING, Light.SPEAKING, Light.IDLE]


async def test_a_lamp_that_is_added_by_a_reload_shows_at_once_what_is(
    rig: PanelRig,
) -> None:
    rig.write(led_pins=(5, 6, 26), led_brightness=30, led_active_high=False, second_button_pin=None)
    await rig.command("reload")
    assert rig.lamp.pins == (5, 6, 26)
    assert (rig.lamp.brightness, rig.lamp.active_high) == (0.3, False)
    assert rig.lamp.shown[0] is Light.IDLE


async def test_what_is_not_wanted_any_longer_is_not_in_the_status(rig: PanelRig) -> None:
    parts = (await rig.command("status"))["parts"]
    assert parts == dict.fromkeys(
        ("light", "second button", "volume up", "volume down", "mute switch", "knob", "volume"),
        "ready",
    )
    gone: dict[str, Any] = {"led_pins": (), "knob_pins": (), "mixer_control": "none"}
    rig.write(**gone, second_button_pin=None, volume_up_pin=None, volume_down_pin=None)
    await rig.command("reload")
    await rig.until(lambda: "volume" in rig._last("state") and rig._last("state")["volume"] is None)
    assert set((await rig.command("status"))["parts"]) <= {"mute switch"}


async def test_a_mute_switch_that_is_not_wanted_any_longer_mutes_no_longer(rig: PanelRig) -> None:
    rig.keys.move(Key.MUTE, True)
    await rig.muted_is(True)
    assert rig.microphone.muted
    rig.write(mute_pin=None)
    await rig.command("reload")
    await rig.muted_is(False)


async def test_the_volume_goes_by_the_buttons_the_knob_and_the_socket(rig: PanelRig) -> None:
    assert rig.volume == 40
    rig.keys.move(Key.VOLUME_UP, True)
    await rig.volume_is(45)
    rig.keys.move(Key.VOLUME_UP, False)
    rig.knob.turn(-3)
    await rig.volume_is(30)
    assert await rig.command("volume", percent=70) == {"ok": True}
    await rig.volume_is(70)
    assert await rig.command("volume", step=-10) == {"ok": True}
    await rig.volume_is(60)
    assert await rig.command("volume") == {"ok": True, "volume": 60}
    assert rig.volume == 60


async def test_the_volume_goes_by_word_of_mouth(
    rig: PanelRig, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "speakerd")
    setup = simulator.connections[-1].setup or {}
    (tool,) = setup["tools"]
    names = {each["name"] for each in tool["functionDeclarations"]}
    assert {"get_volume", "set_volume", "change_volume"} <= names
    simulator.plan.add(Phase.THINKING, faults.ToolCall("change_volume", {"by_percent": 20}))
    await rig.say_aloud()
    assert (await rig.turn())["outcome"] == "answered"
    await rig.volume_is(60)
    (response,) = simulator.turns[0].tool_responses
    assert response["response"] == {"asked_for_change_percent": 20, "highest_percent": 100}
    assert "the model calls change_volume: done" in caplog.text

    rig.write(tools=())
    await rig.command("reload")
    simulator.plan.add(Phase.THINKING, faults.ToolCall("set_volume", {"percent": 10}), turn=2)
    await rig.say_aloud()
    await rig.turn(2)
    assert "tools" not in (simulator.connections[-1].setup or {})
    assert rig.volume == 60
    assert "the model calls a tool that is not there: not done" in caplog.text


async def test_a_model_that_takes_no_tools_is_talked_to_without_them(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = faults.Close(1008, "Function calling is not enabled for this model.")
    simulator.plan.add(Phase.SETUP, refusal)
    rig = PanelRig(tmp_path, monkeypatch)
    async with rig.running():
        await rig.link("ready")
        assert (await rig.command("status"))["without"] == ["tools"]
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"


@pytest.mark.parametrize(
    "arguments",
    [
        {"percent": 101},
        {"percent": "loud"},
        {"step": -101},
        {"percent": 1, "step": 1},
        {"percent": True},
    ],
)
async def test_no_volume_is_refused(rig: PanelRig, arguments: dict[str, object]) -> None:
    answer = await rig.command("volume", **arguments)
    assert not answer["ok"]
    assert "from 0 to 100" in answer["error"]
    assert rig.volume == 40


async def test_without_a_mixer_the_reason_is_told_and_the_wish_is_kept(
    rig: PanelRig, simulator: Simulator
) -> None:
    rig.card.unplug("No such device")
    await rig.until(lambda: rig._last("state").get("volume", 0) is None)
    for arguments in ({}, {"percent": 20}, {"step": 5}):
        answer = await rig.command("volume", **arguments)
        assert "the mixer default: " in answer["error"]
    simulator.plan.add(Phase.THINKING, faults.ToolCall("set_volume", {"percent": 30}))
    await rig.say_aloud()
    await rig.turn()
    (response,) = simulator.turns[0].tool_responses
    assert "as soon as it can be: the mixer default: " in response["response"]["error"]
    rig.card.plug()
    await rig.volume_is(30)


@pytest.mark.parametrize("freed", [False, True])
async def test_what_a_locked_control_has_is_not_remembered(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    freed: bool,
) -> None:
    """As a softvol's is, which another player has made: it begins at 100 %."""
    file = tmp_path / "controls.json"
    file.write_text('{"volume": 25, "muted": false}')
    rig = PanelRig(tmp_path, monkeypatch)
    rig.card.turn(100)
    rig.card.controls[0].locked = "Operation not permitted"
    async with rig.running():
        while "not permitted" not in (await rig.command("status"))["parts"].get("volume", ""):
            pass
        if freed:
            rig.card.controls[0].locked = None
            rig.speaker.find()
            await rig.volume_is(25)
    assert json.loads(file.read_text())["volume"] == 25
    assert rig.volume == (25 if freed else 100)


async def test_the_mute_is_told_shown_and_refuses_a_press(
    rig: PanelRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "speakerd")
    assert await rig.command("mute") == {"ok": True, "muted": True}
    assert rig.lamp.shown[-1] is Light.MUTED
    assert "muted: the microphone is off" in caplog.text
    rig.button.edge(pressed=True)
    while rig.speaker.clips != [MUTED_PROMPT]:
        await rig.command("status")
    rig.button.edge(pressed=False)
    assert await rig.command("mute", on=False) == {"ok": True, "muted": False}
    assert (await rig.command("status"))["summary"].startswith("Ready")
    assert not (await rig.command("mute", on="yes"))["ok"]
    assert earcons.render(Cue.MUTED) in rig.speaker.cues
    assert rig.speaker.cues[-1] == earcons.render(Cue.UNMUTED)


async def test_mute_and_volume_are_as_they_were_left(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = PanelRig(tmp_path, monkeypatch)
    async with first.running():
        await first.volume_is(40)
        await first.command("volume", percent=25)
        await first.volume_is(25)
        await first.command("mute", on=True)
    kept = json.loads((tmp_path / "controls.json").read_text())
    assert kept == {"volume": 25, "muted": True}
    second = PanelRig(tmp_path, monkeypatch)
    async with second.running():
        await second.volume_is(25)
        assert second.microphone.muted
        assert (await second.command("status"))["muted"] is True


async def test_a_start_and_a_sentence_have_their_cues(rig: PanelRig) -> None:
    await rig.say_aloud()
    await rig.turn()
    ready, heard = (earcons.render(cue) for cue in (Cue.READY, Cue.HEARD))
    assert rig.speaker.cues == [ready, heard]


async def test_at_volume_0_there_are_no_earcons(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = PanelRig(tmp_path, monkeypatch, earcon_volume=0)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        await rig.turn()
        assert set(rig.speaker.cues + rig.speaker.clips) == {b""}


async def test_a_microphone_that_is_made_anew_is_as_muted_as_the_old_one(rig: PanelRig) -> None:
    await rig.command("mute", on=True)
    old = rig.microphone
    rig.write(capture_device="another")
    await rig.command("reload")
    assert rig.microphone is not old
    assert rig.microphone.muted


async def test_a_mixer_that_is_looked_for_anew_gets_the_volume_there_was(rig: PanelRig) -> None:
    await rig.command("volume", percent=70)
    await rig.volume_is(70)
    rig.write(volume_max=90)
    await rig.command("reload")
    await rig.volume_is(70)
    assert rig.volume == 70


@pytest.mark.parametrize("another", [False, True])
async def test_a_volume_that_is_off_is_neither_forgotten_nor_on_after_a_reload(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    another: bool,
) -> None:
    rig = PanelRig(tmp_path, monkeypatch)
    rig.card.controls = [
        FakeControl("Digital", switches=[True]),
        FakeControl("PCM", switches=[True]),
    ]
    async with rig.running():
        await rig.volume_is(40)
        rig.card.turn(on=False)
        await rig.volume_is(0)
        opened = rig.card.opened
        rig.write(mixer_control="PCM" if another else "Digital")
        await rig.command("reload")
        control = rig.card.controls[1 if another else 0]
        while rig.card.opened == opened or control.switches != [False]:
            await rig.command("status")
        await rig.volume_is(0)
        await rig.command("volume", step=5)
        await rig.volume_is(45)
        assert (control.volumes, control.switches) == ([45, 45], [True])


async def test_a_speaker_that_was_opened_may_have_brought_a_control(rig: PanelRig) -> None:
    """As ALSA's softvol does."""
    opened = rig.card.opened
    rig.speaker.find()
    while rig.card.opened == opened:
        await rig.command("status")


async def test_a_rig_without_parts_has_none(simulator: Simulator, tmp_path: Path) -> None:  # noqa: ARG001 - it has to be there first
    rig = Rig(tmp_path)
    async with rig.running():
        status = await rig.command("status")
        assert (status["parts"], status["volume"], status["muted"]) == ({}, None, False)
