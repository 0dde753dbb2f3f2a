"""The tools that are switched on: what the model is told of them, and its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.tools import volume
from speakerd.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from speakerd.conversation.events import ToolCall
    from speakerd.tools.tool import Result, SpeakerPort

#: What each value of SPEAKERD_TOOLS brings.
SETS = {"volume": volume.TOOLS}


class Toolbox:
    """The tools of these ``sets``, which are ``known`` by their names."""

    def __init__(
        self, sets: Iterable[str], known: Mapping[str, Iterable[Callable[..., Any]]] = SETS
    ) -> None:
        tools = (Tool.of(function) for name in sets for function in known[name])
        self._tools = {tool.name: tool for tool in tools}

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

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def call(self, call: ToolCall, speaker: SpeakerPort) -> Result | Awaitable[Result]:
        """The answer to a call, an ``error`` where nothing was done; a slow one is awaited."""
        tool = self._tools.get(call.name)
        if tool is None:
            return {"error": f"there is no tool {call.name!r}"}
        return tool.call(speaker, call.args)


def cancelled(call: ToolCall) -> Result:
    """The answer to a call that is not executed: what the model is told."""
    return {"error": f"{call.name!r} was cancelled: nobody waits for it any longer"}
