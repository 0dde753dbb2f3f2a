"""From exec to READY and to the connection, beside what the interpreter needs for the imports."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.bench.memory import Memory
from tests.bench.report import Figure, Section
from tests.bench.rig import speaker

if TYPE_CHECKING:
    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import Simulator

#: All that `speakerd run` imports before READY, the button's thread included.
_IMPORTS = (
    "import speakerd.cli, speakerd.daemon, speakerd.config.settings, gpiozero.pins.mock; "
    "import os; os._exit(0)"
)
_SETTLED_S = 0.3  # after the connection stands, before its memory is looked at


def starts(card: StandInCard, simulator: Simulator, times: int) -> tuple[Section, list[Memory]]:
    """Start the daemon ``times``, and the bare imports in between."""
    ready: list[float] = []
    connected: list[float] = []
    imports: list[float] = []
    at_ready = Memory("at READY, before the SDK is loaded")
    linked = Memory("idle, link up")
    _imports_ms()  # the first one reads the files from the disk
    for _ in range(times):
        imports.append(_imports_ms())
        with speaker(card, simulator) as started:
            at_ready.look(started.pid)
            executed_at = time.monotonic() - started.ready_s
            started.wait_for_link("ready")
            ready.append(1000 * started.ready_s)
            connected.append(1000 * (time.monotonic() - executed_at))
            time.sleep(_SETTLED_S)
            linked.look(started.pid)
    return Section(
        "Start",
        [
            Figure("exec -> READY", "ms", ready),
            Figure("exec -> all that READY needs imported", "ms", imports),
            Figure("exec -> connected", "ms", connected),
        ],
    ), [at_ready, linked]


def _imports_ms() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return 1000 * (time.monotonic() - began)
