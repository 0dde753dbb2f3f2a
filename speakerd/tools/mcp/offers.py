"""What a server has, and what of it the model is offered."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.tools.mcp.schema import SchemaError, reduced
from speakerd.tools.mcp.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from speakerd.config import mcp

log = logging.getLogger(__name__)

#: A model that is to choose among more than this chooses badly; and each is paid for in each turn.
MOST_TOOLS = 64
_MOST_LETTERS = 1024  # of a description


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as the server tells of it, in our words: what it says may be large, and is not kept.

    Instead of ``parameters`` there may be a reason why it cannot be called.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] | str
    reads_only: bool

    @classmethod
    def of(cls, name: str, description: str, schema: object, *, reads_only: bool) -> Listed:
        """The one of that ``schema``, a JSON schema; takes some milliseconds."""
        description = one_line(description, _MOST_LETTERS) or one_line(name)
        try:
            return cls(name, description, reduced(schema), reads_only)
        except SchemaError as error:
            return cls(name, description, str(error), reads_only)


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool of a server, as the model may know it."""

    tool: str  # as the server calls it
    description: str
    parameters: Mapping[str, Any]
    reads_only: bool


class Choice:
    """Chooses for one server, and tells once of each tool that is left out."""

    def __init__(self, entry: mcp.Server) -> None:
        self._entry = entry
        self._left_out: set[str] = set()

    def of(self, listed: Iterable[Listed]) -> tuple[Offer, ...]:
        """What of it the model is offered."""
        return tuple(self._offered(listed))

    def _offered(self, listed: Iterable[Listed]) -> Iterator[Offer]:
        names: set[str] = set()
        for tool in listed:
            if not self._entry.allows(tool.name) or tool.name in names:
                continue
            if len(names) == MOST_TOOLS:
                self._leave_out(f"more than {MOST_TOOLS} tools: allow fewer of them")
                return
            if isinstance(tool.parameters, str):
                self._leave_out(f"the tool {one_line(tool.name, 64)!r}, which {tool.parameters}")
                continue
            names.add(tool.name)
            yield Offer(tool.name, tool.description, tool.parameters, tool.reads_only)

    def _leave_out(self, what: str) -> None:
        if what not in self._left_out and len(self._left_out) < MOST_TOOLS:
            self._left_out.add(what)
            log.warning("mcp %s: left out: %s", self._entry.name, what)
