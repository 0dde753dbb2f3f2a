"""All servers of the configuration, each on its own, and the tools that they have together."""

from __future__ import annotations

import asyncio
import collections
import functools
import logging
import os
from typing import TYPE_CHECKING, Any

from speakerd.tools.mcp.server import USUAL, Limits, Listener, Server
from speakerd.tools.mcp.words import Names
from speakerd.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from speakerd.config import mcp

log = logging.getLogger(__name__)

#: In all: Gemini takes no more declarations of functions (the guide to function calling).
MOST_TOOLS = 128
#: Each change makes the connection to Gemini anew: of more in an hour is told together.
_MOST_CHANGES = 6
_CHANGES_S = 3600.0
#: How long a stop waits for them to say good-bye, and then for those that do not.
_CLOSING_S = 0.4
_ENDING_S = 0.2


class Servers:
    """Those of ``file``, from :meth:`start` on; called in the loop's thread only.

    ``ready(name)``, ``lost(name, reason)`` and ``gone(name)`` tell of each; ``changed`` is called
    when :meth:`tools` would be others than those that were told last.
    """

    def __init__(
        self,
        file: mcp.Servers | None,
        *,
        ready: Callable[[str], None],
        lost: Callable[[str, str], None],
        gone: Callable[[str], None],
        changed: Callable[[], None],
        limits: Limits = USUAL,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._file = file
        self._ready = ready
        self._lost = lost
        self._gone = gone
        self._changed = changed
        self._limits = limits
        self._environ = environ
        self._names = Names()
        self._running: dict[str, tuple[Server, asyncio.Task[None]]] = {}  # by name
        self._ending: set[asyncio.Task[None]] = set()
        self._started = False
        self._told: list[Any] = []
        self._told_at: collections.deque[float] = collections.deque()
        self._later: asyncio.TimerHandle | None = None  # tells of what has changed too often
        self._patience: asyncio.TimerHandle | None = None  # with those that are slow at first
        self._too_many = False

    def start(self) -> None:
        """Begin to look after them."""
        self._started = True
        self.reload(self._file)

    def tools(self, reserved: Collection[str] = ()) -> tuple[Tool, ...]:
        """What the servers offer, in the order of the file, under names that are not reserved."""
        found = []
        for server in self._in_order():
            self._names.keep(server.entry.name, {offer.tool for offer in server.offers})
            for offer in server.offers:
                tool = Tool(
                    name=self._names.give(server.entry.name, offer.tool, reserved),
                    description=offer.description,
                    parameters=offer.parameters,
                    do=functools.partial(server.call, offer),
                    slow=True,
                    limit_s=server.entry.limit_s,
                    origin=f"the MCP server {server.entry.name}",
                )
                found.append(tool)
        if len(found) > MOST_TOOLS and not self._too_many:
            log.warning("mcp: of %d tools the last are left out: allow fewer", len(found))
        self._too_many = len(found) > MOST_TOOLS
        return tuple(found[:MOST_TOOLS])

    def reload(self, file: mcp.Servers | None) -> None:
        """Have the servers of this file from now on; those that are the same stay as they are.

        The tools of others are there no longer at once, and are told of when theirs are known.
        """
        self._file = file
        if not self._started:
            return
        self._wait_no_longer()
        self._told_at.clear()  # somebody is there
        wanted = {entry.name: entry for entry in self._entries}
        if wanted:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(self._limits.patience_s, self._lose_patience)
        for name, (server, task) in tuple(self._running.items()):
            if wanted.get(name) != server.entry:
                del self._running[name]
                if name not in wanted:
                    self._names.keep(name, ())
                self._end(server, task)
                self._gone(part_of(name))
        for name, entry in wanted.items():
            if name not in self._running:
                self._begin(entry)
        self._look()

    async def close(self) -> None:
        """Let go of all of them, within a second."""
        self._started = False
        self._wait_no_longer()
        for server, task in self._running.values():
            self._end(server, task)
        self._running.clear()
        for limit_s in (_CLOSING_S, _ENDING_S):
            if self._ending:
                _, late = await asyncio.wait(self._ending, timeout=limit_s)
                for task in late:  # once more: it is busy with saying good-bye
                    task.cancel()

    def _begin(self, entry: mcp.Server) -> None:
        part = part_of(entry.name)
        listener = Listener(
            functools.partial(self._ready, part), functools.partial(self._lost, part), self._look
        )
        server = Server(entry, listener, self._limits, self._environ)
        task = asyncio.create_task(server.run(), name=part)
        task.add_done_callback(_tell_of_a_bug)
        self._running[entry.name] = server, task

    def _end(self, server: Server, task: asyncio.Task[None]) -> None:
        server.over = True
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.cancel()

    @property
    def _entries(self) -> tuple[mcp.Server, ...]:
        return self._file.servers if self._file is not None else ()

    def _in_order(self) -> list[Server]:
        return [
            self._running[entry.name][0] for entry in self._entries if entry.name in self._running
        ]

    def _look(self) -> None:
        """Tell of other tools soon; whoever has called this may be busy with telling something."""
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Tell of them, if they are others, when it is known of each server what it has.

        One that hangs is waited for only so long.
        """
        servers = self._in_order()
        waits = self._patience is not None and not all(server.settled for server in servers)
        if not self._started or waits:
            return
        found = [(server.entry.name, server.offers) for server in servers if server.offers]
        if found != self._told and self._may_tell():
            self._told = found
            self._told_at.append(asyncio.get_running_loop().time())
            self._changed()

    def _may_tell(self) -> bool:
        """Whether they have not changed too often; else it is told when they have not."""
        loop = asyncio.get_running_loop()
        while self._told_at and self._told_at[0] + _CHANGES_S <= loop.time():
            self._told_at.popleft()
        if len(self._told_at) < _MOST_CHANGES:
            return True
        if self._later is None:
            log.warning("mcp: the tools change all the time: for the time being they stay")
            self._later = loop.call_at(self._told_at[0] + _CHANGES_S, self._tell_at_last)
        return False

    def _tell_at_last(self) -> None:
        self._later = None
        self._told_at.popleft()
        self._tell()

    def _lose_patience(self) -> None:
        self._patience = None
        self._tell()

    def _wait_no_longer(self) -> None:
        for timer in (self._later, self._patience):
            if timer is not None:
                timer.cancel()
        self._later = self._patience = None


def _tell_of_a_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (bug := task.exception()) is not None:
        log.error("%s is looked after no longer", task.get_name(), exc_info=bug)


def part_of(name: str) -> str:
    """What the status and the journal call the server of that name."""
    return f"mcp {name}"
