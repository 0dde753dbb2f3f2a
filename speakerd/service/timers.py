"""The timers that survive a restart and a reboot, in the state directory."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.conversation.events import TimersKept
from speakerd.conversation.timer import Missed, Timer, printable
from speakerd.service import files

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

FILE_NAME = "timers.json"
#: Longer than the names of all that can be set.
_MOST_BYTES = 256 * 1024
#: No clock shows a time beyond that: the year 2242, in Unix time.
_LAST_S = 2**33
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one after every boot (random(4))."""
    return _BOOT_ID.read_text().strip()


class TimersStore:
    """Keeps timers in ``directory``, or not at all where that is None. Never raises.

    The core's clock begins anew at every boot: what is due by it is kept by the clock on the wall
    as well, and goes by that after another ``boot``. The file has mode 0600: names are private.
    """

    def __init__(self, directory: Path | None, boot: Callable[[], str] = boot_id) -> None:
        self._path = directory / FILE_NAME if directory is not None else None
        self._boot = boot
        self._complained = False

    def load(self) -> TimersKept | None:
        """Those that were saved last; None where there are none, or none that can be read."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                content = json.loads(file.read(_MOST_BYTES))  # cut off, it is no JSON
            kept = _decoded(content, self._boot())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not speakerd's"
            _log.warning("%s is ignored, its timers are lost: %s", self._path, reason)
            return None
        return kept if kept.timers or kept.missed else None

    def saving(
        self, timers: tuple[Timer, ...], missed: tuple[Missed, ...], ahead_s: float
    ) -> Callable[[], None]:
        """What is returned writes them, in any thread.

        The clock on the wall is ``ahead_s`` ahead of the core's.
        """
        return lambda: self._write(timers, missed, ahead_s)

    def _write(self, timers: tuple[Timer, ...], missed: tuple[Missed, ...], ahead_s: float) -> None:
        if self._path is None:
            return
        try:
            content = {
                "timers": [_encoded(timer, self._boot(), ahead_s) for timer in timers],
                "missed": [[each.name, each.reminds, each.due_unix_s] for each in missed],
            }
            files.replace(self._path, json.dumps(content))
        except OSError as error:
            if not self._complained:
                _log.warning(
                    "%s cannot be written, a restart will not know of timers that were set: %s",
                    self._path,
                    error.strerror,
                )
            self._complained = True
        else:
            self._complained = False


def _encoded(timer: Timer, boot: str, ahead_s: float) -> dict[str, object]:
    kept: dict[str, object] = {
        "number": timer.number,
        "name": timer.name,
        "reminds": timer.reminds,
    }
    if timer.local is not None:
        return kept | {"local": timer.local.isoformat(), "days": sorted(timer.days)}
    if timer.due_unix_s is not None:
        return kept | {"due_unix_s": timer.due_unix_s}
    return kept | {"boot": boot, "due_at": timer.due_at, "due_unix_s": timer.due_at + ahead_s}


def _decoded(content: Any, boot: str) -> TimersKept:  # noqa: ANN401 - whatever JSON can hold
    timers = tuple(_timer(each, boot) for each in content["timers"])
    missed = tuple(
        Missed(printable(str(name)), bool(reminds), _time(due))
        for name, reminds, due in content["missed"]
    )
    return TimersKept(timers, missed)


def _timer(kept: Any, boot: str) -> Timer:  # noqa: ANN401 - whatever JSON can hold
    timer = Timer(int(kept["number"]), printable(str(kept["name"])), bool(kept["reminds"]))
    if "local" in kept:
        local = datetime.fromisoformat(kept["local"]).replace(tzinfo=None)
        _time(local.replace(tzinfo=UTC).timestamp())
        days = frozenset(int(day) for day in kept["days"])
        if not days <= frozenset(range(7)):
            raise ValueError("there are seven days")
        return replace(timer, local=local, days=days)
    if kept.get("boot") == boot:
        return replace(timer, due_at=_time(kept["due_at"]))
    return replace(timer, due_unix_s=_time(kept["due_unix_s"]))


def _time(kept: Any) -> float:  # noqa: ANN401 - whatever JSON can hold
    """Seconds, by any clock. Raises ValueError where none can show that; JSON has NaN, too."""
    seconds = float(kept)
    if not 0 <= seconds <= _LAST_S:
        raise ValueError("that is no time")
    return seconds
