"""Reading the configuration again, while the speaker lives by the old one until a turn is over."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from speakerd.config.changes import compare
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.config import Loaded
    from speakerd.config.changes import Changes

#: How long whoever asked is kept waiting for the end of a turn; systemd's ExecReload= allows 90 s.
_WAIT_S = 60.0


class Reloads:
    """The daemon's side of ``speakerd reload``.

    ``loaded`` is what the daemon lives by, ``read()`` reads it anew and raises ConfigError;
    ``request(changes)`` has :meth:`take` called between two turns. What has been read is applied
    also when nobody waits for it any longer.
    """

    def __init__(
        self,
        loaded: Loaded,
        read: Callable[[], Loaded],
        request: Callable[[Changes], None],
        wait_s: float = _WAIT_S,
    ) -> None:
        self._loaded = loaded
        self._read = read
        self._request = request
        self._wait_s = wait_s
        self._reading = asyncio.Lock()  # what was read last is what counts
        self._changes: Changes | None = None
        self._taken = asyncio.Event()
        self._over = False

    async def command(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        """The answer: the changes in words and whether they are ``applied``; or what is wrong."""
        async with self._reading:
            try:
                new = await asyncio.to_thread(self._read)
            except ConfigError as error:
                problems = str(error).splitlines()
                return {"ok": False, "error": "; ".join(problems), "problems": problems}
            changes = compare(self._loaded, new)
            if self._changes is None:
                self._taken = asyncio.Event()
            self._changes = changes
            taken = self._taken
            self._request(changes)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), self._wait_s)
        if self._over:
            return {"ok": False, "error": "the speaker is being shut down"}
        return {
            "ok": True,
            "changed": list(changes.lines),
            "restart": list(changes.restart),
            "warnings": list(new.warnings),
            "key": new.provenance["GEMINI_API_KEY"],
            "applied": taken.is_set(),
        }

    def take(self) -> Changes | None:
        """What is to be applied now, if it has not been yet."""
        changes, self._changes = self._changes, None
        if changes is not None:
            self._loaded = changes.loaded
        self._taken.set()
        return changes

    def close(self) -> None:
        """The daemon ends: nobody has to wait any longer."""
        self._over = True
        self._taken.set()
