"""Loading the SDK."""

from __future__ import annotations

import gc

from speakerd.live import sdk


async def test_what_loading_has_made_is_not_looked_through_for_garbage() -> None:
    gc.unfreeze()
    before = gc.get_freeze_count()
    try:
        await sdk.load()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before + 10_000
    finally:
        gc.unfreeze()
