"""Conversations, and the handles that resume them.

A handle is a snapshot: resuming with an older one loses what was said since it was issued. What
is refused, and how, is in docs/simulator.md.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from speakerd.simulator.catalogue import (
    EXPIRED_HANDLE,
    FOREIGN_HANDLE,
    INTERNAL,
    INVALID_HANDLE,
    Refused,
)
from speakerd.simulator.records import Tokens

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

#: Older handles are forgotten, as if expired.
MOST_HANDLES = 10_000
#: The number of the turn that stands for what a session was told at its beginning.
TOLD = 0
#: Turns further back than this are forgotten, whatever the context window.
LONGEST_HISTORY = 1_000


class PastTurn(NamedTuple):
    """A turn the model remembers: its number and its size."""

    number: int
    tokens: Tokens


@dataclass(slots=True, eq=False)
class Session:
    """A conversation over any number of connections, one at a time."""

    key: str
    model: str
    history: tuple[PastTurn, ...] = ()
    connected: bool = True
    ended_at: float = 0.0  # when the last connection ended
    lost_calls: frozenset[str] = frozenset()  # that were open then

    @property
    def tokens(self) -> Tokens:
        """The size of the context."""
        return _sum(self.history)

    def remember(self, turn: PastTurn, trigger_tokens: int | None, target_tokens: int) -> None:
        """Add ``turn``; beyond ``trigger_tokens`` forget the oldest down to ``target_tokens``."""
        history = (*self.history, turn)[-LONGEST_HISTORY:]
        size, forgotten = sum(_sum(history)), 0
        if trigger_tokens is not None and size > trigger_tokens:
            while forgotten < len(history) - 1 and size > target_tokens:
                size -= sum(history[forgotten].tokens)
                forgotten += 1
        self.history = history[forgotten:]

    def lose_told(self) -> None:
        """Forget what it was told at its beginning."""
        self.history = tuple(past for past in self.history if past.number != TOLD)

    def end(self, now: float) -> None:
        """Its connection has ended."""
        self.connected = False
        self.ended_at = now


def _sum(turns: Iterable[PastTurn]) -> Tokens:
    # Not one after another with Tokens.plus: at the end of a turn whoever measures waits for it.
    return Tokens(*map(sum, zip(Tokens(), *(turn.tokens for turn in turns), strict=True)))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    session: Session
    history: tuple[PastTurn, ...]


class Sessions:
    """All handles of one server."""

    def __init__(self, random: random.Random, validity_s: float) -> None:
        self._random = random
        self._validity_s = validity_s
        self._snapshots: OrderedDict[str, _Snapshot] = OrderedDict()

    def issue(self, session: Session) -> str:
        """A new handle for ``session`` as it is now: a UUID, as seen of the real server."""
        handle = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self._snapshots[handle] = _Snapshot(session, session.history)
        if len(self._snapshots) > MOST_HANDLES:
            self._snapshots.popitem(last=False)
        return handle

    def resume(self, handle: str, key: str, now: float) -> Session:
        """The session of ``handle``, as it was when the handle was issued, now connected.

        Raises :class:`Refused`. The model is not looked at: the server does that later.
        """
        snapshot = self._snapshots.get(handle)
        if snapshot is None:
            raise Refused(INVALID_HANDLE)
        session = snapshot.session
        if session.key != key:
            raise Refused(FOREIGN_HANDLE)
        if session.connected:
            raise Refused(INTERNAL)
        if now - session.ended_at > self._validity_s:
            raise Refused(EXPIRED_HANDLE)
        session.history = snapshot.history
        session.connected = True
        return session
