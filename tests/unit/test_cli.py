"""The door: what people see, and the exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd import __version__, cli
from speakerd.conversation.ledger import Context, Outcome, TurnRecord
from speakerd.service.control import ControlServer
from speakerd.service.journal import ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable, Mapping

    from speakerd.config import Loaded

KEY = "AIzaSyTest-key_0123456789"
STATUS: dict[str, object] = {
    "state": "idle",
    "link": "ready",
    "context": "resumed",
    "model": "gemini-3.8-live",
    "turns": 12,
    "reconnects": 1,
    "without": ["search", "voice"],
    "last_error": None,
    "microphone": "ready",
    "speaker": "ready",
    "button": "GPIO17: 'GPIO busy'",
    "last_turn": ledger(
        TurnRecord(
            12,
            "gemini-3.8-live",
            pressed_at=10.0,
            utterance_ended_at=12.0,
            first_sample_at=12.64,
            utterance_s=2.3,
            reply_s=3.4,
            context=Context.RESUMED,
            outcome=Outcome.ANSWERED,
        )
    ),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "speakerd.env").write_text("SPEAKERD_TAIL_MS=400\n", encoding="utf-8")
    monkeypatch.setenv("SPEAKERD_ENV_FILE", str(tmp_path / "speakerd.env"))
    monkeypatch.setenv("SPEAKERD_CONTROL_SOCKET", str(tmp_path / "control.sock"))
    monkeypatch.setattr("speakerd.service.credential.STORE", tmp_path / "credstore")


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[list[Mapping[str, object]]]:
    """What a daemon is told."""
    messages: list[Mapping[str, object]] = []

    def note(message: Mapping[str, object]) -> Mapping[str, object]:
        messages.append(message)
        return {"ok": True}

    def say(message: Mapping[str, object]) -> Mapping[str, object]:
        note(message)
        return {"ok": False, "error": "the speaker is thinking: try again after this turn"}

    def announce(message: Mapping[str, object]) -> Mapping[str, object]:
        note(message)
        return {"ok": True} | ({"waits_for": 2} if "later" in str(message["text"]) else {})

    server = ControlServer(
        tmp_path / "control.sock",
        {
            **dict.fromkeys(("press", "release", "stop", "forget"), note),
            "say": say,
            "announce": announce,
            "volume": lambda message: {**note(message), "volume": 40},
            "mute": lambda message: {**note(message), "muted": message.get("on", True)},
            "status": lambda _message: {"ok": True, **STATUS},
        },
    )
    await server.start()
    yield messages
    await server.close()


# --- commands for a daemon


@pytest.mark.parametrize("command", ["press", "release", "stop", "forget"])
async def test_a_command_is_passed_on(
    told: list[Mapping[str, object]], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert await asyncio.to_thread(cli.main, [command]) == 0
    assert told == [{"command": command}]
    assert capsys.readouterr() == ("", "")


async def test_what_the_daemon_refuses_is_said(
    told: list[Mapping[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(cli.main, ["say", "what", "time is it?"]) == 69
    assert told == [{"command": "say", "text": "what time is it?"}]
    assert capsys.readouterr().err == (
        "speakerd: say: the speaker is thinking: try again after this turn\n"
    )


@pytest.mark.parametrize(
    ("text", "said"), [("Dinner!", ""), ("later", "it waits until nobody speaks any more\n")]
)
async def test_an_announcement_may_have_to_wait(
    told: list[Mapping[str, object]], capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert await asyncio.to_thread(cli.main, ["announce", text]) == 0
    assert told == [{"command": "announce", "text": text}]
    assert capsys.readouterr() == (said, "")


@pytest.mark.parametrize(
    ("argv", "message", "said"),
    [
        (["volume"], {}, "40 %\n"),
        (["volume", "30"], {"percent": 30}, ""),
        (["volume", "+5"], {"step": 5}, ""),
        (["volume", "-100"], {"step": -100}, ""),
        (["mute"], {}, "muted\n"),
        (["mute", "on"], {"on": True}, "muted\n"),
        (["mute", "off"], {"on": False}, "not muted\n"),
    ],
)
async def test_volume_and_mute_are_asked_for_or_set(
    told: list[Mapping[str, object]],
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    message: Mapping[str, object],
    said: str,
) -> None:
    assert await asyncio.to_thread(cli.main, argv) == 0
    assert told == [{"command": argv[0], **message}]
    assert capsys.readouterr() == (said, "")


@pytest.mark.usefixtures("told")
async def test_the_status_is_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(cli.main, ["status"]) == 0
    assert capsys.readouterr().out == (
        "speaker is    idle\n"
        "link          ready, context=resumed, gemini-3.8-live\n"
        "microphone    ready\n"
        "speaker       ready\n"
        "button        GPIO17: 'GPIO busy'\n"
        "without       search, voice: the server refuses it\n"
        "turns         12, reconnects 1\n"
        "last turn     spoke 2.3 s, answered after 640 ms, reply 3.4 s, context=resumed (turn 12)\n"
        "last error    none\n"
    )


@pytest.mark.usefixtures("told")
async def test_the_status_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(cli.main, ["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize("argv", [["status"], ["press"], ["say", "hello"]])
def test_without_a_daemon_it_is_one_line_and_69(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert cli.main(argv) == 69
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("speakerd: no daemon answers on ")


# --- config and run


def test_config_shows_what_is_in_effect_and_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("SPEAKERD_FALLBACK_MODELS", "a,b")
    monkeypatch.setenv("SPEAKERD_SYSTEM_INSTRUCTION", "two\nlines")
    monkeypatch.setenv("SPEAKERD_TAIL", "1")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://gemini.example")
    assert cli.main(["config"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split(maxsplit=2) for line in out.splitlines() if not line.startswith("#")]
    shown = {name: (origin, value) for name, origin, value in rows}
    assert shown["GEMINI_API_KEY"] == ("environment", "********")
    assert shown["SPEAKERD_TAIL_MS"] == ("file", "400")
    assert shown["SPEAKERD_PREROLL_MS"] == ("default", "300")
    assert shown["SPEAKERD_LINGER_S"] == ("default", "60")
    assert shown["SPEAKERD_VOICE"] == ("default", "-")
    assert shown["SPEAKERD_STATE_DIRECTORY"] == ("default", "-")
    assert shown["SPEAKERD_FALLBACK_MODELS"] == ("environment", "a,b")
    assert shown["SPEAKERD_SYSTEM_INSTRUCTION"] == ("environment", "'two\\nlines'")
    assert shown["GOOGLE_GEMINI_BASE_URL"] == ("environment", "https://gemini.example")
    assert KEY not in out
    assert err == (
        "speakerd: warning: SPEAKERD_TAIL in the environment is not an option; "
        "did you mean SPEAKERD_TAIL_MS?\n"
    )


@pytest.mark.parametrize("command", ["run", "config"])
def test_a_configuration_that_cannot_be_used_is_78_and_a_line_for_each_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("SPEAKERD_LINK", "sometimes")
    assert cli.main([command]) == 78
    out, err = capsys.readouterr()
    assert bool(out) == (command == "config")
    assert [line.split()[:2] for line in err.splitlines()] == [
        ["speakerd:", "GEMINI_API_KEY"],
        ["speakerd:", "SPEAKERD_LINK"],
    ]


def test_config_shows_what_it_can_where_something_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERD_TAIL_MS", "long")
    monkeypatch.setenv("SPEAKERD_LINK", "always")
    monkeypatch.setenv("SPEAKERD_MODLE", "typo")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    assert cli.main(["config"]) == 78
    out, err = capsys.readouterr()
    shown = [line.split(maxsplit=2) for line in out.splitlines()]
    assert ["GEMINI_API_KEY", "-", "not found"] in shown
    assert ["SPEAKERD_TAIL_MS", "environment", "cannot be used"] in shown
    assert ["SSL_CERT_FILE", "environment", "cannot be used"] in shown
    assert ["SPEAKERD_LINK", "environment", "always"] in shown
    assert ["SPEAKERD_PREROLL_MS", "default", "300"] in shown
    assert [line.split()[1:3] for line in err.splitlines()] == [
        ["warning:", "SPEAKERD_MODLE"],
        ["GEMINI_API_KEY", "is"],
        ["SPEAKERD_TAIL_MS", "in"],
        ["SSL_CERT_FILE", "in"],
    ]


def _printed_to(descriptor: int, word: str = "config") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "speakerd", word]
    return subprocess.run(
        command, stdout=descriptor, stderr=subprocess.PIPE, check=False, text=True
    )


@pytest.mark.parametrize(("word", "code"), [("config", 0), ("demo", 141), ("simulator", 141)])
def test_whoever_reads_only_the_beginning_sees_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, code: int
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended = _printed_to(write_end, word)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_an_output_that_takes_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = _printed_to(full.fileno())
    assert ended.returncode == 69
    assert ended.stderr == "speakerd: standard output: No space left on device\n"


def test_run_hands_the_configuration_to_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Loaded] = []

    def run(read: Callable[[], Loaded]) -> int:
        started.append(read())
        return 0

    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr("speakerd.daemon.run", run)
    assert cli.main(["run"]) == 0
    assert [loaded.settings.tail_ms for loaded in started] == [400]


def test_a_bug_is_70_with_its_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_read: Callable[[], Loaded]) -> int:
        raise ZeroDivisionError

    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr("speakerd.daemon.run", run)
    assert cli.main(["run"]) == 70
    assert "ZeroDivisionError" in caplog.text


def test_an_interruption_is_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("speakerd.demo.command.run", run)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr() == ("", "")


# --- the command line itself


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"speakerd {__version__}\n"


@pytest.mark.parametrize(
    "argv",
    [
        *([], ["dance"], ["press", "hard"], ["mute", "maybe"]),
        *(["say"], ["say", ""], ["announce", " ", ""]),
        *(["volume", "loud"], ["volume", "101"], ["volume", "-101"]),
    ],
)
def test_what_is_no_command_is_2(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    assert "usage: speakerd" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "option"), [("demo", "--card"), ("simulator", "--port")])
def test_a_command_brings_its_own_options(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert option in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--help"], ["press"]])
def test_what_is_quick_imports_nothing_slow(argv: list[str]) -> None:
    program = (
        "import sys; from speakerd.cli import main\n"
        f"try: main({argv})\n"
        "except SystemExit: pass\n"
        "slow = {'pydantic', 'asyncio', 'google', 'gpiozero', 'alsaaudio', 'websockets', 'ssl'}\n"
        "sys.exit(str(sorted(slow & set(sys.modules))) if slow & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "speakerd", "--version"], capture_output=True, check=True, text=True
    )
    assert done.stdout == f"speakerd {__version__}\n"
