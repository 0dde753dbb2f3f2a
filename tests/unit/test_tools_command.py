"""``speakerd tools``: what a person sees of it, with a daemon and without one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from speakerd import cli
from speakerd.service.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOOL = {
    "name": "lights_on",
    "description": "Switch on.",
    "parameters": {"type": "object", "properties": {}, "required": []},
    "slow": True,
    "limit_s": 10.0,
    "origin": "the MCP server home",
}
LISTED = "lights_on: up to 10 s, from the MCP server home\n    Switch on.\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the socket; nothing is configured but that."""
    path = tmp_path / "control.sock"
    (tmp_path / "speakerd.env").write_text("")
    monkeypatch.setenv("SPEAKERD_ENV_FILE", str(tmp_path / "speakerd.env"))
    monkeypatch.setenv("SPEAKERD_CONTROL_SOCKET", str(path))
    monkeypatch.setattr("speakerd.service.credential.STORE", tmp_path / "credstore")
    return path


async def tools(path: Path, answer: Mapping[str, object], *options: str) -> int:
    """Ask a daemon that answers so; returns the exit code."""
    server = ControlServer(path, {"tools": lambda _message: answer})
    await server.start()
    try:
        return await asyncio.to_thread(cli.main, ["tools", *options])
    finally:
        await server.close()


async def test_the_daemon_tells_what_it_has(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await tools(path, {"ok": True, "tools": [TOOL], "offered": True}) == 0
    assert capsys.readouterr() == (LISTED, "")


async def test_it_is_json_for_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"tools": [TOOL], "offered": False}
    assert await tools(path, {"ok": True} | answer, "--json") == 0
    assert json.loads(capsys.readouterr().out) == answer


async def test_that_the_server_refuses_them_is_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await tools(path, {"ok": True, "tools": [TOOL], "offered": False}) == 0
    assert capsys.readouterr() == (
        LISTED,
        "speakerd: the server refuses tools: none of these is offered\n",
    )


def test_without_a_daemon_it_is_what_the_configuration_gives(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERD_TOOLS", "volume")
    assert cli.main(["tools"]) == 0
    out, err = capsys.readouterr()
    names = [line.split(":")[0] for line in out.splitlines() if line[0] != " "]
    assert names == ["get_volume", "set_volume", "change_volume"]
    assert err.splitlines() == [
        f"speakerd: no daemon answers on {path}: is it running? (systemctl status speakerd)",
        "speakerd: this is what the configuration alone gives, without the tools of MCP servers",
    ]


def commands(path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    file = path.parent / "commands.json"
    file.write_text(text)
    monkeypatch.setenv("SPEAKERD_COMMANDS_FILE", str(file))
    return file


def test_commands_of_a_persons_own_are_among_them(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERD_TOOLS", "none")
    file = commands(
        path,
        monkeypatch,
        '{"commands": {"ring": {"description": "Ring.", "command": ["/bin/true"], "limit_s": 5}}}',
    )
    assert cli.main(["tools", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["tools"]
    assert (listed["name"], listed["limit_s"], listed["origin"]) == ("ring", 5, str(file))


@pytest.mark.parametrize("argv", [["tools"], ["config"], ["run"]])
@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("ring", "ring: description is missing; it is a text of 1 to 1000 letters, which tells"),
        ("set_volume", "set_volume is the name of a tool of SPEAKERD_TOOLS=volume: call it other"),
    ],
)
def test_what_keeps_the_daemon_from_starting_is_told_and_78(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    name: str,
    mistake: str,
) -> None:
    described = '"description": "Louder.", ' if name == "set_volume" else ""
    file = commands(
        path, monkeypatch, f'{{"commands": {{"{name}": {{{described}"command": ["/bin/true"]}}}}}}'
    )
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-nobody")
    assert cli.main(argv) == 78
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"speakerd: SPEAKERD_COMMANDS_FILE: {file}: {mistake}")


@pytest.mark.parametrize("argv", [["tools"], ["config"], ["run"]])
def test_so_it_is_where_the_servers_cannot_be_used(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-nobody")
    monkeypatch.setenv("SPEAKERD_MCP_SERVERS", str(path.parent / "mcp.json"))
    assert cli.main(argv) == 78
    out, err = capsys.readouterr()
    assert "SPEAKERD_MCP_SERVERS in the environment is" in err.splitlines()[-1]
    assert argv != ["tools"] or out == ""
