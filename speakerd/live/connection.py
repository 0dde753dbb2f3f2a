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
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from speakerd.conversation import events as ev
from speakerd.errors import Failure, FailureKind
from speakerd.live import failures, messages
from speakerd.live.attribution import Attribution, Streamed
from speakerd.live.fetching import TokenError
from speakerd.live.history import NOTHING, Past
from speakerd.live.setup import Manners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from google.genai.live import AsyncSession
    from google.genai.types import LiveConnectConfig

    from speakerd.audio.buffers import Utterance
    from speakerd.live.access import Pass

log = logging.getLogger(__name__)

#: 40 ms of S16_LE mono at 16 kHz: the Live API's best practices recommend 20 to 40 ms, and the
#: server answers only after activityEnd, so that larger chunks cost nothing and save wake-ups.
CHUNK_BYTES = 1280
MIME_TYPE = "audio/pcm;rate=16000"
#: 2 s of silence: by 1.5 s the server has heard the end of what was said (field).
_PAUSE_CHUNKS = 50
#: The only kind of picture that is taken (Live API guide, "Video": a sequence of single frames).
PICTURE_TYPE = "image/jpeg"

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
    play: Callable[[int, bytes, int], None]  # turn, S16_LE mono PCM, rate in Hz
    transcript: Heard


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance to be delivered, from its beginning."""

    turn: int
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Text:
    """Words to be answered as if they had been spoken, or to be read out as they are."""

    words: str
    read_out: bool = False

    def __str__(self) -> str:
        """As the model is told; so worded, it read ten of ten texts word for word (field)."""
        if not self.read_out:
            return self.words
        return f'Say exactly the following, word for word, and nothing else: "{self.words}"'


@dataclass(frozen=True, slots=True)
class Written:
    """A text to be delivered as a turn of its own."""

    turn: int
    text: Text


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a tool call."""

    turn: int
    call_id: str
    name: str
    response: Mapping[str, object]


#: The real server warns so long before it closes a connection.
NOTICE_S = 50.0

