"""One look at a server, from the outside: what it would offer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speakerd.tools.mcp import library
from speakerd.tools.mcp.offers import Choice
from speakerd.tools.mcp.server import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.config import mcp
    from speakerd.tools.mcp.offers import Offer


async def offers_of(
    entry: mcp.Server, environ: Mapping[str, str], limit_s: float = USUAL.starting_s
) -> tuple[Offer, ...] | str:
    """What the model would be offered of it; or, in one line, why that is not known."""
    kind = await library.load()
    link = kind(entry.name)
    try:
        async with asyncio.timeout(limit_s), link.opened(entry, environ):
            return Choice(entry).of(await link.tools())
    except Exception as error:  # noqa: BLE001 - a library's, of a stranger's: of any kind
        return link.over or link.trouble or library.reason_of(error)
