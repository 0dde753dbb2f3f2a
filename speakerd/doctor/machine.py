"""The machine: its disk, its memory, its power supply, its temperature."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.doctor.account import who_runs
from speakerd.doctor.findings import ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

AREA = "machine"
STATE = "state"
POWER = "power"

#: systemd's StateDirectory= of the unit.
STATE_DIRECTORY = "/var/lib/speakerd"
_LEAST_DISK_BYTES = 20_000_000
_LEAST_FILES = 100
_LEAST_MEMORY_KB = 64_000
_HOT_C = 80  # from here on a Raspberry Pi slows down ("Frequency management and thermal control")

#: The bits of get_throttled (Raspberry Pi documentation, "vcgencmd"); 16 higher: since the start.
_SINCE_START = 16
_THROTTLED = {
    0: ("the voltage is too low", "use the power supply made for this board, and a short cable"),
    1: ("the processor is slowed down for lack of power", "use a stronger power supply"),
    2: ("the processor is throttled", "see to its power supply, and to its cooling"),
    3: ("the processor is slowed down because it is hot", "let air to it, or add a heat sink"),
}


def check(system: System) -> Iterator[Finding]:
    """What a speaker can suffer from without any fault of its own."""
    yield ok(AREA, board(system) or "not a Raspberry Pi")
    yield from _state(system)
    yield from _memory(system)
    yield from _power(system)
    yield from _temperature(system)


CHECKS = (check,)


def board(system: System) -> str:
    """The model of the board, as its firmware tells it; empty on a machine that has none."""
    return _text(system, "proc/device-tree/model").rstrip("\0").strip()


def _text(system: System, path: str) -> str:
    """The file ``path`` below the root; empty where it cannot be read."""
    try:
        return (system.root / path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# --- where the conversation is kept


def _state(system: System) -> Iterator[Finding]:
    chosen = system.loaded.settings.state_directory if system.loaded is not None else None
    shown = str(chosen or STATE_DIRECTORY)
    path = system.root / shown.lstrip("/")
    forgets = "nothing new outlasts a restart"
    try:
        status = path.stat()
    except FileNotFoundError:
        if chosen is not None:
            what = f"there is no {shown}: {forgets}"
            yield warn(STATE, what, f"sudo install -d -m 0700 -o speakerd -g speakerd {shown}")
        return
    except OSError as error:
        yield warn(STATE, f"{shown}: {error.strerror}", "sudo speakerd doctor")
        return
    account = who_runs(system)
    if _is_read_only(system, shown):
        what = f"{shown} is on a file system that cannot be written: {forgets}"
        yield warn(STATE, what, f"sudo mount -o remount,rw {_mount_of(system, shown)[0]}")
    elif account.service and not account.may_use(status):
        what = f"user {account.name} may not write {shown}: {forgets}"
        yield warn(STATE, what, f"sudo chown -R {account.name}: {shown}")
    else:
        yield from _disk(system, path, shown)


def _disk(system: System, path: Path, shown: str) -> Iterator[Finding]:
    ran = system.run(("df", "-B1", "--output=avail,itotal,iavail", str(path)))
    numbers = ran.output.splitlines()[-1].split() if ran.status == 0 and ran.output else []
    if len(numbers) != 3 or not numbers[0].isdigit():
        yield ok(STATE, f"{shown} can be written")
        return
    free_bytes, (files, free_files) = int(numbers[0]), numbers[1:]
    is_counted = files not in {"-", "0"} and free_files.isdigit()  # vfat, btrfs: no limit
    if free_bytes < _LEAST_DISK_BYTES or (is_counted and int(free_files) < _LEAST_FILES):
        what = f"the disk is full: {free_bytes // 1_000_000} MB are left for {shown}"
        yield warn(STATE, what, "sudo journalctl --vacuum-size=50M && sudo apt clean")
    else:
        yield ok(STATE, f"{shown} can be written, {free_bytes // 1_000_000} MB are free")


def _is_read_only(system: System, path: str) -> bool:
    return "ro" in _mount_of(system, path)[1]


def _mount_of(system: System, path: str) -> tuple[str, list[str]]:
    """Where the file system of ``path`` is mounted, and with which options (proc(5))."""
    found: tuple[str, list[str]] = ("/", [])
    for line in _text(system, "proc/mounts").splitlines():
        columns = line.split()
        holds_it = len(columns) >= 4 and Path(path).is_relative_to(columns[1])
        if holds_it and len(columns[1]) >= len(found[0]):  # of two at one place the later is seen
            found = columns[1], columns[3].split(",")
    return found


# --- what it runs on


def _memory(system: System) -> Iterator[Finding]:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(system, "proc/meminfo"), re.MULTILINE)
    if found is None:
        return
    free_kb = int(found[1])
    if free_kb < _LEAST_MEMORY_KB:
        what = f"only {free_kb // 1000} MB of memory are free"
        yield warn(AREA, what, "end what else runs here; see: ps aux --sort=-rss | head")
    else:
        yield ok(AREA, f"{free_kb // 1000} MB of memory are free")


def _power(system: System) -> Iterator[Finding]:
    flags = _throttled(system)
    if flags is None:
        return
    for bit, (what, remedy) in _THROTTLED.items():
        if flags & 1 << bit:
            yield warn(POWER, f"{what}, now", remedy)
        elif flags & 1 << bit + _SINCE_START:
            yield warn(POWER, f"{what} at times, since the machine was started", remedy)
    if not flags:
        yield ok(POWER, "voltage and speed have been right since the machine was started")


def _throttled(system: System) -> int | None:
    """The flags; None on a machine that has none."""
    ran = system.run(("vcgencmd", "get_throttled"))
    if ran.output.startswith("throttled="):
        text = ran.output.removeprefix("throttled=")
    else:  # for who may not ask the firmware
        text = _text(system, "sys/devices/platform/soc/soc:firmware/get_throttled")
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None


def _temperature(system: System) -> Iterator[Finding]:
    text = _text(system, "sys/class/thermal/thermal_zone0/temp").strip()
    if text.isdigit() and (degrees := int(text) / 1000) >= _HOT_C:
        what = f"the processor has {degrees:.0f} °C and slows down"
        yield warn(AREA, what, "let air to it, or add a heat sink")
