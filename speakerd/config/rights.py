"""Who may change what has something done: a file of commands, and the programs it names.

Each function says in words what is wrong, with the remedy; empty where nothing is.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def others_change(path: Path) -> str:
    """Who but root and this user may write the file at ``path``, or put another in its place."""
    real = path.resolve()
    for each in dict.fromkeys((path, path.parent, real.parent)):
        status = each.stat()
        if status.st_uid not in {0, os.geteuid()}:
            return (
                f"{each} belongs to {_user(status)}, and has to be root's: sudo chown root {each}"
            )
        kept = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX  # as in /tmp
        if status.st_mode & _OTHERS and not kept:
            return f"{_writer(status)} may write {each}, and must not: sudo chmod go-w {each}"
    return ""


def no_program(text: str) -> str:
    """What keeps this user from running the program ``text``."""
    path = Path(text)
    if not path.is_absolute() or not text.isprintable():
        return f"{text!r} is no absolute path: `command -v` tells it"
    try:
        status = path.stat()
    except OSError as error:
        remedy = "install it in /usr/local/bin, the service sees nobody's home"
        return f"{text} cannot be used ({error.strerror}): {remedy}"
    if not stat.S_ISREG(status.st_mode):
        return f"{text} is no file: name a program"
    if not os.access(path, os.X_OK):
        return f"{text} may not be run: sudo chmod a+rx {text}"
    if status.st_mode & _OTHERS:
        return f"{_writer(status)} may write {text}, and must not: sudo chmod go-w {text}"
    return ""


def _writer(status: os.stat_result) -> str:
    return "everybody" if status.st_mode & stat.S_IWOTH else f"the group {_group(status)}"


def _user(status: os.stat_result) -> str:
    try:
        return pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        return str(status.st_uid)


def _group(status: os.stat_result) -> str:
    try:
        return grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return str(status.st_gid)
