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
#: Where systemd looks for the programs of a service (systemd.exec(5)).
FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin")


def check(system: System) -> Iterator[Finding]:
    """Nothing where it is not wanted.

    The program is looked for and not run: it would leave folders in the home of who does that.
    """
    settings = system.loaded.settings if system.loaded is not None else None
    if settings is None or not (settings.prompts and settings.earcon_volume):
        return
    places = (f"{folder}/espeak-ng" for folder in FOLDERS)
    found = next((place for place in places if (system.root / place).is_file()), None)
    if found is not None:
        yield ok(_AREA, f"failures are told in words, by /{found}")
    else:
        yield warn(_AREA, "espeak-ng is not there: failures are not told in words", REMEDY)


CHECKS = (check,)
