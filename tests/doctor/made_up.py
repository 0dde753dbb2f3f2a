"""A made-up machine for the checks of sound and button: files below a root, a daemon, a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from speakerd import config
from speakerd.doctor.system import Ran, System
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from speakerd.doctor.findings import Finding

#: A user who is nobody on the machine that runs the tests, so that file modes count for them.
SERVICE_UID = 64_321
INSTALLED = "LoadState=loaded\nUser=speakerd\nSupplementaryGroups=audio gpio"


class Commands:
    """Answers commands by how they begin; those that nobody has planted are not there."""

    def __init__(self) -> None:
        self.outputs: dict[str, str] = {}

    def __call__(self, command: Sequence[str], /) -> Ran:
        line = " ".join(command)
        for beginning, output in self.outputs.items():
            if line.startswith(beginning):
                return Ran(0, output)
        return Ran(None, "")


class Daemon:
    """Answers each command of the control socket with what the test has put there."""

    def __init__(self) -> None:
        self.status: dict[str, object] = {"microphone": "ready", "speaker": "ready"}
        self.status["button"] = "ready"
        self.answers: dict[str, dict[str, object]] = {"tone": {"ok": True}}
        self.asked: list[str] = []
        self.gone = False
        self.not_yet = 0  # how often it has no level to tell
        self.presses = True

    def request(self, message: Mapping[str, object], timeout_s: float = 5.0) -> dict[str, object]:
        assert timeout_s > 0
        command = str(message["command"])
        self.asked.append(command)
        if self.gone:
            raise UnavailableError("the daemon has said nothing for 5 s")
        if command == "level" and self.not_yet:
            self.not_yet -= 1
            return {"ok": False, "error": "it has heard nothing yet"}
        if command == "status":
            return {"ok": True, **self.status}
        return self.answers.get(command, {"ok": False, "error": f"no command {command}"})

    def wait_for_press(self, timeout_s: float) -> bool:
        assert timeout_s == 10
        if self.gone:
            raise UnavailableError("the daemon has said nothing for 5 s")
        return self.presses

    def hears(self, peak_dbfs: float, verdict: str) -> None:
        level = {"peak_dbfs": peak_dbfs, "rms_dbfs": peak_dbfs - 12, "verdict": verdict}
        self.answers["level"] = {"ok": True, **level}


class Person:
    """Somebody who does at once what ``does`` says when they are asked."""

    def __init__(self, does: Callable[[], object] = lambda: None) -> None:
        self.told: list[str] = []
        self._does = does

    def tell(self, text: str) -> None:
        assert "\n" not in text
        self.told.append(text)
        self._does()


class Machine:
    """The made-up machine; :meth:`system` is what a check gets to see of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = Commands()
        self.daemon: Daemon | None = None
        self.person: Person | None = None
        self.options: dict[str, str] = {}
        self.configured = True
        self.write("etc/passwd", f"root:x:0:0::/root:/bin/sh\nspeakerd:x:{SERVICE_UID}:64321:::\n")

    def system(self) -> System:
        environ = self.options | {"SPEAKERD_ENV_FILE": str(self.write("speakerd.env", ""))}
        loaded = config.examine(environ) if self.configured else None
        return System(loaded, environ, self.root, self.run, self.daemon, self.person)

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def card(self, number: int, name: str, *pcms: str, description: str = "") -> None:
        """A sound card, with PCM devices such as ``0c``."""
        self.write(f"proc/asound/card{number}/id", f"{name}\n")
        listed = self.root / "proc/asound/cards"
        before = listed.read_text() if listed.exists() else ""
        self.write(
            "proc/asound/cards",
            f"{before} {number} [{name:<15}]: driver - {description or name}\n"
            "                      and more of it\n",
        )
        for pcm in pcms:
            (self.root / f"proc/asound/card{number}/pcm{pcm}/sub0").mkdir(parents=True)

    def holder(self, place: str, pid: int, name: str) -> None:
        """A process that has the substream ``place`` (such as card1/pcm0p/sub0) open."""
        self.write(f"proc/asound/{place}/status", f"state: RUNNING\nowner_pid   : {pid}\n")
        self.write(f"proc/{pid}/comm", f"{name}\n")

    def node(self, path: str, mode: int, group: str, members: str = "") -> None:
        """A device node below /dev, of a ``group`` with ``members``."""
        node = self.write(path, "")
        gid = os.getegid()
        if os.geteuid() == 0:  # whose group is root, as is that of a node udev has not seen
            gid = 64_400
            os.chown(node, -1, gid)
        node.chmod(mode)
        self.write("etc/group", f"root:x:0:\n{group}:x:{gid}:{members}\nspeakerd:x:64321:\n")


def lines(findings: Iterable[Finding]) -> list[str]:
    """The findings as a test reads them; all of them are fit for a person."""
    found = list(findings)
    for each in found:
        assert "\n" not in each.what + each.remedy
        assert bool(each.remedy) == (each.level != "OK"), each
    return [
        f"{each.level} {each.area}: {each.what}" + (f" -> {each.remedy}" if each.remedy else "")
        for each in found
    ]
