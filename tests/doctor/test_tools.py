"""The check of the tools, with the very faults it is there to find."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import configuration, tools
from tests.doctor.made_up import INSTALLED, SERVICE_UID, Machine, lines

if TYPE_CHECKING:
    from pathlib import Path

RELOAD = "then: sudo systemctl reload speakerd"
ON = "OK tools: switched on: volume (SPEAKERD_TOOLS); `speakerd tools` shows each"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One with an installed speaker."""
    machine = Machine(tmp_path)
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.options["SPEAKERD_TOOLS"] = "volume"
    machine.write("bin/echo", "").chmod(0o755)  # as this service sees the one that is really there
    (tmp_path / "bin").chmod(0o755)
    return machine


def commands(machine: Machine, name: str = "ring", program: str = "/bin/echo") -> Path:
    command = {"description": "Ring.", "command": [program]}
    file = machine.write("commands.json", json.dumps({"commands": {name: command}}))
    file.chmod(0o644)
    machine.options["SPEAKERD_COMMANDS_FILE"] = str(file)
    return file


def found(machine: Machine) -> list[str]:
    return lines(tools.check(machine.system()))


def test_what_is_switched_on(machine: Machine) -> None:
    assert found(machine) == [ON]
    machine.options["SPEAKERD_TOOLS"] = "none"
    assert found(machine) == [ON.replace("volume", "none")]
    machine.configured = False
    assert found(machine) == []


def test_commands_that_can_be_run(machine: Machine) -> None:
    file = commands(machine)
    well = f"OK tools: commands that whoever is heard can have run: ring ({file})"
    assert found(machine) == [ON, well]


def test_a_command_that_is_called_as_a_tool_is(machine: Machine) -> None:
    file = commands(machine, "set_volume")
    assert found(machine)[0] == (
        f"FAIL tools: SPEAKERD_COMMANDS_FILE: {file}: set_volume is the name of a tool of "
        f"SPEAKERD_TOOLS=volume: call it otherwise -> sudoedit {file}, {RELOAD}"
    )


@pytest.mark.skipif(os.geteuid() == SERVICE_UID, reason="it is whose file it is")
def test_the_service_may_not_read_the_file(machine: Machine) -> None:
    file = commands(machine)
    file.chmod(0o600)
    assert found(machine)[1] == (
        f"FAIL tools: user speakerd may not read {file}: it does not start "
        f"-> sudo chown root:speakerd {file} && sudo chmod 0640 {file}"
    )


@pytest.mark.parametrize("what", ["bin/echo", "bin"])
def test_the_service_may_not_run_the_program(machine: Machine, what: str) -> None:
    commands(machine)
    (machine.root / what).chmod(0o700)
    what = "ring: user speakerd may not run /bin/echo"
    remedy = "sudo chmod a+rx /bin/echo, and its folders"
    assert found(machine) == [ON, f"WARN tools: {what} -> {remedy}"]


def test_the_program_is_in_somebodys_home(machine: Machine, tmp_path: Path) -> None:
    machine.write("ring", "").chmod(0o755)
    commands(machine, program=str(tmp_path / "ring"))
    system = machine.system()
    assert system.loaded is not None
    assert system.loaded.settings.commands_file is not None
    (command,) = system.loaded.settings.commands_file.content.values()
    object.__setattr__(command, "command", ("/home/pi/ring",))  # where no test may write
    assert lines(tools.check(system))[1] == (
        "WARN tools: ring: /home/pi/ring is hidden from the service, as all of /home is "
        f"-> sudo install /home/pi/ring /usr/local/bin/, {RELOAD}"
    )


def test_each_mistake_in_the_file_is_told_with_the_configuration(machine: Machine) -> None:
    file = commands(machine)
    file.write_text('{"commands": {"ring": {"limit_s": 0}}}')
    told = [line for line in lines(configuration.check(machine.system())) if str(file) in line]
    assert [line.split(":")[3].strip() for line in told] == ["ring"] * 3
    assert all(line.startswith("FAIL configuration: SPEAKERD_COMMANDS_FILE: ") for line in told)
    assert all(line.endswith(f" -> mend it there, {RELOAD}") for line in told)
    assert found(machine) == [ON]
