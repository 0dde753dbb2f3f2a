"""How long a connection takes that is made by itself: ``python -m tests.bench.peers.connect``.

Its arguments are a peer's name and how often; it prints the milliseconds of each, from the call
to the server's setupComplete. The first has more to load than the others.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from google import genai

from tests.bench.peers import bare, floor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _bare() -> None:
    client = genai.Client()
    started = time.monotonic()
    async with client.aio.live.connect(model=bare.MODEL, config=bare.CONFIG):
        _tell(started)


async def _floor() -> None:
    started = time.monotonic()
    async with floor.connecting() as connection:
        await floor.set_up(connection)
        _tell(started)


def _tell(started: float) -> None:
    print(1000 * (time.monotonic() - started), flush=True)


async def _connect(how: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await how()


if __name__ == "__main__":
    asyncio.run(_connect({"bare": _bare, "floor": _floor}[sys.argv[1]], int(sys.argv[2])))
