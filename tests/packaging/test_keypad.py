"""The keypad's door into the sandbox: opened where one is configured, and closed again."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from evdev import ecodes

from tests.fakes.inputs import FakePorts
from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.stubs import Machine

ENV = "etc/speakerd/speakerd.env"
DROPIN = "etc/systemd/system/speakerd.service.d/keypad.conf"
TARGET = "/opt/speakerd/share/speakerd/speakerd-keypad.conf"


def configure(machine: Machine, text: str) -> None:
    path = machine.root / ENV
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def keypad(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run speakerd-keypad, whatever comes of it."""
    return subprocess.run(
        [sys.executable, "-sB", str(CHECKOUT / "systemd/keypad.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "DESTDIR": str(machine.root)},
    )


def applied(machine: Machine) -> str:
    done = keypad(machine, "--apply")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def leads_to(machine: Machine) -> str:
    link = machine.root / DROPIN
    return str(link.readlink()) if link.is_symlink() else ""


def test_the_service_may_read_input_devices_while_the_env_file_names_one(machine: Machine) -> None:
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    assert "the service may use FootSwitch" in applied(machine)
    assert leads_to(machine) == TARGET
    assert "sudo systemctl restart speakerd" in applied(machine)
    configure(machine, "SPEAKERD_KEYPAD=")
    assert "no longer" in applied(machine)
    assert not (machine.root / DROPIN).parent.exists()
    assert applied(machine) == ""


def test_what_somebody_else_has_put_there_stays(machine: Machine) -> None:
    path = machine.root / DROPIN
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\n", encoding="utf-8")
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    assert "is not speakerd's" in applied(machine)
    configure(machine, "")
    applied(machine)
    assert machine.text(DROPIN) == "[Service]\n"


def test_other_drop_ins_stay(machine: Machine) -> None:
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    applied(machine)
    mine = (machine.root / DROPIN).with_name("override.conf")
    mine.touch()
    configure(machine, "")
    applied(machine)
    assert mine.exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SPEAKERD_KEYPAD=' '", False),
        ("\ufeffSPEAKERD_KEYPAD=pedal", True),  # as some editors begin a file
        ("SPEAKERD_KEYPAD=one\nSPEAKERD_KEYPAD=", False),
    ],
)
def test_it_reads_the_file_as_the_daemon_does(machine: Machine, text: str, wanted: bool) -> None:
    configure(machine, text)
    applied(machine)
    assert bool(leads_to(machine)) is wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "there is no /etc/speakerd/speakerd.env: install speakerd first"),
        ("nonsense", "speakerd.env:1: "),
    ],
)
def test_what_is_wrong_is_one_line(machine: Machine, text: str | None, line: str) -> None:
    if text is not None:
        configure(machine, text)
    done = keypad(machine, "--apply")
    assert done.returncode == 1
    assert done.stderr.startswith("speakerd: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_lists_what_has_keys(machine: Machine) -> None:
    assert keypad(machine).stdout == "No input device with keys is plugged in.\n"
    FakePorts(machine.root).add("PCsensor FootSwitch")
    done = keypad(machine)
    assert done.stdout.splitlines()[0] == f"{machine.root}/dev/input/event0  PCsensor FootSwitch"


def program() -> Any:  # noqa: ANN401 - a module
    spec = importlib.util.spec_from_file_location("keypad", CHECKOUT / "systemd/keypad.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_tells_what_keys_are_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ports = FakePorts(tmp_path)
    pedal, taken, broken = (ports.add(name) for name in ("pedal", "taken", "broken"))
    taken.grabbed_by_another = True
    broken.refusal = OSError("broken")
    watching = threading.Thread(target=program().watch, args=(tmp_path, ports.open))
    watching.start()
    while not (pedal.opened and taken.opened and broken.attempts):
        pass
    pedal.press(ecodes.KEY_B)
    pedal.release(ecodes.KEY_B)
    pedal.press(ecodes.BTN_LEFT)
    pedal.unplug()
    watching.join()
    lines = capsys.readouterr().out.splitlines()
    assert f"{broken.path}: broken" in lines
    assert "taken is in use; if by speakerd: sudo systemctl stop speakerd" in lines
    assert lines[-3:] == ["KEY_B  on pedal", "BTN_LEFT  on pedal", "pedal has been unplugged"]


def test_where_nothing_can_be_listened_to_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = FakePorts(tmp_path)
    ports.add("taken").grabbed_by_another = True
    program().watch(tmp_path, ports.open)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("taken is in use")


def test_a_device_that_may_not_be_read_says_how(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = FakePorts(machine.root).add("pedal")
    keypad = program()

    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(keypad, "open_device", refused)
    monkeypatch.setenv("DESTDIR", str(machine.root))
    assert keypad.main(["--watch"]) == 1
    told = f"speakerd: {port.path}: Permission denied: sudo speakerd-keypad --watch\n"
    assert capsys.readouterr().err == told


# --- make install, make uninstall, and the Debian package


def test_make_install_does_it_and_starts_the_service_anew(machine: Machine) -> None:
    machine.install()
    assert leads_to(machine) == ""
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    assert "the service may use FootSwitch" in machine.install()
    assert leads_to(machine) == TARGET
    assert machine.called("systemctl restart speakerd")
    machine.install()
    assert not machine.called("systemctl restart speakerd")
    assert (machine.root / TARGET.lstrip("/")).exists()


def test_a_bad_file_does_not_keep_it_from_being_installed(machine: Machine) -> None:
    machine.install()
    configure(machine, "nonsense")
    done = machine.run("install.sh")
    assert done.returncode == 0
    assert "speakerd.env:1: " in done.stderr


def test_a_release_that_knows_nothing_of_it_leaves_no_link(machine: Machine) -> None:
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    machine.install()
    (machine.checkout / "systemd/environment.sh").write_text(
        (CHECKOUT / "systemd/environment.sh")
        .read_text("utf-8")
        .replace("board keypad camera", "board"),
        encoding="utf-8",
    )
    machine.install()
    assert leads_to(machine) == ""


def test_uninstalling_takes_it_away(machine: Machine) -> None:
    configure(machine, "SPEAKERD_KEYPAD=FootSwitch")
    machine.install()
    done = machine.run("uninstall.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (machine.root / DROPIN).parent.exists()


@pytest.mark.parametrize("ours", [True, False])
def test_removing_the_package_takes_its_own_away(machine: Machine, ours: bool) -> None:
    link = machine.root / DROPIN
    link.parent.mkdir(parents=True)
    link.symlink_to(TARGET if ours else "/etc/mine.conf")
    script = (CHECKOUT / "systemd/deb/postrm").read_text(encoding="utf-8")
    function = re.search(r"^close_doors\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    assert script.count("close_doors") == 2  # it is called, too
    subprocess.run(
        ["sh", "-euc", f"{function[0]}\nclose_doors"],
        check=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(machine.root)},
    )
    assert link.is_symlink() is not ours
