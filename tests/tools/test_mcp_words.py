"""What strangers say, made fit: schemas, names, results."""

from __future__ import annotations

import json
import re
from typing import Any

import mcp_types as types
import pytest
from google.genai import types as gemini
from hypothesis import given
from hypothesis import strategies as st

from speakerd.tools.mcp.results import result_of
from speakerd.tools.mcp.schema import SchemaError, reduced
from speakerd.tools.mcp.words import Names, fitting, one_line

STRING = {"type": "string"}


def of(**properties: object) -> dict[str, Any]:
    """The reduced properties of an object that has these."""
    found: dict[str, Any] = reduced({"type": "object", "properties": properties})["properties"]
    return found


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (STRING, STRING),
        ({"type": "boolean", "default": True}, {"type": "boolean"}),
        (
            {"type": "integer", "minimum": 0, "maximum": 100, "exclusiveMinimum": 1},
            {"type": "integer", "minimum": 0, "maximum": 100},
        ),
        ({"type": "number", "maximum": 1e400}, {"type": "number"}),
        ({"type": "integer", "minimum": -(2**63)}, {"type": "integer"}),
        ({"type": "integer", "minimum": 10**400}, {"type": "integer"}),
        ({**STRING, "enum": ["a" * 301]}, STRING),
        ({**STRING, "format": "uri", "pattern": "^(a+)+$", "minLength": 1}, STRING),
        ({**STRING, "description": " Which\nroom "}, {**STRING, "description": "Which room"}),
        ({**STRING, "title": "Room"}, {**STRING, "description": "Room"}),
        ({"enum": ["a", "b", "a"]}, {**STRING, "enum": ["a", "b"]}),
        ({"const": "a"}, {**STRING, "enum": ["a"]}),
        ({**STRING, "enum": ["", "a"]}, STRING),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["integer", "string"]}, {"type": "integer"}),
        ({"anyOf": [STRING, {"type": "null"}]}, {"type": ["string", "null"]}),
        ({"oneOf": [{"type": "array"}, STRING]}, {"type": "array", "items": STRING}),
        ({"allOf": [{"type": "object", "properties": {"a": STRING}},
                    {"properties": {"b": STRING}, "required": ["b"]}]},
         {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["b"]}),
        ({"type": "array"}, {"type": "array", "items": STRING}),
        ({"items": {"type": "number"}}, {"type": "array", "items": {"type": "number"}}),
    ],
)  # fmt: skip
def test_what_gemini_takes_is_kept(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert of(it=given) == {"it": made}


@pytest.mark.parametrize(
    "strange",
    [
        {},
        True,
        None,
        "string",
        {"type": "object"},
        {"type": "object", "additionalProperties": STRING},
        {"type": "null"},
        {"type": "file"},
        {"type": 5},
        {"type": []},
        {"type": {"a": 1}},
        {"not": STRING},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "http://elsewhere/schema"},
        {"$ref": 5},
        {"anyOf": []},
        {"anyOf": [5]},
        {"allOf": [5]},
        {"type": "array", "items": {"type": "object"}},
    ],
)
def test_what_it_does_not_take_is_left_out_if_it_may_be(strange: object) -> None:
    assert of(strange=strange, room=STRING) == {"room": STRING}
    with pytest.raises(SchemaError):
        reduced({"type": "object", "properties": {"strange": strange}, "required": ["strange"]})


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (None, "takes arguments that are not described"),
        ({"type": "array"}, "takes arguments that are no object"),
        ({"type": "object", "required": ["a"]}, "wants 'a', and does not describe it"),
        ({"properties": {"a b": STRING}, "required": ["a b"]}, "with a name that is none"),
        ({"properties": {f"p{n}": STRING for n in range(300)}}, "in too many parts"),
        (
            {"properties": {f"p{n}": {**STRING, "description": "x" * 300} for n in range(99)}},
            "above 8 KiB",
        ),
    ],
)
def test_what_cannot_be_said_is_told(schema: object, told: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(told)):
        reduced(schema)


