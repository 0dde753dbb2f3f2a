"""``python -m tests.fuzz``: the long run.

Prints the seed, and for a failure the shortest script that still shows it. The same seed and
number of messages give the same run.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import traceback
import warnings
from random import Random

from speakerd.live import messages
from tests.fuzz import storm

_FRAMES_PER_SCRIPT = 60


def main() -> int:
    """Run until all messages have gone through, or one script fails: then 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="how many")
    parser.add_argument("--seed", type=int, help="of an earlier run")
    args = parser.parse_args()
    seed = secrets.randbits(32) if args.seed is None else args.seed
    _say(f"seed {seed}")
    warnings.simplefilter("error")  # one for each message would be a flood as well
    messages.prepare()
    begun, done = time.monotonic(), 0
    for index in range(-(-args.messages // _FRAMES_PER_SCRIPT)):
        frames = min(_FRAMES_PER_SCRIPT, args.messages - done)
        scripted = storm.script(Random(f"{seed} {index}"), frames)  # noqa: S311 - no secret
        if (error := storm.failure_of(scripted)) is not None:
            _tell(scripted, error)
            return 1
        done += frames
    took_s = time.monotonic() - begun
    _say(f"{done} messages in {took_s:.0f} s ({done / took_s:.0f} a second): nothing found")
    return 0


def _tell(scripted: storm.Script, error: Exception) -> None:
    _say("".join(traceback.format_exception(error)))
    shortest = storm.shortened(scripted, error)
    _say(f"the shortest script that fails so, with the link {shortest.policy.value}:")
    for step in shortest.steps:
        _say(f"  {step.what} {step.value!r}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
