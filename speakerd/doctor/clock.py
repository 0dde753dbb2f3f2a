"""The clock: a wrong one makes every certificate invalid, and a Pi has no battery for it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from speakerd.doctor.findings import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

#: It cannot be earlier than this: this version did not exist yet.
RELEASED = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
#: ... and a card that is older than this is not what runs it.
_TOO_LATE = RELEASED.replace(year=RELEASED.year + 20)

_SYNCHRONISE = "sudo timedatectl set-ntp true"


def check(system: System) -> Iterator[Finding]:
    """Whether the time can be right, and whether somebody looks after it."""
    now = datetime.datetime.fromtimestamp(system.now(), datetime.UTC)
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    wrong = now < RELEASED or now > _TOO_LATE
    if wrong:
        what = f"it says {shown}: with that every certificate counts as invalid"
        yield fail("clock", what, f"{_SYNCHRONISE}, or sudo date -s 'YYYY-MM-DD HH:MM'")
    ran = system.run(("timedatectl", "show"))
    properties = dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line)
    if ran.status != 0 or "NTPSynchronized" not in properties:
        if not wrong:
            yield ok("clock", f"{shown}; whether it is synchronised cannot be found out here")
    elif properties["NTPSynchronized"] == "yes":
        if not wrong:
            yield ok("clock", f"{shown}, synchronised")
    elif properties.get("CanNTP") == "no":
        what = "nothing here sets it by the network: it is wrong after a power cut"
        yield warn("clock", what, "sudo apt install systemd-timesyncd")
    elif properties.get("NTP") == "no":
        yield warn("clock", "setting it by the network is switched off", _SYNCHRONISE)
    else:
        what = "it has not been set by the network yet"
        yield warn("clock", what, "wait a minute, then see: timedatectl timesync-status")


CHECKS = (check,)
