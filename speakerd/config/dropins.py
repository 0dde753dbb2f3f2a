"""Doors in the unit's sandbox that are open only where an option asks for it.

Each is a drop-in: a link in /etc/systemd/system/speakerd.service.d to a file beside the unit, put
there and taken away by a command of its own, and by the installers. What a person has put there
in its place stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config import sources
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_ENV = "etc/speakerd/speakerd.env"
_FOLDER = "etc/systemd/system/speakerd.service.d"
#: Where the files are on the installed machine.
_SHARE = "/opt/speakerd/share/speakerd"


@dataclass(frozen=True, slots=True)
class DropIn:
    """One of them: ``may`` (of ``{wanted}``) where ``option`` is set, else not ``opened``."""

    name: str
    option: str
    may: str
    opened: str

    @property
    def path(self) -> str:
        """Where the link is, below the root."""
        return f"{_FOLDER}/{self.name}.conf"

    @property
    def target(self) -> str:
        """Where it leads."""
        return f"{_SHARE}/speakerd-{self.name}.conf"

    @property
    def by_hand(self) -> str:
        """The command that puts it there, where there is no other."""
        return f"sudo install -d /{_FOLDER} && sudo ln -s {self.target} /{self.path}"

    def wanted(self, root: Path) -> str:
        """The value of the option, as the daemon reads it. Raises ConfigError."""
        path = root / _ENV
        if not path.exists():
            raise ConfigError(f"there is no /{_ENV}: install speakerd first")
        return sources.text_of(sources.read_env_file({sources.ENV_FILE: str(path)}), self.option)

    def apply(self, root: Path, tell: Callable[[str], object]) -> None:
        """Follow the env file below ``root``. Raises ConfigError and OSError."""
        wanted, link = self.wanted(root), root / self.path
        may = self.may.format(wanted=wanted)
        ours = link.is_symlink() and str(link.readlink()) == self.target
        if not ours and (link.exists() or link.is_symlink()):
            if wanted:
                tell(f"/{self.path} is not speakerd's, and stays as it is.")
        elif wanted and not ours:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.target)
            self._changed(f"the service may {may}", tell)
        elif ours and not wanted:
            link.unlink()
            with contextlib.suppress(OSError):  # there may be others of the person's own
                link.parent.rmdir()
            self._changed(f"the service may {self.opened} no longer", tell)
        elif wanted:
            restart = "sudo systemctl restart speakerd"
            tell(f"The service may {may}, if it was restarted: {restart}")

    def _changed(self, what: str, tell: Callable[[str], object]) -> None:
        tell(f"/{self.path}: {what}")
        if "DESTDIR" in os.environ:  # an installer, which goes on
            return
        if Path("/run/systemd/system").is_dir():
            reload = ["systemctl", "daemon-reload"]
            if subprocess.run(reload, check=False).returncode:  # noqa: S603 - no word of it is given
                raise OSError("systemd has not read it: sudo systemctl daemon-reload")
            tell("To be done: sudo systemctl restart speakerd")


KEYPAD = DropIn(
    "keypad",
    "SPEAKERD_KEYPAD",
    "use {wanted}, and read every input device",
    "read input devices",
)
#: Nobody puts this one there but a person, for it takes a lock from the sandbox.
MCP = DropIn("mcp", "SPEAKERD_MCP_SERVERS", "run MCP servers", "run MCP servers")
CAMERA = DropIn("camera", "SPEAKERD_CAMERA_COMMAND", "open every camera", "open cameras")
