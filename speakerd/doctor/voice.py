"""The speaker's own voice: whether failures can be told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.audio.espeak import REMEDY
from speakerd.doctor.findings import ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_AREA = "voice"


def check(system: System) -> Iterator[Finding]:
    """Nothing where it is not wanted."""
    settings = system.loaded.settings if system.loaded is not None else None
    if settings is None or not (settings.prompts and settings.earcon_volume):
        return
    ran = system.run(["espeak-ng", "--version"])
    if ran.status == 0:
        yield ok(_AREA, ran.output)
    elif ran.status is None:
        yield warn(_AREA, "espeak-ng is not there: failures are not told in words", REMEDY)
    else:
        what = f"espeak-ng fails ({ran.status}): failures are not told in words: {ran.output}"
        yield warn(_AREA, what, "sudo apt install --reinstall espeak-ng espeak-ng-data")


CHECKS = (check,)
