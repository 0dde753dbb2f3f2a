"""speakerd-board: makes the machine ready for one of the sound boards that speakerd knows.

    sudo speakerd-board NAME        does what the profile NAME says, in place of the one before
    sudo speakerd-board --remove    takes back what it has done
    speakerd-board                  lists them

It writes a block into config.txt and one into the env file, and /etc/asound.conf where there is
none. A block stays where it is. /etc/speakerd/board keeps the name, and a copy of what was written
where a person may have changed it since: what a person has written stays, and wins.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config import boards
from speakerd.config.boards import RECORD, Board, BoardError
from speakerd.config.envfile import EnvFileError, parse
from speakerd.errors import reason

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The first and the last line of a block; systemd/deb/postrm and the doctor look for them, too.
BEGIN = "# >>> speakerd-board"
END = "# <<< speakerd-board"
CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
ENV = "etc/speakerd/speakerd.env"
ASOUND = "etc/asound.conf"
BACKUP = ".before-speakerd"
STAT = "proc/stat"
#: The second since 1970 in which the machine was started (proc(5)).
_BOOTED = re.compile(r"^btime (\d+)$", re.MULTILINE)


class RefusedError(Exception):
    """Why nothing was changed, in one line."""


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="speakerd-board", description="Set up a sound board.")
    parser.add_argument("name", nargs="?", help="one of those that are listed without it")
    parser.add_argument("--remove", action="store_true", help="take back what was set up")
    chosen = parser.parse_args(arguments)
    if chosen.remove and chosen.name:
        parser.error("--remove takes no name: it takes back whichever is set up")
    os.umask(0o022)  # root's may be stricter, and the service and other players are not root
    machine = Machine(Path(os.environ.get("DESTDIR") or "/"))
    try:
        if chosen.remove:
            machine.set_up(None)
        elif chosen.name:
            machine.set_up(boards.load(chosen.name))
        else:
            _list(boards.set_up(machine.root))
    except (BoardError, RefusedError) as error:
        print(f"speakerd: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        told = reason(error, " ".join(["sudo speakerd-board", *arguments]))
        print(f"speakerd: {told}", file=sys.stderr)
        return 1
    return 0


def _list(installed: str) -> None:
    for name in boards.names():
        mark = " (set up here)" if name == installed else ""
        _say(f"{name:<26} {boards.load(name).title}{mark}")


class Machine:
    """The files below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def record(self, name: str) -> str:
        """What was kept of the last time; empty where nothing was."""
        path = self.root / RECORD / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def set_up(self, board: Board | None) -> None:
        """Make it so, or take it all back. Raises RefusedError before anything is changed."""
        before = boards.set_up(self.root)
        if board is None and not before:
            _say("No board is set up.")
            return
        config, env = self._config_path(), self.root / ENV
        if board is not None and not env.exists():
            raise RefusedError(f"there is no /{ENV}: install speakerd first")
        # what can be refused comes first
        new_config = _with_block(config, board.overlay.lines if board else ()) if config else ""
        new_env, kept = _options(env, self.record("env"), board) if env.exists() else ("", [])
        asound_is_ours = self._asound_is_ours()

        if board is not None:
            _say(f"Setting up {board.title}, which nobody has tried on hardware yet")
        # A power cut may come in between: then the lines of both are known to be ours.
        ours = [f"{name}={value}" for name, value in (board.env if board else {}).items()]
        self._keep("env", _text([*self.record("env").splitlines(), *ours]))
        self._keep("name", f"{board.name if board else before}\n")
        reboot = self._write_config(config, new_config, board)
        restart = env.exists() and _replace(env, new_env)
        if restart:
            _say(f"/{ENV}: {'options for the board' if board else 'the options are out'}")
        for name, value, mine in kept:
            _say(f"  {name}={value} stays as you have set it; the board's is {mine}")
        restart = self._write_asound(board, ours=asound_is_ours) or restart
        if board is None:
            self._forget()
        else:
            self._keep("env", _text(ours))
            if board.overlay.get:
                _say(f"This board wants more than that: {board.overlay.get}")
        if reboot or restart:
            _say(f"To be done: sudo {'reboot' if reboot else 'systemctl restart speakerd'}")

    # --- config.txt

    def _config_path(self) -> Path | None:
        new, old = (self.root / name for name in CONFIGS)
        if not new.is_file() and old.is_file() and f"moved to /{CONFIGS[0]}" in _read(old):
            raise RefusedError(
                f"/{CONFIGS[1]} says it has moved to /{CONFIGS[0]}: mount that first"
            )
        return next((path for path in (new, old) if path.is_file()), None)

    def _write_config(self, path: Path | None, text: str, board: Board | None) -> bool:
        """Whether there is something in it that the machine was not started with."""
        if path is None:
            if board is not None and board.overlay.lines:
                _say("There is no config.txt here. A Raspberry Pi wants these lines in it:")
                _show(board.overlay.lines)
            return False
        shown = f"/{path.relative_to(self.root)}"
        backup = path.with_name(path.name + BACKUP)
        if board is not None and _read(path) != text and not backup.exists():
            _create(backup, _read(path))
            _say(f"{shown}: kept as {backup.name}")
        changed = _replace(path, text)
        if changed:
            lines = ", ".join(board.overlay.lines) if board else ""
            _say(f"{shown}: {lines or 'the lines for the board are out'}")
        if board is None:
            backup.unlink(missing_ok=True)
        is_wanted = board is None or bool(board.overlay.lines)
        return changed or (is_wanted and path.stat().st_mtime > self._started())

    def _started(self) -> float:
        """When the machine was, in seconds since 1970; infinite where it does not say so."""
        path = self.root / STAT
        line = _BOOTED.search(_read(path)) if path.exists() else None
        return int(line[1]) if line else math.inf

    # --- asound.conf

    def _asound_is_ours(self) -> bool:
        """Whether nobody has written or changed it; a link is a person's, wherever it leads."""
        path = self.root / ASOUND
        if path.is_symlink():
            return False
        written = {
            self.record("asound.conf"),
            *(boards.load(name).asound_conf for name in boards.names()),
        }
        return not path.exists() or _read(path) in written

    def _write_asound(self, board: Board | None, *, ours: bool) -> bool:
        """Whether it has changed."""
        path = self.root / ASOUND
        if not ours:
            _say(f"/{ASOUND} is not speakerd's, and stays as it is.")
            if board is not None:
                _say("Let it do what this does:")
                _show(board.asound.splitlines())
            return False
        if board is None:
            changed = path.exists()
            path.unlink(missing_ok=True)
        else:
            self._keep("asound.conf", board.asound_conf)
            changed = _write(path, board.asound_conf)
        if changed:
            _say(f"/{ASOUND}: {'written; players may share the card' if board else 'removed'}")
        return changed

    # --- the record

    def _keep(self, name: str, text: str) -> None:
        path = self.root / RECORD / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        _write(path, text)

    def _forget(self) -> None:
        folder = self.root / RECORD
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _options(
    path: Path, recorded: str, board: Board | None
) -> tuple[str, list[tuple[str, str, str]]]:
    """The env file for ``board``; and what a person has set otherwise: name, value, the board's.

    A line in the block that is not one of the ``recorded`` is theirs, and stays. One that they have
    emptied counts as well.
    """
    before, block, after = _apart(path, _read(path))
    if changed := [line for line in block if line not in recorded.splitlines()]:
        before = _joined(before, changed)
    if board is None:  # whatever else is in it: that must not keep the board here
        return before + after, []
    try:
        theirs = parse((before + after).lstrip("\ufeff"))
    except EnvFileError as error:
        raise RefusedError(f"{path}:{error.line}: {error}") from None
    lines = [f"{name}={value}" for name, value in board.env.items() if name not in theirs]
    kept = [
        (name, theirs[name], value)
        for name, value in board.env.items()
        if theirs.get(name, value) != value
    ]
    head = f"{BEGIN} {board.name}: an option that is set elsewhere in this file wins"
    return _joined(before, [head, *lines, END]) + after, kept


