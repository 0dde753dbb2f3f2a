"""What making the earcons costs, which the daemon does when it starts."""

from __future__ import annotations

import time

from speakerd.audio.earcons import Earcon, render
from tests.bench.report import Figure, Section

_TIMES = 20


def making() -> Section:
    """Make all of them, at another volume each time: what has been made is kept."""
    took_ms = []
    for volume_percent in range(1, _TIMES + 1):
        began = time.thread_time()
        for earcon in Earcon:
            render(earcon, volume_percent)
        took_ms.append(1000 * (time.thread_time() - began))
    return Section("Earcons", [Figure(f"all {len(Earcon)} made: CPU", "ms", took_ms)])
