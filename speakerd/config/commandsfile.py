"""Commands of a person's own that the model may call: the file that SPEAKERD_COMMANDS_FILE names.

    {"commands": {
        "set_scene": {
            "description": "Set the light of the living room.",
            "command": ["/usr/local/bin/scene", {"parameter": "name"}, {"parameter": "level"}],
            "parameters": {
                "name": {"description": "which one", "choices": ["evening", "film"]},
                "level": {"whole_number": {"from": 0, "to": 100}, "default": 50}
            },
            "limit_s": 10,
            "reads_only": false
        }
    }}

What is run is fixed here, argument by argument, and no shell reads it. An argument is a text as it
stands, or a parameter and nothing but it, of which the model may say what was foreseen and no more.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import SchemaError, SchemaValidator, core_schema

from speakerd.config import jsonfile, rights
from speakerd.config.jsonfile import JsonFileError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

#: All of it is sent to the model, in each setup.
_LONGEST_DESCRIPTION, _LONGEST_CHOICE, _MOST_CHOICES = 1000, 100, 100
#: In letters: what somebody says in a sentence.
_LONGEST_TEXT, _USUAL_TEXT = 200, 40
#: A number up to here stays what it is, whatever is made of it on its way.
_LARGEST = 10**9
#: The core waits for a tool 55 s at most (speakerd.tools.tool).
_LONGEST_LIMIT_S = 50.0
#: The name of a function, by Gemini's rule less upper case, dots and hyphens.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: What no argument of a program can have in it: its end, and half a surrogate pair.
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"})

_EXPRESSION = "a regular expression without look-around and backreferences"

#: What each key takes, in words.
_ALLOWED = {
    "commands": "an object of commands by their names",
    "description": f"a text of 1 to {_LONGEST_DESCRIPTION} letters, which tells the model what it "
    "is for",
    "command": "a list of the absolute path of a program and its arguments, each a text or "
    '{"parameter": NAME}',
    "parameters": "an object of parameters by their names",
    "limit_s": f"a number of seconds from 1 to {_LONGEST_LIMIT_S:g}",
    "reads_only": "true or false",
    "choices": f"a list of 1 to {_MOST_CHOICES} different texts of up to {_LONGEST_CHOICE} letters",
    "whole_number": f'{{"from": N, "to": M}}, of whole numbers from -{_LARGEST} to {_LARGEST}',
    "from": "a whole number",
    "to": "a whole number",
    "pattern": f"{_EXPRESSION}, for all of a text",
    "longest": f"a whole number of letters from 1 to {_LONGEST_TEXT}",
    "default": "a value that the model may give as well",
}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An argument that is the value of a parameter."""

    name: str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class WholeNumber(_Part):
    """A range, with both of its ends."""

    least: Annotated[StrictInt, Field(alias="from", ge=-_LARGEST, le=_LARGEST)]
    most: Annotated[StrictInt, Field(alias="to", ge=-_LARGEST, le=_LARGEST)]

    @model_validator(mode="after")
    def _in_order(self) -> WholeNumber:
        if self.least > self.most:
            raise ValueError("it ends before it begins: exchange from and to")
        return self


def _visible(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"{shown(text)} is nothing that can be said: write what can be seen")
    return text


