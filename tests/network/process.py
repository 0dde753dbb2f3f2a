"""``speakerd run`` as a process of its own, for what one process cannot have twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speakerd.service import client

if TYPE_CHECKING:
    from speakerd.demo.process import DaemonProcess

#: No sound and no pins: what is asked in writing is asked all the same.
BARE = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "SPEAKERD_CAPTURE_DEVICE": "none",
    "SPEAKERD_PLAYBACK_DEVICE": "none",
}


#: A busy machine takes its time to load the SDK, and nothing is answered meanwhile.
_PATIENCE_S = 60.0


async def status_says(process: DaemonProcess, key: str, words: str) -> None:
    """Wait until what the status tells under ``key`` has these ``words`` in it."""
    async with asyncio.timeout(_PATIENCE_S):
        while words not in str((await _request(process, command="status"))[key]):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)


async def ask(process: DaemonProcess, text: str) -> None:
    """Ask in writing."""
    assert (await _request(process, command="say", text=text))["ok"] is True


async def _request(process: DaemonProcess, **message: str) -> dict[str, object]:
    return await asyncio.to_thread(client.request, process.socket, message, _PATIENCE_S)
