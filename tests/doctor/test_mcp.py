"""The check of the MCP servers, with the very faults it is there to find."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import mcp
from tests.doctor.made_up import INSTALLED, Machine, lines
from tests.tools.mcp_world import BY_HAND, Official, at, script, serving, tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def found(machine: Machine, **servers: object) -> list[str]:
    file = machine.write("mcp.json", json.dumps({"servers": servers}))
    machine.options["SPEAKERD_MCP_SERVERS"] = str(file)
    return lines(mcp.check(machine.system()))


def test_without_servers_there_is_nothing_to_say(machine: Machine) -> None:
    assert lines(mcp.check(machine.system())) == []
    machine.configured = False
    assert lines(mcp.check(machine.system())) == []


def test_one_that_works(machine: Machine, tmp_path: Path) -> None:
    source = f'{BY_HAND}\nmain(None, ("a", "b", "c", "d"))\n'
    (line,) = found(machine, files=script(tmp_path / "server.py", source))
    assert line == "OK mcp: files offers 4 tools: a, b, c, ..."


def test_one_that_has_nothing_for_the_model(machine: Machine, tmp_path: Path) -> None:
    entry = {**script(tmp_path / "server.py", f"{BY_HAND}\nmain(None)\n"), "deny": ["*"]}
    (line,) = found(machine, files=entry)
    assert "WARN mcp: files has no tools for the model" in line
    assert '"allow" and "deny"' in line


def test_those_that_do_not_answer(machine: Machine) -> None:
    gone, refused = found(machine, gone={"command": ["/nowhere/server"]}, home=at(1))
    assert "mcp: gone does not work: /nowhere/server: No such file" in gone
    assert "mcp: home does not work: " in refused
    assert "docs/mcp.md" in refused


async def test_one_at_an_address(machine: Machine) -> None:

    async with serving(Official(tools=[tool("light_on")])) as port:
        (line,) = await asyncio.to_thread(found, machine, home=at(port))
    assert line == "OK mcp: home offers 1 tool: light_on"


def test_the_service_needs_a_drop_in_for_commands(machine: Machine) -> None:
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    first, *_ = found(machine, files={"command": ["/nowhere/server"]})
    assert "/etc/systemd/system/speakerd.service.d/mcp.conf is missing" in first
    assert "sudo ln -s /opt/speakerd/share/speakerd/speakerd-mcp.conf" in first
    machine.write("etc/systemd/system/speakerd.service.d/mcp.conf", "")
    (line,) = found(machine, files={"command": ["/nowhere/server"]})
    assert "does not work" in line


def test_the_unit_has_to_hand_over_what_is_stored(machine: Machine) -> None:
    home = {"url": "http://127.0.0.1:1/", "headers": {"Authorization": "{credential:home}"}}
    unit = "[Service]\nLoadCredential=gemini-api-key\n"
    machine.run.outputs["systemctl cat speakerd.service"] = unit
    first, *_ = found(machine, home=home)
    assert "WARN mcp: home: the unit does not hand over the credential 'home'" in first
    assert r"printf '[Service]\nLoadCredential=home\n' | sudo tee /etc/systemd/system/" in first
    for given in ("LoadCredential=home:/root/token", "ImportCredential=ho*"):
        machine.run.outputs["systemctl cat speakerd.service"] = f"{unit}{given}\n"
        (line,) = found(machine, home=home)
        assert "does not work" in line


def test_where_there_is_no_unit_nothing_has_to_be_handed_over(machine: Machine) -> None:
    home = {"url": "http://127.0.0.1:1/", "headers": {"Authorization": "{credential:home}"}}
    (line,) = found(machine, home=home)
    assert "does not work" in line
