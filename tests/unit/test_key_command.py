"""``sudo speakerd key``: the key gets into systemd's store, and nowhere else."""

from __future__ import annotations

import io
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from speakerd import cli
from speakerd.errors import UnavailableError
from speakerd.service import credential

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = "AIzaSyTest-key_0123456789"


class Systemd:
    """What runs instead of systemctl."""

    def __init__(self) -> None:
        self.state = "loaded"
        self.refusal: str | None = None
        self.missing = False
        self.booted = True
        self.restarts = 0

    def __call__(self, command: Sequence[str], /) -> tuple[int, str]:
        if self.missing:
            raise FileNotFoundError(command[0])
        if not self.booted:
            return 1, "System has not been booted with systemd as init system"
        if command[1] == "show":
            return 0, f"{self.state}\n"
        assert tuple(command) == ("systemctl", "restart", "speakerd.service")
        self.restarts += 1
        return (1, self.refusal) if self.refusal else (0, "")


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    made = Systemd()
    monkeypatch.setattr(credential, "_run", made)
    return made


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "credstore"
    monkeypatch.setattr(credential, "STORE", directory)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("SPEAKERD_ENV_FILE", str(tmp_path / "speakerd.env"))
    (tmp_path / "speakerd.env").touch()
    return directory


def key_command(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return cli.main(["key"])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n", f"  {KEY}\r\n"])
def test_it_is_stored_for_root_alone_and_the_service_is_started_with_it(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    assert key_command(monkeypatch, text) == 0
    path = store / "gemini-api-key"
    assert path.read_text() == KEY
    assert (mode(path), mode(store)) == (0o600, 0o700)
    assert list(store.iterdir()) == [path]
    assert systemd.restarts == 1
    out = capsys.readouterr().out
    assert out == f"stored in {path}\nthe service has been started with it\n"
    assert KEY not in out


def test_another_one_takes_its_place(
    store: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_command(monkeypatch, "the-old-key")
    (store / "gemini-api-key").chmod(0o644)
    (store / ".gemini-api-key.new").write_text("left by a power cut")
    assert key_command(monkeypatch, KEY) == 0
    assert (store / "gemini-api-key").read_text() == KEY
    assert mode(store / "gemini-api-key") == 0o600
    assert systemd.restarts == 2


def test_a_terminal_is_asked_and_does_not_show_it(
    store: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return KEY

    monkeypatch.setattr("getpass.getpass", getpass)
    assert cli.main(["key"]) == 0
    assert (store / "gemini-api-key").read_text() == KEY
    assert "aistudio.google.com" in asked[0]
    assert systemd.restarts == 1


@pytest.mark.usefixtures("store")
def test_whoever_may_see_it_finds_it_in_the_configuration(
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["config"]) == 78
    assert "GEMINI_API_KEY is missing" in capsys.readouterr().err
    key_command(monkeypatch, KEY)
    capsys.readouterr()
    assert cli.main(["config"]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("GEMINI_API_KEY"))
    assert line.split() == ["GEMINI_API_KEY", "credential", "********"]
    assert systemd.restarts == 1
    monkeypatch.setattr("os.access", lambda *_: False)  # what root may, others may not
    assert cli.main(["config"]) == 0
    assert "only root may see: sudo speakerd config" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\n", "two words", "'quoted'", "KEY = x", "k\u00e9y"])
def test_what_is_no_key_is_refused_and_not_shown(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    assert key_command(monkeypatch, text) == 78
    said = capsys.readouterr().err
    assert said.startswith("speakerd: this is no API key: it ")
    assert not text.strip() or text.strip() not in said
    assert not store.exists()
    assert systemd.restarts == 0


def test_only_root_can_and_nobody_is_asked_in_vain(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert key_command(monkeypatch, KEY) == 69
    assert "sudo speakerd key" in capsys.readouterr().err
    assert not store.exists()
    assert systemd.restarts == 0


def test_an_env_file_that_has_one_as_well_wins_and_that_is_said(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    env_file = store.parent / "speakerd.env"
    env_file.write_text("GEMINI_API_KEY=another")
    assert key_command(monkeypatch, KEY) == 0
    assert f"{env_file} sets GEMINI_API_KEY, and that one wins" in capsys.readouterr().out
    assert systemd.restarts == 1


@pytest.mark.parametrize("case", ["not installed", "not booted", "no systemd"])
def test_without_a_service_it_waits_for_one(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    systemd.state = "not-found" if case == "not installed" else "loaded"
    systemd.booted = case != "not booted"
    systemd.missing = case == "no systemd"
    assert key_command(monkeypatch, KEY) == 0
    assert "will find it when it starts" in capsys.readouterr().out
    assert systemd.restarts == 0
    assert (store / "gemini-api-key").exists()


def test_a_service_that_does_not_come_up_is_told(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    systemd.refusal = "Job for speakerd.service failed.\n"
    assert key_command(monkeypatch, KEY) == 69
    assert "the key is stored, but the service does not start: Job" in capsys.readouterr().err
    assert (store / "gemini-api-key").read_text() == KEY


@pytest.mark.usefixtures("store")
def test_a_terminal_that_is_closed_at_the_prompt_is_no_bug(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", end)
    assert cli.main(["key"]) == 78
    assert systemd.restarts == 0


@pytest.mark.usefixtures("systemd")
def test_what_is_no_text_is_no_key(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), "utf-8"))
    assert cli.main(["key"]) == 78
    assert not store.exists()


@pytest.mark.usefixtures("systemd")
def test_a_line_of_an_env_file_is_understood(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_command(monkeypatch, f"GEMINI_API_KEY={KEY}\n") == 0
    assert (store / "gemini-api-key").read_text() == KEY


@pytest.mark.parametrize("text", ["GEMINI_API_KEY=", "this is no line"])
def test_an_env_file_without_a_key_or_in_pieces_is_in_nobodys_way(
    store: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    (store.parent / "speakerd.env").write_text(text)
    assert key_command(monkeypatch, KEY) == 0
    assert "wins" not in capsys.readouterr().out
    assert systemd.restarts == 1


def test_a_full_disk_keeps_no_piece_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UnavailableError, match="No space left"):
        credential.store(KEY, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_systemd_that_hangs_is_no_bug() -> None:
    def hangs(command: Sequence[str]) -> tuple[int, str]:
        raise subprocess.TimeoutExpired(command, 100)

    with pytest.raises(UnavailableError, match="does not answer"):
        credential.restart(hangs)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="Not a directory"):
        credential.store(KEY, tmp_path / "file" / "store")
