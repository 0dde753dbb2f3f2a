"""A foot switch in a running daemon, on a made-up input device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from evdev import ecodes

from speakerd.daemon import devices
from speakerd.panel.keypad import EvdevKeypad, code_of
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.edges.panel import RETRY_S
from tests.fakes.inputs import FakePort, FakePorts
from tests.protocol.test_reload import ReloadRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator

PEDAL, OTHER = ecodes.KEY_B, ecodes.KEY_F14


@pytest.fixture
def pedal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePort:
    ports = FakePorts(tmp_path / "machine")
    found = partial(EvdevKeypad, root=ports.root, opener=ports.open, retry_s=RETRY_S)
    monkeypatch.setattr(devices, "EvdevKeypad", found)
    return ports.add("PCsensor FootSwitch")


@pytest.fixture
async def rig(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    pedal: FakePort,  # noqa: ARG001 - so has it
) -> AsyncIterator[ReloadRig]:
    made = ReloadRig(tmp_path, keypad="footswitch")
    async with made.running():
        await made.link("ready")
        await keypad_is(made, "ready")
        yield made


async def keypad_is(rig: ReloadRig, word: str) -> None:
    while not str((await rig.command("status"))["parts"].get("keypad", "")).startswith(word):
        pass


async def say_by_foot(rig: ReloadRig, pedal: FakePort) -> None:
    pedal.press(PEDAL)
    await rig.state("listening")
    rig.hear()
    pedal.release(PEDAL)


async def test_a_sentence_is_said_by_foot(rig: ReloadRig, pedal: FakePort) -> None:
    await say_by_foot(rig, pedal)
    assert (await rig.turn())["outcome"] == "answered"


async def test_a_key_does_what_it_says(rig: ReloadRig, pedal: FakePort) -> None:
    assert all(code_of(key) for key in devices._WHAT_KEYS_SAY)
    pedal.press(ecodes.KEY_MICMUTE)
    await rig.until(lambda: rig._last("state").get("muted") is True)
    pedal.release(ecodes.KEY_MICMUTE)
    pedal.press(ecodes.KEY_MICMUTE)
    await rig.until(lambda: rig._last("state").get("muted") is False)


async def test_a_key_that_says_stop_ends_an_answer(
    rig: ReloadRig, pedal: FakePort, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.REPLY, faults.Pause(1000.0), after_s=0.4)
    await say_by_foot(rig, pedal)
    await rig.state("speaking")
    pedal.press(ecodes.KEY_ESC)
    assert (await rig.turn())["outcome"] == "stopped"


async def test_one_that_is_unplugged_lets_go(rig: ReloadRig, pedal: FakePort) -> None:
    pedal.press(PEDAL)
    await rig.state("listening")
    rig.hear()
    pedal.unplug()
    assert (await rig.turn())["outcome"] == "answered"
    await keypad_is(rig, "footswitch: no input device")
    pedal.down.clear()
    pedal.plug_in()
    await keypad_is(rig, "ready")
    await say_by_foot(rig, pedal)
    assert (await rig.turn(2))["outcome"] == "answered"


@pytest.mark.parametrize(
    ("changed", "closed"), [({"keypad": ""}, True), ({"keypad_keys": ("F14=talk",)}, False)]
)
async def test_a_reload_takes_it_away_or_gives_its_keys_another_use(
    rig: ReloadRig, pedal: FakePort, changed: dict[str, Any], closed: bool
) -> None:
    pedal.press(ecodes.KEY_VOLUMEUP)  # held, and never seen to be let go of
    rig.write(**changed)
    assert (await rig.command("reload"))["applied"]
    if closed:
        while not pedal.device.closed:
            await rig.command("status")
        assert "keypad" not in (await rig.command("status"))["parts"]
        return
    await keypad_is(rig, "ready")
    pedal.press(PEDAL, OTHER)
    await rig.state("listening")
    rig.hear()
    pedal.release(OTHER)
    assert (await rig.turn())["outcome"] == "answered"
    assert len(rig.turns) == 1
