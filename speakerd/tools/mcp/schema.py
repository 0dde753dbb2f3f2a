"""The arguments of a foreign tool, reduced to what Gemini is sure to take.

A setup that the server refuses for one strange schema would cost the speaker all its tools. What
is kept is what the Live API's ``Schema`` has for function declarations: types, properties,
descriptions, enums of strings, bounds of numbers. An object without properties and an array
without items are refused there, and no enum may be of anything but strings (reports of other
clients; the reference does not say it).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.tools.mcp.words import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST = 5
_MOST_NODES = 200
_MOST_BYTES = 8 * 1024
_MOST_VALUES = 100  # of an enum
_MOST_LETTERS = 300  # of a description
_MOST_STEPS = 8  # of references to references
_MOST_LETTERS_OF_A_REFERENCE = 300
#: All that is looked at of a schema: what is copied for each reference to it must be little.
_KNOWN = (
    *("$ref", "allOf", "anyOf", "oneOf", "type", "nullable", "properties", "required", "items"),
    *("enum", "const", "minimum", "maximum", "description", "title"),
)
_PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PLAIN = {"string", "number", "integer", "boolean"}


class SchemaError(Exception):
    """It cannot be said in a way that Gemini takes; the text reads on from what has it."""


class _TooLargeError(SchemaError):
    """All of it is too large, whatever is left out."""


def reduced(schema: object) -> dict[str, Any]:
    """The JSON schema of the arguments, an object. Raises SchemaError.

    What may be left out by whoever calls, and cannot be said, is left out.
    """
    if not isinstance(schema, dict):
        raise SchemaError("takes arguments that are not described")
    node = _Reduction(schema).node({"type": "object", **schema}, 0, root=True)
    if node.get("type") != "object":
        raise SchemaError("takes arguments that are no object")
    if len(json.dumps(node)) > _MOST_BYTES:
        raise _TooLargeError(f"has a description of its arguments above {_MOST_BYTES // 1024} KiB")
    return node


@dataclass
class _Reduction:
    """Of one schema; ``root`` is what references lead into."""

    root: Mapping[str, Any]
    nodes: int = 0

    def node(self, schema: object, depth: int, *, root: bool = False) -> dict[str, Any]:
        self._look_at(1)
        if depth > _DEEPEST:
            raise SchemaError("nests its arguments too deeply")
        if not isinstance(schema, dict):
            raise SchemaError("does not say what type an argument is of")
        schema, nullable = self._one(schema)
        kind = schema["type"] if isinstance(schema.get("type"), str) else _guessed(schema)
        if kind == "object":
            made = self._object(schema, depth, root=root)
        elif kind == "array":
            made = {"items": self._items(schema.get("items"), depth)}
        elif kind in _PLAIN:
            made = _bounds(schema, kind)
        else:
            raise SchemaError("does not say what type an argument is of")
        said = schema.get("description") or schema.get("title")
        if isinstance(said, str) and not root:
            made["description"] = one_line(said, _MOST_LETTERS)
        return {"type": [kind, "null"] if nullable else kind, **made}

    def _one(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """It without references and choices: of several that would do, one; may it be null?"""
        made, nullable = _known(schema), False
        for _ in range(_MOST_STEPS):
            if "$ref" in made:
                made = {**self._referred(made.pop("$ref")), **made}
            elif isinstance(parts := made.get("allOf"), list):
                self._look_at(len(parts))
                del made["allOf"]
                made = self._merged(made, [self._resolved(part) for part in parts])
            elif choices := _choices(made):
                self._look_at(len(choices))
                kept = [each for each in choices if not _is_null(each)]
                nullable |= len(kept) < len(choices)
                first = next((each for each in kept if isinstance(each, dict)), {})
                rest = {key: made[key] for key in made if key not in {"anyOf", "oneOf"}}
                made = {**rest, **_known(first)}
            elif isinstance(kinds := made.get("type"), list):
                self._look_at(len(kinds))
                nullable |= "null" in kinds
                made["type"] = next((kind for kind in kinds if kind != "null"), None)
            else:
                return made, nullable or made.get("nullable") is True
        raise SchemaError("describes an argument by too many references")

    def _resolved(self, part: object) -> Mapping[str, Any]:
        if not isinstance(part, dict):
            return {}
        known = _known(part)
        return {**self._referred(known.pop("$ref")), **known} if "$ref" in known else known

    def _referred(self, reference: object) -> Mapping[str, Any]:
        """What a local reference leads to (RFC 6901); there are no others."""
        found: Any = self.root
        if (
            not isinstance(reference, str)
            or not reference.startswith("#/")
            or len(reference) > _MOST_LETTERS_OF_A_REFERENCE
        ):
            raise SchemaError("refers to something that is not in it")
        for step in reference[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise SchemaError("refers to something that is not in it")
        return _known(found)

    def _look_at(self, parts: int) -> None:
        self.nodes += parts
        if self.nodes > _MOST_NODES:
            raise _TooLargeError("describes its arguments in too many parts")

    def _merged(self, made: dict[str, Any], parts: list[Mapping[str, Any]]) -> dict[str, Any]:
        for part in parts:
            for key, value in part.items():
                mine = made.get(key)
                if key == "properties" and isinstance(mine, dict) and isinstance(value, dict):
                    self._look_at(len(value))
                    made[key] = {**value, **mine}
                elif key == "required":
                    self._look_at(len(_list(value)))
                    made[key] = [*_list(mine), *_list(value)]
                else:
                    made.setdefault(key, value)
        return made

    def _object(self, schema: Mapping[str, Any], depth: int, *, root: bool) -> dict[str, Any]:
        given, wanted = schema.get("properties"), _list(schema.get("required"))
        if len(wanted) > _MOST_NODES:
            raise _TooLargeError("wants too many arguments")
        required = [name for name in wanted if isinstance(name, str)]
        properties: dict[str, Any] = {}
        for name, about in given.items() if isinstance(given, dict) else ():
            try:
                properties[_named(name)] = self.node(about, depth + 1)
            except _TooLargeError:
                raise
            except SchemaError:
                if name in required:
                    raise
        if not properties and not root:
            raise SchemaError("wants an object that it does not describe")
        if missing := [name for name in required if name not in properties]:
            raise SchemaError(f"wants {one_line(missing[0], 40)!r}, and does not describe it")
        return {"properties": properties, "required": list(dict.fromkeys(required))}

    def _items(self, items: object, depth: int) -> dict[str, Any]:
        return self.node(items, depth + 1) if items else {"type": "string"}


def _named(name: str) -> str:
    if not _PROPERTY.fullmatch(name):
        raise SchemaError("has an argument with a name that is none")
    return name


def _bounds(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The values that are allowed, as far as Gemini can be told."""
    if kind == "string":
        values = _values(schema)
        fit = 0 < len(values) <= _MOST_VALUES and all(
            isinstance(each, str) and 0 < len(each) <= _MOST_LETTERS for each in values
        )
        return {"enum": list(dict.fromkeys(values))} if fit else {}
    if kind == "boolean":
        return {}
    return {key: schema[key] for key in ("minimum", "maximum") if _is_number(schema.get(key))}


def _known(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in _KNOWN if key in schema}


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    return _list(schema.get("anyOf")) or _list(schema.get("oneOf"))


def _values(schema: Mapping[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else _list(schema.get("enum"))


def _guessed(schema: Mapping[str, Any]) -> str | None:
    """The type, where it is not said but follows from the rest."""
    values = _values(schema)
    if values and all(isinstance(value, str) for value in values[:_MOST_VALUES]):
        return "string"
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else None


def _is_null(schema: object) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema == {"const": None})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    # a bound beyond what a double counts exactly is none that anybody meant
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 2**53  # nor is a number that is none
    )
