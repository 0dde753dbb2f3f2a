"""The check of the camera, with the very faults it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import camera
from tests.doctor.made_up import INSTALLED, Daemon, Machine, lines
from tests.packaging.doors import CAMERA

if TYPE_CHECKING:
    from pathlib import Path

RESTART = "sudo systemctl restart speakerd.service"
THERE = "OK camera: pictures are taken by /usr/bin/rpicam-jpeg"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One with an installed speaker and a camera that it may open."""
    machine = Machine(tmp_path)
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.options["SPEAKERD_CAMERA_COMMAND"] = "rpicam-jpeg -n -o -"
    machine.write("usr/bin/rpicam-jpeg", "")
    (tmp_path / CAMERA.dropin).parent.mkdir(parents=True)
    (tmp_path / CAMERA.dropin).symlink_to(CAMERA.target)
    machine.daemon = Daemon()
    machine.daemon.status["parts"] = {"camera": "ready"}
    return machine


def found(machine: Machine) -> list[str]:
    return lines(camera.check(machine.system()))


def says(machine: Machine, word: str) -> str:
    """What comes of what the daemon says."""
    assert machine.daemon is not None
    machine.daemon.status["parts"] = {"camera": word}
    return found(machine)[1]


def test_one_that_works(machine: Machine) -> None:
    assert found(machine) == [THERE, "OK camera: the daemon knows of no trouble with it"]


def test_without_one_there_is_nothing_to_say(machine: Machine) -> None:
    machine.options.clear()
    assert found(machine) == []
    machine.configured = False
    assert found(machine) == []


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("rpicam-still -o -", "sudo apt install rpicam-apps"),
        ("fswebcam -q -", "sudo apt install fswebcam"),
        (
            "/opt/eye",
            "set SPEAKERD_CAMERA_COMMAND to a program that is there; sudo speakerd-camera tries it",
        ),
    ],
)
def test_the_program_is_missing(machine: Machine, command: str, remedy: str) -> None:
    machine.options["SPEAKERD_CAMERA_COMMAND"] = command
    program = command.split(maxsplit=1)[0]
    assert found(machine)[0] == (
        f"WARN camera: {program} is not there: nothing is seen -> {remedy}"
    )
    machine.write(f"{'' if '/' in program else 'usr/local/bin/'}{program.lstrip('/')}", "")
    assert found(machine)[0].startswith("OK camera: pictures are taken by /")


def test_the_program_is_in_somebodys_home(machine: Machine) -> None:
    machine.options["SPEAKERD_CAMERA_COMMAND"] = "'/home/pi/my eye' --now"
    machine.write("home/pi/my eye", "")
    assert found(machine)[0].startswith(
        "WARN camera: /home/pi/my eye is hidden from the service, as all of /home is: "
    )
    machine.run.outputs.clear()  # who starts it by hand sees it
    assert found(machine)[0] == "OK camera: pictures are taken by /home/pi/my eye"


def test_the_drop_in_is_missing(machine: Machine) -> None:
    (machine.root / CAMERA.dropin).unlink()
    what = f"the service may open no camera of this machine: /{CAMERA.dropin} is missing"
    remedy = f"sudo speakerd-camera --apply && {RESTART}"
    assert found(machine) == [THERE, f"WARN camera: {what} -> {remedy}"]


def test_where_no_service_is_installed_none_is_needed(machine: Machine) -> None:
    machine.run.outputs.clear()
    machine.daemon = None
    (machine.root / CAMERA.dropin).unlink()
    assert found(machine) == [THERE]


def test_the_last_picture_failed(machine: Machine) -> None:
    why = "rpicam-jpeg failed (255): ERROR: *** no cameras available ***"
    expected = f"WARN camera: the last picture failed: {why} -> sudo speakerd-camera"
    assert says(machine, why) == expected
    expected = "WARN camera: the last picture failed: cam is not there -> install it"
    assert says(machine, "cam is not there; install it") == expected


def test_a_daemon_that_says_nothing_more(machine: Machine) -> None:
    assert machine.daemon is not None
    machine.daemon.gone = True
    assert found(machine)[1].startswith("WARN camera: the daemon has said nothing for 5 s")
