"""The real machine: its commands, its environment, its daemon."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import host
from speakerd.doctor.system import Ran
from speakerd.errors import UnavailableError
from speakerd.service.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.doctor.healthy import Healthy


# --- commands


def test_a_command_and_all_that_it_says() -> None:
    assert host.run_command(("sh", "-c", "echo out; echo error >&2; exit 3")) == Ran(
        3, "out\nerror"
    )


def test_a_command_that_is_not_there() -> None:
    assert host.run_command(("no-such-command",)) == Ran(None, "")


def test_a_command_that_takes_too_long() -> None:
    assert host.run_command(("sleep", "60"), timeout_s=0.05) == Ran(None, "")


def test_commands_speak_english_and_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert host.run_command(("sh", "-c", "cat; echo $LC_ALL")) == Ran(0, "C.UTF-8")


def test_output_that_is_no_text() -> None:
    assert host.run_command(("printf", r"\377")) == Ran(0, "\N{REPLACEMENT CHARACTER}")


# --- the environment


def test_a_credential_that_systemd_has_handed_over_stays(machine: Healthy) -> None:
    machine.shell["CREDENTIALS_DIRECTORY"] = "/run/credentials/speakerd.service"
    assert machine.system().environ["CREDENTIALS_DIRECTORY"] == (
        "/run/credentials/speakerd.service"
    )


def test_a_credential_is_found_where_it_is_stored_also_without_a_key_beside_it(
    machine: Healthy,
) -> None:
    (machine.root / "etc/credstore/gemini-api-key").unlink()
    machine.write("etc/credstore/home-assistant", "a-token", 0o600)
    assert machine.system().environ["CREDENTIALS_DIRECTORY"] == str(machine.root / "etc/credstore")


def test_the_shell_wins_over_the_unit(machine: Healthy) -> None:
    machine.unit["Environment"] = "SPEAKERD_VOICE=Kore SPEAKERD_GOOGLE_SEARCH=true"
    machine.shell["SPEAKERD_VOICE"] = "Puck"
    system = machine.system()
    assert system.environ["SPEAKERD_VOICE"] == "Puck"
    assert system.environ["SPEAKERD_GOOGLE_SEARCH"] == "true"
    assert system.from_shell == {"SPEAKERD_VOICE"}


@pytest.mark.parametrize(
    ("shown", "voice"),
    [
        ("SPEAKERD_VOICE=Kore [unprintable]", "Kore"),  # systemd 252, for one with a blank
        ('"SPEAKERD_VOICE=a b" X=y', "a b"),
        ("SPEAKERD_VOICE=Kore X=it's", "Kore"),
        ("[unprintable]", None),
        ("", None),
    ],
)
def test_the_environment_of_the_unit_as_systemctl_shows_it(
    machine: Healthy, shown: str, voice: str | None
) -> None:
    machine.unit["Environment"] = shown
    assert machine.system().environ.get("SPEAKERD_VOICE") == voice


# --- who runs it


def test_sudo_hides_nobody() -> None:
    assert host.bare({"SUDO_USER": "anna"}).user == "anna"
    assert host.bare({}).user != ""
    assert host.bare({}).privileged is (os.geteuid() == 0)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 64_321)
    assert host.bare({}).user == "64321"


# --- its configuration


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "env").write_text(f"SPEAKERD_CONTROL_SOCKET={tmp_path}/control.sock\n")
    return {"SPEAKERD_ENV_FILE": str(tmp_path / "env"), "GEMINI_API_KEY": "a-key"}


def test_nobody_answers(environ: dict[str, str], tmp_path: Path) -> None:
    system = host.configured(host.bare(environ))
    assert system.loaded is not None
    assert system.daemon is None
    assert system.no_daemon.startswith(f"no daemon answers on {tmp_path}/control.sock")


def test_an_env_file_that_cannot_be_read(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "env").write_text("nonsense\n")
    system = host.configured(host.bare(environ))
    assert system.loaded is None
    assert system.unreadable == f"{tmp_path}/env:1: NAME=value expected, but there is no '='"


def test_an_installation_without_pydantic(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "speakerd.config.settings")
    monkeypatch.setitem(sys.modules, "pydantic", None)
    system = host.configured(host.bare(environ))
    assert system.loaded is None
    assert system.unreadable.startswith("ModuleNotFoundError: import of pydantic halted")


# --- its daemon


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    serving = ControlServer(
        tmp_path / "control.sock", {"status": lambda _message: {"ok": True, "state": "idle"}}
    )
    await serving.start()
    yield serving
    await serving.close()


@pytest.mark.usefixtures("server")
async def test_a_daemon_that_answers(environ: dict[str, str]) -> None:
    system = await asyncio.to_thread(host.configured, host.bare(environ))
    assert system.daemon is not None
    assert system.no_daemon == ""
    answer = await asyncio.to_thread(system.daemon.request, {"command": "status"})
    assert answer == {"ok": True, "state": "idle"}


async def press_is_seen(server: ControlServer, path: Path, states: list[str], for_s: float) -> bool:
    """Whether a press is seen while the daemon goes on telling of these states."""
    daemon = host.SocketDaemon(path)
    waiting = asyncio.create_task(asyncio.to_thread(daemon.wait_for_press, for_s))
    while not waiting.done():
        for state in states:
            server.publish({"event": "state", "state": state})
        await asyncio.sleep(0.01)
    return await waiting


async def test_a_press_is_seen(server: ControlServer, tmp_path: Path) -> None:
    assert await press_is_seen(server, tmp_path / "control.sock", ["idle", "listening"], 10.0)


@pytest.mark.parametrize("states", [[], ["idle", "speaking"]])
async def test_no_press_is_none(server: ControlServer, tmp_path: Path, states: list[str]) -> None:
    assert not await press_is_seen(server, tmp_path / "control.sock", states, 0.1)


async def test_a_daemon_that_goes_away_meanwhile(server: ControlServer, tmp_path: Path) -> None:
    daemon = host.SocketDaemon(tmp_path / "control.sock")
    waiting = asyncio.create_task(asyncio.to_thread(daemon.wait_for_press, 10.0))
    while not server._subscribers:  # noqa: ASYNC110 - it is nowhere announced
        await asyncio.sleep(0.01)
    await server.close()
    with pytest.raises(UnavailableError, match="the daemon has gone away"):
        await waiting
