"""``speakerd reload``: what a person sees of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from speakerd import cli
from speakerd.service.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHANGED: dict[str, object] = {
    "ok": True,
    "changed": ["SPEAKERD_VOICE: - -> Puck", "SPEAKERD_TAIL_MS: 300 -> 400"],
    "restart": [],
    "warnings": [],
    "key": "file",
    "applied": True,
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "control.sock"
    monkeypatch.setenv("SPEAKERD_CONTROL_SOCKET", str(path))
    return path


async def reload(path: Path, answer: Mapping[str, object]) -> int:
    """Ask a daemon that answers so; returns the exit code."""
    server = ControlServer(path, {"reload": lambda _message: answer})
    await server.start()
    try:
        return await asyncio.to_thread(cli.main, ["reload"])
    finally:
        await server.close()


async def test_every_change_is_a_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await reload(path, CHANGED) == 0
    assert capsys.readouterr().out.splitlines() == CHANGED["changed"]


async def test_nothing_is_a_line_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await reload(path, CHANGED | {"changed": []}) == 0
    assert capsys.readouterr().out == "nothing has changed\n"


async def test_what_has_to_wait_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {
        "applied": False,
        "restart": ["SSL_CERT_FILE: - -> /a"],
        "warnings": ["SPEAKERD_VOCIE is not an option"],
        "key": "credential",
    }
    assert await reload(path, CHANGED | more) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "this takes effect when the turn that is under way is over",
        "needs a restart (sudo systemctl restart speakerd): SSL_CERT_FILE: - -> /a",
        "warning: SPEAKERD_VOCIE is not an option",
        "the API key is a systemd credential: another one needs a restart, too",
    ]


async def test_a_refusal_is_78_with_every_reason(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = ["SPEAKERD_TAIL_MS is 'x'", "SPEAKERD_LINK is 'y'"]
    answer = {"ok": False, "error": "; ".join(problems), "problems": problems}
    assert await reload(path, answer) == 78
    assert capsys.readouterr().err.splitlines() == [
        "speakerd: refused, the old settings stay:",
        "speakerd: SPEAKERD_TAIL_MS is 'x'",
        "speakerd: SPEAKERD_LINK is 'y'",
    ]


async def test_another_refusal_is_69(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await reload(path, {"ok": False, "error": "shutting down"}) == 69
    assert capsys.readouterr().err == "speakerd: reload: shutting down\n"


def test_without_a_daemon_it_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reload"]) == 69
    assert str(path) in capsys.readouterr().err


async def test_a_daemon_that_shall_listen_elsewhere_is_found_where_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new place counts from its restart on; until then it has to be told of that."""
    monkeypatch.setattr(cli, "DEFAULT_CONTROL_SOCKET", path)
    monkeypatch.setenv("SPEAKERD_CONTROL_SOCKET", str(path.with_name("elsewhere.sock")))
    assert await reload(path, CHANGED | {"restart": ["SPEAKERD_CONTROL_SOCKET: ..."]}) == 0
    assert "needs a restart" in capsys.readouterr().out
