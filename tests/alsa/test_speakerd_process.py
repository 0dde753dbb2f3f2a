"""What the real daemon is to whoever starts it: exit codes, words, notifications, secrets."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.demo.process import DaemonProcess
from speakerd.service import client
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.alsa.speakerd_rig import BARE, on, running
from tests.audio.contract import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

KEY = "AIzaSyD-the-key-that-nobody-may-ever-read"


def speakerd(command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "speakerd", command),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def complaints(stderr: str) -> list[str]:
    """What the door says there; the log, on a terminal, is more."""
    return [line for line in stderr.splitlines() if " INFO " not in line]


def asleep(pid: int) -> bool:
    """Whether no thread of a process runs, or wants to (proc_pid_stat(5))."""
    states = {
        stat.read_text().rpartition(") ")[2][0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")
    }
    return states == {"S"}


def files_with(text: str, directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and text in path.read_text()]


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("SPEAKERD_TAIL_MS", "loud", "a whole number of milliseconds"),
        ("SPEAKERD_CONTROL_SOCKET", "/nowhere/control.sock", "there is no folder /nowhere"),
        ("GEMINI_API_KEY", "", "is missing"),
    ],
)
def test_what_it_cannot_run_with_is_one_line_and_78(
    tmp_path: Path, variable: str, value: str, problem: str
) -> None:
    environment = DaemonProcess(tmp_path, BARE | {variable: value}).environment()
    ended = speakerd("run", environment)
    assert (ended.returncode, ended.stdout) == (78, "")
    (line,) = complaints(ended.stderr)
    assert line.startswith(f"speakerd: {variable}")
    assert problem in line


def test_a_second_daemon_leaves_the_first_alone(tmp_path: Path, card: StandInCard) -> None:
    with DaemonProcess(tmp_path, BARE | on(card)) as first:
        second = speakerd("run", first.environment())
        assert second.returncode == 69, "systemd tries again: the first may end"
        (line,) = complaints(second.stderr)
        assert f"another speakerd is running, it answers on {first.socket}" in line
        assert client.request(first.socket, {"command": "status"})["ok"] is True
    assert first.exit_code == 0


def test_a_missing_microphone_is_named_and_keeps_nobody_waiting(
    tmp_path: Path, card: StandInCard
) -> None:
    missing = {"SPEAKERD_CAPTURE_DEVICE": "plughw:CARD=Nope"}
    with DaemonProcess(tmp_path, BARE | on(card) | missing) as process:
        status = client.request(process.socket, {"command": "status"})
        assert status["state"] == "error"
        assert str(status["microphone"]).startswith("plughw:CARD=Nope: ")
        assert status["speaker"] == "ready"
        assert status["last_error"] == status["microphone"]
        for_people = speakerd("status", process.environment())
        assert "plughw:CARD=Nope" in for_people.stdout
    assert process.exit_code == 0
    # what alsa-lib writes to stderr on its own is not for people
    assert [line for line in process.last_words().splitlines() if "ALSA lib" in line] == []


def test_its_service_manager_is_told_what_it_does(tmp_path: Path, card: StandInCard) -> None:
    with (
        DaemonProcess(tmp_path, BARE | on(card)) as process,
        client.subscribe(process.socket, timeout_s=20) as events,
    ):
        client.request(process.socket, {"command": "press"})
        while next(events).get("state") != "listening":
            pass
    told = process.told
    assert told.count("READY=1") == told.count("STOPPING=1") == 1
    assert told.index("READY=1") < told.index("STOPPING=1")
    assert [line for line in told if line.startswith("STATUS=") and "Listening" in line]
    assert all(line.startswith(("READY=", "STATUS=", "STOPPING=")) for line in told)


def test_systemd_s_watchdog_hears_of_life(tmp_path: Path, card: StandInCard) -> None:
    with DaemonProcess(tmp_path, BARE | on(card) | {"WATCHDOG_USEC": "40000"}) as process:
        wait_until(lambda: process.told.count("WATCHDOG=1") >= 3)
    assert process.told.index("READY=1") < process.told.index("WATCHDOG=1")


def test_when_the_watchdog_aborts_it_the_journal_says_where_it_hung(
    tmp_path: Path, card: StandInCard
) -> None:
    # No thread may run meanwhile (python/cpython#116008), as none does behind a hanging driver.
    waits_for_it = {"SPEAKERD_CAPTURE_DEVICE": "plughw:CARD=Nope"}
    with DaemonProcess(tmp_path, BARE | on(card) | waits_for_it) as process:
        wait_until(lambda: "no connection" in process.last_words())  # its start is over
        wait_until(lambda: asleep(process.pid))
        process.stop(signal.SIGABRT)
        assert process.exit_code == -signal.SIGABRT
    words = process.log.read_text()
    assert "Fatal Python error: Aborted" in words
    assert "in _wait_for_retry" in words
    assert "in run_forever" in words


async def test_the_env_file_is_all_it_needs(tmp_path: Path, card: StandInCard) -> None:
    """Also for the libraries: where the server is, and the certificate it is trusted by."""
    async with Simulator(SimulatorOptions(speed=0)) as simulator:
        options = simulator.environment() | {
            "SPEAKERD_MODEL": "gemini-3.1-flash-live-preview",
            "SPEAKERD_VOCIE": "Puck",
            "GPIOZERO_PIN_FACTORY": "mock",
        }
        lines = [f"{name}={value}" for name, value in options.items() if name != "no_proxy"]
        (tmp_path / "speakerd.env").write_text("\n".join(lines))
        with DaemonProcess(tmp_path, on(card)) as process:
            await simulator.wait_for(lambda: simulator.setups)
            status = client.request(process.socket, {"command": "status"})
        assert status["button"] == "ready"
    assert simulator.setups[0]["model"] == "models/gemini-3.1-flash-live-preview"
    log = process.log.read_text()
    assert "SPEAKERD_VOCIE in" in log
    assert "did you mean SPEAKERD_VOICE?" in log


async def test_a_reload_reads_the_file_and_nothing_but_the_file(
    tmp_path: Path, card: StandInCard
) -> None:
    """What the file says for the libraries is in the daemon's environment: it is no news."""
    async with Simulator(SimulatorOptions(speed=0)) as simulator:
        options = simulator.environment() | {"GPIOZERO_PIN_FACTORY": "mock"}
        ours = options.keys() - {"no_proxy", "NODE_EXTRA_CA_CERTS"}
        lines = [f"{name}={options[name]}" for name in sorted(ours)]
        file = tmp_path / "speakerd.env"
        file.write_text("\n".join(lines))
        with DaemonProcess(tmp_path, on(card)) as process:
            environment = process.environment()

            async def reload(*more: str) -> subprocess.CompletedProcess[str]:
                file.write_text("\n".join([*lines, *more]))
                return await asyncio.to_thread(speakerd, "reload", environment)

            await simulator.wait_for(lambda: simulator.setups)
            same = await reload()
            assert (same.returncode, same.stdout) == (0, "nothing has changed\n")
            refused = await reload("SPEAKERD_TAIL_MS=long", "SPEAKERD_LINK=often")
            assert (refused.returncode, refused.stdout) == (78, "")
            assert [line.split()[1] for line in refused.stderr.splitlines()] == [
                "refused,",
                "SPEAKERD_TAIL_MS",
                "SPEAKERD_LINK",
            ]
            broken = await reload("this is no line of an env file")
            assert broken.returncode == 78
            moved = await reload("SSL_CERT_FILE=")
            (restart,) = moved.stdout.splitlines()
            assert restart.startswith("needs a restart (sudo systemctl restart speakerd): SSL_CERT")
            voice = await reload("SPEAKERD_VOICE=Puck", "SPEAKERD_LOG_LEVEL=debug")
            assert voice.stdout.splitlines() == [
                "SPEAKERD_VOICE: - -> Puck",
                "SPEAKERD_LOG_LEVEL: info -> debug",
            ]
            await simulator.wait_for(lambda: len(simulator.setups) == 2)
        assert process.exit_code == 0
    assert "Puck" in str(simulator.setups[1])
    log = process.log.read_text()
    assert "reloaded: SPEAKERD_VOICE: - -> Puck" in log
    assert "SPEAKERD_TAIL_MS" in log


