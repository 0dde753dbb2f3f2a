"""speakerd's own books of its turns, as it tells them over the control socket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from speakerd.errors import UnavailableError
from speakerd.service import client
from tests.bench.contenders import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.contenders import Contender

_TIMEOUT_S = 120.0


class Books:
    """What a daemon tells of its turns, in their order."""

    def __init__(self, events: Iterator[dict[str, Any]]) -> None:
        self._events = events

    def turn_ended(self, outcome: str | None = "answered") -> dict[str, Any]:
        """The ledger of the turn that ends next; None: however it ends.

        Raises UnavailableError unless it ends as expected.
        """
        for event in self._events:
            if event["event"] == "turn":
                if outcome not in {None, event["outcome"]}:
                    raise UnavailableError(f"a turn ended as {event['outcome']!r}")
                return event
        raise UnavailableError("the daemon has gone")


@contextlib.contextmanager
def books_of(contender: Contender) -> Iterator[Books | None]:
    """The books of speakerd; a peer has none."""
    if not isinstance(contender, Daemon):
        yield None
        return
    with client.subscribe(contender.process.socket, timeout_s=_TIMEOUT_S) as events:
        yield Books(events)
