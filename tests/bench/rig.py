"""A sound, and a way to wait, for all scenarios."""

from __future__ import annotations

import functools
import random
import time


@functools.cache
def noise(seconds: float, rate_hz: int) -> bytes:
    """S16_LE mono sound that is nowhere silent: every sample can be told from silence."""
    chance = random.Random(0)  # noqa: S311 - the same sound every time
    count = int(seconds * rate_hz)
    return b"".join(
        chance.randrange(1000, 8000).to_bytes(2, "little", signed=True) for _ in range(count)
    )


def sleep_until(at: float) -> None:
    """Sleep until ``at`` of ``time.monotonic()``."""
    time.sleep(max(0.0, at - time.monotonic()))
