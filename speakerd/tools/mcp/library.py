"""The official library, which takes seconds to import: aside, and only where there are servers."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING

from speakerd.tools.mcp.words import one_line

if TYPE_CHECKING:
    from speakerd.tools.mcp.link import Link


class ForgottenError(Exception):
    """The server has begun anew, and has done nothing of what it was asked."""


async def load() -> type[Link]:
    """Import what speaks to servers, in a thread of the loop's. Raises whatever the import does."""
    return await asyncio.to_thread(_load)


def _load() -> type[Link]:
    kind: type[Link] = importlib.import_module("speakerd.tools.mcp.link").Link
    # what a server sends goes there, with tracebacks: that is for those who look for it
    level = logging.NOTSET if logging.getLogger().level <= logging.DEBUG else logging.CRITICAL + 1
    for name in ("mcp", "client"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # below, it tells of each request
    return kind


def reason_of(error: BaseException) -> str:
    """The first thing that went wrong, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'it'}: {error.strerror}"
    return one_line(str(error)) or type(error).__name__