async def test_the_key_is_shown_nowhere(tmp_path: Path, card: StandInCard) -> None:
    """Neither where it is accepted nor where it is refused, however much is logged."""
    options = {"SPEAKERD_LOG_LEVEL": "debug", "GEMINI_API_KEY": KEY}
    shown: dict[str, str] = {}
    for case, accepted in (("accepted", KEY), ("refused", "another-key")):
        async with Simulator(SimulatorOptions(speed=0, keys=(accepted,))) as simulator:
            directory = tmp_path / case
            led = simulator.environment() | options
            async with running(directory, card, led) as speaker:
                if case == "accepted":
                    await speaker.command("say", text="hello")
                    assert (await speaker.turn())["outcome"] == "answered"
                else:
                    await speaker.state("error")
                environment = speaker.process.environment()
                for command in ("status", "config"):
                    done = await asyncio.to_thread(speakerd, command, environment)
                    assert done.returncode == 0
                    shown[f"{case}: {command}"] = done.stdout + done.stderr
                proc = Path(f"/proc/{speaker.process.pid}")
                shown[f"{case}: command line"] = proc.joinpath("cmdline").read_text()
            shown[f"{case}: log"] = speaker.process.log.read_text()
            shown[f"{case}: notifications"] = "\n".join(speaker.process.told)
            shown[f"{case}: events"] = str(speaker.events)
    assert [where for where, text in shown.items() if KEY in text or KEY[8:] in text] == []
    assert await asyncio.to_thread(files_with, KEY, tmp_path) == []
