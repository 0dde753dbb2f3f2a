"""The tools that are switched on: what the model is told of them, and its calls."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from speakerd.tools import clock, speaker, timers, volume
from speakerd.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from speakerd.conversation.events import ToolCall
    from speakerd.tools.tool import Result, SpeakerPort

#: What each value of SPEAKERD_TOOLS brings.
SETS: Mapping[str, Iterable[Callable[..., Any]]] = {
    "volume": volume.TOOLS,
    "timers": timers.TOOLS,
    "clock": clock.TOOLS,
    "speaker": speaker.TOOLS,
}


class Toolbox:
    """Tools by their names; of two with one name it has the first."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self._tools.setdefault(tool.name, tool)

    @classmethod
    def of(
        cls, sets: Iterable[str], more: Iterable[Tool] = (), *, hands_free: bool = False
    ) -> Toolbox:
        """The tools of these sets, then ``more``, as far as they have something to do.

        ``hands_free``: a button opens a conversation here, and is not held to speak.
        """
        built_in = (tool for name in sets for tool in _tools_of(name))
        return cls(tool for tool in (*built_in, *more) if hands_free or not tool.hands_free)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def declarations(self) -> tuple[Mapping[str, Any], ...]:
        """For each its name, description and parameters (a JSON schema), and whether it is slow."""
        return tuple(
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "slow": tool.slow,
            }
            for tool in self._tools.values()
        )

    def find(self, name: str) -> Tool | None:
        """The tool of that name, if it is there."""
        return self._tools.get(name)

    def call(self, call: ToolCall, speaker: SpeakerPort) -> Result | Awaitable[Result]:
        """The answer to a call, an ``error`` where nothing was done; a slow one is awaited."""
        tool = self._tools.get(call.name)
        if tool is None:
            return {"error": f"there is no tool {call.name!r}"}
        return tool.do(speaker, call.args)


@functools.cache
def _tools_of(name: str) -> tuple[Tool, ...]:
    """Those of a set. They are made once: the model that pydantic makes of each takes long."""
    return tuple(Tool.of(function, f"SPEAKERD_TOOLS={name}") for function in SETS[name])


def cancelled(call: ToolCall, *, begun: bool = False) -> Result:
    """The answer to a call that is not executed, or not to its end: what the model is told."""
    known = "; it is not known what of it was done" if begun else ""
    return {"error": f"{call.name!r} was cancelled: nobody waits for it any longer{known}"}
