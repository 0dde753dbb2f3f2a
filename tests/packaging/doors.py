"""The doors in the sandbox that the env file opens, as their commands and the installers do it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from tests.packaging.stubs import Machine

ENV = "etc/speakerd/speakerd.env"


def configure(machine: Machine, text: str) -> None:
    """Write the env file."""
    path = machine.root / ENV
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Door:
    """One of them: ``line`` of the env file opens it, and then ``told`` is said."""

    name: str
    line: str
    told: str
    told_closed: str

    @property
    def dropin(self) -> str:
        """The link."""
        return f"etc/systemd/system/speakerd.service.d/{self.name}.conf"

    @property
    def target(self) -> str:
        """Where it leads."""
        return f"/opt/speakerd/share/speakerd/speakerd-{self.name}.conf"

    def run(self, machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its command, whatever comes of it."""
        return subprocess.run(
            [sys.executable, "-sB", str(CHECKOUT / f"systemd/{self.name}.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "DESTDIR": str(machine.root)},
        )

    def applied(self, machine: Machine) -> str:
        """What ``--apply`` says."""
        done = self.run(machine, "--apply")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refused(self, machine: Machine, *arguments: str) -> str:
        """The one line that says why."""
        done = self.run(machine, *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        return done.stderr

    def leads_to(self, machine: Machine) -> str:
        """Where its link leads, if there is one."""
        link = machine.root / self.dropin
        return str(link.readlink()) if link.is_symlink() else ""


KEYPAD = Door(
    "keypad",
    "SPEAKERD_KEYPAD=FootSwitch",
    "the service may use FootSwitch, and read every input device",
    "the service may read input devices no longer",
)
CAMERA = Door(
    "camera",
    "SPEAKERD_CAMERA_COMMAND=rpicam-jpeg -n -o -",
    "the service may open every camera",
    "the service may open cameras no longer",
)
DOORS = (KEYPAD, CAMERA)
