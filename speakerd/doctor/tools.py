"""What the model may call: which tools there are, and whether the service may run the commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.doctor.account import is_hidden, who_runs
from speakerd.doctor.findings import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from speakerd.config.commandsfile import NamedCommand
    from speakerd.config.kinds import JsonFile
    from speakerd.doctor.account import Account
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_AREA = "tools"
_RELOAD = "then: sudo systemctl reload speakerd"


def check(system: System) -> Iterator[Finding]:
    """What is wrong in a file that cannot be used is told with the configuration."""
    from speakerd.tools.commands import clashes  # noqa: PLC0415 - wants pydantic

    if system.loaded is None:
        return
    settings = system.loaded.settings
    for line in clashes(settings):
        yield fail(_AREA, line, f"sudoedit {settings.commands_file}, {_RELOAD}")
    sets = ", ".join(settings.tools) or "none"
    yield ok(_AREA, f"switched on: {sets} (SPEAKERD_TOOLS); `speakerd tools` shows each")
    if settings.commands_file is not None:
        yield from _commands(system, settings.commands_file)


CHECKS = (check,)


def _commands(system: System, file: JsonFile) -> Iterator[Finding]:
    commands: Mapping[str, NamedCommand] = file.content
    account = who_runs(system)
    if account.uid != 0 and not account.may(file.path, 0o4):
        what = f"user {account.name} may not read {file.path}: it does not start"
        give = f"sudo chown root:speakerd {file.path} && sudo chmod 0640 {file.path}"
        yield fail(_AREA, what, give)
    wrong = [finding for name in commands for finding in _program(system, account, name, commands)]
    yield from wrong
    if not wrong:
        names = ", ".join(commands) or "none"
        yield ok(_AREA, f"commands that whoever is heard can have run: {names} ({file.path})")


def _program(
    system: System, account: Account, name: str, commands: Mapping[str, NamedCommand]
) -> Iterator[Finding]:
    program = str(commands[name].command[0])
    if account.service and is_hidden(program):
        what = f"{name}: {program} is hidden from the service, as all of /home is"
        yield warn(_AREA, what, f"sudo install {shlex.quote(program)} /usr/local/bin/, {_RELOAD}")
        return
    path = system.root / program[1:]
    folders = [each for each in Path(program).parents if each != Path("/")]
    if not (
        account.may(path, 0o1)
        and all(account.may(system.root / str(each)[1:], 0o1) for each in folders)
    ):
        what = f"{name}: user {account.name} may not run {program}"
        yield warn(_AREA, what, f"sudo chmod a+rx {shlex.quote(program)}, and its folders")