def test_references_are_followed_also_around_in_circles() -> None:
    tree = {"type": "object", "properties": {"name": STRING, "below": {"$ref": "#/$defs/tree"}}}
    schema = {"properties": {"it": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": STRING}}
    assert reduced(schema)["properties"] == {"it": STRING}
    found = reduced({"properties": {"it": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": tree}})
    depth = 0
    while found := found["properties"].get("below" if depth else "it", {}):
        depth += 1
    assert depth == 4  # what the fifth is made of would be the sixth
    loop = {"$ref": "#/$defs/loop"}
    with pytest.raises(SchemaError, match="too many references"):
        reduced({"properties": {"a": loop}, "required": ["a"], "$defs": {"loop": loop}})


@pytest.mark.parametrize(
    "it",
    [
        {"allOf": [{"$ref": "#/$defs/large"}] * 3000},
        {"anyOf": [STRING] * 3000},
        {"type": ["string"] * 3000},
        {"allOf": [{"$ref": "#/$defs/large"}] * 10},
        {"type": "object", "properties": {"a": STRING}, "required": ["a"] * 3000},
    ],
)
def test_what_has_too_many_parts_is_not_gone_through(it: object) -> None:
    large = {"type": "object", "properties": {f"p{number}": 0 for number in range(3000)}}
    with pytest.raises(SchemaError, match="too many"):
        reduced({"properties": {"it": it}, "$defs": {"large": large}})


def test_of_a_reference_only_the_beginning_is_looked_at() -> None:
    way = "#/" + "properties/it/" * 1000
    with pytest.raises(SchemaError, match="refers to"):
        reduced({"properties": {"it": {"$ref": way}}, "required": ["it"]})


def test_references_that_multiply_cost_nothing() -> None:
    levels = {
        f"l{n}": {"properties": {f"p{m}": {"$ref": f"#/$defs/l{n + 1}"} for m in range(50)}}
        for n in range(6)
    }
    with pytest.raises(SchemaError, match="too many parts"):
        reduced({"properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": levels})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
_KEYWORDS = st.sampled_from(
    (
        *("type", "properties", "required", "items", "enum", "const", "anyOf", "oneOf", "allOf"),
        *("$ref", "description", "title", "nullable", "minimum", "maximum", "default", "not"),
    )
)
_TYPES = st.sampled_from(["string", "integer", "object", "array", "null", ["string", "null"]])
_SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": _TYPES}) | _JSON,
    lambda inner: (
        st.dictionaries(_KEYWORDS, inner | st.lists(inner, max_size=3), max_size=5)
        | st.fixed_dictionaries({"properties": st.dictionaries(st.text(max_size=3), inner)})
    ),
    max_leaves=15,
)


@given(_SCHEMAS)
def test_whatever_it_is_gemini_takes_what_is_made_of_it(schema: object) -> None:
    try:
        made = reduced(schema)
    except SchemaError:
        return
    found = gemini.Schema.from_json_schema(json_schema=gemini.JSONSchema.model_validate(made))
    assert found.type is gemini.Type.OBJECT
    json.dumps(made, allow_nan=False)


def test_a_name_stays_whoever_comes_or_goes() -> None:
    names = Names()
    assert names.give("home", "light_on", ()) == "light_on"
    assert names.give("shed", "light_on", ()) == "shed_light_on"
    assert names.give("my-shed", "light_on", ()) == "my_shed_light_on"
    names.keep("home", ())
    assert names.give("shed", "light_on", ()) == "shed_light_on"
    assert names.give("home", "light_on", {"light_on"}) == "home_light_on"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=20, unique=True))
def test_a_name_is_one_that_gemini_takes_and_nobody_else_has(tools: list[str]) -> None:
    names = Names()
    made = [names.give("home", tool, {"get_volume"}) for tool in tools]
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}", name) for name in made)
    assert len(set(made)) == len(made)
    assert made == [names.give("home", tool, {"get_volume"}) for tool in tools]


def test_a_line_is_one_line() -> None:
    assert one_line("a\nb\x1b[31m\tc") == "a b\N{REPLACEMENT CHARACTER}[31m c"
    assert one_line("x" * 500) == "x" * 157 + "..."
    assert one_line("the key AIzaSyA-something") == "the key [secret]"


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_as_much_as_fits(text: str, most_bytes: int) -> None:
    cut = fitting(text, most_bytes)
    assert text.startswith(cut)
    assert len(json.dumps(cut)) <= most_bytes


def test_a_result_is_words() -> None:
    content: list[Any] = [
        types.TextContent(type="text", text="on"),
        types.ImageContent(type="image", data="aGk=", mime_type="image/png"),
        types.AudioContent(type="audio", data="aGk=", mime_type="audio/wav"),
        types.ResourceLink(type="resource_link", name="log", uri="file:///log"),
        types.EmbeddedResource(
            type="resource", resource=types.TextResourceContents(uri="file:///a", text="inside")
        ),
        types.EmbeddedResource(
            type="resource", resource=types.BlobResourceContents(uri="file:///b", blob="aGk=")
        ),
    ]
    assert result_of(types.CallToolResult(content=content)) == {
        "result": "on\n(image/png, which is left out)\n(audio/wav, which is left out)\n"
        "(a link to file:///log)\ninside\n(resource, which is left out)"
    }


def test_a_result_may_be_structured_or_nothing() -> None:
    structured = types.CallToolResult(content=[], structured_content={"degrees": 21})
    assert result_of(structured) == {"result": '{"degrees": 21}'}
    assert result_of(types.CallToolResult(content=[])) == {"result": "done"}
    failed = types.CallToolResult(content=[], is_error=True)
    assert result_of(failed) == {"error": "it failed, and does not say why"}
