"""What the kernel says a process costs (proc(5)); Linux only.

The stand-in card is reached through ALSA's ``pulse`` plugin, which starts threads of its own in
the process. They are a sound server's client and nothing of speakerd's: with a real card they are
not there, therefore they are told apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLUGIN_THREAD = "threaded-ml"
_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Counters:
    """What a process has used since it began, or in between.

    Of a thread that has ended, only ``cpu_s`` still knows.
    """

    cpu_s: float
    plugin_cpu_s: float  # the part of it in the plugin's threads
    wakeups: int  # voluntary context switches: each is a sleep that ended
    plugin_wakeups: int
    switches: int  # all context switches

    def since(self, before: Counters) -> Counters:
        """What has been used since ``before``."""
        return Counters(
            self.cpu_s - before.cpu_s,
            self.plugin_cpu_s - before.plugin_cpu_s,
            self.wakeups - before.wakeups,
            self.plugin_wakeups - before.plugin_wakeups,
            self.switches - before.switches,
        )


def counters(pid: int) -> Counters:
    """The counters of process ``pid`` now."""
    wakeups = switches = plugin_wakeups = plugin_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            status = _fields(task / "status")
            own_ns = int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        own = int(status["voluntary_ctxt_switches"])
        wakeups += own
        switches += own + int(status["nonvoluntary_ctxt_switches"])
        if status["Name"] == _PLUGIN_THREAD:
            plugin_wakeups += own
            plugin_ns += own_ns
    return Counters(_cpu_s(pid), plugin_ns / 1e9, wakeups, plugin_wakeups, switches)


def threads(pid: int) -> set[int]:
    """The threads of process ``pid`` now."""
    return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}


def wakeups(pid: int, threads: Iterable[int]) -> int:
    """How often these threads of process ``pid``, which run on, have been woken so far."""
    tasks = (Path(f"/proc/{pid}/task/{thread}/status") for thread in threads)
    return sum(int(_fields(task)["voluntary_ctxt_switches"]) for task in tasks)


class Rows:
    """What was used of a process, again and again, as rows of the table.

    The targets are for what is left without the card's plugin.
    """

    def __init__(self, what: str, cpu_target: str = "", wakeups_target: str = "") -> None:
        self._cpu = Row(f"{what}: CPU", "ms")
        self._own_cpu = Row("  less the card's plugin", "ms", cpu_target)
        self._wakeups = Row(f"{what}: wake-ups", "")
        self._own_wakeups = Row("  less the card's plugin", "", wakeups_target)
        self._switches = Row(f"{what}: context switches", "")

    def add(self, program: str, used: Counters) -> None:
        """What ``program`` has used, from :meth:`Counters.since`."""
        self._cpu.add(program, 1000 * used.cpu_s)
        self._own_cpu.add(program, 1000 * (used.cpu_s - used.plugin_cpu_s))
        self._wakeups.add(program, used.wakeups)
        self._own_wakeups.add(program, used.wakeups - used.plugin_wakeups)
        self._switches.add(program, used.switches)

    def all(self) -> list[Row]:
        """In the order of the table."""
        return [self._cpu, self._own_cpu, self._wakeups, self._own_wakeups, self._switches]


def _cpu_s(pid: int) -> float:
    """The CPU time of all threads, to the nanosecond: the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_mib(pid: int) -> float:
    """What it holds in memory, shared pages included. Costs the process nothing."""
    return _mib(_fields(Path(f"/proc/{pid}/status"))["VmRSS"])


def pss_mib(pid: int) -> float:
    """The same with shared pages divided among their users. Holds the process up a little."""
    return _mib(_fields(Path(f"/proc/{pid}/smaps_rollup"))["Pss"])


def peak_rss_mib(pid: int) -> float:
    """The most it has ever held in memory, shared pages included."""
    return _mib(_fields(Path(f"/proc/{pid}/status"))["VmHWM"])


def descriptors(pid: int) -> int:
    """How many files, sockets and the like it has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _mib(text: str) -> float:
    return int(text.removesuffix("kB")) / _KIB_PER_MIB
