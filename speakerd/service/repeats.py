"""The same trouble is not told a thousand times: repeated lines of the log are counted."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter

#: How many different lines are counted at the same time.
_MOST_LINES = 100
#: As much of a line as makes it another one.
_MOST_LETTERS = 300
_DIGITS = re.compile(r"\d+")
#: Each of these is news: there are not more of them than people who speak.
_ALWAYS_TOLD = frozenset({"turn", "transcript", "reload"})


class Repeats(logging.Filter):
    """Lets a line pass the 1st, 2nd, 4th, 8th ... time; :meth:`forget` makes all of them news.

    A record gets the attribute ``times``: how often its line was said. A line of speakerd's is
    the same where its level and its text are; one of a library's where nothing differs but what
    the library has put into its text, or a number. May be called in any thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._times: Counter[tuple[str, int, str]] = Counter()

    def forget(self) -> None:
        """What is said from now on is news."""
        with self._lock:
            self._times.clear()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is to be told."""
        if getattr(record, "speakerd", {}).get("event") in _ALWAYS_TOLD:
            return True
        key = (record.name, record.levelno, _what(record))
        with self._lock:
            if key not in self._times and len(self._times) >= _MOST_LINES:
                self._times.clear()
            self._times[key] += 1
            times = self._times[key]
        record.times = times
        return times & (times - 1) == 0  # a power of two


def _what(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] == "speakerd":
        return f"{record.msg} {record.args!r}"[:_MOST_LETTERS]
    return _DIGITS.sub("#", str(record.msg)[:_MOST_LETTERS])