def _different(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or len(set(values)) != len(values):
        raise ValueError("there is none of them, or one twice: name each once")
    return values


def _matches(pattern: str) -> str:
    for each in (pattern, _whole(pattern)):  # alone, too: ``a)|(b`` is none
        try:
            _matcher(each)
        except SchemaError as error:
            why = str(error).splitlines()[-1].removeprefix("error: ")
            raise ValueError(f"{shown(pattern)} cannot be used ({why}): {_EXPRESSION}") from None
    return pattern


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


@functools.lru_cache(maxsize=256)
def _matcher(pattern: str) -> SchemaValidator:
    """By Rust's regex, which no text keeps busy: it takes time by the length of it only."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern))


_Choice = Annotated[StrictStr, Field(max_length=_LONGEST_CHOICE), AfterValidator(_visible)]
_Choices = Annotated[
    tuple[_Choice, ...], Field(max_length=_MOST_CHOICES), AfterValidator(_different)
]
_Pattern = Annotated[StrictStr, Field(max_length=1000), AfterValidator(_matches)]
_Description = Annotated[StrictStr, Field(max_length=_LONGEST_DESCRIPTION)]


class Parameter(_Part):
    """What the model says of a call: one of some choices, a whole number, or a text of a pattern.

    With a ``default`` it may say nothing. The program gets one argument, whatever is said.
    """

    description: _Description = ""
    choices: _Choices | None = None
    whole_number: WholeNumber | None = None
    pattern: _Pattern | None = None
    longest: Annotated[StrictInt, Field(ge=1, le=_LONGEST_TEXT)] = _USUAL_TEXT
    default: StrictStr | StrictInt | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Parameter:
        kinds = (self.choices, self.whole_number, self.pattern)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("takes one of choices, whole_number and pattern: give it one")
        if self.pattern is None and "longest" in self.model_fields_set:
            raise ValueError("has longest, which does nothing without pattern: take it out")
        if self.default is not None:
            try:
                self.argument(self.default)
            except ValueError as error:
                given = f"the default {shown(self.default)}"
                raise ValueError(f"has {given}, which {error}: correct it") from None
        return self

    def argument(self, value: object) -> str:
        """What the program gets for ``value``; None: nothing was said.

        Raises ValueError with why the model may not say that; it reads on from the value.
        """
        if value is None:
            raise ValueError("is missing")
        if self.choices is not None:
            if not isinstance(value, str) or value not in self.choices:
                raise ValueError(f"is none of {', '.join(self.choices)}")
            return value
        if self.whole_number is not None:
            return _number(value, self.whole_number)
        return self._text(value)

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("is no text")  # noqa: TRY004 - what pydantic takes
        if len(value) > self.longest:
            raise ValueError(f"is longer than {self.longest} letters")
        if value.startswith("-"):  # a program would take it for one of its options
            raise ValueError("begins with -")
        if not value.isprintable():
            raise ValueError("has something in it that cannot be seen")
        try:
            _matcher(_whole(self.pattern or "")).validate_python(value)
        except ValidationError:
            raise ValueError(f"is not by {self.pattern}") from None
        return value


def _number(value: object, allowed: WholeNumber) -> str:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and allowed.least <= value <= allowed.most
        and value == int(value)
    ):
        return str(int(value))
    raise ValueError(f"is no whole number from {allowed.least} to {allowed.most}")


def _arguments(value: object) -> object:
    """A program that can be run, and its arguments."""
    if not isinstance(value, list):
        raise ValueError('it is no list: write ["/usr/local/bin/program", "argument", ...]')  # noqa: TRY004 - what pydantic takes
    if not value or not isinstance(value[0], str):
        raise ValueError("it does not begin with a program: write its absolute path")
    if reason := rights.no_program(value[0]):
        raise ValueError(reason)
    arguments = tuple(map(_argument, value[1:]))
    said = any(isinstance(each, Placeholder) for each in arguments)
    if said and PurePath(value[0]).name in _SHELLS:
        raise ValueError("a shell might run what was said: write a script that gets it as $1")
    return (value[0], *arguments)


def _argument(value: object) -> str | Placeholder:
    match value:
        case str(text) if not _UNSPEAKABLE.search(text):
            return text
        case {"parameter": str(name), **more} if not more:
            return Placeholder(name)
    raise ValueError(f'{shown(value)} is no argument: write a text, or {{"parameter": NAME}}')


def _named(value: object) -> object:
    for name in value if isinstance(value, dict) else ():
        if not _NAME.fullmatch(name):
            rule = "small letters, digits and _, no digit first, 63 of them at most"
            raise ValueError(f"{shown(name)} is no name: {rule}")
    return value


_Arguments: TypeAlias = tuple[str | Placeholder, ...]


class NamedCommand(_Part):
    """One of them. ``reads_only``: it changes nothing, so that it may be done twice."""

    description: Annotated[_Description, Field(min_length=1)]
    command: Annotated[_Arguments, BeforeValidator(_arguments)]
    parameters: Annotated[dict[str, Parameter], BeforeValidator(_named)] = Field(
        default_factory=dict
    )
    limit_s: Annotated[float, Field(strict=True, ge=1, le=_LONGEST_LIMIT_S)] = 30.0
    reads_only: StrictBool = False

    @model_validator(mode="after")
    def _knows_its_parameters(self) -> NamedCommand:
        used = {each.name for each in self.command if isinstance(each, Placeholder)}
        for name in sorted(used - self.parameters.keys()):
            raise ValueError(f"has no parameter {name!r}, which its command names: declare it")
        for name in sorted(self.parameters.keys() - used):
            raise ValueError(f"has a parameter {name!r}, which its command does not name: use it")
        return self

    def argv(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """What is run for these ``values`` of its parameters.

        Raises ValueError with all that is wrong with them, in one line.
        """
        wrong = [f"{name}: there is no such parameter" for name in values.keys() - self.parameters]
        given: dict[str, str] = {}
        for name, parameter in self.parameters.items():
            try:
                given[name] = parameter.argument(values.get(name, parameter.default))
            except ValueError as error:
                wrong.append(f"{name}: it {error}")
        if wrong:
            raise ValueError("; ".join(sorted(wrong)))
        return tuple(
            given[each.name] if isinstance(each, Placeholder) else each for each in self.command
        )


class _Content(_Part):
    commands: Annotated[dict[str, NamedCommand], BeforeValidator(_named)]


def read(path: Path, text: str) -> Mapping[str, NamedCommand]:
    """The commands in the file at ``path``, by their names; ``text`` is what is in it.

    Raises :class:`JsonFileError`.
    """
    found = jsonfile.parsed(path, text)
    try:
        return _Content.model_validate(found).commands
    except ValidationError as error:
        lines = dict.fromkeys(f"{path}: {_line(each)}" for each in error.errors())
        raise JsonFileError(lines) from None


def _line(error: ErrorDetails) -> str:
    """One mistake: where it is, what it is, what is allowed."""
    place, keys = "the file", tuple(map(str, error["loc"]))
    if len(keys) > 1:
        place, keys = keys[1], keys[2:]
    if len(keys) > 1 and keys[0] == "parameters":
        place, keys = f"{place}: parameter {keys[1]}", keys[2:]
    if error["type"] == "value_error":  # one of ours
        return f"{place}{f': {keys[0]}:' if keys else ''} {error['ctx']['error']}"
    value = shown(error["input"])
    if not keys:
        return f"{place} is {value}; allowed: an object"
    if error["type"] == "missing":
        return f"{place}: {keys[-1]} is missing; it is {_ALLOWED[keys[-1]]}"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(keys[-1], _ALLOWED, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{place}: {shown(keys[-1])} is no key{hint or ': take it out'}"
    return f"{place}: {keys[0]} is {value}; allowed: {_ALLOWED[keys[0]]}"
