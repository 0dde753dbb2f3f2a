"""What can ring: timers, alarms and reminders, and when each of them is due.

One by duration is due at a time of the core's clock: whatever happens to the clock on the wall, it
rings after so long. One by the clock on the wall is due when that shows its date and time, in
whatever zone it is then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

#: More than a week of days: one of them is among any weekdays.
_DAYS_TO_LOOK_AT = 8


def printable(name: str) -> str:
    """``name`` in one line, without what moves a cursor: a model, or a file, has made it up."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock on the wall, as it was read last."""

    ahead_s: float  # so much it is ahead of the core's clock; what it shows is Unix time
    zone: tzinfo

    def unix_s(self, at: float) -> float:
        """What it shows at ``at``, a time of the core's clock."""
        return at + self.ahead_s

    def local(self, at: float) -> datetime:
        """The same as date and time of day, without the zone."""
        return datetime.fromtimestamp(self.unix_s(at), self.zone).replace(tzinfo=None)

    def at(self, local: datetime) -> float:
        """When it shows ``local``, as a time of the core's clock.

        The first of two, where clocks are turned back. Where they are turned forward over it, as
        long after the turn as it would have been without (PEP 495).
        """
        return local.replace(tzinfo=self.zone).timestamp() - self.ahead_s


@dataclass(frozen=True, slots=True)
class Timer:
    """One of them. ``local``, or else ``due_unix_s``, or else ``due_at`` says when it is due."""

    number: int  # from 1 on: what it is changed and cancelled by
    name: str = ""  # what it is called, or is to remind of
    reminds: bool = False  # its name is what it is there for
    due_at: float = 0.0  # by duration: a time of the core's clock
    due_unix_s: float | None = None  # by duration, from before the machine was started
    local: datetime | None = None  # by the clock on the wall: without a zone
    days: frozenset[int] = frozenset()  # on which it comes again: 0 is Monday; none: it does not

    @property
    def kind(self) -> str:
        """What people call it: ``reminder``, ``alarm`` or ``timer``."""
        if self.reminds:
            return "reminder"
        return "alarm" if self.local is not None else "timer"

    @property
    def by_clock(self) -> bool:
        """Whether the clock on the wall says when it is due."""
        return self.local is not None or self.due_unix_s is not None

    def due(self, clock: WallClock) -> float:
        """When, as a time of the core's clock."""
        if self.local is not None:
            return clock.at(self.local)
        if self.due_unix_s is not None:
            return self.due_unix_s - clock.ahead_s
        return self.due_at

    def following(self, shown: datetime) -> Timer | None:
        """What is left of it once it has rung, where the clock shows ``shown``; None: nothing.

        The next of its days is after the one it has rung for, also where the clock was put back.
        """
        if self.local is None or not self.days:
            return None
        return replace(self, local=next_on(self.days, self.local, max(shown, self.local)))


def next_on(days: frozenset[int], local: datetime, shown: datetime) -> datetime:
    """The time of day of ``local`` on the first of these ``days`` that is after ``shown``."""
    times = (
        datetime.combine(shown.date() + timedelta(days=ahead), local.time())
        for ahead in range(_DAYS_TO_LOOK_AT)
    )
    return next(at for at in times if at.weekday() in days and at > shown)


@dataclass(frozen=True, slots=True)
class Missed:
    """One that nobody has heard, or silenced; ``due_unix_s`` is when it was due."""

    name: str
    reminds: bool
    due_unix_s: float


@dataclass(frozen=True, slots=True)
class Pending:
    """One as it stands; ``due_unix_s`` is when it is due, to a tenth of a second."""

    timer: Timer
    due_unix_s: float
    rings: bool = False
