"""A made-up machine with nothing the matter with it, until a test plants what it wants found."""

from __future__ import annotations

import dataclasses
import datetime
import os
from typing import TYPE_CHECKING

import speakerd
from speakerd import config
from speakerd.doctor import clock, host
from speakerd.doctor.system import System
from speakerd.errors import ConfigError
from tests.doctor.made_up import Commands, Daemon, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from speakerd.doctor.findings import Finding

KEY = "a-key-of-somebody-0123456789"
NOW = clock.RELEASED + datetime.timedelta(days=30)
#: The machine was started two hours ago, the service an hour after that.
UPTIME_S, STARTED_S = 7200.0, 3600.0

UNIT = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "ExecMainStatus": "0",
    "NRestarts": "0",
    "WatchdogUSec": "20s",
    "ActiveEnterTimestampMonotonic": str(int(STARTED_S * 1e6)),
    "User": "speakerd",
    "SupplementaryGroups": "audio gpio",
    "Environment": "",
}
STATUS = {
    "state": "idle",
    "summary": "Ready: hold the button and speak",
    "link": "ready",
    "model": "gemini-3.8-live",
    "turns": 3,
    "last_error": None,
    "last_error_remedy": None,
    "last_error_ago_s": None,
    "microphone": "ready",
    "speaker": "ready",
    "button": "ready",
    "version": speakerd.__version__,
}


class Healthy:
    """Files below ``root``, commands, systemd's properties of the unit, the daemon's status."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = Commands()
        self.unit = dict(UNIT)
        self.daemon: Daemon | None = Daemon()
        self.daemon.status = dict(STATUS)
        self.no_daemon = ""
        self.user = "anna"
        self.privileged = True
        self.shell: dict[str, str] = {}
        self.now = NOW
        self.env_file("SPEAKERD_MODEL=gemini-3.8-live\n")
        self.store_key(KEY)
        self.write("etc/passwd", f"root:x:0:0::/root:\nspeakerd:x:{os.getuid()}:990:::\n")
        self.write(
            "etc/group", "root:x:0:\nspeakerd:x:990:bob,anna\naudio:x:29:speakerd\ngpio:x:991:\n"
        )
        self.write("proc/uptime", f"{UPTIME_S} 9000.00\n")
        self.write("proc/meminfo", "MemTotal: 440000 kB\nMemAvailable:    300000 kB\n")
        self.write("proc/mounts", "/dev/root / ext4 rw,noatime 0 0\nproc /proc proc ro 0 0\n")
        self.write("proc/device-tree/model", "Raspberry Pi Zero 2 W Rev 1.0\0")
        self.write("sys/class/thermal/thermal_zone0/temp", "48312\n")
        self.write("usr/bin/espeak-ng", "")
        (root / "var/lib/speakerd").mkdir(parents=True, mode=0o700)
        self.run.outputs |= {
            "timedatectl show": "CanNTP=yes\nNTP=yes\nNTPSynchronized=yes",
            "vcgencmd get_throttled": "throttled=0x0",
            "df": "    Avail   Inodes  IFree\n  5000000000  900000 800000",
        }

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    def env_file(self, text: str, mode: int = 0o640) -> Path:
        return self.write("etc/speakerd/speakerd.env", text, mode)

    def store_key(self, key: str, mode: int = 0o600) -> Path:
        """As ``speakerd key`` does, before the service was started."""
        path = self.write("etc/credstore/gemini-api-key", key, mode)
        before = self.now.timestamp() - UPTIME_S
        os.utime(path, (before, before))
        return path

    def system(self) -> System:
        """As the door would make it of this machine."""
        self.run.outputs["systemctl show speakerd.service"] = "\n".join(
            f"{name}={value}" for name, value in self.unit.items()
        )
        environ, from_shell = host.as_the_service(self.shell, self.root, self.run)
        system = System(
            None,
            environ,
            self.root,
            self.run,
            self.daemon,
            no_daemon=self.no_daemon,
            from_shell=from_shell,
            user=self.user,
            privileged=self.privileged,
            now=self.now.timestamp,
        )
        try:
            return dataclasses.replace(system, loaded=config.examine(environ))
        except ConfigError as error:
            return dataclasses.replace(system, unreadable=str(error))

    def says(self, status: Mapping[str, object]) -> None:
        """Let the daemon's status be different in this."""
        assert self.daemon is not None
        self.daemon.status |= status

    def is_silent(self, why: str) -> None:
        self.daemon, self.no_daemon = None, why

    def found_by(self, check: Callable[[System], Iterable[Finding]]) -> list[str]:
        """All that ``check`` finds."""
        return lines(check(self.system()))

    def faults_by(self, check: Callable[[System], Iterable[Finding]]) -> list[str]:
        """What ``check`` finds to be wrong."""
        return [line for line in self.found_by(check) if not line.startswith("OK ")]
