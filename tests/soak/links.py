"""Whether each connection was the one that the rules of the link allow, by the server's records."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from speakerd.errors import FailureKind, classify
from tests.soak.clock import SPEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.simulator.records import ConnectionRecord
    from speakerd.simulator.server import Simulator
    from tests.soak.stage import Weather

_MINUTE_S = 60.0 / SPEED
_STABLE_S = 30.0 / SPEED
_RESUME_PATIENCE_S = 10.0 / SPEED
_MOST_A_MINUTE = 10
#: From here on the core connects for presses only.
_UNASKED_A_MINUTE = 8
#: The server's clock looks at a request a little later than the core that makes it.
_TOLERANCE = 0.9
_ABNORMAL = 1006


class Links:
    """Follows the connections from turn to turn, and explains every fresh conversation."""

    def __init__(self, simulator: Simulator, weather: Weather) -> None:
        self._simulator = simulator
        self._weather = weather
        self.resumed = 0
        self.fresh: Counter[str] = Counter()
        self.older_handles = 0
        self._seen: list[ConnectionRecord] = []  # the newest one last
        self._known = 0  # the number of the newest record looked at
        self._ended = 0  # the number of the newest record whose end was looked at
        self._newest_handle: str | None = None
        self._handles: set[str] = set()
        self._must_be_fresh: str | None = "first"
        self._wedged = False
        self._strikes = 0
        self._doubts = 0
        self._resisted_at: float | None = None
        self._refused: str | None = None  # what the server said of the handle

    def must_be_fresh(self, why: str) -> None:
        """The next connection has nothing to resume."""
        self._must_be_fresh = why

    def look(self, answered: set[int], *, wedged: bool) -> Iterator[str]:
        """Judge what is new. ``answered``: connections on which a sentence was answered.

        ``wedged``: the server has said in this turn that it was interrupted, and nobody had.
        """
        self._wedged, was_wedged = wedged, self._wedged
        wedged = wedged or was_wedged  # it is given up after the turn
        yield from self._storms()
        if self._weather.together > 1:
            yield f"{self._weather.together} sockets were open at one time"
            self._weather.together = 0
        self._doubts += self._weather.refused_setups
        self._weather.refused_setups = 0
        for record in [each for each in self._simulator.connections if each.number > self._known]:
            before = self._seen[-1] if self._seen else None
            if before is not None:
                yield from self._overlap(before, record)
                self._end(before, answered)
            yield from self._begin(record, before, wedged=wedged)
            self._seen.append(record)
            self._known = record.number
        del self._seen[:-1]
        for record in self._seen:
            self._take_handles(record)

    def _storms(self) -> Iterator[str]:
        upgrades = self._weather.upgrades
        for first, last in zip(upgrades, upgrades[_MOST_A_MINUTE:], strict=False):
            if last - first < _MINUTE_S * _TOLERANCE:
                minutes = (last - first) * SPEED
                yield f"{_MOST_A_MINUTE + 1} connections in {minutes:.0f} s of the core's time"
        del upgrades[:-_MOST_A_MINUTE]

    def stormy(self) -> bool:
        """Whether there may be no other connection for now, unless somebody presses."""
        upgrades = self._weather.upgrades[-_UNASKED_A_MINUTE:]
        full = len(upgrades) == _UNASKED_A_MINUTE
        return full and time.monotonic() - upgrades[0] < _MINUTE_S

    def held(self) -> bool:
        """Whether the server holds a connection for alive that is not: nothing can be resumed."""
        return any(
            record.number in self._weather.deaf and record.closed_at is None
            for record in self._simulator.connections
        )

    def _overlap(self, before: ConnectionRecord, after: ConnectionRecord) -> Iterator[str]:
        if before.number in self._weather.deaf:
            return
        if before.closed_at is None or before.closed_at > after.opened_at:
            yield f"connection {before.number} was open when {after.number} began"

    def _begin(
        self, record: ConnectionRecord, before: ConnectionRecord | None, *, wedged: bool
    ) -> Iterator[str]:
        presented = _presented(record)
        if presented is not None and presented not in self._handles:
            yield f"connection {record.number} presented a handle that was never issued"
        if presented is not None and presented != self._newest_handle:
            self.older_handles += 1
            if before is not None and self._must_have_arrived(before):
                yield f"connection {record.number} presented an older handle"
        if record.setup is None or not record.ready:
            return
        if presented is not None:
            self.resumed += 1
            if self._must_be_fresh is not None:
                yield f"connection {record.number} was resumed in spite of: {self._must_be_fresh}"
            self._doubts = 0
        else:
            why = self._explanation(record.opened_at, wedged=wedged)
            self.fresh[why or "unexplained"] += 1
            if why is None:
                yield f"connection {record.number} is fresh, and nothing explains it"
            self._strikes = self._doubts = 0
        self._refused = None
        self._resisted_at = None
        self._must_be_fresh = None

    def _must_have_arrived(self, record: ConnectionRecord) -> bool:
        """Whether all handles issued on ``record`` have: its end was not abrupt."""
        return (
            record.close_code not in {_ABNORMAL, None}
            and record.closed_by == "server"
            and record.number not in self._weather.mute
        )

    def _explanation(self, now: float, *, wedged: bool) -> str | None:
        resisted_s = 0.0 if self._resisted_at is None else now - self._resisted_at
        reasons = (
            (self._must_be_fresh is not None, self._must_be_fresh),
            (self._refused is not None, self._refused),
            (self._newest_handle is None, "no handle yet"),
            (self._strikes >= 2, "closed twice soon after resuming"),
            (self._doubts >= 2, "setup refused twice"),
            (resisted_s >= _RESUME_PATIENCE_S * _TOLERANCE, "resuming failed for too long"),
            (wedged, "only ever interrupted"),
        )
        return next((why for applies, why in reasons if applies), None)

    def _end(self, record: ConnectionRecord, answered: set[int]) -> None:
        self._take_handles(record)
        presented = _presented(record) is not None
        closed_at = record.closed_at or record.opened_at
        failure = classify(record.close_code or _ABNORMAL, record.close_reason)
        by_server = record.closed_by == "server" and record.close_code != _ABNORMAL
        if record.number in answered or closed_at - record.opened_at >= _STABLE_S:
            self._strikes = 0
        if by_server and failure.kind is FailureKind.HANDLE:
            self._refused = "session not found, while open" if record.ready else "handle refused"
        if not by_server or not presented:
            return
        if record.ready:
            self._strikes += 1
        elif failure.kind is FailureKind.SETUP:
            self._doubts += 1
        elif failure.kind is FailureKind.SERVER:
            self._resisted_at = self._resisted_at or closed_at

    def _take_handles(self, record: ConnectionRecord) -> None:
        if record.handles:
            self._newest_handle = record.handles[-1]
            self._handles.update(record.handles)


def _presented(record: ConnectionRecord) -> str | None:
    setup: dict[str, Any] = record.setup or {}
    resumption = setup.get("sessionResumption") or setup.get("session_resumption") or {}
    handle = resumption.get("handle")
    return str(handle) if handle else None
