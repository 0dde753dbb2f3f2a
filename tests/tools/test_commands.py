"""Commands of a person's own, run for real when the model calls them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

from speakerd.config import commandsfile
from speakerd.config.kinds import JsonFile
from speakerd.config.settings import Settings
from speakerd.tools.commands import NamedCommands, clashes
from tests.fakes.processes import Noted, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping
    from pathlib import Path

    from speakerd.tools.tool import Result, SpeakerPort, Tool


class FakeSpeaker:
    """Notes when something is done for good; no command has any more to do with a speaker."""

    def __init__(self) -> None:
        self.acted = 0

    def acts(self) -> None:
        self.acted += 1


class House:
    """A folder with a script that does what a test wants, and a file of commands beside it."""

    def __init__(self, directory: Path) -> None:
        self.script = directory / "do-it"
        self.file = directory / "commands.json"
        self.noted = Noted(directory / "pids")
        self.made = NamedCommands()

    def reads(self, **commands: Mapping[str, object]) -> JsonFile:
        text = json.dumps({"commands": commands})
        self.file.write_text(text)
        return JsonFile(self.file, text, commandsfile.read(self.file, text))

    def tools(self, **commands: Mapping[str, object]) -> tuple[Tool, ...]:
        return self.made.tools(self.reads(**commands))

    def tool(self, script: str, **more: Any) -> Tool:  # noqa: ANN401 - any key of a command
        self.script.write_text(f"#!/bin/sh\necho $$ >>{self.noted.file}\n{script}\n")
        self.script.chmod(0o755)
        command = {"description": "Do it.", "command": [str(self.script)]}
        (tool,) = self.tools(do_it=command | more)
        return tool


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    for pid in made.noted.running:
        os.kill(pid, signal.SIGKILL)


def begun(tool: Tool, speaker: FakeSpeaker, **args: object) -> Awaitable[Result]:
    doing = tool.do(cast("SpeakerPort", speaker), args)
    assert asyncio.iscoroutine(doing)
    return doing


async def call(tool: Tool, **args: object) -> Result:
    return await begun(tool, FakeSpeaker(), **args)


def parameter(house: House, about: Mapping[str, object], script: str = 'echo "[$1]"') -> Tool:
    command = [str(house.script), {"parameter": "it"}]
    return house.tool(script, command=command, parameters={"it": about})


async def test_a_command_is_run_and_what_it_prints_is_told(house: House) -> None:
    tool = house.tool("echo it is open; echo and a warning >&2")
    assert await call(tool) == {"done": True, "printed": "it is open"}


async def test_no_shell_reads_what_is_said(house: House) -> None:
    tool = parameter(house, {"pattern": ".*"})
    for text in ("$(id) `id` $HOME; rm x | y > z && w", "*", "'\"\\", "ä ö"):
        assert await call(tool, it=text) == {"done": True, "printed": f"[{text}]"}


async def test_what_may_not_be_said_is_an_error_and_runs_nothing(house: House) -> None:
    tool = parameter(house, {"choices": ["evening", "film"]})
    speaker = FakeSpeaker()
    assert await begun(tool, speaker, it="party") == {"error": "it: it is none of evening, film"}
    assert await begun(tool, speaker) == {"error": "it: it is missing"}
    assert await begun(tool, speaker, it="film", on=1) == {
        "error": "on: there is no such parameter"
    }
    assert (speaker.acted, house.noted.pids) == (0, [])


@pytest.mark.parametrize(("reads_only", "acted"), [(False, 1), (True, 0)])
async def test_what_changes_something_is_not_asked_for_twice(
    house: House, *, reads_only: bool, acted: int
) -> None:
    speaker = FakeSpeaker()
    await begun(house.tool("exit 0", reads_only=reads_only), speaker)
    assert speaker.acted == acted


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo the door is stuck >&2; exit 3", "do_it failed (3): the door is stuck"),
        ("exit 1", "do_it failed (1): it does not say why"),
        ("exec head -c 70000 /dev/zero", "do_it prints more than 64 KiB; let it print less"),
    ],
)
async def test_one_that_fails_says_why(house: House, script: str, error: str) -> None:
    assert await call(house.tool(script)) == {"error": error}


async def test_one_that_is_gone_says_so(house: House) -> None:
    tool = house.tool("exit 0")
    house.script.unlink()
    assert await call(tool) == {"error": f"do_it: {house.script} is not there"}


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("exit 0", ""),
        (r"printf 'a\033[31m\001b\tc\r\nd\n\n'", "a\ufffd[31m\ufffdb c\nd"),
        (r"printf 'a\377b'", "a\ufffdb"),
        ("printf '%02048d' 7", f"{7:02048d}"),
        ("printf '%02049d' 7", "0" * 2048 + "\n(and more)"),
    ],
)
async def test_what_it_prints_is_text_of_a_bounded_length(
    house: House, script: str, printed: str
) -> None:
    assert await call(house.tool(script)) == {"done": True, "printed": printed}


async def test_it_knows_none_of_our_secrets(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("GEMINI_API_KEY", "k"), ("SPEAKERD_TOKEN_URL", "t"), ("HOME", "/nowhere")):
        monkeypatch.setenv(name, value)
    (tool,) = house.tools(env={"description": "Tell.", "command": ["/usr/bin/env"]})
    answer = await call(tool)
    names = {line.partition("=")[0] for line in str(answer["printed"]).splitlines()}
    assert names == {"PATH", "LC_ALL", "HOME"}


async def test_the_calls_of_one_command_run_one_after_the_other(house: House) -> None:
    lock = house.script.parent / "lock"
    tool = house.tool(f"mkdir {lock} || exit 1; sleep 0.05; rmdir {lock}")
    answers = await asyncio.gather(*(call(tool) for _ in range(4)))
    assert answers == [{"done": True, "printed": ""}] * 4


async def test_those_of_two_commands_run_side_by_side(house: House) -> None:
    folder = house.script.parent
    os.mkfifo(folder / "pipe")  # which opens when both of its ends are
    one = house.tool(f"case $1 in write) echo x >{folder}/pipe;; *) cat {folder}/pipe;; esac")
    command = {"description": "Do it.", "command": [str(house.script), "write"]}
    (two,) = house.tools(two=command)
    assert list(await asyncio.gather(call(one), call(two))) == [
        {"done": True, "printed": "x"},
        {"done": True, "printed": ""},
    ]


async def test_one_that_is_given_up_is_ended_with_all_it_has_started(house: House) -> None:
    tool = house.tool(f"sleep 1000 & echo $! >>{house.noted.file}; wait")
    doing = asyncio.ensure_future(call(tool))
    await until(lambda: len(house.noted.pids) == 2)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    await until(lambda: not house.noted.running)


async def test_one_that_waits_for_its_turn_can_be_given_up(house: House) -> None:
    tool = house.tool("exec sleep 1000")
    first = asyncio.ensure_future(call(tool))
    await until(lambda: len(house.noted.pids) == 1)
    speaker = FakeSpeaker()
    second = asyncio.ensure_future(begun(tool, speaker))
    for doing in (second, first):
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
    assert (speaker.acted, len(house.noted.pids)) == (0, 1)


def test_what_the_model_is_told_of_it(house: House) -> None:
    (tool,) = house.tools(
        set_scene={
            "description": "Set the light\nof the living room.",
            "command": ["/bin/echo", *({"parameter": name} for name in ("name", "level", "note"))],
            "parameters": {
                "name": {"description": "which one", "choices": ["evening"]},
                "level": {"whole_number": {"from": 0, "to": 100}},
                "note": {"pattern": "[a-z]*", "default": ""},
            },
            "limit_s": 10,
        }
    )
    assert (tool.name, tool.description) == ("set_scene", "Set the light of the living room.")
    assert (tool.slow, tool.limit_s, tool.origin) == (True, 10, str(house.file))
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": ["evening"], "description": "which one"},
            "level": {"type": "integer", "minimum": 0, "maximum": 100},
            "note": {
                "type": "string",
                "description": "at most 40 letters, all of it by the regular expression [a-z]*; "
                "nothing where it is left out",
            },
        },
        "required": ["name", "level"],
    }


def test_a_command_that_has_not_changed_stays_the_same_tool(house: House) -> None:
    one = {"description": "One.", "command": ["/bin/true"]}
    two = {"description": "Two.", "command": ["/bin/true"]}
    before = house.tools(one=one, two=two)
    after = house.tools(two=two | {"limit_s": 5}, one=one)
    assert [tool.name for tool in after] == ["two", "one"]
    assert after[1] is before[0]
    assert after[0].limit_s == 5
    assert house.made.tools(None) == ()


def test_a_command_is_not_called_as_a_tool_is(house: House) -> None:
    command = {"description": "Louder.", "command": ["/bin/true"]}
    file = house.reads(set_volume=command, louder=command)
    settings = Settings(gemini_api_key="k", commands_file=file)
    (line,) = clashes(settings)
    what = "set_volume is the name of a tool of SPEAKERD_TOOLS=volume: call it otherwise"
    assert line == f"SPEAKERD_COMMANDS_FILE: {file}: {what}"
    assert [*clashes(settings.model_copy(update={"tools": ()}))] == []
    assert [*clashes(Settings(gemini_api_key="k"))] == []
