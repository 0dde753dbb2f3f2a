"""One connection to the Live API: made, used and closed by google-genai.

A :class:`Connection` reports its life as events, but for its end, which its edge reports. Control
and milestones go to ``post``; reply audio goes straight to ``play``, because sound does not pass
through the core.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from speakerd.conversation import events as ev
from speakerd.errors import Failure, FailureKind
from speakerd.live import failures, messages, shortcut
from speakerd.live.attribution import Attribution, Streamed
from speakerd.live.fetching import TokenError
from speakerd.live.history import NOTHING, Past
from speakerd.live.sending import Calls, Item, Queue, Result, Sender
from speakerd.live.setup import Manners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from google.genai.live import AsyncSession
    from google.genai.types import LiveConnectConfig

    from speakerd.live.access import Pass

log = logging.getLogger(__name__)

#: The real server warns so long before it closes a connection.
NOTICE_S = 50.0

#: What comes out of the SDK for a message that it cannot read: one that is not JSON or not an
#: object, that has unknown keys only, wrong types or too many levels.
_UNREADABLE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
#: So many of these are told, each with a line; the rest of a connection's only in their number.
TOLD_UNREADABLE = 3


class Heard(Protocol):
    """Takes pieces of transcription: ``("heard" or "spoken", turn, text)``."""

    def __call__(self, side: str, turn: int, text: str) -> None:
        """Take one piece."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a connection reports to. All are called in the loop's thread and must not block."""

    post: Callable[[ev.Event], None]
    #: Takes turn, S16_LE mono PCM and its rate in Hz; returns how many seconds are left to play
    #: then, 0 while the reply does not play.
    play: Callable[[int, bytes, int], float]
    transcript: Heard


