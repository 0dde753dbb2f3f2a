"""Commands of a person's own, as tools: fixed ones, each in a process of its own.

:mod:`speakerd.config.commandsfile` has their form, and says what a call may hold.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from speakerd.commands import CommandError, Runner, least_environment
from speakerd.tools import toolbox
from speakerd.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from speakerd.config.commandsfile import NamedCommand, Parameter
    from speakerd.config.kinds import JsonFile
    from speakerd.config.settings import Settings
    from speakerd.tools.tool import Result, SpeakerPort

#: What one may print; more of it ends the command.
_MOST_BYTES = 64 * 1024
#: And what of that the model reads, and pays for from then on.
_MOST_TOLD_BYTES = 2 * 1024


class NamedCommands:
    """Makes tools of the commands in a file; those that stay as they are stay the same tools.

    So the calls of one command run one after the other, whatever else changes meanwhile.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[NamedCommand, Tool]] = {}

    def tools(self, file: JsonFile | None) -> tuple[Tool, ...]:
        """The tools that there are with this ``file`` (SPEAKERD_COMMANDS_FILE)."""
        if file is None:
            return ()
        wanted: Mapping[str, NamedCommand] = file.content
        for name, command in wanted.items():
            if name not in self._made or self._made[name][0] != command:
                self._made[name] = command, _tool(name, command, str(file))
        return tuple(self._made[name][1] for name in wanted)


def clashes(settings: Settings) -> Iterator[str]:
    """One line for each command that is called as a tool is that is switched on."""
    file = settings.commands_file
    for each in settings.tools:
        names = {function.__name__ for function in toolbox.SETS[each]}
        for name in file.content if file is not None else ():
            if name in names:
                what = f"{file}: {name} is the name of a tool of SPEAKERD_TOOLS={each}"
                yield f"SPEAKERD_COMMANDS_FILE: {what}: call it otherwise"


def _tool(name: str, command: NamedCommand, origin: str) -> Tool:
    runner = Runner((), name, command.limit_s, _MOST_BYTES, environment=_environment())
    turn = asyncio.Lock()  # whose run it is

    async def do(speaker: SpeakerPort, args: Mapping[str, object]) -> Result:
        try:
            argv = command.argv(args)
        except ValueError as error:
            return {"error": str(error)}
        async with turn:
            if not command.reads_only:
                speaker.acts()
            runner.command = argv  # the same runner: it knows of a run that could not be ended
            try:
                printed = await runner.run()
            except CommandError as error:
                return {"error": str(error)}
        return {"done": True, "printed": _told(printed)}

    return Tool(
        name=name,
        description=" ".join(command.description.split()),
        parameters=_schema(command.parameters),
        do=do,
        slow=True,
        limit_s=command.limit_s,
        origin=origin,
    )


def _environment() -> dict[str, str]:
    home = os.environ.get("HOME")
    return least_environment() | ({"HOME": home} if home else {})


def _told(printed: bytes) -> str:
    """The beginning of it as text, without what only a terminal would understand."""
    text = printed[:_MOST_TOLD_BYTES].decode(errors="replace").strip()
    lines = (
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
        for line in text.replace("\t", " ").splitlines()
    )
    more = "\n(and more)" if len(printed) > _MOST_TOLD_BYTES else ""
    return "\n".join(lines) + more


def _schema(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _property(each) for name, each in parameters.items()},
        "required": [name for name, each in parameters.items() if each.default is None],
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    """Its schema, of words that every model takes: a rule for texts is told, not declared."""
    told = [parameter.description]
    made: dict[str, Any] = {"type": "string"}
    if parameter.choices is not None:
        made["enum"] = list(parameter.choices)
    elif (span := parameter.whole_number) is not None:
        made = {"type": "integer", "minimum": span.least, "maximum": span.most}
    else:
        told.append(
            f"at most {parameter.longest} letters, all of it by the regular expression "
            f"{parameter.pattern}"
        )
    if parameter.default is not None:
        given = "nothing" if parameter.default == "" else parameter.default
        told.append(f"{given} where it is left out")
    if text := "; ".join(filter(None, told)):
        made["description"] = text
    return made
