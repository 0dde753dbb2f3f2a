"""One server: connected, listed, called, and waited for while it is down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.config.mcp import secrets_of
from speakerd.config.secret import redact
from speakerd.tools.mcp import library
from speakerd.tools.mcp.library import ForgottenError
from speakerd.tools.mcp.offers import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from speakerd.config import mcp
    from speakerd.tools.mcp.link import Link
    from speakerd.tools.mcp.offers import Listed, Offer
    from speakerd.tools.tool import Result, SpeakerPort

log = logging.getLogger(__name__)

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. It is told as missing after a minute of tries, and its tools are taken away
    later: whoever restarts it does not want the connection to Gemini made anew, twice.
    """

    starting_s: float = 30.0  # from the connection to the list of tools
    listing_s: float = 20.0
    retry_s: float = 1.0  # at first; doubled until
    longest_retry_s: float = 300.0
    stable_s: float = 60.0  # a connection that lasts so long begins with the first again
    withdraw_s: float = 300.0
    look_again_s: float = 300.0  # not every server tells of changes, nor of its end
    pause_s: float = 5.0  # after a change that it tells of; doubled with each, up to look_again_s
    renewing_s: float = 5.0  # for a session in place of one that the server has forgotten
    patience_s: float = 10.0  # for those that are slow at first; then the others go without them


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: that it is there, or why not, and that its tools are others than before."""

    ready: Callable[[], None]
    lost: Callable[[str], None]
    changed: Callable[[], None]


class LostError(Exception):
    """The connection is over; the text says why."""


class _ForgottenError(LostError):
    """It is, because the server has begun anew."""


@dataclass(eq=False)
class Server:
    """The one of ``entry``; its credentials are in ``environ``."""

    entry: mcp.Server
    listener: Listener
    limits: Limits = USUAL
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    offers: tuple[Offer, ...] = ()  # also for a while after it was lost
    over: bool = False  # whoever cancels run() says so before
    settled: bool = False  # it has been reached, or has been found not to be there
    _trying: Link | None = None  # the last one, whatever became of it
    _link: Link | None = None  # while it is there
    _why: str = "it has not been reached yet"
    _told: str | None = None
    _linked: asyncio.Event = field(default_factory=asyncio.Event)
    _withdrawing: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._choice = Choice(self.entry)

    async def run(self) -> None:
        """Look after it until this is cancelled."""
        tries, loop = 0, asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                try:
                    await self._live()
                except _ForgottenError:
                    continue
                except Exception as error:
                    if self.over:  # and something went wrong on the way out
                        return
                    log.debug("mcp %s", self.entry.name, exc_info=error)
                    self._lose(self._why_of(error))
                tries = 0 if loop.time() - began > self.limits.stable_s else tries + 1
                await asyncio.sleep(self._delay_s(tries))
        finally:
            if self._withdrawing is not None:
                self._withdrawing.cancel()

    async def call(self, offer: Offer, speaker: SpeakerPort, args: Mapping[str, object]) -> Result:
        """What became of it; an ``error``, at once, while the server is not there."""
        link = self._link
        if link is None:
            return self._missing()
        if not offer.reads_only:
            speaker.acts()
        try:
            return self._shown(await link.call(offer.tool, args))
        except ForgottenError:
            self._linked.clear()
            link.end("")
        with contextlib.suppress(TimeoutError, ForgottenError):
            async with asyncio.timeout(self.limits.renewing_s):
                await self._linked.wait()
            if self._link is not None:
                return self._shown(await self._link.call(offer.tool, args))
        return self._missing()

    def _shown(self, result: Result) -> Result:
        """Without its secrets: the model is the last that needs them."""
        secrets = tuple(secrets_of(self.entry, self.environ))
        return {name: redact(str(said), secrets) for name, said in result.items()}

    def _missing(self) -> Result:
        why = self._why or "its connection has just ended"
        return {"error": f"the server {self.entry.name} is not there at the moment: {why}"}

    # --- one connection

    async def _live(self) -> None:
        """Connect, and stay until the connection is over. Raises why it is."""
        kind = await library.load()
        self._trying = kind(self.entry.name)
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(self.limits.starting_s):
                opened = self._trying.opened(self.entry, self.environ)
                link = await stack.enter_async_context(opened)
                listed = await link.tools()
            self._link = link
            self._found(listed)
            try:
                await self._stay(link)
            finally:
                self._link = None

    async def _stay(self, link: Link) -> None:
        """List its tools anew when it says that they are others, and every so often."""
        limits = self.limits
        pause_s = limits.pause_s
        while True:
            told = await _set_within(link.news, limits.look_again_s)
            if link.ended.is_set():
                raise LostError(link.over) if link.over else _ForgottenError
            link.news.clear()
            async with asyncio.timeout(limits.listing_s):
                self._take(await link.tools())
            if not told:
                pause_s = limits.pause_s
                continue
            await _set_within(link.ended, pause_s)  # what it says meanwhile is one more change
            pause_s = min(2 * pause_s, limits.look_again_s)

    def _delay_s(self, tries: int) -> float:
        """Never the same for all that wait for one machine."""
        longest_s = self.limits.retry_s * 2 ** min(tries - 1, 16) if tries else self.limits.retry_s
        return min(longest_s, self.limits.longest_retry_s) * random.uniform(0.75, 1.0)  # noqa: S311

    # --- what is known of it

    def _found(self, listed: Iterable[Listed]) -> None:
        self._linked.set()
        if self._withdrawing is not None:
            self._withdrawing.cancel()
            self._withdrawing = None
        self._why = ""
        self.settled = True
        self._take(listed)
        if self._told != "":
            self._told = ""
            self.listener.ready()

    def _lose(self, why: str) -> None:
        why = redact(why, secrets_of(self.entry, self.environ))  # it may say what it was told
        self._why = why
        self.settled = True
        if self._withdrawing is None:
            loop = asyncio.get_running_loop()
            self._withdrawing = loop.call_later(self.limits.withdraw_s, self._withdraw)
        self.listener.changed()
        alike = _DIGITS.sub("#", why)  # a time or a number of a process is no news
        if self._told != alike:
            self._told = alike
            self.listener.lost(why)

    def _withdraw(self) -> None:
        self._take(())

    def _why_of(self, error: Exception) -> str:
        if isinstance(error, LostError):
            return str(error)
        reason = library.reason_of(error)
        found = self._trying and (self._trying.over or self._trying.trouble)
        where = self.entry.url or self.entry.command[0]
        return found or (reason if where in reason else f"{where}: {reason}")

    def _take(self, listed: Iterable[Listed]) -> None:
        self.offers = self._choice.of(listed)
        self.listener.changed()


async def _set_within(event: asyncio.Event, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()
    return event.is_set()
