"""What a connection sends, and what it keeps back, without a connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

import pytest

from speakerd.audio.buffers import CHUNK_BYTES, Utterance
from speakerd.conversation import events as ev
from speakerd.live.attribution import Attribution, Streamed
from speakerd.live.sending import Calls, Queue, Result, Sender, Spoken, Text, Written
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

    def __init__(self, calls: Calls, *, automatic: bool = True, **manners: Any) -> None:  # noqa: ANN401 - as Manners
        self.session = Session()
        self.turns: Queue = asyncio.Queue()
        self.results: Queue = asyncio.Queue()
        self.calls = calls
        self.events: list[ev.Event] = []
        self.sender = Sender(
            cast("AsyncSession", self.session),
            1,
            self.events.append,
            Manners(automatic=automatic, **manners),
            Streamed() if automatic else Attribution(),
            calls,
        )

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


async def test_a_call_that_was_cancelled_meanwhile_is_not_answered(rig: Rig) -> None:
    rig.calls.came([CALL], blocking=True)
    rig.answer()
    rig.calls.settle([CALL.id])
    rig.turns.put_nowait(Spoken(1, spoken(1, chunks=1)))
    async with rig.sending():
        await rig.session.got(STREAM_END)
    assert rig.session.sent == [AUDIO, STREAM_END]
    assert rig.events == [ev.FirstAudioSent(1, 1)]


async def test_a_call_that_was_asked_for_twice_is_answered_once(rig: Rig) -> None:
    for _ in range(2):
        rig.calls.came([CALL], blocking=True)
        rig.answer()
    async with rig.sending():
        await as_far_as_it_goes()
    assert rig.session.sent == [RESULT]


@pytest.mark.parametrize("scheduling", [True, False])
async def test_where_nothing_is_to_be_said_of_a_result_that_is_told(scheduling: bool) -> None:
    rig = Rig(Calls({}), patient=frozenset({CALL.name}), scheduling=scheduling)
    rig.calls.came([CALL], blocking=False)
    rig.answer()
    async with rig.sending():
        await as_far_as_it_goes()
    assert rig.events == [ev.ToolResponseSent(1, 1, CALL.id, silent=scheduling)]


@pytest.mark.parametrize("item", [Spoken(1, spoken(1, chunks=1)), Written(1, Text("hello"))])
async def test_no_window_and_no_text_before_the_model_listens(item: Spoken | Written) -> None:
    """It may have called just as this was ordered."""
    rig = Rig(Calls({}), automatic=False)
    rig.calls.came([CALL], blocking=True)
    rig.turns.put_nowait(item)
    async with rig.sending():
        await as_far_as_it_goes()
        assert rig.session.sent == []
        rig.answer()
        await rig.session.got("text" if isinstance(item, Written) else "activity_end")
    assert rig.session.sent[0] == RESULT
