"""What the tools are, for people and programs: the answer to ``speakerd tools``.

Whoever only shows what a daemon has answered needs none of what makes tools: quick to import.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from speakerd.tools.tool import Tool

_COLUMNS = 100
_INDENT = "    "


def entry(tool: Tool) -> dict[str, object]:
    """One tool: what the model is told of it, where it is from, and how long it may take.

    ``limit_s`` is None for one that is done at once.
    """
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "slow": tool.slow,
        "limit_s": tool.limit_s if tool.slow else None,
        "origin": tool.origin,
    }


def lines(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The entries for people, each of them some lines."""
    for each in entries:
        took = f"up to {each['limit_s']:g} s" if each["slow"] else "at once"
        yield _plain(f"{each['name']}: {took}, from {each['origin']}")
        yield from _wrapped(each["description"], "")
        required = each["parameters"].get("required", [])
        for name, about in each["parameters"].get("properties", {}).items():
            left_out = "" if name in required else " (may be left out)"
            described = f"; {about['description']}" if about.get("description") else ""
            yield from _wrapped(f"- {name}: {_kind(about)}{left_out}{described}")


def _kind(about: Mapping[str, Any]) -> str:
    """What a value may be, by its JSON schema; as much of it as fits into a few words."""
    if choices := about.get("enum"):
        return " or ".join(map(str, choices))
    if isinstance(several := about.get("type"), list):
        return " or ".join(_kind({**about, "type": each}) for each in several)
    if kinds := about.get("anyOf"):
        return " or ".join(map(_kind, kinds))
    if items := about.get("items"):
        return f"a list of {_kind(items)}"
    kind = str(about.get("type", "anything"))
    words = {
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "nothing",
    }
    bounds = "".join(
        f" {word} {about[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"))
        if key in about
    )
    return words.get(kind, kind) + bounds


def _wrapped(text: str, hanging: str = "  ") -> Iterator[str]:
    yield from textwrap.wrap(
        _plain(text), _COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT + hanging
    )


def _plain(text: str) -> str:
    """One line that no terminal takes for orders: some of it is from elsewhere."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for letter in " ".join(text.split())
    )
