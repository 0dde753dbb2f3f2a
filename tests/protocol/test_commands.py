"""Commands of a person's own and ``tools``, in a living daemon over real TLS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.config.settings import Settings
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.protocol.test_reload import ReloadRig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.config.kinds import JsonFile
    from speakerd.simulator.server import Simulator

SCENE: dict[str, Any] = {
    "description": "Set the light.",
    "command": ["/bin/echo", "now", {"parameter": "name"}, {"parameter": "level"}],
    "parameters": {
        "name": {"choices": ["evening", "film"]},
        "level": {"whole_number": {"from": 0, "to": 100}, "default": 50},
    },
    "limit_s": 10,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "commands.json", set_scene=SCENE)


def write(file: Path, **commands: object) -> Path:
    file.write_text(json.dumps({"commands": commands}))
    return file


def read(file: Path) -> JsonFile:
    """What a reload finds in it."""
    read = Settings.model_validate({"gemini_api_key": "k", "commands_file": str(file)})
    assert read.commands_file is not None
    return read.commands_file


def declared(setup: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for tool in setup.get("tools", []) for each in tool["functionDeclarations"]]


async def answered(simulator: Simulator) -> dict[str, Any]:
    """The answer to the call that the first turn makes."""
    turns = simulator.turns
    await simulator.wait_for(lambda: bool(turns and turns[0].tool_responses))
    (response,) = turns[0].tool_responses
    return response


async def test_a_command_is_declared_called_and_answered(
    simulator: Simulator, tmp_path: Path, file: Path
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("set_scene", {"name": "film", "level": 20}))
    rig = ReloadRig(tmp_path, tools=(), commands_file=str(file))
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        response = await answered(simulator)
        assert (await rig.turn())["outcome"] == "answered"
    assert response["response"] == {"done": True, "printed": "now film 20"}
    (declaration,) = declared(simulator.setups[0])
    assert declaration["name"] == "set_scene"
    assert declaration["parameters"] == {
        "type": "OBJECT",
        "properties": {
            "name": {"type": "STRING", "enum": ["evening", "film"]},
            "level": {
                "type": "INTEGER",
                "minimum": 0,
                "maximum": 100,
                "description": "50 where it is left out",
            },
        },
        "required": ["name"],
    }


async def test_what_may_not_be_said_is_told_to_the_model(
    simulator: Simulator, tmp_path: Path, file: Path
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("set_scene", {"name": "film; reboot"}))
    rig = ReloadRig(tmp_path, commands_file=str(file))
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        response = await answered(simulator)
    assert response["response"] == {"error": "name: it is none of evening, film"}


async def test_another_file_is_another_setup_in_the_same_conversation(
    simulator: Simulator, tmp_path: Path, file: Path
) -> None:
    rig = ReloadRig(tmp_path, tools=(), commands_file=str(file))
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        await rig.turn()
        await rig.state("idle")
        rig.write(commands_file=read(write(file, ring=SCENE | {"description": "Ring."})))
        answer = await rig.command("reload")
        assert answer["changed"] == [f"SPEAKERD_COMMANDS_FILE: what is in {file}"]
        await simulator.wait_for(lambda: len(simulator.setups) == 2)
        await rig.say_aloud()
        assert (await rig.turn(2))["context"] == "resumed"
    names = [[each["name"] for each in declared(setup)] for setup in simulator.setups]
    assert names == [["set_scene"], ["ring"]]


async def test_the_tools_are_told(simulator: Simulator, tmp_path: Path, file: Path) -> None:
    rig = ReloadRig(tmp_path, tools=("volume",), commands_file=str(file))
    async with rig.running():
        await rig.link("ready")
        answer = await rig.command("tools")
        assert (answer["ok"], answer["offered"]) == (True, True)
        assert [each["name"] for each in answer["tools"]] == [
            *("get_volume", "set_volume", "change_volume"),
            "set_scene",
        ]
        scene = answer["tools"][-1]
        assert (scene["slow"], scene["limit_s"], scene["origin"]) == (True, 10, str(file))
        told = {each["name"] for each in declared(simulator.setups[0])}
        assert told == {each["name"] for each in answer["tools"]}


async def test_that_the_server_refuses_them_is_told(simulator: Simulator, tmp_path: Path) -> None:
    simulator.plan.add(Phase.SETUP, faults.Close(1007, "Function calling is not supported"))
    rig = ReloadRig(tmp_path)
    async with rig.running():
        await rig.link("ready")
        answer = await rig.command("tools")
        assert answer["offered"] is False
        assert answer["tools"]