def _with_block(path: Path, lines: Iterable[str]) -> str:
    """The text of config.txt with ``lines`` as its block, or without any.

    A line of ours to which a person has given parameters stays as it is for as long as its overlay
    is wanted. The block stays where it is, and what follows it holds on every model, as before.
    """
    before, block, after = _apart(path, _read(path))
    there, holds = _everywhere(before)
    there |= _everywhere(after)[0]  # by hand; twice would be once too often
    now = {_bare(line): line for line in block}
    wanted = {_bare(line): line for line in lines}
    if lines := [now.get(bare, wanted[bare]) for bare in wanted if bare not in there]:
        head = f"{BEGIN}: what stands before the end mark is replaced and removed by it"
        # [all]: whatever section is open
        return _joined(before, [head, "[all]", *lines, END]) + after
    return (before if holds or not _begins_with_a_setting(after) else f"{before}[all]\n") + after


def _everywhere(text: str) -> tuple[set[str], bool]:
    """The lines that hold on every model, bare: those before any section, and below [all].

    And whether what follows the text would.
    """
    found, holds = set(), True
    for line in map(_bare, text.splitlines()):
        if line.startswith("["):
            holds = line.lower() == "[all]"
        elif holds:
            found.add(line)
    return found, holds


def _begins_with_a_setting(text: str) -> bool:
    """And not with a section, or nothing."""
    lines = (line for line in map(str.strip, text.splitlines()) if line and line[0] != "#")
    return not next(lines, "[").startswith("[")


