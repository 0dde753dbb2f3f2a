"""From exec to READY, to the first press that counts, and to the connection."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from speakerd.errors import UnavailableError
from tests.bench import process
from tests.bench.contenders import (
    BARE,
    FLOOR,
    LIVEKIT,
    PIPECAT,
    SPEAKERD,
    Daemon,
    interpreter,
    running,
)
from tests.bench.latency import AT_ONCE
from tests.bench.report import Comparison, Row
from tests.bench.rig import sleep_until
from tests.bench.turns import HELD_S, ms, newest_number, reply_to

if TYPE_CHECKING:
    from tests.bench.contenders import Stage

#: What each has to import: all of speakerd's before READY, the button's thread included.
IMPORTS = {
    SPEAKERD: "speakerd.cli, speakerd.daemon, speakerd.config.settings, gpiozero.pins.mock",
    BARE: "asyncio, alsaaudio, google.genai, gpiozero.pins.mock",
    FLOOR: "asyncio, alsaaudio, gpiozero.pins.mock, websockets.asyncio.client, json, base64",
    PIPECAT: "alsaaudio, gpiozero.pins.mock, pipecat.services.google.gemini_live.llm,"
    " pipecat.pipeline.worker, pipecat.transports.base_output, pipecat.workers.runner",
    LIVEKIT: "alsaaudio, gpiozero.pins.mock, livekit.agents, livekit.plugins.google",
}
_READY_TARGET = "≤ 1.2 of its imports"


def starts(stage: Stage, times: int) -> Comparison:
    """Start everybody ``times``: left alone, and with the button pressed as soon as can be."""
    imports = Row("the interpreter alone, with all of its imports")
    ready = Row("exec -> READY", target=_READY_TARGET)
    connected = Row("exec -> connected")
    counts = Row("exec -> first press that counts")
    heard = Row("exec -> first audio of that press on the wire")
    rss = Row("RSS at READY", "MiB")
    for name in stage.names:
        _imports_ms(name)  # the first one reads the files from the disk
    for _ in range(times):
        for name in stage.names:
            imports.add(name, _imports_ms(name))
            with running(name, stage) as started:
                if isinstance(started, Daemon):
                    ready.add(name, 1000 * started.process.ready_s)
                    rss.add(name, process.rss_mib(started.pid))
                connection = started.wait_for_connection()
                connected.add(name, ms(started.began_at, connection.ready_at))
            with running(name, stage, AT_ONCE, wait=False) as started:
                number = newest_number(stage) + 1
                started.press()
                line_at = started.wait_for_line()
                sleep_until(line_at + HELD_S)
                started.release()
                turn = reply_to(stage, number)
                counts.add(name, ms(started.began_at, line_at))
                heard.add(name, ms(started.began_at, turn.first_audio_at))
    return Comparison("Start", [imports, ready, connected, counts, heard, rss])


def _imports_ms(name: str) -> float:
    program = f"import {IMPORTS[name]}; import os; os._exit(0)"
    began = time.monotonic()
    command = (interpreter(name), "-c", program)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    ended = time.monotonic()
    if done.returncode:
        raise UnavailableError(f"{name} cannot import what it needs; it said:\n{done.stderr}")
    return 1000 * (ended - began)
