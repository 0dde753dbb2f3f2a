"""Tools of MCP servers over the whole daemon: offered to the model, called by it, and missed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.config import mcp
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.protocol.test_reload import ReloadRig
from tests.tools.mcp_world import Official, serving, text, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator

ROOM = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]}


@pytest.fixture
async def official() -> Official:
    return Official(tools=[tool("light_on", ROOM)])


@pytest.fixture
async def home(official: Official) -> AsyncIterator[mcp.Servers]:
    async with serving(official) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        yield mcp.Servers(Path("/etc/mcp.json"), (mcp.Server("home", url),))


def offered(simulator: Simulator) -> set[str]:
    """The names of the functions in the newest setup."""
    setup: dict[str, Any] = simulator.connections[-1].setup or {} if simulator.connections else {}
    found = (each.get("functionDeclarations", ()) for each in setup.get("tools", ()))
    return {each["name"] for functions in found for each in functions}


async def test_the_model_uses_the_tools_of_a_server(
    simulator: Simulator,
    home: mcp.Servers,
    official: Official,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "speakerd")
    official.answers = {"light_on": lambda: text("the kitchen is light")}
    rig = ReloadRig(tmp_path, mcp_servers=home, link="always")
    async with rig.running():
        await rig.until(lambda: "light_on" in offered(simulator))
        await rig.link("ready")
        assert (await rig.command("status"))["parts"]["mcp home"] == "ready"
        simulator.plan.add(Phase.THINKING, faults.ToolCall("light_on", {"room": "kitchen"}))
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
    assert official.calls == [("light_on", {"room": "kitchen"})]
    (response,) = simulator.turns[0].tool_responses
    assert response["response"] == {"result": "the kitchen is light"}
    assert "the model calls light_on: done" in caplog.text
    assert "mcp home ready" in caplog.messages


async def test_another_list_of_tools_is_offered_and_the_conversation_goes_on(
    simulator: Simulator, home: mcp.Servers, official: Official, tmp_path: Path
) -> None:
    rig = ReloadRig(tmp_path, mcp_servers=home, link="always")
    async with rig.running():
        await rig.until(lambda: "light_on" in offered(simulator))
        await rig.link("ready")
        await rig.say_aloud()
        await rig.turn()
        await official.change([tool("scene")])
        await rig.until(lambda: "scene" in offered(simulator))
        assert "light_on" not in offered(simulator)
        await rig.link("ready")
        assert (await rig.command("status"))["context"] == "resumed"


async def test_a_reload_brings_servers_and_takes_them_away(
    simulator: Simulator, home: mcp.Servers, tmp_path: Path
) -> None:
    rig = ReloadRig(tmp_path, link="always")
    async with rig.running():
        await rig.link("ready")
        rig.write(mcp_servers=home)
        assert (await rig.command("reload"))["changed"] == [
            "SPEAKERD_MCP_SERVERS: - -> /etc/mcp.json"
        ]
        await rig.until(lambda: "light_on" in offered(simulator))
        rig.write(mcp_servers=None)
        await rig.command("reload")
        await rig.until(lambda: "light_on" not in offered(simulator))
        assert "mcp home" not in (await rig.command("status"))["parts"]


async def test_a_server_that_is_not_there_costs_a_turn_nothing(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = mcp.Servers(Path("/etc/mcp.json"), (mcp.Server("home", "http://127.0.0.1:1/mcp"),))
    rig = ReloadRig(tmp_path, mcp_servers=gone)
    async with rig.running():
        await rig.until_heard(lambda: "no mcp home: http://127.0.0.1:1/mcp: " in caplog.text)
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
        assert "connection" in (await rig.command("status"))["parts"]["mcp home"]
    assert len(simulator.connections) == 1


def test_nothing_of_the_library_is_imported_with_the_daemon() -> None:
    code = (
        "import sys, speakerd.daemon.root, speakerd.doctor.command;"
        "print([name for name in ('mcp', 'mcp_types', 'anyio', 'httpx2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
