"""The command that finds keypads; the door that it opens is test_doors.py's."""

from __future__ import annotations

import errno
import importlib.util
import threading
from typing import TYPE_CHECKING, Any

from evdev import ecodes

from tests.fakes.inputs import FakePorts
from tests.packaging.doors import KEYPAD
from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.packaging.stubs import Machine


def test_it_lists_what_has_keys(machine: Machine) -> None:
    assert KEYPAD.run(machine).stdout == "No input device with keys is plugged in.\n"
    FakePorts(machine.root).add("PCsensor FootSwitch")
    done = KEYPAD.run(machine)
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
