"""``python -m tests.soak``: a thousand turns with a fault in every third, and the tally."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from tests.soak.meter import growth, span
from tests.soak.soak import Tally, soak

if TYPE_CHECKING:
    from collections import Counter

_TURNS = 1000
#: So many turns before a violation are played again with it: what it needs is in them.
_LEAD = 5


def main() -> int:
    """Run the soak; 1 if anything happened that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--turns", type=int, default=_TURNS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first turn")
    parser.add_argument("--log", action="store_true", help="the journal and the simulator's log")
    args = parser.parse_args()
    # What goes wrong here is wanted; it is the oracle that judges what comes of it.
    level = logging.DEBUG if args.log else logging.CRITICAL
    logging.basicConfig(level=level, format="%(relativeCreated)7.0f %(name)s: %(message)s")
    logging.getLogger("speakerd.live").setLevel(max(level, logging.INFO))
    for name in ("asyncio", "websockets", "google_genai", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    numbers = range(args.first, args.first + args.turns)
    tally = asyncio.run(soak(args.seed, numbers, _progress))
    sys.stdout.write("\n".join([*_report(tally), ""]))
    wrong = [*tally.violations, *growth(tally.samples)]
    return 1 if wrong or tally.turns < args.turns else 0


def _progress(tally: Tally) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{tally.turns} turns, {len(tally.violations)} violations\r")


def _report(tally: Tally) -> list[str]:
    said = f"{tally.turns} turns, {tally.sentences} sentences, {tally.daemons} starts of the daemon"
    resumed = f"{tally.resumed} resumed (with an older handle: {tally.older_handles})"
    lines = [
        f"seed {tally.seed}: {said}, {tally.duration_s:.0f} s",
        f"lost in silence: {tally.lost_in_silence}; told of a fault before: {tally.hindered}",
        f"outcomes: {_counted(tally.outcomes)}; delivered twice: {tally.redelivered}",
        f"notices: {_counted(tally.clips)}",
        f"connections: {resumed}, {tally.fresh.total()} fresh: {_counted(tally.fresh)}",
        f"faults ({tally.faults.total()}): {_counted(tally.faults)}",
    ]
    if tally.samples:
        lines.append(f"held: {span(tally.samples)}")
    lines += [f"NOT FLAT: {line}" for line in growth(tally.samples)]
    for violation in tally.violations:
        number, names = violation.plan.number, ", ".join(violation.plan.names) or "no fault"
        again = f"--seed {tally.seed} --from {max(1, number - _LEAD)} --turns {_LEAD + 1} --log"
        lines.append(f"VIOLATION in turn {number} ({names}): {violation.text}")
        lines.append(f"    again: python -m tests.soak {again}")
    return lines


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
