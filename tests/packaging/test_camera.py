"""The command that tries the camera; the door that it opens is test_doors.py's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.fakes.camera import FAILS, JPEG, FakeCamera
from tests.packaging.doors import CAMERA, configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.stubs import Machine


@pytest.fixture
def fake(tmp_path: Path) -> FakeCamera:
    return FakeCamera(tmp_path / "camera")


def test_it_takes_a_picture_and_keeps_it(
    machine: Machine, fake: FakeCamera, tmp_path: Path
) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    done = CAMERA.run(machine, str(tmp_path / "picture.jpg"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"A picture of 1 KiB, after \d+\.\d s\.\n", done.stdout)
    assert (tmp_path / "picture.jpg").read_bytes() == JPEG


def test_it_says_so_where_the_picture_is_large(machine: Machine, fake: FakeCamera) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    fake.see(JPEG[:4] + bytes(300_000) + JPEG[-2:])
    assert "768 pixels" in CAMERA.run(machine).stdout


def test_it_says_why_there_is_no_picture(machine: Machine, fake: FakeCamera) -> None:
    fake.behave(FAILS)
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    expected = "speakerd: fakecam failed (255): *** no cameras available ***\n"
    assert CAMERA.refused(machine) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "SPEAKERD_CAMERA_COMMAND names no command"),
        ("SPEAKERD_CAMERA_COMMAND=cam 'a", "SPEAKERD_CAMERA_COMMAND: No closing quotation"),
        ("SPEAKERD_CAMERA_COMMAND=/nowhere/cam", "cam is not there; install it, or set"),
    ],
)
def test_what_is_wrong_is_one_line(machine: Machine, text: str, line: str) -> None:
    configure(machine, text)
    assert line in CAMERA.refused(machine)


def test_a_picture_that_cannot_be_kept_is_one_line(machine: Machine, fake: FakeCamera) -> None:
    configure(machine, f'SPEAKERD_CAMERA_COMMAND="{fake.command}"')
    done = CAMERA.run(machine, "/nowhere/picture.jpg")
    assert done.stderr == "speakerd: /nowhere/picture.jpg: No such file or directory\n"
