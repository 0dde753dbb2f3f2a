"""The examples of docs/tools.md and docs/mcp.md do what they say."""

from __future__ import annotations

import json
import re
import types
from pathlib import Path

from speakerd.config import commandsfile, mcp
from speakerd.tools.tool import Tool
from speakerd.tools.toolbox import SETS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tools.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def test_the_tool_of_ones_own() -> None:
    module = types.ModuleType("dice")
    exec(compile(example("python"), "docs/tools.md", "exec"), module.__dict__)  # noqa: S102 - ours
    (tool,) = map(Tool.of, module.TOOLS)
    assert tool.name == "roll_dice"
    assert tool.description == "Roll dice, where a person asks for it, and tell what they show."
    assert tool.parameters["properties"]["dice"]["description"] == "how many of them"
    result = tool.do(None, {"dice": 5})  # type: ignore[arg-type] # it asks nothing of a speaker
    assert isinstance(result, dict)
    assert [1 <= each <= 6 for each in result["shown"]] == [True] * 5
    assert "error" in tool.do(None, {"dice": 21})  # type: ignore[arg-type, operator] # as above


def test_the_file_of_commands(tmp_path: Path) -> None:
    text = re.sub(r'"/usr/[^"]*bin/[^"]*"', '"/bin/echo"', example("json"))  # what is here
    file = tmp_path / "commands.json"
    file.write_text(text)
    commands = commandsfile.read(file, text)
    assert list(commands) == ["open_garage", "set_scene", "temperature"]
    assert commands["temperature"].argv({"room": "kitchen"}) == ("/bin/echo", "kitchen", "0")


def test_every_set_is_there() -> None:
    for name in SETS:
        assert f"`SPEAKERD_TOOLS={name}`" in PAGE


def test_the_files_of_servers() -> None:
    page = (DOCS / "mcp.md").read_text(encoding="utf-8")
    texts = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    files = [mcp.parse(Path("/etc/speakerd/mcp.json"), json.loads(text)) for text in texts]
    (home,), (notes,) = (file.servers for file in files)
    assert (home.allows("HassTurnOn"), home.allows("HassStartTimer")) == (True, False)
    assert notes.command[0] == "/usr/bin/node"
    assert f"LoadCredential={home.name}-assistant" in page
    assert home.headers == (("Authorization", "Bearer {credential:home-assistant}"),)
