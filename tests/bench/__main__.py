"""``python -m tests.bench``: measure everything, or some of it, and print the tables."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from speakerd.demo.soundcard import DAC_RATE_HZ, StandInCard
from speakerd.errors import SpeakerdError
from speakerd.simulator import Pacing, SimulatorOptions
from speakerd.simulator.audio import write_wav
from tests.bench import (
    cost,
    earcons,
    growth,
    idle,
    instructions,
    latency,
    light,
    outage,
    recording,
    report,
    robustness,
    start,
)
from tests.bench.contenders import FRAMEWORKS, INTERPRETERS, NAMES, prepare
from tests.bench.rig import noise
from tests.bench.stages import on_stage
from tests.bench.turns import REPLY_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.contenders import Stage

T = TypeVar("T")

#: What ``--only`` chooses from. The first five compare, the others are speakerd's own.
PARTS = (
    *("latency", "cost", "start", "idle", "robustness"),
    *("growth", "outage", "light", "earcons", "instructions"),
)
_WITHOUT_CARD = {"light", "earcons", "instructions"}
_ROUNDS = 3
_TURNS = 3
_GROWN_TURNS = 1000
_SPOKEN_S = 60
#: The server thinks for a shorter time than a real one, because nobody waits for it here.
_TRANSCRIPTION_DELAY_S = 0.1
_FIRST_AUDIO_DELAY_S = 0.3


def main() -> int:
    """Run the bench; 69 when something it needs is missing or a program does not behave."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--turns", type=_count, default=_TURNS, help="turns in a round")
    parser.add_argument("--rounds", type=_count, default=_ROUNDS, help="everybody has in each")
    parser.add_argument("--grown", type=_count, default=_GROWN_TURNS, help="turns of growth")
    parser.add_argument("--spoken", type=_count, default=_SPOKEN_S, help="seconds into an outage")
    parser.add_argument("--only", type=_parts, default=PARTS, help=f"of {','.join(PARTS)}")
    parser.add_argument("--peers", type=_peers, default=(), help=f"of {','.join(FRAMEWORKS)}, too")
    parser.add_argument("--save", type=Path, metavar="FILE", help="all values, as JSON")
    args = parser.parse_args()
    names = (*NAMES, *args.peers)
    bench = _Bench(names, args.rounds, args.turns, args.grown, args.spoken)
    try:
        compared, own = bench.measure(args.only)
    except SpeakerdError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    heading = _heading()
    if args.save is not None:
        args.save.write_text(report.saved(heading, compared, own))
    print(*heading, sep="\n")
    if compared:
        print("", *report.comparison(compared, names), sep="\n")
    if own:
        print("", *report.table(own), sep="\n")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := [part for part in chosen if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}, only {', '.join(PARTS)}")
    return chosen


