"""What the journal says of the connections: why each one ended, but not all night long."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from speakerd.errors import Failure, FailureKind
from speakerd.service import journal, wording

if TYPE_CHECKING:
    from speakerd.conversation.core import Status

#: How many different lines are counted between two turns.
_MOST_LINES = 100


class LinkLog:
    """Tells of one link.

    A line is told the 1st, 2nd, 4th, 8th ... time, with its count, until there is a turn: a night
    without a network, or with a server that hangs up again and again, is a few lines. The rest
    goes to the debug level.
    """

    def __init__(self) -> None:
        self._opened = 0  # the last generation that the server has accepted
        self._tries = 0  # since then
        self._without: tuple[str, ...] = ()
        self._told: Counter[str] = Counter()

    def turn_ended(self) -> None:
        """Somebody was there: what happens now is news again."""
        self._told.clear()

    def opened(self, generation: int, status: Status) -> None:
        """The server has accepted the setup."""
        after = f", after {self._tries + 1} tries" if self._tries else ""
        self._opened, self._tries = generation, 0
        line = f"connected to {status.model}, context={status.context}{after}"
        self._tell(line, logging.INFO, context=status.context, model=status.model)
        if status.without != self._without:
            self._without = status.without
            self._tell(wording.without_line(status), logging.WARNING)

    def closed(self, generation: int, failure: Failure | None) -> None:
        """The connection is closed, or could not be made; None: by ourselves."""
        was_open = generation == self._opened
        if failure is None:
            self._tell("connection closed", logging.INFO if was_open else logging.DEBUG)
        elif was_open:
            normal = failure.kind is FailureKind.IDLE
            self._fail("connection closed", failure, logging.INFO if normal else logging.WARNING)
        else:
            self._tries += 1
            self._fail("no connection", failure)

    def given_up(self, generation: int, failure: Failure) -> None:
        """We close it, or stop trying to open it, for this reason."""
        self._tries += generation != self._opened
        self._fail("connection given up", failure)

    def _fail(self, what: str, failure: Failure, level: int = logging.WARNING) -> None:
        self._tell(f"{what}: {failure}", level, kind=failure.kind.value, code=failure.code)

    def _tell(self, line: str, level: int, **fields: object) -> None:
        if len(self._told) >= _MOST_LINES:
            self._told.clear()
        self._told[line] += 1
        times = self._told[line]
        is_news = times & (times - 1) == 0  # a power of two
        counted = f"{line} ({times} times)" if times > 1 else line
        journal.log("link", counted, level=level if is_news else logging.DEBUG, **fields)