_Queue: TypeAlias = asyncio.Queue[Spoken | Written | Result]


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
        #: The names of the calls that are not answered, by id: those that are owed, then its own.
        self.open_calls: dict[str, str] = dict(owed or {})
        self._outlets = outlets
        self._turns: _Queue = asyncio.Queue()
        self._results: _Queue = asyncio.Queue()  # a call must not wait until somebody has spoken
        self._attribution = Streamed() if manners.automatic else Attribution()
        self._calls_pending: set[str] = set()  # blocking ones
        self._may_send = asyncio.Event()  # no call is pending
        self._may_send.set()
        self._muted = False
        self.opened = False  # the server has accepted the setup
        self._answered = 0  # the newest turn whose reply audio has been reported

    def send(self, item: Spoken | Written | Result) -> None:
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
            await self._make_good(session)
            if let_in.expires_at is not None:
                stack.callback(self._warn_before(let_in.expires_at).cancel)
            return await self._serve(session)

    def _warn_before(self, expires_at: float) -> asyncio.TimerHandle:
        """What it was made by expires then, and so does it: as good as a GoAway."""
        left_s = expires_at - time.monotonic()
        notice = ev.GoAwayReceived(self._generation, min(left_s, NOTICE_S))
        loop = asyncio.get_running_loop()
        return loop.call_later(left_s - notice.time_left_s, self._outlets.post, notice)

    async def _serve(self, session: AsyncSession) -> Failure:
        tasks: list[asyncio.Task[Any]] = []
        try:
            await self._tell_past(session)
            self._outlets.post(ev.ConnectionOpened(self._generation, self._past.turns))
            receiver = asyncio.create_task(self._receive(session), name="live receiver")
            senders = [
                asyncio.create_task(self._send(session, queue), name="live sender")
                for queue in (self._turns, self._results)
            ]
            tasks = [receiver, *senders]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for sender in senders:
                if sender.done() and (error := sender.exception()) is not None:
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

    async def _make_good(self, session: AsyncSession) -> None:
        """Answer the calls that the connection before has left open.

        As long as they are, the session takes what is said next for the end of that exchange, and
        does not answer it (pydantic/pydantic-ai, realtime/google.py, tried with 3.8).
        """
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        if not self.open_calls:
            return
        lost = {"error": "the connection was lost meanwhile: it is not known whether it was done"}
        answers = [
            types.FunctionResponse(id=call_id, name=name, response=lost)
            for call_id, name in self.open_calls.items()
        ]
        self._attribution.expect_empty_end()
        with contextlib.suppress(ConnectionClosed):  # the receiver has it first
            await session.send_tool_response(function_responses=answers)
            self.open_calls.clear()

    # --- receiving

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

    def _report(self, said: messages.Said) -> None:
        now = time.monotonic()
        generation, post, attribution = self._generation, self._outlets.post, self._attribution
        # The first handle comes with the setup, and may be older than what was told after that.
        self._remembers = self._remembers or bool(said.audio) or said.turn_complete
        if said.handle is not None and self._remembers:
            post(ev.HandleIssued(generation, said.handle))
        for pcm, rate_hz in said.audio:
            self._reply(attribution.audio(now), pcm, rate_hz)
        self._transcripts(said, now)
        self._calls(said.calls, attribution.about(now))
        if said.cancelled:
            self._answered_calls(said.cancelled)
            post(ev.ToolCallsCancelled(generation, said.cancelled))
        if said.interrupted:
            post(ev.Interrupted(generation, attribution.interrupted(now)))
        if said.generation_complete:
            post(ev.GenerationCompleted(generation, attribution.generation_complete(now)))
        self._end_of_turn(said, now)
        if said.go_away_s is not None:
            post(ev.GoAwayReceived(generation, said.go_away_s))

    def _calls(self, calls: tuple[ev.ToolCall, ...], turn: int) -> None:
        """Those that the model waits for, and those that it does not."""
        self.open_calls |= {call.id: call.name for call in calls}
        for blocking in (True, False):
            some = tuple(
                call for call in calls if (call.name not in self._manners.patient) is blocking
            )
            if some and blocking:
                self._calls_pending |= {call.id for call in some}
                self._may_send.clear()
            if some:
                self._outlets.post(ev.ToolCallReceived(self._generation, turn, some, blocking))

    def _answered_calls(self, call_ids: Iterable[str]) -> None:
        """Nobody waits for these any longer."""
        for call_id in call_ids:
            self.open_calls.pop(call_id, None)
        self._calls_pending -= set(call_ids)
        if not self._calls_pending:
            self._may_send.set()

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

    def _reply(self, turn: int, pcm: bytes, rate_hz: int) -> None:
        if self._muted:
            return
        self._outlets.play(turn, pcm, rate_hz)
        if turn > self._answered:
            self._answered = turn
            self._outlets.post(ev.ReplyStarted(self._generation, turn))

    def _transcripts(self, said: messages.Said, now: float) -> None:
        heard, spoken = self._attribution.heard(now), self._attribution.about(now)
        if said.voice is not None and self._manners.automatic:
            self._outlets.post(ev.VoiceHeard(self._generation, heard, said.voice))
        for side, turn, text in (("heard", heard, said.heard), ("spoken", spoken, said.spoken)):
            if text:
                self._outlets.transcript(side, turn, text)
                received = ev.TranscriptReceived(self._generation, turn, heard=side == "heard")
                self._outlets.post(received)

    # --- sending

    async def _tell_past(self, session: AsyncSession) -> None:
        """Tell it how it went before: ``turnComplete`` ends that, and asks for no answer.

        So :class:`google.genai.types.HistoryConfig` has it. A send that fails is no news, as below.
        """
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        if self._past is NOTHING:
            return
        turns: list[types.Content | types.ContentDict] = [
            types.Content(role=role, parts=[types.Part(text=text)])
            for role, text in self._past.lines
        ]
        with contextlib.suppress(ConnectionClosed):
            await session.send_client_content(turns=turns, turn_complete=True)

    async def _send(self, session: AsyncSession, queue: _Queue) -> None:
        """Deliver what is queued. A send that fails is no news: the receiver has it first."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                match await queue.get():
                    case Spoken(turn, utterance) if self._manners.automatic:
                        await self._stream(session, turn, utterance)
                    case Spoken(turn, utterance):
                        await self._speak(session, turn, utterance)
                    case Written(turn, text):
                        await self._write(session, turn, str(text))
                    case Result(turn, call_id, name, response):
                        await self._answer(session, turn, call_id, name, response)

    async def _speak(self, session: AsyncSession, turn: int, utterance: Utterance) -> None:
        from google.genai import types

        if utterance.discarded:
            return  # before its window was opened
        generation, post = self._generation, self._outlets.post
        self._attribution.window_opened()
        await session.send_realtime_input(activity_start=types.ActivityStart())
        post(ev.ActivityStartSent(generation, turn))
        position_bytes = shown = 0
        while True:
            await utterance.wait_for(position_bytes, CHUNK_BYTES)
            if position_bytes:  # the voice comes first
                shown = await self._show(session, utterance, shown, position_bytes)
            chunk = utterance.read(position_bytes, CHUNK_BYTES)
            if not chunk:
                break
            await session.send_realtime_input(audio=types.Blob(data=chunk, mime_type=MIME_TYPE))
            if position_bytes == 0:
                post(ev.FirstAudioSent(generation, turn))
            position_bytes += len(chunk)
        # A window that was opened is closed, also when the utterance has been thrown away.
        self._attribution.utterance_sent(turn, time.monotonic())
        await session.send_realtime_input(activity_end=types.ActivityEnd())
        post(ev.UtteranceSent(generation, turn))

    async def _stream(self, session: AsyncSession, turn: int, utterance: Utterance) -> None:
        """Send the sound as it is captured; the server hears by itself what is said in it."""
        from google.genai import types

        if utterance.discarded:
            return
        self._attribution.utterance_sent(turn, time.monotonic())
        position_bytes = shown = 0
        while True:
            await utterance.wait_for(position_bytes, CHUNK_BYTES)
            await self._may_send.wait()
            if position_bytes:
                shown = await self._show(session, utterance, shown, position_bytes)
            chunk = utterance.read(position_bytes, CHUNK_BYTES)
            if not chunk:
                break
            await session.send_realtime_input(audio=types.Blob(data=chunk, mime_type=MIME_TYPE))
            if position_bytes == 0:
                self._outlets.post(ev.FirstAudioSent(self._generation, turn))
            position_bytes += len(chunk)
        if self._turns.empty():
            await self._pause(session, turn)

    async def _pause(self, session: AsyncSession, turn: int) -> None:
        """Let the server know that no more comes for now.

        What was being said must not wait there for what is said next: where audioStreamEnd is not
        heeded (openclaw/openclaw#152830), silence ends it, as far as it was not answered yet.
        """
        from google.genai import types

        await self._may_send.wait()
        if not (self._attribution.is_answered(turn) or self._manners.hears_stream_end):
            silence = types.Blob(data=bytes(CHUNK_BYTES), mime_type=MIME_TYPE)
            for _ in range(_PAUSE_CHUNKS):
                await session.send_realtime_input(audio=silence)
        await session.send_realtime_input(audio_stream_end=True)

    async def _show(
        self, session: AsyncSession, utterance: Utterance, shown: int, position_bytes: int
    ) -> int:
        """Send the pictures that have come by now, each where it came; how many were sent so far.

        One that is not there yet is waited for by nobody.
        """
        from google.genai import types

        pictures, shown = utterance.pictures(shown, position_bytes)
        for jpeg in pictures:
            await session.send_realtime_input(video=types.Blob(data=jpeg, mime_type=PICTURE_TYPE))
            log.debug("turn %d: a picture of %d bytes", utterance.turn, len(jpeg))
        return shown

    async def _write(self, session: AsyncSession, turn: int, text: str) -> None:
        from google.genai import types

        self._attribution.window_opened()
        self._attribution.utterance_sent(turn, time.monotonic())
        if self._manners.text_turns:
            await session.send_realtime_input(text=text)
        else:
            content = types.Content(role="user", parts=[types.Part(text=text)])
            await session.send_client_content(turns=content, turn_complete=True)
        self._outlets.post(ev.UtteranceSent(self._generation, turn))

    async def _answer(
        self,
        session: AsyncSession,
        turn: int,
        call_id: str,
        name: str,
        response: Mapping[str, object],
    ) -> None:
        from google.genai import types

        answer = types.FunctionResponse(id=call_id, name=name, response=dict(response))
        await session.send_tool_response(function_responses=answer)
        self._answered_calls({call_id})
        self._outlets.post(ev.ToolResponseSent(self._generation, turn, call_id))


def _brief(error: BaseException) -> str:
    """The first line of an error, cut: a message may be megabytes.

    Without the message itself, which the SDK quotes and which may hold what was said.
    """
    line = f"{type(error).__name__}: {error}"[:200].splitlines()[0]
    line = "".join(line.partition("Failed to parse response")[:2])
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
