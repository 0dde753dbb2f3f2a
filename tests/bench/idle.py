"""What a daemon costs that nobody talks to: link up and down, pre-roll on and off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench import process
from tests.bench.report import Figure, Section
from tests.bench.rig import speaker

if TYPE_CHECKING:
    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import Simulator

_PREROLL_MS = 300
_SECONDS = 5  # each is one value
_SETTLED_S = 1.0  # after the link has come up or gone down
_LINGER_S = _SETTLED_S + _SECONDS + 1.0


def idling(card: StandInCard, simulator: Simulator) -> Section:
    """Watch it doing nothing in all four states."""
    figures: list[Figure] = []
    for preroll_ms in (_PREROLL_MS, 0):
        options = {"SPEAKERD_LINGER_S": f"{_LINGER_S:g}", "SPEAKERD_PREROLL_MS": str(preroll_ms)}
        with speaker(card, simulator, options) as idle:
            for state in ("ready", "down"):
                idle.wait_for_link(state)
                time.sleep(_SETTLED_S)
                name = f"pre-roll {preroll_ms} ms, link {'up' if state == 'ready' else 'down'}"
                figures += _watched(name, idle.pid)
    return Section("Idle, per second", figures)


def _watched(name: str, pid: int) -> list[Figure]:
    used: list[process.Counters] = []
    before = process.counters(pid)
    for _ in range(_SECONDS):
        time.sleep(1.0)
        now = process.counters(pid)
        used.append(now.since(before))
        before = now
    return process.figures(name, used)
