"""A tool: what the model is told of it, and what is done when it is called.

Most are made of a typed function with a docstring. Its first parameter is the speaker, which the
model knows nothing of. The others are the arguments of a call; their types, ranges
(``pydantic.Field``) and descriptions, with the docstring, are what the model is told. What it
returns is what the model gets for an answer.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from speakerd.conversation.events import Event
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Missed, Pending

#: What a call has come to, fit for JSON; with an ``error`` where nothing was done, or not yet.
Result: TypeAlias = Mapping[str, object]

#: A slow call is given up after so long, in seconds, unless its tool says otherwise.
LIMIT_S = 30.0
#: No tool may say more: the core waits for little longer.
LONGEST_LIMIT_S = 55.0
#: The names in it may be of any length: they are the model's.
_MOST_TOLD = 1000


class Scheduling(enum.Enum):
    """When the model speaks of a result that it has not waited for, where it can be told that.

    The values are those of the Live API (``FunctionResponse.scheduling``).
    """

    WHEN_IDLE = "WHEN_IDLE"  # after what it is saying
    INTERRUPT = "INTERRUPT"  # at once
    SILENT = "SILENT"  # not at all; it knows it from then on


class SpeakerPort(Protocol):
    """What tools may do with the speaker."""

    @property
    def status(self) -> Status:
        """What is going on."""
        ...

    @property
    def unmuted_by(self) -> str:
        """The button that switches the microphone on again, in words; empty: there is none."""
        ...

    @property
    def volume(self) -> int | None:
        """In percent; None: it is not known."""
        ...

    @property
    def highest_volume(self) -> int:
        """In percent; more is not set, whoever asks."""
        ...

    @property
    def now(self) -> datetime:
        """What the clock on the wall shows, with its zone."""
        ...

    def clock(self, seconds: float) -> float:
        """So many seconds from now, as a time of the core's clock."""
        ...

    @property
    def timers(self) -> tuple[Pending, ...]:
        """What will ring, by when it is due."""
        ...

    @property
    def missed(self) -> tuple[Missed, ...]:
        """What has rung in vain, and nobody was told of."""
        ...

    def ask(self, event: Event) -> str | None:
        """Hand the core a wish; why it is refused, or None."""
        ...

    def acts(self) -> None:
        """Something is done from here on that may not be done twice.

        What was asked is not sent again then, should its connection be lost; the person is told
        instead. Wishes that :meth:`ask` grants need not be told.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tool:
    """One of them. ``parameters`` is the JSON schema of its arguments.

    ``do(speaker, args)`` does it, whatever the arguments; those that do not fit come back as an
    ``error``, which the model reads. If it is ``slow`` what it gives is awaited, for ``limit_s``
    seconds at most, and the model need not wait for it where it can do without; ``scheduling`` says
    when it speaks of the result then. ``origin`` says in words where it is from.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    do: Callable[[SpeakerPort, Mapping[str, object]], Result | Awaitable[Result]]
    slow: bool = False
    limit_s: float = LIMIT_S
    scheduling: Scheduling = Scheduling.WHEN_IDLE
    hands_free: bool = False  # there is nothing for it to do where a button is held
    origin: str = ""

    @classmethod
    def of(cls, function: Callable[..., Result | Awaitable[Result]], origin: str = "") -> Tool:
        """The tool that ``function`` is, slow if it is a coroutine function."""
        arguments = _arguments_of(function)
        schema = arguments.model_json_schema()
        manner: _Manner = getattr(function, _MANNER, _USUAL)

        def do(speaker: SpeakerPort, args: Mapping[str, object]) -> Result | Awaitable[Result]:
            try:
                given = arguments.model_validate(dict(args))
            except ValidationError as error:
                return {"error": told(error)}
            values = {name: getattr(given, name) for name in arguments.model_fields}
            return function(speaker, **values)

        return cls(
            name=function.__name__,
            description=" ".join((function.__doc__ or "").split()),
            parameters=plain(schema),
            do=do,
            slow=inspect.iscoroutinefunction(function),
            limit_s=manner.limit_s,
            scheduling=manner.scheduling,
            hands_free=manner.hands_free,
            origin=origin,
        )


@dataclass(frozen=True, slots=True)
class _Manner:
    limit_s: float = LIMIT_S
    scheduling: Scheduling = Scheduling.WHEN_IDLE
    hands_free: bool = False


_USUAL = _Manner()
_MANNER = "__speakerd_manner__"
_Function = TypeVar("_Function", bound="Callable[..., Any]")


def handled(
    *,
    limit_s: float = LIMIT_S,
    scheduling: Scheduling = Scheduling.WHEN_IDLE,
    hands_free: bool = False,
) -> Callable[[_Function], _Function]:
    """Mark a function whose calls are to be treated otherwise than usual, see :class:`Tool`."""

    def mark(function: _Function) -> _Function:
        setattr(function, _MANNER, _Manner(min(limit_s, LONGEST_LIMIT_S), scheduling, hands_free))
        return function

    return mark


#: Of a schema, what descriptions say as well: all of it is paid for in each turn.
_UNSAID = {"title", "default", "pattern", "minLength", "maxLength", "minItems", "maxItems"}


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of the schema that pydantic makes of arguments, what the model needs to know."""
    return {
        "type": "object",
        "properties": {name: _said(about) for name, about in schema["properties"].items()},
        "required": schema.get("required", []),
    }


def _said(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _said(value) if key == "items" else value
        for key, value in about.items()
        if key not in _UNSAID
    }


def told(error: ValidationError) -> str:
    """What is wrong with arguments, in one line for whoever gave them; cut where it is long."""
    text = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}..."


def _arguments_of(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()
    fields: dict[str, Any] = {
        each.name: (hints[each.name], ... if each.default is each.empty else each.default)
        for each in parameters
    }
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
