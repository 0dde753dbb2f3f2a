"""Reads proto3 JSON as strictly as Google's servers do.

Field names come in lowerCamelCase or snake_case and leave in snake_case; bytes come as standard
or url-safe base64 and leave as bytes; null is the same as absent. An unknown name or a value of
the wrong kind is refused with the server's text. As lenient as the server: enum values in any
case, and one value where a list is expected (both used by Google's own web console).
"""

from __future__ import annotations

import binascii
import enum
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from speakerd.simulator.catalogue import BAD_ARGUMENT, Refused, bad_payload, bad_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Kind(enum.Enum):
    """A field without structure of its own; the value is the name the server gives it."""

    STRING = "TYPE_STRING"
    BYTES = "TYPE_BYTES"
    BOOL = "TYPE_BOOL"
    INT = "TYPE_INT32"
    FLOAT = "TYPE_FLOAT"
    STRUCT = "type.googleapis.com/google.protobuf.Struct"
    ANY = "type.googleapis.com/google.protobuf.Value"


@dataclass(frozen=True, slots=True)
class Choice:
    """An enum: its name and its values."""

    name: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list of ``item``."""

    item: FieldType


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with any keys, its values of one type."""

    value: FieldType


@dataclass(frozen=True, slots=True)
class NotNull:
    """``inner``, but null is refused instead of ignored."""

    inner: FieldType


@dataclass(slots=True)
class Message:
    """A message: its name and its fields by their snake_case names."""

    name: str
    fields: dict[str, FieldType]
    _known: dict[str, tuple[str, FieldType]] = field(default_factory=dict)

    def find(self, name: str) -> tuple[str, FieldType] | None:
        """The field that JSON calls ``name``: its snake_case name and its type."""
        if not self._known:
            for snake, kind in self.fields.items():
                self._known[snake] = self._known[camel(snake)] = (snake, kind)
        return self._known.get(name)


FieldType: TypeAlias = Kind | Choice | Repeated | MapOf | NotNull | Message

_TO_STANDARD = str.maketrans("-_", "+/")


def camel(snake: str) -> str:
    """The lowerCamelCase name of a snake_case one."""
    first, *rest = snake.split("_")
    return first + "".join(word.capitalize() for word in rest)


def load(frame: str | bytes) -> dict[str, Any]:
    """The JSON object in a frame; raises :class:`Refused` for anything else."""
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise Refused(bad_payload("Unexpected token.")) from error
    if not isinstance(value, dict):
        raise Refused(bad_payload('Unknown name "": Root element must be a message.'))
    return value


def read(message: Message, value: Mapping[str, object], path: str) -> dict[str, Any]:
    """Read the JSON object ``value`` as ``message``; ``path`` is its place, for the texts."""
    fields: dict[str, Any] = {}
    for name, given in value.items():
        if (known := message.find(name)) is None:
            at = f" at '{path}'" if path else ""
            raise Refused(bad_payload(f'Unknown name "{name}"{at}: Cannot find field.'))
        snake, kind = known
        if isinstance(kind, NotNull):
            if given is None:
                raise Refused(BAD_ARGUMENT)
            kind = kind.inner
        if given is not None:
            fields[snake] = _read_field(kind, given, f"{path}.{snake}" if path else snake)
    return fields


def _read_field(kind: FieldType, value: object, path: str) -> object:
    if isinstance(kind, Repeated):
        values = value if isinstance(value, list) else [value]
        return [_read_field(kind.item, one, f"{path}[{n}]") for n, one in enumerate(values)]
    if isinstance(value, list) and kind is not Kind.ANY:
        parent, _, name = path.rpartition(".")
        raise Refused(
            bad_payload(
                f"Unknown name \"{name}\" at '{parent}': "
                "Proto field is not repeating, cannot start list."
            )
        )
    if isinstance(value, dict):
        if isinstance(kind, Message):
            return read(kind, value, path)
        if isinstance(kind, MapOf):
            return {
                key: _read_field(kind.value, one, f"{path}.{key}") for key, one in value.items()
            }
    return _read_plain(kind, value, path)


def _read_plain(kind: FieldType, value: object, path: str) -> object:
    """Read a value that has no fields of its own."""
    match kind:
        case Kind():
            wanted = kind.value
            with suppress(TypeError, ValueError):
                return _SCALARS[kind](value)
        case Choice(name, values):
            wanted = f"type.googleapis.com/{name}"
            if isinstance(value, str) and value.upper() in values:
                return value.upper()
        case Message(name):
            wanted = f"type.googleapis.com/{name}"
        case _:
            wanted = "a map"
    raise Refused(bad_value(path, wanted, _shown(value)))


def _shown(value: object) -> str:
    return json.dumps(value)[:100]


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _int(value: object) -> int:
    # proto3 JSON writes 64-bit integers as strings, and takes 1.0 for 1.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return float(value)


def _struct(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise TypeError


def _bytes(value: object) -> bytes:
    text = _string(value).translate(_TO_STANDARD).rstrip("=")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


_SCALARS: dict[Kind, Callable[[object], object]] = {
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.STRUCT: _struct,
    Kind.ANY: lambda value: value,
}
