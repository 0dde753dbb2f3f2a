"""What a connection sends: sound, pictures, texts, results of tools, and how it went before.

A :class:`Sender` takes them from queues, one after the other, and reports what went out. A send
that fails because the connection is closed is no news anywhere here: its receiver has it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from speakerd.audio.pcm import CAPTURE_RATE_HZ, bytes_of_ms
from speakerd.conversation import events as ev
from speakerd.live.history import NOTHING, Past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.genai.live import AsyncSession
    from google.genai.types import Content, ContentDict

    from speakerd.audio.buffers import Utterance
    from speakerd.live.attribution import Attribution, Streamed
    from speakerd.live.setup import Manners

log = logging.getLogger(__name__)

MIME_TYPE = "audio/pcm;rate=16000"
#: 2 s of silence: by 1.5 s the server has heard the end of what was said (field).
_PAUSE_CHUNKS, _PAUSE_CHUNK_BYTES = 50, bytes_of_ms(40, CAPTURE_RATE_HZ)
#: The only kind of picture that is taken (Live API guide, "Video": a sequence of single frames).
PICTURE_TYPE = "image/jpeg"


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
    scheduling: str  # when the model, if it has not waited, speaks of it


Item: TypeAlias = Spoken | Written | Result
Queue: TypeAlias = asyncio.Queue[Item]


class Calls:
    """The tool calls that are not answered: those ``owed`` by the connection before, then its own.

    ``open`` are their names by id.
    """

    def __init__(self, owed: Mapping[str, str]) -> None:
        self.open = dict(owed)
        self._blocking: set[str] = set()
        self._model_listens = asyncio.Event()
        self._model_listens.set()

    def came(self, calls: Iterable[ev.ToolCall], *, blocking: bool) -> None:
        """The model asks for these; if ``blocking``, it does nothing until it has their results."""
        self.open |= {call.id: call.name for call in calls}
        if blocking:
            self._blocking |= {call.id for call in calls}
            self._model_listens.clear()

    def settle(self, call_ids: Iterable[str]) -> None:
        """Nobody waits for these any longer."""
        for call_id in call_ids:
            self.open.pop(call_id, None)
        self._blocking -= set(call_ids)
        if not self._blocking:
            self._model_listens.set()

    async def wait_for_model(self) -> None:
        """Return as soon as the model waits for no result."""
        await self._model_listens.wait()


class Sender:
    """Sends through one session, and reports to ``post``, which must not block."""

    def __init__(
        self,
        session: AsyncSession,
        generation: int,
        post: Callable[[ev.Event], None],
        manners: Manners,
        attribution: Attribution | Streamed,
        calls: Calls,
    ) -> None:
        self._session = session
        self._generation = generation
        self._post = post
        self._manners = manners
        self._attribution = attribution
        self._calls = calls

    async def make_good(self) -> None:
        """Answer the calls that the connection before has left open.

        As long as they are, the session takes what is said next for the end of that exchange, and
        does not answer it (pydantic/pydantic-ai, realtime/google.py, tried with 3.8).
        """
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        owed = dict(self._calls.open)
        if not owed:
            return
        lost = {"error": "the connection was lost meanwhile: it is not known whether it was done"}
        answers = [
            types.FunctionResponse(id=call_id, name=name, response=lost)
            for call_id, name in owed.items()
        ]
        self._attribution.expect_empty_end()
        with contextlib.suppress(ConnectionClosed):
            await self._session.send_tool_response(function_responses=answers)
            self._calls.settle(owed)

    async def tell(self, past: Past) -> None:
        """Tell how it went before: ``turnComplete`` ends that, and asks for no answer.

        So :class:`google.genai.types.HistoryConfig` has it.
        """
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        if past is NOTHING:
            return
        turns: list[Content | ContentDict] = [
            types.Content(role=role, parts=[types.Part(text=text)]) for role, text in past.lines
        ]
        with contextlib.suppress(ConnectionClosed):
            await self._session.send_client_content(turns=turns, turn_complete=True)

    async def deliver(self, queue: Queue) -> None:
        """Deliver what is queued, one after the other, as long as the connection is open."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                match await queue.get():
                    case Spoken(_, utterance) if utterance.discarded:
                        pass  # before anything of it went out
                    case Spoken(turn, utterance) if self._manners.automatic:
                        await self._stream(turn, utterance)
                        if queue.empty():
                            await self._pause(turn)
                    case Spoken(turn, utterance):
                        await self._speak(turn, utterance)
                    case Written(turn, text):
                        await self._write(turn, str(text))
                    case Result() as result:
                        await self._answer(result)

    async def _speak(self, turn: int, utterance: Utterance) -> None:
        """Send an utterance in a window of its own, which is closed however it ended."""
        from google.genai import types

        await self._calls.wait_for_model()  # it may have called as this was ordered
        self._attribution.window_opened()
        await self._session.send_realtime_input(activity_start=types.ActivityStart())
        self._post(ev.ActivityStartSent(self._generation, turn))
        await self._sound(turn, utterance)
        self._attribution.utterance_sent(turn, time.monotonic())
        await self._session.send_realtime_input(activity_end=types.ActivityEnd())
        self._post(ev.UtteranceSent(self._generation, turn))

    async def _stream(self, turn: int, utterance: Utterance) -> None:
        """Send the sound as it is captured; the server hears by itself what is said in it."""
        self._attribution.utterance_sent(turn, time.monotonic())
        await self._sound(turn, utterance)

    async def _sound(self, turn: int, utterance: Utterance) -> None:
        """Send the sound of an utterance as it grows, with its pictures, to its end."""
        position_bytes = shown = 0
        while True:
            await utterance.wait_for(position_bytes, utterance.chunk_bytes)
            if self._manners.automatic:
                await self._calls.wait_for_model()
            if position_bytes:  # the voice comes first
                shown = await self._show(utterance, shown, position_bytes)
            chunk = utterance.read(position_bytes, utterance.chunk_bytes)
            if not chunk:
                return
            await self._send(chunk)
            if position_bytes == 0:
                self._post(ev.FirstAudioSent(self._generation, turn))
            position_bytes += len(chunk)

    async def _send(self, pcm: bytes) -> None:
        """Send a chunk of sound; others have their turn before the next one.

        What the socket takes at once suspends nobody: the backlog of a minute would keep the loop
        busy for as long as it takes, which on a slow machine is longer than the watchdog waits.
        """
        from google.genai import types

        blob = types.Blob(data=pcm, mime_type=MIME_TYPE)
        await self._session.send_realtime_input(audio=blob)
        await asyncio.sleep(0)

    async def _pause(self, turn: int) -> None:
        """Let the server know that no more comes for now.

        What was being said must not wait there for what is said next: where audioStreamEnd is not
        heeded (openclaw/openclaw#152830), silence ends it, as far as it was not answered yet.
        """
        if not (self._attribution.is_answered(turn) or self._manners.hears_stream_end):
            for _ in range(_PAUSE_CHUNKS):
                await self._send(bytes(_PAUSE_CHUNK_BYTES))
        await self._session.send_realtime_input(audio_stream_end=True)

    async def _show(self, utterance: Utterance, shown: int, position_bytes: int) -> int:
        """Send the pictures that have come by now, each where it came; how many were sent so far.

        One that is not there yet is waited for by nobody.
        """
        from google.genai import types

        pictures, shown = utterance.pictures(shown, position_bytes)
        for jpeg in pictures:
            blob = types.Blob(data=jpeg, mime_type=PICTURE_TYPE)
            await self._session.send_realtime_input(video=blob)
            log.debug("turn %d: a picture of %d bytes", utterance.turn, len(jpeg))
        return shown

    async def _write(self, turn: int, text: str) -> None:
        from google.genai import types

        await self._calls.wait_for_model()
        self._attribution.window_opened()
        self._attribution.utterance_sent(turn, time.monotonic())
        if self._manners.text_turns:
            await self._session.send_realtime_input(text=text)
        else:
            content = types.Content(role="user", parts=[types.Part(text=text)])
            await self._session.send_client_content(turns=content, turn_complete=True)
        self._post(ev.UtteranceSent(self._generation, turn))

    async def _answer(self, result: Result) -> None:
        """Send a result, unless the server has cancelled its call meanwhile."""
        from google.genai import types

        if result.call_id not in self._calls.open:
            return
        told = self._manners.scheduling and result.name in self._manners.patient
        answer = types.FunctionResponse(
            id=result.call_id,
            name=result.name,
            response=dict(result.response),
            scheduling=types.FunctionResponseScheduling(result.scheduling) if told else None,
        )
        await self._session.send_tool_response(function_responses=answer)
        self._calls.settle({result.call_id})
        silent = told and result.scheduling == "SILENT"
        sent = ev.ToolResponseSent(self._generation, result.turn, result.call_id, silent)
        self._post(sent)
