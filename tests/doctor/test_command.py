"""``speakerd doctor`` as a whole: all areas, what is printed, the exit code."""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

import speakerd.doctor
from speakerd.doctor import clock, command, sound
from speakerd.doctor.findings import Finding, Level, fail, ok, warn
from speakerd.doctor.trial import Alsa
from speakerd.errors import UnavailableError
from speakerd.simulator.options import DEFAULT_KEY, SimulatorOptions
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.system import System
    from tests.doctor.healthy import Healthy

CARDS = {"CAPTURE": "Device", "PLAYBACK": "Dac"}
AREAS = (*command.FIRST, *command.THEN)


# --- all areas


def test_every_module_with_checks_is_called() -> None:
    files = Path(speakerd.doctor.__file__).parent.glob("*.py")
    with_checks = [file.stem for file in files if "\nCHECKS = " in file.read_text()]
    assert sorted(AREAS) == sorted(with_checks)


@pytest.fixture
def heard(machine: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A microphone, a speaker and a button, in the daemon's hands."""
    for number, (name, pcm) in enumerate({"Device": "0c", "Dac": "0p"}.items()):
        machine.write(f"proc/asound/card{number}/id", f"{name}\n")
        machine.write(f"proc/asound/card{number}/pcm{pcm}/sub0/status", "closed\n")
    machine.write(
        "proc/asound/cards",
        " 0 [Device         ]: USB-Audio - USB\n            USB\n"
        " 1 [Dac            ]: simple - DAC\n            DAC\n",
    )
    for node in ("snd/pcmC0D0c", "snd/pcmC1D0p", "gpiochip0"):
        machine.write(f"dev/{node}", "", 0o660)
    machine.write("boot/firmware/config.txt", "dtoverlay=hifiberry-dac\n")
    assert machine.daemon is not None
    machine.daemon.hears(-20, "fine")
    # what alsa-lib would say of cards that are not there
    none = Alsa(_refused, _refused, lambda _capture: [], lambda _mixer: [], 0, 0)
    monkeypatch.setattr(sound, "_alsa", lambda: none)


def _refused(device: str, _period_ms: int) -> NoReturn:
    raise AssertionError(f"{device} is the daemon's")


@pytest.mark.usefixtures("heard")
async def test_nothing_is_wrong_with_a_healthy_machine(
    machine: Healthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.store_key(DEFAULT_KEY)
    async with Simulator(SimulatorOptions(speed=0)) as simulator:
        environ = simulator.environment()
        exported = {name: environ[name] for name in ("GOOGLE_GEMINI_BASE_URL", "SSL_CERT_FILE")}
        exported["GPIOZERO_PIN_FACTORY"] = "native"
        for name, value in exported.items():
            monkeypatch.setenv(name, value)  # what the doctor does for the libraries
        devices = {f"SPEAKERD_{name}_DEVICE": f"plughw:CARD={card}" for name, card in CARDS.items()}
        options = [f"{name}={value}" for name, value in (exported | devices).items()]
        machine.env_file("\n".join(options))
        examination = command.Examination(machine.system(), lambda system: system)
        found = await asyncio.to_thread(lambda: list(examination.findings()))
    assert [each for each in found if each.level is not Level.OK] == []
    areas = {"python", "packages", "clock", "machine", "state", "power", "configuration", "key"}
    areas |= {"service", "daemon", "dns", "network", "tls", "gemini"}
    areas |= {"sound card", "microphone", "speaker", "voice", "button", "tools"}
    assert areas == {each.area for each in found}


# --- one check that fails


def test_a_check_that_raises_hides_no_other(
    machine: Healthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_system: System) -> Iterator[Finding]:
        yield ok("clock", "so far")
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(clock, "CHECKS", (broken, clock.check))
    first, second, third = command.findings("clock", machine.system())
    assert first == ok("clock", "so far")
    assert second == fail(
        "clock",
        "the check clock.broken has failed: KeyError: 'nobody foresaw this'",
        "this is a bug in speakerd: please report it, with `speakerd doctor --report FILE`",
    )
    assert third.level is Level.OK


def test_an_area_that_cannot_be_imported(machine: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speakerd.doctor.sound", None)
    (found,) = command.findings("sound", machine.system())
    assert found.level is Level.FAIL
    assert found.what.startswith("the check sound has failed: ModuleNotFoundError: ")


def test_nobody_is_left_without_a_remedy() -> None:
    with pytest.raises(ValueError, match="nobody can mend this: clock: it has stopped"):
        fail("clock", "it has stopped", "")


# --- what is printed


def test_a_finding_without_and_with_a_remedy() -> None:
    assert list(command.lines(ok("clock", "right"), coloured=False)) == [
        "OK    clock         right"
    ]
    assert list(command.lines(warn("clock", "slow", "wind it"), coloured=False)) == [
        "WARN  clock         slow",
        "      wind it",
    ]


def test_colours() -> None:
    (line,) = command.lines(ok("clock", "right"), coloured=True)
    assert line == "\x1b[32mOK  \x1b[0m  clock         right"


def test_no_terminal_takes_a_finding_for_orders() -> None:
    found = fail("daemon", "it said:\n\x1b]0;you\x07 are mine", "wait\r")
    assert "\n".join(command.lines(found, coloured=False)) == (
        "FAIL  daemon        it said: \ufffd]0;you\ufffd are mine\n      wait"
    )


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_who_gets_colours(environ: dict[str, str], coloured: bool) -> None:
    assert command.is_coloured(Screen(), environ) is coloured
    assert not command.is_coloured(io.StringIO(), environ)


@pytest.mark.parametrize(
    ("levels", "line"),
    [
        ({Level.OK: 9}, "0 FAIL, 0 WARN, 9 OK: nothing is broken"),
        ({Level.OK: 9, Level.WARN: 2}, "0 FAIL, 2 WARN, 9 OK: nothing is broken"),
        ({Level.FAIL: 1}, "1 FAIL, 0 WARN, 0 OK: mend what fails first, from the top"),
    ],
)
def test_the_last_line(levels: dict[Level, int], line: str) -> None:
    assert command.summary(Counter(levels)) == line


@pytest.fixture
def only_clock_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FIRST", ("clock",))
    monkeypatch.setattr(command, "THEN", ("machine",))


@pytest.mark.usefixtures("only_clock_and_machine")
def test_the_first_lines_do_not_wait_for_the_configuration(machine: Healthy) -> None:
    read: list[str] = []

    def configured(system: System) -> System:
        read.append("configuration")
        return system

    found = command.Examination(machine.system(), configured).findings()
    assert next(found).area == "clock"
    assert read == []
    assert next(found).area == "machine"
    assert read == ["configuration"]


@pytest.mark.usefixtures("only_clock_and_machine")
def test_a_run_with_nothing_but_warnings(
    machine: Healthy, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.run.outputs["vcgencmd get_throttled"] = "throttled=0x1"
    examination = command.Examination(machine.system(), lambda system: system)
    assert command.tell(examination) == 0
    out = capsys.readouterr().out
    assert "\nWARN  power         the voltage is too low, now\n      use the power supply" in out
    assert out.endswith("\n\n0 FAIL, 1 WARN, 4 OK: nothing is broken\n")


@pytest.mark.usefixtures("only_clock_and_machine")
def test_a_run_with_a_fault_and_a_report(
    machine: Healthy,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    machine.now = clock.RELEASED.replace(year=1970)
    path = tmp_path / "report.txt"
    examination = command.Examination(machine.system(), lambda system: system)
    assert command.tell(examination, path) == UnavailableError.exit_code == 69
    assert capsys.readouterr().out.endswith(
        "\n1 FAIL, 0 WARN, 4 OK: mend what fails first, from the top\n"
        f"The report is in {path}. Read it before you give it to anybody.\n"
    )
    assert "FAIL clock: it says 1970-11-21" in path.read_text()


def test_a_report_that_cannot_be_written_is_known_before_the_work(
    machine: Healthy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examination = command.Examination(machine.system(), lambda system: system)
    with pytest.raises(UnavailableError, match=r"missing/report\.txt: No such file or directory"):
        command.tell(examination, tmp_path / "missing" / "report.txt")
    assert capsys.readouterr().out == ""


def test_no_report_is_left_of_what_was_interrupted(
    machine: Healthy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_system: System) -> Iterator[Finding]:
        yield ok("clock", "so far")
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "CHECKS", (interrupted,))
    examination = command.Examination(machine.system(), lambda system: system)
    with pytest.raises(KeyboardInterrupt):
        command.tell(examination, tmp_path / "report.txt")
    assert list(tmp_path.glob("report*")) == []


def test_the_options() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert vars(parser.parse_args([])) == {"no_ask": False, "board": None, "report": None}
    chosen = parser.parse_args(["--no-ask", "--board", "--report", "r.txt"])
    assert vars(chosen) == {"no_ask": True, "board": "", "report": Path("r.txt")}
    assert parser.parse_args(["--board", "usb-sound-card"]).board == "usb-sound-card"


@pytest.mark.parametrize(
    ("no_ask", "stdin", "stdout", "asked"),
    [
        (False, Screen(), Screen(), True),
        (True, Screen(), Screen(), False),
        (False, io.StringIO(), Screen(), False),
        (False, Screen(), io.StringIO(), False),
    ],
)
def test_who_is_asked(
    monkeypatch: pytest.MonkeyPatch, no_ask: bool, stdin: io.StringIO, stdout: Screen, asked: bool
) -> None:
    told: list[System] = []

    def tell(examination: command.Examination, _report: Path | None) -> int:
        told.append(examination.system)
        return 0

    monkeypatch.setattr(command, "tell", tell)
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stdout", stdout)
    assert command.run(argparse.Namespace(no_ask=no_ask, board="usb", report=None)) == 0
    (system,) = told
    assert (system.person is not None) is asked
    assert system.board == "usb"
    assert system.root == Path("/")


def test_a_person_is_told_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    command.Terminal().tell("Press the button now.")
    assert capsys.readouterr().out == "      >>> Press the button now.\n"
