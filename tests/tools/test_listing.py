"""What people see of the tools."""

from __future__ import annotations

from speakerd.tools.listing import entry, lines
from speakerd.tools.tool import Tool
from speakerd.tools.toolbox import Toolbox


def shown(**about: object) -> list[str]:
    """The lines of a tool that has these parameters, all but its own."""
    schema = {"type": "object", "properties": about, "required": ["must"]}
    tool = Tool("act", "Do it.", schema, lambda *_: {}, slow=True, limit_s=7.5, origin="afar")
    first, *rest = lines([entry(tool)])
    assert first == "act: up to 7.5 s, from afar"
    assert rest[0] == "    Do it."
    return rest[1:]


def test_a_built_in_tool() -> None:
    (volume,) = (each for each in Toolbox.of(["volume"]) if each.name == "set_volume")
    assert [*lines([entry(volume)])] == [
        "set_volume: at once, from SPEAKERD_TOOLS=volume",
        "    Set how loud the speaker is, where a person names a certain volume.",
        "    - percent: a whole number from 0 to 100; 0 is silent, 100 the loudest",
    ]


def test_every_kind_of_a_parameter_has_its_words() -> None:
    assert shown(
        must={"enum": ["evening", "film"], "type": "string", "description": "which one"},
        on={"type": "boolean"},
        level={"type": "number", "minimum": 0.5},
        what={"anyOf": [{"type": "string"}, {"type": "null"}]},
        room={"type": ["string", "null"]},
        rest={"type": "array"},
        days={"type": "array", "items": {"enum": ["today", "tomorrow"]}},
        any={},
    ) == [
        "    - must: evening or film; which one",
        "    - on: true or false (may be left out)",
        "    - level: a number from 0.5 (may be left out)",
        "    - what: a text or nothing (may be left out)",
        "    - room: a text or nothing (may be left out)",
        "    - rest: a list (may be left out)",
        "    - days: a list of today or tomorrow (may be left out)",
        "    - any: anything (may be left out)",
    ]


def test_what_somebody_else_has_written_is_no_order_to_a_terminal() -> None:
    told = {"name": "a\x1b[2J", "description": "b\nc\x07", "slow": False, "origin": "d\r"}
    listed = [*lines([told | {"parameters": {"properties": {"e\x1b": {"type": "f\x00"}}}}])]
    assert listed == [
        "a\ufffd[2J: at once, from d",
        "    b c\ufffd",
        "    - e\ufffd: f\ufffd (may be left out)",
    ]


def test_a_long_text_is_broken() -> None:
    told = {"name": "a", "description": "word " * 40, "slow": False, "origin": "b"}
    assert max(map(len, lines([told | {"parameters": {}}]))) <= 100
