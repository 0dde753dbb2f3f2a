"""The foot switch or keypad: plugged in, with keys of those names, and allowed to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.dropins import KEYPAD
from speakerd.doctor.account import UNIT, device_nodes, who_runs
from speakerd.doctor.asking import told_of_part
from speakerd.doctor.findings import fail, ok, warn
from speakerd.panel import inputs
from speakerd.panel.keypad import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_AREA = "keypad"
_RESTART = f"sudo systemctl restart {UNIT}"
_APPLY = f"sudo speakerd-keypad --apply && {_RESTART}"


def check(system: System) -> Iterator[Finding]:
    """Nothing where none is configured."""
    settings = system.loaded.settings if system.loaded is not None else None
    if settings is None or not settings.keypad:
        return
    found = inputs.named(settings.keypad, system.root)
    yield _plugged_in(system, settings.keypad, found)
    for pair in settings.keypad_keys:
        try:
            code_of(pair.partition("=")[0])
        except ValueError as error:
            what, _, remedy = str(error).partition("; ")
            yield fail(_AREA, f"SPEAKERD_KEYPAD_KEYS: {what}", remedy)
    dropin = system.root / KEYPAD.path
    account = who_runs(system)
    if account.service and not (dropin.is_symlink() or dropin.exists()):
        what = f"the service may not read input devices: /{KEYPAD.path} is missing"
        yield fail(_AREA, what, _APPLY)
    elif not account.service and found:
        yield from device_nodes(system, _AREA, found, "input")
    elif system.daemon is not None:
        yield told_of_part(
            system.daemon,
            _AREA,
            well="the daemon listens to it",
            ill="the daemon has none",
            remedy=_RESTART,
        )


CHECKS = (check,)


def _plugged_in(system: System, wanted: str, found: list[Path]) -> Finding:
    if not found:
        remedy = "plug it in; or set SPEAKERD_KEYPAD to a part of a name that speakerd-keypad lists"
        return warn(_AREA, f"no input device is {wanted}", remedy)
    paths = ", ".join(f"/{path.relative_to(system.root)}" for path in found)
    return ok(_AREA, f"{wanted} is {paths}")
