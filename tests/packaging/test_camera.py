"""The camera's door into the sandbox, and the program that tries the camera."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.camera import FAILS, JPEG, FakeCamera
from tests.packaging.stubs import CHECKOUT
from tests.packaging.test_keypad import configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.stubs import Machine

DROPIN = "etc/systemd/system/speakerd.service.d/camera.conf"
TARGET = "/opt/speakerd/share/speakerd/speakerd-camera.conf"
SET = "SPEAKERD_CAMERA_COMMAND=rpicam-jpeg -n -o -"


@pytest.fixture
def fake(tmp_path: Path) -> FakeCamera:
    return FakeCamera(tmp_path / "camera")


def camera(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run speakerd-camera, whatever comes of it."""
    return subprocess.run(
        [sys.executable, "-sB", str(CHECKOUT / "systemd/camera.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "DESTDIR": str(machine.root)},
    )


def applied(machine: Machine) -> str:
    done = camera(machine, "--apply")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(machine: Machine, *arguments: str) -> str:
    """The one line that says why."""
    done = camera(machine, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    return done.stderr


def leads_to(machine: Machine) -> str:
    link = machine.root / DROPIN
    return str(link.readlink()) if link.is_symlink() else ""


def test_the_service_may_open_cameras_while_the_env_file_names_a_command(machine: Machine) -> None:
    configure(machine, SET)
    assert applied(machine) == f"/{DROPIN}: the service may open every camera\n"
    assert leads_to(machine) == TARGET
    assert "sudo systemctl restart speakerd" in applied(machine)
    configure(machine, "")
    assert applied(machine) == f"/{DROPIN}: the service may open cameras no longer\n"
    assert not (machine.root / DROPIN).parent.exists()
    assert applied(machine) == ""


def test_what_somebody_else_has_put_there_stays(machine: Machine) -> None:
    path = machine.root / DROPIN
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\n", encoding="utf-8")
    configure(machine, SET)
    assert "is not speakerd's" in applied(machine)
    configure(machine, "")
    applied(machine)
    assert machine.text(DROPIN) == "[Service]\n"


def test_it_takes_a_picture_and_keeps_it(
    machine: Machine, fake: FakeCamera, tmp_path: Path
) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    done = camera(machine, str(tmp_path / "picture.jpg"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"A picture of 1 KiB, after \d+\.\d s\.\n", done.stdout)
    assert (tmp_path / "picture.jpg").read_bytes() == JPEG


def test_it_says_so_where_the_picture_is_large(machine: Machine, fake: FakeCamera) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    fake.see(JPEG[:4] + bytes(300_000) + JPEG[-2:])
    assert "768 pixels" in camera(machine).stdout


def test_it_says_why_there_is_no_picture(machine: Machine, fake: FakeCamera) -> None:
    fake.behave(FAILS)
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    expected = "speakerd: fakecam failed (255): *** no cameras available ***\n"
    assert refused(machine) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "SPEAKERD_CAMERA_COMMAND names no command"),
        ("SPEAKERD_CAMERA_COMMAND=cam 'a", "SPEAKERD_CAMERA_COMMAND: No closing quotation"),
        ("SPEAKERD_CAMERA_COMMAND=/nowhere/cam", "cam is not there; install it, or set"),
        ("nonsense", "speakerd.env:1: "),
    ],
)
def test_what_is_wrong_is_one_line(machine: Machine, text: str, line: str) -> None:
    configure(machine, text)
    assert line in refused(machine)


def test_without_an_installation_it_says_so(machine: Machine) -> None:
    told = "speakerd: there is no /etc/speakerd/speakerd.env: install speakerd first\n"
    assert refused(machine) == refused(machine, "--apply") == told


def test_a_picture_that_cannot_be_kept_is_one_line(machine: Machine, fake: FakeCamera) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    done = camera(machine, "/nowhere/picture.jpg")
    assert done.stderr == "speakerd: /nowhere/picture.jpg: No such file or directory\n"


# --- make install, make uninstall, and the Debian package


def test_make_install_does_it_and_starts_the_service_anew(machine: Machine) -> None:
    machine.install()
    assert leads_to(machine) == ""
    configure(machine, SET)
    assert "the service may open every camera" in machine.install()
    assert leads_to(machine) == TARGET
    assert machine.called("systemctl restart speakerd")
    machine.install()
    assert not machine.called("systemctl restart speakerd")
    assert (machine.root / TARGET.lstrip("/")).exists()


def test_a_release_that_knows_nothing_of_it_leaves_no_link(machine: Machine) -> None:
    configure(machine, f"{SET}\nSPEAKERD_KEYPAD=FootSwitch")
    machine.install()
    environment = CHECKOUT / "systemd/environment.sh"
    (machine.checkout / "systemd/environment.sh").write_text(
        environment.read_text("utf-8").replace("board keypad camera", "board keypad"),
        encoding="utf-8",
    )
    machine.install()
    assert leads_to(machine) == ""
    assert (machine.root / DROPIN).with_name("keypad.conf").is_symlink()


def test_uninstalling_takes_it_away(machine: Machine) -> None:
    configure(machine, f"{SET}\nSPEAKERD_KEYPAD=FootSwitch")
    machine.install()
    done = machine.run("uninstall.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (machine.root / DROPIN).parent.exists()
    assert not (machine.root / "usr/local/bin/speakerd-camera").is_symlink()


@pytest.mark.parametrize("ours", [True, False])
def test_removing_the_package_takes_its_own_away(machine: Machine, ours: bool) -> None:
    link = machine.root / DROPIN
    link.parent.mkdir(parents=True)
    link.symlink_to(TARGET if ours else "/etc/mine.conf")
    script = (CHECKOUT / "systemd/deb/postrm").read_text(encoding="utf-8")
    function = re.search(r"^close_doors\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    subprocess.run(
        ["sh", "-euc", f"{function[0]}\nclose_doors"],
        check=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(machine.root)},
    )
    assert link.is_symlink() is not ours
