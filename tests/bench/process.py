"""What the kernel says a process costs (proc(5)); Linux only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

#: The thread that ALSA's ``pulse`` plugin starts in whoever opens one of its PCMs.
_PLUGIN_THREAD = "threaded-ml"
_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Counters:
    """What a process has used since it began. A thread that has ended counts only for ``cpu_s``."""

    at: float  # time.monotonic()
    cpu_s: float
    wakeups: int  # voluntary context switches: each is a sleep that ended
    plugin_wakeups: int  # those of them in the sound plugin's thread
    switches: int  # all context switches


def counters(pid: int) -> Counters:
    """The counters of process ``pid`` now."""
    voluntary = plugin = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            status = _fields(task / "status")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        own = int(status["voluntary_ctxt_switches"])
        voluntary += own
        switches += own + int(status["nonvoluntary_ctxt_switches"])
        if status["Name"] == _PLUGIN_THREAD:
            plugin += own
    return Counters(time.monotonic(), cpu_s(pid), voluntary, plugin, switches)


def cpu_s(pid: int) -> float:
    """The CPU time of all threads, to the nanosecond: the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_mib(pid: int) -> float:
    """What it holds in memory, shared pages included. Costs the process nothing."""
    return _mib(_fields(Path(f"/proc/{pid}/status"))["VmRSS"])


def pss_mib(pid: int) -> float:
    """The same with shared pages divided among their users. Holds the process up for about 1 ms."""
    return _mib(_fields(Path(f"/proc/{pid}/smaps_rollup"))["Pss"])


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _mib(text: str) -> float:
    return int(text.removesuffix("kB")) / _KIB_PER_MIB
