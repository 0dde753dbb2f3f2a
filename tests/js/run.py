"""Runs turn.mjs, a client made with Google's JavaScript SDK, against the simulator.

Needs ``npm ci`` in this directory before. Passes the client's exit code on. ``NODE`` in the
environment names another Node.js than the one on PATH.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from speakerd.simulator import Simulator, SimulatorOptions

HERE = Path(__file__).parent
TIMEOUT_S = 120


async def main() -> int:
    # Faster than life, but paced: a barge-in wants an answer that is still under way.
    async with Simulator(SimulatorOptions(speed=4)) as simulator:
        node = await asyncio.create_subprocess_exec(
            os.environ.get("NODE", "node"),
            "turn.mjs",
            cwd=HERE,
            env=os.environ | simulator.environment(),
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await node.wait()
        except TimeoutError:
            sys.stderr.write(f"no end within {TIMEOUT_S} s\n")
            return 1
        finally:
            if node.returncode is None:
                node.kill()
                await node.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
