"""Looks around from inside the service's sandbox, and prints what it could do, as JSON.

Runs on the machine in place of the daemon (test_sandbox.py), with nothing but Python's own library.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def may(attempt: Callable[[], object]) -> str:
    """The reason why not, or nothing."""
    try:
        attempt()
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return ""


def devices() -> list[str]:
    """All below /dev that can be opened for writing or reading."""
    opened = []
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = Path(folder, name)
            mode = path.lstat().st_mode  # a link is another name of what is there, too
            if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
                continue
            for how in (os.O_RDWR, os.O_RDONLY):
                if not may(lambda: os.close(os.open(path, how | os.O_NONBLOCK | os.O_NOCTTY))):  # noqa: B023 - called at once
                    opened.append(str(path))
                    break
    return sorted(opened)


def readable(path: str) -> bool:
    """A file or a folder."""
    return not may(
        lambda: list(Path(path).iterdir()) if Path(path).is_dir() else Path(path).read_bytes()
    )


def writable(folder: str) -> bool:
    """Whether a file can be made there."""
    file = Path(folder, "probe")
    made = not may(lambda: file.write_text("x"))
    if made:
        file.unlink()
    return made


def system_call(library: ctypes.CDLL, name: str, *arguments: object) -> str:
    """The reason why not, or nothing."""
    if getattr(library, name)(*arguments) == -1:
        return os.strerror(ctypes.get_errno())
    return ""


def main() -> None:
    """Try everything."""
    library = ctypes.CDLL(None, use_errno=True)
    everywhere = [
        "/",
        "/etc",
        "/etc/speakerd",
        "/opt/speakerd",
        "/usr",
        "/usr/local/bin",
        "/var",
        "/var/lib",
        "/var/lib/speakerd",
        "/var/log",
        "/run",
        "/run/speakerd",
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/home",
        "/root",
        "/boot",
        "/srv",
        "/proc/sys/kernel",
        "/sys/kernel",
        "/dev",
    ]
    families = [
        "AF_UNIX",
        "AF_INET",
        "AF_INET6",
        "AF_NETLINK",
        "AF_PACKET",
        "AF_BLUETOOTH",
        "AF_VSOCK",
    ]
    secrets = [
        "/etc/shadow",
        "/etc/credstore/gemini-api-key",
        "/root",
        "/home",
        "/home/pi/.bashrc",
        "/proc/1/environ",
        "/proc/1/cmdline",
        "/dev/vda",
    ]
    told = {
        "user": os.getuid(),
        "devices": devices(),
        "secrets": secrets,
        "readable": [path for path in secrets if readable(path)],
        "writable": [folder for folder in everywhere if writable(folder)],
        "processes": [path.name for path in Path("/proc").iterdir() if path.name.isdigit()],
        "sockets": [
            name
            for name in families
            if not may(
                lambda: socket.socket(
                    getattr(socket, name),  # noqa: B023 - called at once
                    socket.SOCK_RAW if name in {"AF_NETLINK", "AF_PACKET"} else socket.SOCK_STREAM,  # noqa: B023 - called at once
                ).close()
            )
        ],
        "allowed": [
            name
            for name, refused in {
                "mount": system_call(library, "mount", b"none", b"/tmp", b"tmpfs", 0, None),
                "ptrace": system_call(
                    library, "ptrace", 16, os.getppid(), None, None
                ),  # PTRACE_ATTACH
                "reboot": system_call(library, "reboot", 0),
                "chroot": system_call(library, "chroot", b"/tmp"),
                "setuid": may(lambda: os.setuid(0)),
                "nice": may(lambda: os.nice(-5)),
                "realtime": may(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))),
                "clock": may(lambda: time.clock_settime(time.CLOCK_REALTIME, 0.0)),
                "host name": may(lambda: socket.sethostname("probe")),
                "writable code": may(lambda: mmap.mmap(-1, 4096, prot=7).close()),
                "suid": may(set_user_id_on_a_file),
                "sudo": may(sudo),
                # last, because it is another user then
                "unshare": system_call(library, "unshare", 0x10000000),  # CLONE_NEWUSER
            }.items()
            if not refused
        ],
    }
    print(json.dumps(told))  # noqa: T201 - what it is for


def set_user_id_on_a_file() -> None:
    """Raises OSError."""
    file = Path("/tmp/probe-suid")
    file.touch()
    file.chmod(0o4755)


def sudo() -> None:
    """Raises OSError."""
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
        raise OSError("refused")


main()
