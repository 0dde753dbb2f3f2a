"""What a check has found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"  # it works, but not as well as it could
    FAIL = "FAIL"  # it does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    ``area`` is what it is about, in a word or two (``microphone``, ``clock``); ``what`` is what
    is so, in one line; ``remedy`` the exact command to type or line to write, empty only where
    nothing needs to be done. Raises ValueError for a fault without a remedy.
    """

    level: Level
    area: str
    what: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.remedy:
            raise ValueError(f"nobody can mend this: {self.area}: {self.what}")


def ok(area: str, what: str) -> Finding:
    """Nothing to be done."""
    return Finding(Level.OK, area, what)


def warn(area: str, what: str, remedy: str) -> Finding:
    """It works, but ``remedy`` would make it better."""
    return Finding(Level.WARN, area, what, remedy)


def fail(area: str, what: str, remedy: str) -> Finding:
    """It does not work before ``remedy``."""
    return Finding(Level.FAIL, area, what, remedy)
