"""Asking the server whether it would take our setup: one connection, closed before any sound.

Nothing is said on it, so nothing is billed. It is made by the daemon's own edge with the daemon's
own setup: what is refused here is refused there.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.conversation import events as ev
from speakerd.conversation.features import Features
from speakerd.conversation.rules import FOREVER
from speakerd.errors import Failure, FailureKind, Feature
from speakerd.live import setup
from speakerd.live.connection import Outlets
from speakerd.live.edge import LiveEdge
from speakerd.live.fetching import LIMIT_S
from speakerd.live.transport import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pydantic import SecretStr

    from speakerd.live.fetching import Source


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to our setup for ``model``."""

    model: str
    failure: Failure | None  # None: it was accepted, but for ``without``
    without: frozenset[Feature]  # the optional parts that it refuses
    left_out: tuple[str, ...]  # the variables that it was not asked for: it does not take them
    took_s: float  # from the name's lookup to the answer


async def ask(
    model: str,
    api_key: SecretStr | None,
    wishes: setup.Wishes,
    *,
    source: Source | None = None,
    timeouts: Timeouts | None = None,
    limit_s: float = 15.0,
    settle_s: float = 0.5,
) -> Answer:
    """Ask for ``model``, with less and less of what can be done without if it is refused.

    Each connection, and the server's answer on it, may take ``limit_s`` (fetching a token has its
    own limit beside that); one that it closes within ``settle_s`` of its consent counts as refused.
    Loads the SDK, which takes seconds on a small Pi; raises what importing it raises.
    """
    timeouts = timeouts or Timeouts()
    if source is not None:
        limit_s += LIMIT_S
    left_out = setup.left_out(wishes, model)
    # nothing has been said that it could be told of
    features = Features(setup.asked(wishes, model) - {Feature.HISTORY}, FOREVER)
    make_edge = functools.partial(
        LiveEdge, api_key=api_key, source=source, wishes=wishes, timeouts=timeouts
    )
    async with _opened(make_edge) as attempts:
        while True:
            without = features.leave_out(0)
            failure, took_s = await attempts.make(model, without, limit_s, settle_s)
            if failure is None:
                return Answer(model, None, without, left_out, took_s)
            if not features.suspect(failure, 0):
                return Answer(model, failure, frozenset(), left_out, took_s)


class _Attempts:
    """Connections through one edge, one after the other."""

    def __init__(self, make_edge: Callable[[Outlets], LiveEdge]) -> None:
        self._events: asyncio.Queue[ev.Event] = asyncio.Queue()
        self.edge = make_edge(Outlets(self._events.put_nowait, _unheard, _unread))
        self._generation = 0

    async def make(
        self, model: str, without: frozenset[Feature], limit_s: float, settle_s: float
    ) -> tuple[Failure | None, float]:
        """Connect and hang up; what it failed with, and how long the server took."""
        self._generation += 1
        began = time.monotonic()
        self.edge.connect(self._generation, model, None, without)
        try:
            async with asyncio.timeout(limit_s):
                failure = await self._until(ev.ConnectionOpened)
        except TimeoutError:
            failure = Failure(FailureKind.TIMEOUT, "the server does not answer the setup")
        took_s = time.monotonic() - began
        if failure is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settle_s):
                    failure = await self._until(None)
        await self.edge.close()
        return failure, took_s

    async def _until(self, wanted: type[ev.ConnectionOpened] | None) -> Failure | None:
        """Wait for ``wanted``, or for the end of the connection: then it is why it has ended."""
        while True:
            event = await self._events.get()
            if isinstance(event, ev.ConnectionClosed) and event.generation == self._generation:
                return event.failure or Failure(FailureKind.SERVER, "closed without a reason")
            if wanted is not None and isinstance(event, wanted):
                return None


@contextlib.asynccontextmanager
async def _opened(make_edge: Callable[[Outlets], LiveEdge]) -> AsyncIterator[_Attempts]:
    attempts = _Attempts(make_edge)
    await attempts.edge.load()
    try:
        yield attempts
    finally:
        await attempts.edge.close()


def _unheard(_turn: int, _pcm: bytes, _rate_hz: int) -> float:
    """Nobody has asked anything: there is no answer to be heard."""
    return 0.0


def _unread(side: str, turn: int, text: str) -> None:
    """... nor to be read."""