def _peers(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    for name in chosen:
        if name not in INTERPRETERS:
            raise argparse.ArgumentTypeError(f"no {name!r}, only {', '.join(INTERPRETERS)}")
        if not INTERPRETERS[name].exists():
            raise argparse.ArgumentTypeError(f"{name} is not installed: `make bench-peers` does it")
    return chosen


def _heading() -> list[str]:
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return [
        f"speakerd on {interpreter}, {machine}, load {os.getloadavg()[0]:.1f}",
        f"{time.strftime('%Y-%m-%d')}; how it is measured: docs/benchmarks.md",
    ]


class _Bench:
    """One run: ``rounds`` of ``turns``, ``grown`` turns in one daemon, ``spoken_s`` offline."""

    def __init__(
        self, names: tuple[str, ...], rounds: int, turns: int, grown: int, spoken_s: int
    ) -> None:
        self._names = names
        self._rounds = rounds
        self._turns = turns
        self._grown = grown
        self._spoken_s = spoken_s
        self._compared: list[report.Comparison] = []
        self._own: list[report.Section] = []

    def measure(
        self, parts: tuple[str, ...]
    ) -> tuple[list[report.Comparison], list[report.Section]]:
        """What is compared, and what is speakerd's own."""
        if not _WITHOUT_CARD.issuperset(parts):
            with (
                tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory,
                StandInCard() as card,
            ):
                os.environ.update(card.environment())  # the card by itself is played from here
                theatre = _Theatre(Path(directory), card, self._names)
                self._compare(parts, theatre)
                self._endure(parts, theatre)
        if "light" in parts:
            _progress("the light")
            self._own.append(light.following())
        if "earcons" in parts:
            _progress("the earcons")
            self._own.append(earcons.making())
        if "instructions" in parts:
            _progress("instructions")
            self._own.append(instructions.counted())
        return self._compared, self._own

    def _compare(self, parts: tuple[str, ...], theatre: _Theatre) -> None:
        rounds, turns = self._rounds, self._turns
        _progress("nothing yet: speakerd makes its spoken notices")
        theatre.with_server(prepare)
        if "latency" in parts:
            self._latency(theatre)
        if "cost" in parts:
            _progress("cost")
            self._compared += theatre.with_server(lambda stage: cost.of_turns(stage, rounds, turns))
            self._compared.append(
                theatre.with_server(lambda stage: cost.with_deflate(stage, turns), deflate=True)
            )
        if "start" in parts:
            _progress("start")
            self._compared.append(theatre.with_server(lambda stage: start.starts(stage, rounds)))
        if "idle" in parts:
            _progress("idle")
            self._compared.append(theatre.with_server(idle.idling))

    def _endure(self, parts: tuple[str, ...], theatre: _Theatre) -> None:
        card, cache, directory = theatre.card, theatre.cache, theatre.directory
        if "robustness" in parts:
            compared, own = robustness.under_all_conditions(card, cache, _progress, self._names)
            self._compared += compared
            self._own += own
        if "growth" in parts:
            _progress(f"{self._grown} turns, and a long answer")
            self._own.append(growth.turns(card, cache, directory, self._grown))
            self._own.append(growth.long_answer(card, cache, directory))
        if "outage" in parts:
            _progress(f"{self._spoken_s} s spoken into an outage")
            self._own.append(outage.spoken_offline(card, cache, directory, self._spoken_s, times=1))

    def _latency(self, theatre: _Theatre) -> None:
        rounds, turns = self._rounds, self._turns
        _progress("the card by itself")
        card = recording.Card.measured(theatre.card)
        self._own.append(card.section())
        compared = self._compared
        _progress("turns in real time")
        compared.append(
            theatre.with_server(lambda stage: latency.in_real_time(stage, card, rounds, turns))
        )
        compared.append(
            theatre.with_server(lambda stage: latency.with_a_minimum_press(stage, rounds * turns))
        )
        _progress("turns in bursts, and barge-in")
        compared.append(
            theatre.with_server(
                lambda stage: latency.in_bursts(stage, card, rounds, turns), Pacing.BURST
            )
        )
        _progress("turns in jitter")
        compared.append(
            theatre.with_server(
                lambda stage: latency.in_jitter(stage, card, rounds, turns), Pacing.JITTER
            )
        )
        _progress("presses with the link down")
        compared.append(
            theatre.with_server(lambda stage: latency.with_the_link_down(stage, rounds * turns))
        )


class _Theatre:
    """The card, and servers as they are needed."""

    def __init__(self, directory: Path, card: StandInCard, names: tuple[str, ...]) -> None:
        self.card = card
        self._names = names
        self.directory = directory
        self.cache = directory / "cache"
        self._reply = directory / "reply.wav"
        write_wav(self._reply, noise(REPLY_S, DAC_RATE_HZ), DAC_RATE_HZ)

    def with_server(
        self,
        scenario: Callable[[Stage], T],
        pacing: Pacing = Pacing.REALTIME,
        *,
        deflate: bool = False,
    ) -> T:
        """The result of a scenario, which runs in a thread beside the simulator."""
        options = SimulatorOptions(
            reply=self._reply,
            pacing=pacing,
            deflate=deflate,
            transcription_delay_s=_TRANSCRIPTION_DELAY_S,
            first_audio_delay_s=_FIRST_AUDIO_DELAY_S,
            turn_complete_lag_s=None,
        )

        return on_stage(self.card, self.cache, options, scenario, self._names)


def _progress(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
