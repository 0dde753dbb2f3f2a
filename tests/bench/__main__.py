"""``python -m tests.bench``: measure everything once and print the table."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from speakerd.demo import speech
from speakerd.demo.soundcard import DAC_RATE_HZ, StandInCard
from speakerd.errors import SpeakerdError
from speakerd.simulator import Pacing, Simulator, SimulatorOptions
from speakerd.simulator.audio import write_wav
from tests.bench import earcons, idle, latency, light, report, start
from tests.bench.rig import noise

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_TURNS = 10
_REPLY_S = 3.0
#: The server thinks for a shorter time than a real one, because nobody waits for it here.
_TRANSCRIPTION_DELAY_S = 0.1
_FIRST_AUDIO_DELAY_S = 0.3


def main() -> int:
    """Run the bench; 69 when something it needs is missing or the daemon does not behave."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--turns", type=_count, default=_TURNS, help="turns per scenario")
    args = parser.parse_args()
    try:
        sections = _measure(args.turns)
    except SpeakerdError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(*_heading(), "", *report.table(sections), sep="\n")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number


def _heading() -> list[str]:
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return [
        f"speakerd on {interpreter}, {machine}, load {os.getloadavg()[0]:.1f}",
        f"{time.strftime('%Y-%m-%d')}; how it is measured: docs/benchmarks.md",
    ]


def _measure(turns: int) -> list[report.Section]:
    spoken = speech.load()
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory, StandInCard() as card:
        os.environ.update(card.environment())  # the bare drop() is played from here
        reply = Path(directory) / "reply.wav"
        write_wav(reply, noise(_REPLY_S, DAC_RATE_HZ), DAC_RATE_HZ)
        _progress("start")
        started, memory = _with_simulator(
            reply, Pacing.REALTIME, lambda server: start.starts(card, server, max(3, turns // 2))
        )
        _progress("turns in real time")
        steady = _with_simulator(
            reply,
            Pacing.REALTIME,
            lambda server: latency.in_real_time(card, server, turns, spoken),
        )
        _progress("turns in bursts, and barge-in")
        bursts, in_turn = _with_simulator(
            reply, Pacing.BURST, lambda server: latency.in_bursts(card, server, turns)
        )
        _progress("idle")
        idling = _with_simulator(reply, Pacing.REALTIME, lambda server: idle.idling(card, server))
    _progress("the light")
    shown = light.following()
    _progress("the earcons")
    made = earcons.making()
    held = report.Section(
        "Memory", [figure for one in (*memory, in_turn) for figure in one.figures()]
    )
    return [steady, bursts, shown, made, started, held, idling]


def _with_simulator(reply: Path, pacing: Pacing, scenario: Callable[[Simulator], T]) -> T:
    """The result of a scenario, which runs in a thread beside the simulator."""
    options = SimulatorOptions(
        reply=reply,
        pacing=pacing,
        transcription_delay_s=_TRANSCRIPTION_DELAY_S,
        first_audio_delay_s=_FIRST_AUDIO_DELAY_S,
    )

    async def run() -> T:
        async with Simulator(options) as simulator:
            return await asyncio.to_thread(scenario, simulator)

    return asyncio.run(run())


def _progress(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
