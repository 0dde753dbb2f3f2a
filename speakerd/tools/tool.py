"""A tool: a typed function with a docstring, and what is made of it.

The function's first parameter is the speaker, which the model knows nothing of. The others are the
arguments of a call; their types, ranges (``pydantic.Field``) and descriptions, with the docstring,
are what the model is told. What it returns is what the model gets for an answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from speakerd.conversation.events import Event

#: What a call has come to, fit for JSON; with an ``error`` where nothing was done, or not yet.
Result: TypeAlias = Mapping[str, object]


class SpeakerPort(Protocol):
    """What tools may do with the speaker."""

    @property
    def volume(self) -> int | None:
        """In percent; None: it is not known."""
        ...

    @property
    def highest_volume(self) -> int:
        """In percent; more is not set, whoever asks."""
        ...

    def ask(self, event: Event) -> str | None:
        """Hand the core a wish; why it is refused, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Tool:
    """One of them. ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    slow: bool  # it is a coroutine function: the model need not wait for it where it can do without
    _function: Callable[..., Result | Awaitable[Result]]
    _arguments: type[BaseModel]

    @classmethod
    def of(cls, function: Callable[..., Result | Awaitable[Result]]) -> Tool:
        """The tool that ``function`` is."""
        hints = get_type_hints(function, include_extras=True)
        _, *parameters = inspect.signature(function).parameters.values()
        fields: dict[str, Any] = {
            each.name: (hints[each.name], ... if each.default is each.empty else each.default)
            for each in parameters
        }
        strict = ConfigDict(extra="forbid")
        arguments = create_model(function.__name__, __config__=strict, **fields)
        schema = arguments.model_json_schema()
        return cls(
            name=function.__name__,
            description=" ".join((function.__doc__ or "").split()),
            parameters={
                "type": "object",
                "properties": {
                    name: {key: value for key, value in told.items() if key != "title"}
                    for name, told in schema["properties"].items()
                },
                "required": schema.get("required", []),
            },
            slow=inspect.iscoroutinefunction(function),
            _function=function,
            _arguments=arguments,
        )

    def call(self, speaker: SpeakerPort, args: Mapping[str, object]) -> Result | Awaitable[Result]:
        """Do it; a slow one has to be awaited.

        Arguments that do not fit come back as an ``error``, which the model reads.
        """
        try:
            given = self._arguments.model_validate(dict(args))
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
            return {"error": "; ".join(problems)}
        values = {name: getattr(given, name) for name in self._arguments.model_fields}
        return self._function(speaker, **values)
