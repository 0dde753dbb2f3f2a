"""Whose rights count: those of the user that the service runs as, or else of whoever asks."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from speakerd.doctor.findings import fail, ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

UNIT = "speakerd.service"
_NOBODY = -1
#: What the unit's ProtectHome= hides (systemd.exec(5)).
_HIDDEN = ("/home", "/root", "/run/user")


@dataclass(frozen=True, slots=True)
class Account:
    """A user: ``service`` where it is the unit's, not whoever runs the doctor."""

    name: str
    uid: int  # -1 where there is no such user
    gids: frozenset[int]
    service: bool

    def may_use(self, node: os.stat_result) -> bool:
        """Whether the modes of a device node let this user read and write it."""
        if self.uid == 0:
            return True
        if node.st_uid == self.uid:
            wanted = stat.S_IRUSR | stat.S_IWUSR
        elif node.st_gid in self.gids:
            wanted = stat.S_IRGRP | stat.S_IWGRP
        else:
            wanted = stat.S_IROTH | stat.S_IWOTH
        return node.st_mode & wanted == wanted

    def may(self, path: Path, right: int) -> bool:
        """Whether the mode of what is at ``path`` gives it this right (of one octal digit).

        Raises OSError where nothing is there.
        """
        status = path.stat()
        if self.uid == 0:
            return True
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return bool(status.st_mode >> shift & right)

    def join(self, group: str) -> str:
        """The command that makes this user a member of ``group``."""
        if self.service:
            return f"sudo adduser {self.name} {group} && sudo systemctl restart {UNIT}"
        return f"sudo adduser {self.name} {group}, then log in again"


def who_runs(system: System) -> Account:
    """The unit's user with all of its groups, if the unit is installed; else this process' own."""
    users = {fields[0]: fields for fields in _table(system.root / "etc/passwd", 4)}
    groups = _table(system.root / "etc/group", 4)
    unit = _unit(system)
    if unit.get("LoadState") != "loaded":
        uid = os.geteuid()
        names = (name for name, fields in users.items() if fields[2] == str(uid))
        gids = frozenset((os.getegid(), *os.getgroups()))
        return Account(next(names, str(uid)), uid, gids, service=False)
    name = unit.get("User") or "root"
    extra = unit.get("SupplementaryGroups", "").split()
    gids = frozenset(
        int(gid)
        for group, _, gid, members, *_ in groups
        if group in extra or name in members.split(",")
    )
    user = users.get(name)
    if user is None:
        return Account(name, 0 if name == "root" else _NOBODY, gids, service=True)
    return Account(name, int(user[2]), gids | {int(user[3])}, service=True)


def is_hidden(path: str) -> bool:
    """Whether the unit hides it from the service."""
    return any(PurePath(path).is_relative_to(folder) for folder in _HIDDEN)


def device_nodes(
    system: System, area: str, nodes: Iterable[Path], subsystem: str
) -> Iterator[Finding]:
    """Whether the account may use all of ``nodes``, of a ``subsystem`` that udev knows."""
    account = who_runs(system)
    groups = {gid: name for name, _, gid, *_ in _table(system.root / "etc/group", 4)}
    refused = []
    for node in nodes:
        status = node.stat()
        if not account.may_use(status):
            refused.append((node, status))
    if not refused:
        yield ok(area, f"user {account.name} may use it")
        return
    node, status = refused[0]
    group = groups.get(str(status.st_gid), str(status.st_gid))
    mode = stat.S_IMODE(status.st_mode)
    path = f"/{node.relative_to(system.root)}"
    what = f"user {account.name} may not use {path} (group {group}, mode {mode:04o})"
    if status.st_gid == 0 or mode & 0o060 != 0o060:  # as the kernel makes it: udev has not been
        yield fail(area, what, f"sudo udevadm trigger --subsystem-match={subsystem}")
    else:
        yield fail(area, what, account.join(group))


def _unit(system: System) -> dict[str, str]:
    properties = "LoadState,User,SupplementaryGroups"
    shown = system.run(["systemctl", "show", UNIT, f"--property={properties}"])
    pairs = (line.partition("=") for line in shown.output.splitlines())
    return {name: value for name, _, value in pairs}


def _table(path: Path, columns: int) -> list[list[str]]:
    """The lines of /etc/passwd or /etc/group that have all their columns."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    rows = (line.split(":") for line in text.splitlines())
    return [row for row in rows if len(row) >= columns and row[2].isdigit()]
