"""A camera's command: a script that takes a picture, and misbehaves as a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.processes import Noted

if TYPE_CHECKING:
    from pathlib import Path

#: What begins and ends as a JPEG does; nobody here looks at what is between.
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"

_PROGRAM = """#!/bin/sh
here=${0%/*}
echo $$ >>"$here/pids"
. "$here/behaviour"
exec cat "$here/picture.jpg"
"""

#: Runs on until it is killed; so does a child of its own.
HANGS = 'sleep 600 & echo $! >>"$here/pids"; sleep 600'
#: Takes its picture when the test lets it: :meth:`FakeCamera.let_it`.
WAITS = 'while [ ! -e "$here/go" ]; do sleep 0.01; done'
FAILS = 'echo "looking"  >&2; echo "*** no cameras available ***" >&2; exit 255'
GARBAGE = 'echo "this is no picture"; exit 0'
ENDLESS = "exec cat /dev/zero"


class FakeCamera(Noted):
    """The command, in ``directory``, and its processes."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "pids")
        directory.mkdir()
        self._directory = directory
        self.program = directory / "fakecam"
        self.behave("")
        self.see(JPEG)
        self.program.write_text(_PROGRAM)
        self.program.chmod(0o700)

    @property
    def command(self) -> str:
        """What SPEAKERD_CAMERA_COMMAND is to be."""
        return f"'{self.program}' --width 768"

    def behave(self, script: str) -> None:
        """Run ``script`` (of sh; $here is the folder) before it takes the picture."""
        (self._directory / "behaviour").write_text(script)

    def see(self, jpeg: bytes) -> None:
        """Have this before it."""
        (self._directory / "picture.jpg").write_bytes(jpeg)

    def let_it(self) -> None:
        """Let one that waits go on."""
        (self._directory / "go").touch()
