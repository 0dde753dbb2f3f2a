"""Reading the configuration again, while the speaker lives by the old one until a turn is over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from speakerd.config.changes import compare
from speakerd.config.sources import API_KEY
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.config import Loaded
    from speakerd.config.changes import Changes

log = logging.getLogger(__name__)

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
        self._changes: Changes | None = None  # read, and not yet applied
        self._applied: Changes | None = None  # the last ones that were
        self._taken = asyncio.Event()
        self._over = False
        self.file_mtime_ns = _mtime_ns(loaded)  # of the env file, when it was last read well

    async def command(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        """The answer: the changes in words and whether they are ``applied``; or what is wrong."""
        async with self._reading:
            try:
                new = await asyncio.to_thread(self._read)
            except ConfigError as error:
                problems = str(error).splitlines()
                return {"ok": False, "error": "; ".join(problems), "problems": problems}
            except Exception:
                log.exception("the configuration could not be read")
                return {"ok": False, "error": "an internal error: see the journal"}
            self.file_mtime_ns = _mtime_ns(new)
            changes = compare(self._loaded, new)
            if self._changes is None:
                self._taken = asyncio.Event()
            self._changes = changes
            taken = self._taken
            if not self._over:
                self._request(changes)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), 0 if self._over else self._wait_s)
        if self._over:
            return {"ok": False, "error": "the speaker is being shut down"}
        if taken.is_set() and self._applied is not None:
            changes = self._applied  # of two that wait, the one that was read last
        return {
            "ok": True,
            "changed": list(changes.lines),
            "restart": list(changes.restart),
            "warnings": list(changes.loaded.warnings),
            "key": changes.loaded.provenance[API_KEY],
            "applied": taken.is_set(),
        }

    def take(self) -> Changes | None:
        """What is to be applied now, if it has not been yet."""
        changes, self._changes = self._changes, None
        if changes is not None:
            self._applied = changes
            self._loaded = changes.loaded
        self._taken.set()
        return changes

    def close(self) -> None:
        """The daemon ends: nobody has to wait any longer."""
        self._over = True
        self._taken.set()


def _mtime_ns(loaded: Loaded) -> int | None:
    try:
        return loaded.env_file.stat().st_mtime_ns
    except OSError:  # there is none
        return None
