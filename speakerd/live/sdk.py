"""Loading google-genai: the slowest thing there is, so it happens once, aside, after READY."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import warnings

from speakerd.live import messages


async def load() -> None:
    """Import and prepare google-genai in a thread of the loop's: seconds, on a small Pi.

    Cancelling leaves the thread to itself. Raises whatever the import raises: an installation
    that lacks it is broken.
    """
    await asyncio.to_thread(_load)


def _load() -> None:
    # What an import makes stays: to look through it for garbage, as is done some hundred times
    # meanwhile, is a sixth of the time, and a full look later would hold everything up (0.05 s on a
    # server's core, half a second on a small Pi).
    gc.disable()
    try:
        importlib.import_module("google.genai.live")
        hush()
        messages.prepare()
    finally:
        gc.freeze()
        gc.enable()


def hush() -> None:
    """Let it not say what is not so, nor at every token that tokens are experimental."""
    from google.genai.errors import ExperimentalWarning

    logging.getLogger("google_genai._api_client").addFilter(_is_true)
    warnings.filterwarnings("ignore", "The SDK's .*token", ExperimentalWarning)


def _is_true(record: logging.LogRecord) -> bool:
    """The SDK claims to use GOOGLE_API_KEY if that is set too, but it uses the key it is given."""
    return "Using GOOGLE_API_KEY" not in record.getMessage()
