"""Programs that make sound: how they may fail, what they know, and that a stop ends them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from speakerd.audio.programs import ProgramError, Programs, StoppedError
from tests.audio.contract import wait_until

CHECKOUT = Path(__file__).parents[2]


def sh(script: str, *arguments: str | Path) -> list[str]:
    return ["/bin/sh", "-c", script, "sh", *map(str, arguments)]


#: Writes its process id into a file, a line, and stays.
_STAYS = 'echo $$ >"$1"; exec sleep 60'


def has_ended(pid: Path) -> bool:
    return not Path("/proc", pid.read_text().strip()).exists()


def test_what_it_reads_it_can_write() -> None:
    sound = bytes(range(256)) * 4000
    assert Programs().run("cat", ["cat"], sound) == sound


def test_one_that_fails_says_why() -> None:
    with pytest.raises(ProgramError, match=r"^it failed \(3\): no phontab$"):
        Programs().run("it", sh("echo sound; echo 'no phontab' >&2; exit 3"))


def test_its_last_words_are_enough() -> None:
    with pytest.raises(ProgramError, match=r"^it failed \(1\): 10000$"):
        Programs().run("it", sh("seq 1 10000 >&2; exit 1"))
    with pytest.raises(ProgramError, match=r"^it failed \(1\): [ 0-9]{160}$"):
        Programs().run("it", sh("seq -s ' ' 1 10000 >&2; exit 1"))


def test_one_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"^it failed \(127\): .*No such file"):
        Programs().run("it", [str(tmp_path / "nowhere")])


def test_without_nice_it_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"^it cannot be started: .*'nice'"):
        Programs().run("it", ["/bin/true"])


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"^it is not ready after 0\.5 s$"):
        Programs(timeout_s=0.5).run("it", sh(_STAYS, tmp_path / "pid"))
    assert has_ended(tmp_path / "pid")


def test_one_that_does_not_listen_is_no_trouble() -> None:
    assert Programs().run("it", ["/bin/true"], bytes(1_000_000)) == b""


def test_a_stop_ends_what_runs(tmp_path: Path) -> None:
    programs = Programs()
    outcome: list[Exception] = []

    def run() -> None:
        try:
            programs.run("it", sh(_STAYS, tmp_path / "pid"))
        except StoppedError as stopped:
            outcome.append(stopped)

    thread = threading.Thread(target=run)
    thread.start()
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    programs.stop()
    thread.join(10)
    assert len(outcome) == 1
    assert has_ended(pid)


def test_after_the_stop_nothing_runs(tmp_path: Path) -> None:
    programs = Programs()
    programs.check()
    programs.stop()
    programs.stop()
    with pytest.raises(StoppedError):
        programs.run("it", sh('echo >"$1"', tmp_path / "ran"))
    with pytest.raises(StoppedError):
        programs.check()
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.nice(0) == 19, reason="these tests have that themselves")
def test_it_gets_the_lowest_priority() -> None:
    assert Programs().run("nice", ["nice"]) == b"19\n"


def test_it_gets_nothing_of_ours_but_where_programs_and_modules_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environment = Programs().run("env", ["env"]).decode().splitlines()
    assert set(environment) == {
        f"PATH={os.environ['PATH']}",
        f"PYTHONPATH={CHECKOUT}",
        "LC_ALL=C.UTF-8",
    }


def test_the_terminals_interrupt_does_not_reach_it() -> None:
    """Which goes to a process group: the fifth field of proc(5)'s stat."""
    stat = Programs().run("sh", sh("cat /proc/$$/stat")).split()
    assert int(stat[4]) == int(stat[0]) != os.getpgrp()