class Connection:
    """One socket. ``run`` is its whole life; ``send`` queues what is to be delivered.

    ``owed`` are the ids and names of calls that the session resumed still waits for.
    ``past`` is what the session is told before anything else, if its setup has announced it.
    """

    def __init__(
        self,
        generation: int,
        outlets: Outlets,
        close_timeout_s: float = 1.0,
        manners: Manners = Manners(),  # noqa: B008 - it is frozen
        owed: Mapping[str, str] | None = None,
        past: Past = NOTHING,
    ) -> None:
        self._generation = generation
        self._past = past
        self._remembers = past is NOTHING  # so do its handles
        self._close_timeout_s = close_timeout_s
        self._manners = manners
        self.calls = Calls(owed or {})
        self._outlets = outlets
        self._turns: Queue = asyncio.Queue()
        self._results: Queue = asyncio.Queue()  # a call must not wait until somebody has spoken
        self._attribution = Streamed() if manners.automatic else Attribution()
        self._muted = False
        self.opened = False  # the server has accepted the setup
        self._answered = 0  # the newest turn whose reply audio has been reported

    def send(self, item: Item) -> None:
        """Deliver ``item``: turns one after the other, results of tools at once."""
        (self._results if isinstance(item, Result) else self._turns).put_nowait(item)

    def mute(self) -> None:
        """Hand on no more sound: it is being closed, and what was asked is asked elsewhere."""
        self._muted = True

    async def run(
        self,
        access: Callable[[], Awaitable[Pass]],
        model: str,
        config: Callable[[], LiveConnectConfig],
    ) -> Failure:
        """Connect and serve until the connection ends; returns why. Cancelling closes it."""
        async with contextlib.AsyncExitStack() as stack:
            shortcut.taker.set(self._take)
            try:
                let_in = await access()
                connecting = let_in.client.aio.live.connect(model=model, config=config())
                session = await stack.enter_async_context(connecting)
            except TokenError as error:
                return Failure(FailureKind.TOKEN, str(error), went_out=False)
            except Exception as error:
                log.debug("connection %d was not made", self._generation, exc_info=True)
                return failures.of_connecting(error)
            if session.setup_complete is None:
                return Failure(FailureKind.SERVER, "the server did not confirm the setup")
            self.opened = True
            sender = Sender(
                session,
                self._generation,
                self._outlets.post,
                self._manners,
                self._attribution,
                self.calls,
            )
            await sender.make_good()
            if let_in.expires_at is not None:
                stack.callback(self._warn_before(let_in.expires_at).cancel)
            return await self._serve(session, sender)

    def _warn_before(self, expires_at: float) -> asyncio.TimerHandle:
        """What it was made by expires then, and so does it: as good as a GoAway."""
        left_s = expires_at - time.monotonic()
        notice = ev.GoAwayReceived(self._generation, min(left_s, NOTICE_S))
        loop = asyncio.get_running_loop()
        return loop.call_later(left_s - notice.time_left_s, self._outlets.post, notice)

    async def _serve(self, session: AsyncSession, sender: Sender) -> Failure:
        tasks: list[asyncio.Task[Any]] = []
        try:
            await sender.tell(self._past)
            self._outlets.post(ev.ConnectionOpened(self._generation, self._past.turns))
            receiver = asyncio.create_task(self._receive(session), name="live receiver")
            deliveries = [
                asyncio.create_task(sender.deliver(queue), name="live sender")
                for queue in (self._turns, self._results)
            ]
            tasks = [receiver, *deliveries]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for delivery in deliveries:
                if delivery.done() and (error := delivery.exception()) is not None:
                    log.error("sending failed", exc_info=error)
                    return Failure(FailureKind.SERVER, f"sending failed: {_brief(error)}")
            return await receiver
        except asyncio.CancelledError:
            # With 1000; the SDK's own way out would say 1011. The library's time-out begins only
            # when all that was sent before is on its way, which a clogged line never lets it be.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._close_timeout_s):
                    await session.close()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, session: AsyncSession) -> Failure:
        from google.genai.errors import APIError

        stream = session.receive()
        unreadable = 0
        try:
            while True:
                try:
                    message = await anext(stream)
                except StopAsyncIteration:
                    pass  # the SDK ends its iteration at every turnComplete
                except (APIError, *_UNREADABLE) as error:
                    # A close comes with its reason; a message with nothing but a "code", which
                    # the SDK makes an APIError of too, as the object it is.
                    if isinstance(error, APIError) and not isinstance(error.details, dict):
                        return failures.of_close(error)
                    # It is consumed and the connection is fine.
                    unreadable += 1
                    if unreadable <= TOLD_UNREADABLE:
                        log.warning("passed over an unreadable message: %s", _brief(error))
                    await asyncio.sleep(0)  # others have their turn, whatever is thrown at us
                else:
                    self._report(messages.read(message))
                    continue
                stream = session.receive()
        finally:
            if unreadable > TOLD_UNREADABLE:
                more = unreadable - TOLD_UNREADABLE
                log.warning("passed over %d more unreadable messages until the close", more)

    def _take(self, message: bytes | str) -> float | None:
        """Hand on the sound of a message that has nothing else, as a taker does.

        Raises RuntimeError where that fails: the SDK, inside of which this is called, takes other
        errors for its own.
        """
        sound = shortcut.sound_alone(message) if self.opened else None
        if sound is None:
            return None
        try:
            lasts_s = self._sound(sound, time.monotonic())
        except Exception as bug:
            raise RuntimeError(f"the sound of an answer was not handed on: {bug!r}") from bug
        # Where the server hears who speaks, nobody else can interrupt: it is listened to at once.
        return 0.0 if self._manners.automatic else shortcut.rest_s(lasts_s)

    def _report(self, said: messages.Said) -> None:
        now = time.monotonic()
        generation, post, attribution = self._generation, self._outlets.post, self._attribution
        for sound in said.audio:
            self._sound(sound, now)
        # The first handle comes with the setup, and may be older than what was told after that.
        self._remembers = self._remembers or said.turn_complete
        if said.handle is not None and self._remembers:
            post(ev.HandleIssued(generation, said.handle))
        self._transcripts(said, now)
        self._called(said.calls, attribution.about(now))
        if said.cancelled:
            self.calls.settle(said.cancelled)
            post(ev.ToolCallsCancelled(generation, said.cancelled))
        if said.interrupted:
            post(ev.Interrupted(generation, attribution.interrupted(now)))
        if said.generation_complete:
            post(ev.GenerationCompleted(generation, attribution.generation_complete(now)))
        self._end_of_turn(said, now)
        if said.go_away_s is not None:
            post(ev.GoAwayReceived(generation, said.go_away_s))

    def _called(self, calls: tuple[ev.ToolCall, ...], turn: int) -> None:
        """Those that the model waits for, and those that it does not."""
        for blocking in (True, False):
            some = tuple(
                call for call in calls if (call.name not in self._manners.patient) is blocking
            )
            if some:
                self.calls.came(some, blocking=blocking)
                self._outlets.post(ev.ToolCallReceived(self._generation, turn, some, blocking))

    def _end_of_turn(self, said: messages.Said, now: float) -> None:
        """The usage rides with the turnComplete, and belongs to the turn that this ends."""
        generation, post, attribution = self._generation, self._outlets.post, self._attribution
        if said.turn_complete:
            turn = attribution.turn_complete(now)
        else:
            turn = attribution.answer_continues(now) if said.goes_on else attribution.about(now)
        if said.usage is not None:
            post(ev.UsageReported(generation, turn, said.usage))
        if said.turn_complete:
            post(ev.TurnCompleted(generation, turn))
        elif said.goes_on:
            post(ev.AnswerContinues(generation, turn))

    def _sound(self, sound: tuple[bytes, int], now: float) -> float:
        """Hand on some of a reply, PCM and its rate in Hz; returns what ``play`` does."""
        self._remembers = True  # who answers knows what was said before
        turn = self._attribution.audio(now)
        if self._muted:
            return 0.0
        lasts_s = self._outlets.play(turn, *sound)
        if turn > self._answered:
            self._answered = turn
            self._outlets.post(ev.ReplyStarted(self._generation, turn))
        return lasts_s

    def _transcripts(self, said: messages.Said, now: float) -> None:
        heard, spoken = self._attribution.heard(now), self._attribution.about(now)
        if said.voice is not None and self._manners.automatic:
            self._outlets.post(ev.VoiceHeard(self._generation, heard, said.voice))
        for side, turn, text in (("heard", heard, said.heard), ("spoken", spoken, said.spoken)):
            if text:
                self._outlets.transcript(side, turn, text)
                received = ev.TranscriptReceived(self._generation, turn, heard=side == "heard")
                self._outlets.post(received)


def _brief(error: BaseException) -> str:
    """The first line of an error, cut: a message may be megabytes.

    Without the message itself, which the SDK quotes and which may hold what was said.
    """
    line = f"{type(error).__name__}: {error}"[:200].splitlines()[0]
    line = "".join(line.partition("Failed to parse response")[:2])
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
