"""What a connection sends, and what it keeps back, without a connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import pytest

from speakerd.audio.buffers import Utterance
from speakerd.conversation import events as ev
from speakerd.live.attribution import Streamed
from speakerd.live.sending import CHUNK_BYTES, Calls, Queue, Result, Sender, Spoken
from speakerd.live.setup import Manners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.genai.live import AsyncSession

CALL = ev.ToolCall("call-1", "lamp", {})
AUDIO, STREAM_END, RESULT = "audio", "audio_stream_end", "function_responses"


class Session:
    """Takes what is sent, in its order: what it was called by the SDK."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._changed = asyncio.Event()

    async def send_realtime_input(self, **what: object) -> None:
        self._take(what)

    async def send_tool_response(self, **what: object) -> None:
        self._take(what)

    def _take(self, what: dict[str, object]) -> None:
        self.sent += what
        self._changed.set()

    async def got(self, what: str) -> None:
        async with asyncio.timeout(10):
            while what not in self.sent:
                self._changed.clear()
                await self._changed.wait()


class Rig:
    """A sender that streams, hands free, with its two queues."""

    def __init__(self, calls: Calls) -> None:
        self.session = Session()
        self.turns: Queue = asyncio.Queue()
        self.results: Queue = asyncio.Queue()
        self.calls = calls
        manners = Manners(automatic=True)
        session = cast("AsyncSession", self.session)
        events: list[ev.Event] = []
        self.sender = Sender(session, 1, events.append, manners, Streamed(), calls)

    def answer(self) -> None:
        self.results.put_nowait(Result(1, CALL.id, CALL.name, {"on": True}, "SILENT"))

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self.sender.deliver(queue)) for queue in (self.turns, self.results)
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def spoken(turn: int, chunks: int) -> Utterance:
    utterance = Utterance(turn, max_bytes=100 * CHUNK_BYTES)
    utterance.append(bytes(chunks * CHUNK_BYTES))
    utterance.finish()
    return utterance


async def as_far_as_it_goes() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def rig() -> Rig:
    return Rig(Calls({}))


async def test_while_the_model_waits_for_a_result_no_sound_is_streamed(rig: Rig) -> None:
    rig.calls.came([CALL], blocking=True)
    rig.turns.put_nowait(Spoken(1, spoken(1, chunks=1)))
    async with rig.sending():
        await as_far_as_it_goes()
        rig.answer()
        await rig.session.got(STREAM_END)
    assert rig.session.sent == [RESULT, AUDIO, STREAM_END]


async def test_while_the_model_waits_for_a_result_it_is_not_told_of_a_pause(rig: Rig) -> None:
    growing = Utterance(1, max_bytes=CHUNK_BYTES)
    growing.append(bytes(CHUNK_BYTES))
    rig.turns.put_nowait(Spoken(1, growing))
    async with rig.sending():
        await rig.session.got(AUDIO)
        rig.calls.came([CALL], blocking=True)
        growing.finish()
        await as_far_as_it_goes()
        rig.answer()
        await rig.session.got(STREAM_END)
    assert rig.session.sent == [AUDIO, RESULT, STREAM_END]


async def test_a_call_that_the_model_does_not_wait_for_keeps_nothing_back(rig: Rig) -> None:
    rig.calls.came([CALL], blocking=False)
    rig.turns.put_nowait(Spoken(1, spoken(1, chunks=1)))
    async with rig.sending():
        await rig.session.got(STREAM_END)
    assert rig.session.sent == [AUDIO, STREAM_END]
    assert rig.calls.open == {CALL.id: CALL.name}


async def test_what_follows_at_once_is_no_pause(rig: Rig) -> None:
    for turn in (1, 2):
        rig.turns.put_nowait(Spoken(turn, spoken(turn, chunks=2)))
    async with rig.sending():
        await rig.session.got(STREAM_END)
    assert rig.session.sent == [AUDIO, AUDIO, AUDIO, AUDIO, STREAM_END]


async def test_while_a_backlog_is_sent_others_have_their_turn(rig: Rig) -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while STREAM_END not in rig.session.sent:
            turns += 1
            await asyncio.sleep(0)

    rig.turns.put_nowait(Spoken(1, spoken(1, chunks=80)))
    async with rig.sending():
        await another()
    assert rig.session.sent.count(AUDIO) == 80
    assert turns >= 80


async def test_a_call_that_a_connection_has_left_open_is_made_good_once() -> None:
    rig = Rig(Calls({CALL.id: CALL.name}))
    await rig.sender.make_good()
    assert rig.session.sent == [RESULT]
    assert rig.calls.open == {}
    await rig.sender.make_good()
    assert rig.session.sent == [RESULT]
