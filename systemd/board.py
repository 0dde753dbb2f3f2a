"""speakerd-board: makes the machine ready for one of the sound boards that speakerd knows.

    sudo speakerd-board NAME        does what the profile NAME says, in place of the one before
    sudo speakerd-board --remove    takes back what it has done
    speakerd-board                  lists them

It writes a block into config.txt and one into the env file, and /etc/asound.conf where there is
none. /etc/speakerd/board keeps the name, and a copy of what was written where a person may have
changed it since: what a person has written stays, and wins.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config import boards
from speakerd.config.boards import RECORD, Board, BoardError
from speakerd.config.envfile import EnvFileError, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: The first and the last line of a block; systemd/deb/postrm and the doctor look for them, too.
BEGIN = "# >>> speakerd-board"
END = "# <<< speakerd-board"
CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
ENV = "etc/speakerd/speakerd.env"
ASOUND = "etc/asound.conf"
BACKUP = ".before-speakerd"


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
            _list(machine.record("name").strip())
    except (BoardError, RefusedError) as error:
        print(f"speakerd: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        why = error.strerror or str(error)
        if isinstance(error, PermissionError):
            why = f"{why}: {' '.join(['sudo speakerd-board', *arguments])}"
        print(f"speakerd: {where}{why}", file=sys.stderr)
        return 1
    return 0


def _list(installed: str) -> None:
    for name in boards.names():
        mark = " (set up here)" if name == installed else ""
        _say(f"{name:<26} {boards.load(name).title}{mark}")


class Machine:
    """The files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def record(self, name: str) -> str:
        """What was kept of the last time; empty where nothing was."""
        path = self._root / RECORD / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def set_up(self, board: Board | None) -> None:
        """Make it so, or take it all back. Raises RefusedError before anything is changed."""
        before = self.record("name").strip()
        if board is None and not before:
            _say("No board is set up.")
            return
        config, env = self._config_path(), self._root / ENV
        if board is not None and not env.exists():
            raise RefusedError(f"there is no /{ENV}: install speakerd first")
        # what can be refused comes first
        new_config = _with_block(config, board.overlay.lines if board else ()) if config else ""
        new_env, kept = _options(env, self.record("env"), board) if env.exists() else ("", [])

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
        restart = self._asound(board) or restart
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
        paths = (self._root / name for name in CONFIGS)
        return next((path for path in paths if path.is_file()), None)

    def _write_config(self, path: Path | None, text: str, board: Board | None) -> bool:
        """Whether it has changed."""
        if path is None:
            if board is not None and board.overlay.lines:
                _say("There is no config.txt here. A Raspberry Pi wants these lines in it:")
                _show(board.overlay.lines)
            return False
        shown = f"/{path.relative_to(self._root)}"
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
        return changed

    # --- asound.conf

    def _asound(self, board: Board | None) -> bool:
        """Whether it has changed."""
        path = self._root / ASOUND
        text = _read(path) if path.exists() else None
        shipped = {boards.load(name).asound_conf for name in boards.names()}
        if text is not None and text not in shipped and text != self.record("asound.conf"):
            _say(f"/{ASOUND} is not speakerd's, and stays as it is.")
            if board is not None:
                _say("Let it do what this does:")
                _show(board.asound.splitlines())
            return False
        if board is None:
            path.unlink(missing_ok=True)
        else:
            self._keep("asound.conf", board.asound_conf)
            if text is None:
                _create(path, board.asound_conf)
        changed = text is None or board is None or _replace(path, board.asound_conf)
        if changed:
            _say(f"/{ASOUND}: {'written; players may share the card' if board else 'removed'}")
        return changed

    # --- the record

    def _keep(self, name: str, text: str) -> None:
        path = self._root / RECORD / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        if path.exists():
            _replace(path, text)
        else:
            _create(path, text)

    def _forget(self) -> None:
        folder = self._root / RECORD
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _options(
    path: Path, recorded: str, board: Board | None
) -> tuple[str, list[tuple[str, str, str]]]:
    """The env file for ``board``; and what a person has set otherwise: name, value, the board's.

    A line in the block that is not one of the ``recorded`` is theirs, and stays.
    """
    text = _read(path)
    own = _without_block(path, text, keep=lambda line: line not in recorded.splitlines())
    try:
        theirs = {name: value for name, value in parse(own.lstrip("\ufeff")).items() if value}
    except EnvFileError as error:
        raise RefusedError(f"{path}:{error.line}: {error}") from None
    if board is None:
        return own, []
    lines = [f"{name}={value}" for name, value in board.env.items() if name not in theirs]
    kept = [
        (name, theirs[name], value)
        for name, value in board.env.items()
        if theirs.get(name, value) != value
    ]
    head = f"{BEGIN} {board.name}: an option that is set elsewhere in this file wins"
    return _joined(own, [head, *lines, END]), kept


def _with_block(path: Path, lines: Iterable[str]) -> str:
    """The text of config.txt with ``lines`` as its block, or without any.

    A line of ours to which a person has given parameters stays as it is for as long as its overlay
    is wanted.
    """
    text = _read(path)
    own = _without_block(path, text, keep=lambda _line: False)
    there = _everywhere(own)  # by hand; twice would be once too often
    block = f"\n{text}".partition(f"\n{BEGIN}")[2].partition(f"\n{END}")[0]
    now = {_bare(line): line for line in block.splitlines()}
    wanted = {_bare(line): line for line in lines}
    if not (lines := [now.get(bare, wanted[bare]) for bare in wanted if bare not in there]):
        return own
    head = f"{BEGIN}: what stands before the end mark is replaced and removed by it"
    return _joined(own, [head, "[all]", *lines, END])  # [all]: whatever section is open


def _everywhere(text: str) -> set[str]:
    """The lines that hold on every model, bare: those before any section, and below [all]."""
    found, holds = set(), True
    for line in map(_bare, text.splitlines()):
        if line.startswith("["):
            holds = line.lower() == "[all]"
        elif holds:
            found.add(line)
    return found


def _bare(line: str) -> str:
    """A line of config.txt without the parameters of its overlay."""
    return re.split("[,:]", line, maxsplit=1)[0].strip()


def _without_block(path: Path, text: str, *, keep: Callable[[str], bool]) -> str:
    """``text`` without our lines. Raises RefusedError where the end of the block is not there."""
    found, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith(BEGIN):
            inside = True
        elif line.startswith(END):
            inside = False
        elif not inside or keep(line.rstrip("\r\n")):
            found.append(line)
    if inside:
        raise RefusedError(f"{path} has a line {BEGIN!r} and no {END!r} after it: mend that first")
    return "".join(found)


def _joined(text: str, block: Iterable[str]) -> str:
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{_text(block)}"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _read(path: Path) -> str:
    # whatever ends the lines stays, and whatever is no UTF-8
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _create(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o644)
    _fill(new, text)
    new.replace(path)


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
    new.replace(path)
    return True


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
