"""What the journal says of the connections: when each one was made, and why it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from speakerd.errors import Failure, FailureKind
from speakerd.service import journal, wording

if TYPE_CHECKING:
    from speakerd.conversation.status import Status

_NEEDS_THE_NETWORK = {FailureKind.NETWORK, FailureKind.TIMEOUT, FailureKind.TOKEN}


class LinkLog:
    """Tells of one link."""

    def __init__(self) -> None:
        self._opened = 0  # the last generation that the server has accepted
        self._tries = 0  # since then
        self._without: tuple[str, ...] = ()

    def opened(self, generation: int, status: Status, told: int = 0) -> None:
        """The server has accepted the setup, and was told of so many turns before it."""
        tries = self._tries + 1
        turns = "turn" if told == 1 else f"{told} turns"
        past = f", with the last {turns}" if told else ""
        after = f", after {tries} tries" if tries > 1 else ""
        self._opened, self._tries = generation, 0
        journal.log(
            "link",
            f"connected to {status.model}, context={status.context}{past}{after}",
            link="connected",
            generation=generation,
            context=status.context,
            model=status.model,
            tries=tries,
            told=told or None,
        )
        if status.without != self._without:
            self._without = status.without
            without = ",".join(status.without)
            line = wording.without_line(status)
            journal.log("link", line, level=logging.WARNING, link="without", without=without)

    def going_away(self, generation: int, time_left_s: float) -> None:
        """The server is about to close the connection."""
        line = f"the server closes the connection in {time_left_s:g} s"
        journal.log("link", line, level=logging.DEBUG, link="going-away", generation=generation)

    def closed(self, generation: int, failure: Failure | None) -> None:
        """The connection is closed, or could not be made; None: by ourselves."""
        was_open = generation == self._opened
        if failure is None:
            level = logging.INFO if was_open else logging.DEBUG
            journal.log(
                "link", "connection closed", level=level, link="closed", generation=generation
            )
        elif was_open:
            normal = failure.kind is FailureKind.IDLE
            level = logging.INFO if normal else logging.WARNING
            self._failed("closed", f"connection closed: {failure}", generation, failure, level)
        else:
            self._tries += 1
            where = " (speakerd doctor looks why)" if failure.kind in _NEEDS_THE_NETWORK else ""
            self._failed("failed", f"no connection: {failure}{where}", generation, failure)

    def given_up(self, generation: int, failure: Failure) -> None:
        """We close it, or stop trying to open it, for this reason."""
        self._tries += generation != self._opened
        self._failed("given-up", f"connection given up: {failure}", generation, failure)

    def _failed(
        self, link: str, line: str, generation: int, failure: Failure, level: int = logging.WARNING
    ) -> None:
        journal.log(
            "link",
            line,
            level=level,
            link=link,
            generation=generation,
            kind=failure.kind.value,
            code=failure.code,
        )
