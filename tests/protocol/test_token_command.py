"""``speakerd token``: the real SDK makes one, and the simulator takes it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from speakerd import cli
from speakerd.live import tokens
from speakerd.service import credential
from speakerd.simulator.options import DEFAULT_KEY
from tests.protocol.rig import Rig
from tests.protocol.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an env file, and without a stored key."""
    monkeypatch.setenv("SPEAKERD_ENV_FILE", "/dev/null")
    monkeypatch.setattr(credential, "STORE", tmp_path / "credstore")
    return tmp_path


async def token(*arguments: str) -> int:
    return await asyncio.to_thread(cli.main, ["token", *arguments])


async def test_it_prints_a_token_and_nothing_else(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await token() == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    name = printed.out.removesuffix("\n")
    found = simulator._world.tokens.find(name, 0)
    assert (found.key, found.starts) == (DEFAULT_KEY, 1)


async def test_json_tells_what_it_is_good_for(
    simulator: Simulator,  # noqa: ARG001 - it has to be there
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = datetime.now(UTC)
    assert await token("--json", "--minutes", "60", "--uses", "0") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["uses"] == 0
    assert said["newSessionExpireTime"] == said["expireTime"]
    lasts = datetime.fromisoformat(said["expireTime"]) - before
    assert timedelta(minutes=59) < lasts < timedelta(minutes=61)
    read = tokens.read(json.dumps(said), 0.0, before.timestamp())
    assert (read.name, read.starts) == (said["name"], None)


async def test_a_single_conversation_has_to_begin_within_a_minute(
    simulator: Simulator,  # noqa: ARG001 - it has to be there
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await token("--json") == 0
    said = json.loads(capsys.readouterr().out)
    first, last = (
        datetime.fromisoformat(said[name]) for name in ("newSessionExpireTime", "expireTime")
    )
    assert last - first == timedelta(minutes=29)


async def test_the_key_is_found_where_the_service_finds_it(
    simulator: Simulator,  # noqa: ARG001 - it has to be there
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    credential.store(DEFAULT_KEY, place / "credstore")
    assert await token() == 0
    assert capsys.readouterr().out.startswith("auth_tokens/")


async def test_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await token() == 78
    assert "speakerd: GEMINI_API_KEY is missing: store it with" in capsys.readouterr().err
    monkeypatch.setenv("SPEAKERD_TOKEN_COMMAND", "speakerd token")  # it must not ask itself
    assert await token() == 78
    assert "GEMINI_API_KEY is missing: tokens are made where it is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value"),
    [("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9"), ("SSL_CERT_FILE", "/nowhere/ca.pem")],
)
async def test_the_key_goes_nowhere_by_what_the_daemon_would_refuse(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", DEFAULT_KEY)
    monkeypatch.setenv(variable, value)
    assert await token() == 78
    assert capsys.readouterr().err.startswith(f"speakerd: {variable} in the environment is '")


async def test_a_key_that_is_refused(
    simulator: Simulator,  # noqa: ARG001 - it has to be there
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-that-is-wrong")
    assert await token() == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "speakerd: no token is made with this key: 400 API key not valid. "
        "Please pass a valid API key.; see GEMINI_API_KEY\n"
    )


async def test_nobody_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", DEFAULT_KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://127.0.0.1:1")
    assert await token() == 69
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("speakerd: the server cannot be reached: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--minutes", "4"), "--minutes 4: allowed: 5 to 1199"),
        (("--minutes", "1200"), "--minutes 1200: allowed: 5 to 1199"),
        (("--uses", "-1"), "--uses -1: allowed: a whole number from 0"),
    ],
)
async def test_what_cannot_be_asked_for(
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", DEFAULT_KEY)
    assert await token(*arguments) == 78
    assert capsys.readouterr().err == f"speakerd: {said}\n"


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--json", "--uses", "0")])
async def test_a_speaker_can_talk_with_what_it_prints(
    simulator: Simulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    assert await token(*arguments) == 0
    shop = Shop(tmp_path)
    shop.stock(capsys.readouterr().out.strip())
    rig = Rig(tmp_path, key="", token_command=shop.command)
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.connections[0].path.endswith("Constrained")
