"""Loading google-genai: the slowest thing there is, so it happens once, aside, after READY."""

from __future__ import annotations

import asyncio
import importlib

from speakerd.live import messages


async def load() -> None:
    """Import and prepare google-genai in a thread of the loop's: seconds, on a small Pi.

    Cancelling leaves the thread to itself. Raises whatever the import raises: an installation
    that lacks it is broken.
    """
    await asyncio.to_thread(_load)


def _load() -> None:
    importlib.import_module("google.genai.live")
    messages.prepare()