def _bare(line: str) -> str:
    """A line of config.txt without the parameters of its overlay."""
    return re.split("[,:]", line, maxsplit=1)[0].strip()


def _apart(path: Path, text: str) -> tuple[str, list[str], str]:
    """What stands before our block, in it and after it; without one all is before it.

    Raises RefusedError where the end of the block is not there.
    """
    lines = text.splitlines(keepends=True)
    marks = [at for at, line in enumerate(lines) if line.startswith((BEGIN, END))]
    begin = next((at for at in marks if lines[at].startswith(BEGIN)), None)
    if begin is None:
        return text, [], ""
    end = next((at for at in marks if at > begin), begin)
    if not lines[end].startswith(END):
        raise RefusedError(f"{path} has a line {BEGIN!r} and no {END!r} after it: mend that first")
    # a second one is somebody's copy, and as much ours
    between, more, after = _apart(path, "".join(lines[end + 1 :]))
    block = [line.rstrip("\r\n") for line in lines[begin + 1 : end]]
    return "".join(lines[:begin]), block + more, between + after


def _joined(text: str, block: Iterable[str]) -> str:
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{_text(block)}"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _read(path: Path) -> str:
    # whatever ends the lines stays, and whatever is no UTF-8
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _write(path: Path, text: str) -> bool:
    """Create or replace it; whether it was another."""
    if path.exists():
        return _replace(path, text)
    _create(path, text)
    return True


def _create(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o644)
    _fill(new, text)
    _rename(new, path)


def _replace(path: Path, text: str) -> bool:
    """Write it in one step, with its owner and mode as they are; whether it was another."""
    path = path.resolve()
    if _read(path) == text:
        return False
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    was, now = path.stat(), new.stat()
    if (now.st_uid, now.st_gid) != (was.st_uid, was.st_gid):
        os.chown(new, was.st_uid, was.st_gid)
    if now.st_mode != was.st_mode:  # the boot partition knows one mode only
        new.chmod(was.st_mode & 0o777)
    _fill(new, text)
    _rename(new, path)
    return True


def _rename(path: Path, name: Path) -> None:
    """So that a power cut does not undo it."""
    path.replace(name)
    folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _fill(path: Path, text: str) -> None:
    try:
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of it would only take what room there is
        raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk names none


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        _say(f"    {line}".rstrip())


def _say(text: str) -> None:
    print(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
