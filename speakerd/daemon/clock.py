"""The clock on the wall of this machine, which is put now and then, and its time zone."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config.instruction import time_zone
from speakerd.conversation import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

#: A difference that nobody has to be told of.
_EXACT_S = 0.5


class LocalClock:
    """Tells ``tell`` when the clock was put, as soon as somebody looks at it.

    ``unix()`` and ``monotonic()`` are the clocks, in seconds; the zone is that of ``root``.
    """

    def __init__(
        self,
        tell: Callable[[ev.Event], object],
        *,
        unix: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        root: Path = Path("/"),
    ) -> None:
        self._tell = tell
        self._unix = unix
        self._monotonic = monotonic
        self._root = root
        self._told: tuple[float, str] | None = None  # how far ahead, and the zone's name
        self._zone: tzinfo = UTC

    @property
    def ahead_s(self) -> float:
        """By how much it is ahead of the core's clock."""
        return self._unix() - self._monotonic()

    def now(self) -> datetime:
        """What it shows."""
        self.look()
        return datetime.fromtimestamp(self._unix(), self._zone)

    def look(self) -> None:
        """Tell what it shows, if that is news."""
        name, ahead_s = time_zone(self._root, os.environ.get("TZ", "")), self.ahead_s
        if self._told is not None:
            before_s, zone = self._told
            if zone == name and abs(ahead_s - before_s) < _EXACT_S:
                return
        if self._told is None or self._told[1] != name:
            self._zone = _zone_of(name, self._root, chosen=bool(os.environ.get("TZ")))
        self._told = ahead_s, name
        self._tell(ev.ClockRead(self._unix(), self._zone))

    def look_again(self) -> None:
        """The same, where somebody has looked before."""
        if self._told is not None:
            self.look()


def _zone_of(name: str, root: Path, *, chosen: bool) -> tzinfo:
    """The zone in etc/localtime, which may be a copy without a name, or the one of that name.

    The latter comes first where ``TZ`` has ``chosen`` it. UTC, where there is neither.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few have a timer at the start

    def kept() -> tzinfo:
        with (root / "etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file, key=name)

    def named() -> tzinfo:
        return ZoneInfo(name)

    for zone in (named, kept) if chosen else (kept, named):
        with contextlib.suppress(LookupError, ValueError, OSError):
            return zone()
    return UTC
