"""Memory at one moment of a daemon's life, looked at in several daemons or turns."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench import process
from tests.bench.report import Figure


@dataclass(frozen=True, slots=True)
class Memory:
    """What was held ``when``."""

    when: str
    rss_mib: list[float] = field(default_factory=list)
    pss_mib: list[float] = field(default_factory=list)

    def look(self, pid: int) -> None:
        """Note what process ``pid`` holds now."""
        self.rss_mib.append(process.rss_mib(pid))
        self.pss_mib.append(process.pss_mib(pid))

    def figures(self) -> list[Figure]:
        """Both as rows of the table."""
        return [
            Figure(f"RSS, {self.when}", "MiB", self.rss_mib),
            Figure(f"PSS, {self.when}", "MiB", self.pss_mib),
        ]
