"""The foot switch or keypad: plugged in, with keys of those names, and allowed to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.dropins import KEYPAD
from speakerd.doctor.account import UNIT, device_nodes, who_runs
from speakerd.doctor.asking import ask, silent
from speakerd.doctor.findings import fail, ok, warn
from speakerd.errors import UnavailableError
from speakerd.panel import inputs
from speakerd.panel.keypad import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import DaemonPort, System

_AREA = "keypad"
#: What lets the unit read input devices.
DROPIN = KEYPAD.path
_APPLY = f"sudo speakerd-keypad --apply && sudo systemctl restart {UNIT}"


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
    dropin = system.root / DROPIN
    account = who_runs(system)
    if account.service and not (dropin.is_symlink() or dropin.exists()):
        what = f"the service may not read input devices: /{DROPIN} is missing"
        yield fail(_AREA, what, _APPLY)
    elif not account.service and found:
        yield from device_nodes(system, _AREA, found, "input")
    elif system.daemon is not None:
        yield _daemons(system.daemon)


CHECKS = (check,)


def _plugged_in(system: System, wanted: str, found: list[Path]) -> Finding:
    if not found:
        remedy = "plug it in; or set SPEAKERD_KEYPAD to a part of a name that speakerd-keypad lists"
        return warn(_AREA, f"no input device is {wanted}", remedy)
    paths = ", ".join(f"/{path.relative_to(system.root)}" for path in found)
    return ok(_AREA, f"{wanted} is {paths}")


def _daemons(daemon: DaemonPort) -> Finding:
    try:
        parts = ask(daemon, "status").get("parts")
    except UnavailableError as error:
        return silent(_AREA, error)
    word = str(parts.get(_AREA)) if isinstance(parts, dict) else "not told of"
    if word == "ready":
        return ok(_AREA, "the daemon listens to it")
    what, _, remedy = word.partition("; ")
    return warn(_AREA, f"the daemon has none: {what}", remedy or f"sudo systemctl restart {UNIT}")
