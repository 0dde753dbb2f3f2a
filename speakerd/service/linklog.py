"""What the journal says of the connections: why each one ended, but not all night long."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from speakerd.errors import Failure, FailureKind
from speakerd.service import journal, wording

if TYPE_CHECKING:
    from speakerd.conversation.core import Status

log = logging.getLogger(__name__)

#: How many different reasons are counted between two connections.
_MOST_REASONS = 100


class LinkLog:
    """Tells of one link.

    A reason why there is no connection is told the 1st, 2nd, 4th, 8th ... time, with its count,
    until there is one: a night without a network is ten lines. The rest goes to the debug level.
    """

    def __init__(self) -> None:
        self._opened = 0  # the last generation that the server has accepted
        self._without: tuple[str, ...] = ()
        self._reasons: Counter[str] = Counter()

    def opened(self, generation: int, status: Status) -> None:
        """The server has accepted the setup."""
        self._opened = generation
        tries = self._reasons.total() + 1
        self._reasons.clear()
        after = f", after {tries} tries" if tries > 1 else ""
        journal.log(
            "link",
            f"connected to {status.model}, context={status.context}{after}",
            context=status.context,
            model=status.model,
        )
        if status.without != self._without:
            self._without = status.without
            journal.log("link", wording.without_line(status), level=logging.WARNING)

    def closed(self, generation: int, failure: Failure | None) -> None:
        """The connection is closed, or could not be made; None: by ourselves."""
        if failure is None:
            level = logging.INFO if generation == self._opened else logging.DEBUG
            log.log(level, "connection closed")
        elif generation == self._opened:
            normal = failure.kind is FailureKind.IDLE
            self._tell("connection closed", failure, logging.INFO if normal else logging.WARNING)
        else:
            self._not_made("no connection", failure)

    def given_up(self, generation: int, failure: Failure) -> None:
        """We close it, or stop trying to open it, for this reason."""
        if generation == self._opened:
            self._tell("connection given up", failure, logging.WARNING)
        else:
            self._not_made("connection given up", failure)

    def _not_made(self, what: str, failure: Failure) -> None:
        if len(self._reasons) >= _MOST_REASONS:
            self._reasons.clear()
        reason = str(failure)
        self._reasons[reason] += 1
        times = self._reasons[reason]
        is_news = times & (times - 1) == 0  # a power of two
        counted = f"{what} ({times} times)" if times > 1 else what
        self._tell(counted, failure, logging.WARNING if is_news else logging.DEBUG)

    def _tell(self, what: str, failure: Failure, level: int) -> None:
        journal.log(
            "link",
            f"{what}: {failure}",
            level=level,
            kind=failure.kind.value,
            code=failure.code,
        )
