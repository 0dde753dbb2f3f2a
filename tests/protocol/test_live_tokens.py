"""The Gemini edge with tokens in place of a key: the real google-genai, over TLS."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from speakerd.conversation import events as ev
from speakerd.errors import Failure, FailureKind
from speakerd.live import connection
from speakerd.live.edge import LiveEdge
from speakerd.live.fetching import TokenError
from speakerd.live.setup import Wishes
from speakerd.live.transport import Timeouts
from speakerd.simulator import catalogue, faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY
from tests.protocol.test_live_edge import MODEL, Ears, spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from speakerd.conversation.events import SessionHandle
    from speakerd.simulator.server import Simulator


class Source:
    """Gives what a test makes, each time anew."""

    option = "SPEAKERD_TOKEN_COMMAND"

    def __init__(self, make: Callable[[], str]) -> None:
        self.make = make
        self.fetched: list[str] = []
        self.may_give = asyncio.Event()
        self.may_give.set()

    async def fetch(self) -> str:
        await self.may_give.wait()
        self.fetched.append(self.make())
        return self.fetched[-1]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def source(simulator: Simulator) -> Source:
    return Source(simulator.mint)


@pytest.fixture
async def edge(ears: Ears, source: Source) -> AsyncIterator[LiveEdge]:
    live = LiveEdge(ears.outlets(), source=source)
    yield live
    await live.close()


async def lose(edge: LiveEdge, ears: Ears, generation: int) -> None:
    edge.disconnect(generation)
    await ears.hear(ev.ConnectionClosed, generation)


async def handle(ears: Ears, edge: LiveEdge, generation: int) -> SessionHandle:
    """A turn, and the handle that remembers it."""
    edge.deliver(generation, generation, spoken(generation))
    await ears.hear(ev.TurnCompleted, generation)
    before = len(ears.all(ev.HandleIssued))
    issued = await ears.hear(ev.HandleIssued, before)
    return ev.SessionHandle(issued.handle, MODEL)


async def test_a_connection_is_made_with_a_token(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    await edge.load()
    edge.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    (made,) = simulator.connections
    assert made.path.endswith("v1alpha.GenerativeService.BidiGenerateContentConstrained")
    assert [made.key] == source.fetched


async def test_a_conversation_goes_on_with_the_same_token(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    edge.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    resumed = await handle(ears, edge, 1)
    await lose(edge, ears, 1)
    edge.connect(2, MODEL, resumed)
    await ears.hear(ev.ConnectionOpened, 2)
    assert len(source.fetched) == 1
    await handle(ears, edge, 2)
    assert simulator.turns[1].context == (1,)


async def test_each_new_conversation_takes_a_token_of_its_own(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    for generation in (1, 2, 3):
        edge.connect(generation, MODEL, None)
        await ears.hear(ev.ConnectionOpened, generation)
        await lose(edge, ears, generation)
    assert [each.key for each in simulator.connections] == source.fetched
    assert len(set(source.fetched)) == 3


async def test_a_token_of_many_uses_is_fetched_once(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    def make() -> str:
        soon = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
        name = simulator.mint(uses=0, start_s=1800)
        return json.dumps({"name": name, "uses": 0, "newSessionExpireTime": soon})

    source.make = make
    for generation in (1, 2, 3):
        edge.connect(generation, MODEL, None)
        await ears.hear(ev.ConnectionOpened, generation)
        await lose(edge, ears, generation)
    assert len(source.fetched) == 1


async def test_a_token_that_was_fetched_too_late_is_kept_for_the_next_connection(
    edge: LiveEdge, ears: Ears, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where fetching takes nearly all of the time, the next attempt has all of it."""
    dialled = asyncio.Semaphore(0)

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.release()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(says_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://127.0.0.1:{port}")
        for generation in (1, 2):
            edge.connect(generation, MODEL, None)
            await dialled.acquire()
            await lose(edge, ears, generation)
    assert len(source.fetched) == 1


async def test_what_the_server_has_counted_and_never_answered_costs_another_token(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    simulator.plan.add(Phase.SETUP, faults.Silence())
    edge.connect(1, MODEL, None)
    await simulator.wait_for(lambda: simulator.setups)
    await lose(edge, ears, 1)
    edge.connect(2, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    assert len(source.fetched) == 2


@pytest.mark.parametrize("closing", [catalogue.UNAVAILABLE, catalogue.TOKEN_EXPIRED])
async def test_a_token_that_has_served_before_is_suspected_first(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source, closing: catalogue.Closing
) -> None:
    edge.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    resumed = await handle(ears, edge, 1)
    await lose(edge, ears, 1)
    simulator.plan.add(Phase.SETUP, faults.Close.of(closing))
    edge.connect(2, MODEL, resumed)
    await ears.hear(ev.ConnectionOpened, 2)
    assert len(source.fetched) == 2
    assert [each.key for each in simulator.connections] == [
        source.fetched[0],
        source.fetched[0],
        source.fetched[1],
    ]
    assert len(ears.all(ev.ConnectionClosed)) == 1  # nobody has heard of it


async def test_a_fresh_token_is_not_suspected_of_a_server_in_trouble(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    simulator.plan.add(Phase.SETUP, faults.Close.of(catalogue.UNAVAILABLE))
    edge.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.SERVER
    assert len(source.fetched) == 1


async def test_a_refused_token_is_fetched_once_more(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    """Such as one that whoever gives them has kept for too long."""
    names = iter(["auth_tokens/that-nobody-has-made", simulator.mint()])
    source.make = lambda: next(names)
    edge.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)


async def test_tokens_that_are_all_refused_are_told_as_a_key_that_is(
    edge: LiveEdge, ears: Ears, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "speakerd")
    source.make = lambda: "auth_tokens/that-nobody-has-made"
    edge.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.KEY
    assert closed.failure.text.endswith(" (of a token from SPEAKERD_TOKEN_COMMAND)")
    assert len(source.fetched) == 2
    assert "that-nobody" not in caplog.text


@pytest.mark.parametrize("text", ["", "AIzaSyTest-key_0123456789", "<html>Sorry"])
async def test_what_is_no_token_goes_nowhere(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source, text: str
) -> None:
    source.make = lambda: text
    edge.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    said = "something that is no token: one begins with auth_tokens/" if text else "nothing"
    text = f"SPEAKERD_TOKEN_COMMAND gives {said}"
    assert closed.failure == Failure(FailureKind.TOKEN, text, went_out=False)
    assert simulator.connections == []


async def test_a_token_that_cannot_be_fetched(edge: LiveEdge, ears: Ears, source: Source) -> None:
    def make() -> str:
        raise TokenError("SPEAKERD_TOKEN_COMMAND failed (1): no")

    source.make = make
    edge.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.TOKEN
    assert not closed.failure.went_out


async def test_fetching_is_given_up_with_its_connection(
    edge: LiveEdge, ears: Ears, source: Source
) -> None:
    source.may_give.clear()
    edge.connect(1, MODEL, None)
    await asyncio.sleep(0)
    edge.disconnect(1)
    assert (await ears.hear(ev.ConnectionClosed)).failure is None


async def test_the_end_of_a_token_is_told_as_the_end_of_its_connection(
    ears: Ears, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the core makes another connection between two turns, as after a GoAway."""
    monkeypatch.setattr(connection, "NOTICE_S", 500.0)  # nobody here waits until 50 are left

    def make() -> str:
        at = (datetime.now(UTC) + timedelta(seconds=200)).isoformat()
        return json.dumps({"name": simulator.mint(), "expireTime": at})

    live = LiveEdge(ears.outlets(), source=Source(make))
    live.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    going = await ears.hear(ev.GoAwayReceived)
    assert 120 < going.time_left_s <= 200
    await live.close()


async def test_a_token_that_seems_to_be_over_is_used_all_the_same(
    ears: Ears, simulator: Simulator
) -> None:
    """The clock is wrong; the server is the one to know."""

    def make() -> str:
        at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
        return json.dumps({"name": simulator.mint(), "expireTime": at})

    source = Source(make)
    live = LiveEdge(ears.outlets(), source=source)
    for generation in (1, 2):
        live.connect(generation, MODEL, None)
        await ears.hear(ev.ConnectionOpened, generation)
        await lose(live, ears, generation)
    assert ears.all(ev.GoAwayReceived) == []
    await live.close()


async def test_an_open_connection_whose_token_expires_is_just_lost(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    edge.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    closing = catalogue.TOKEN_EXPIRED
    simulator.close(closing.code, closing.reason)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure == Failure(FailureKind.SERVER, closing.reason, closing.code)
    edge.connect(2, MODEL, ev.SessionHandle("of-another-server", MODEL))
    await ears.hear(ev.ConnectionClosed, 2)
    assert len(source.fetched) == 2  # and the next one is fresh


async def test_a_model_that_is_not_known_is_told_as_one(
    edge: LiveEdge, ears: Ears, source: Source
) -> None:
    edge.connect(1, "nobody", None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.MODEL
    assert len(source.fetched) == 1


async def test_a_reload_from_tokens_to_a_key_and_back(
    edge: LiveEdge, ears: Ears, simulator: Simulator, source: Source
) -> None:
    keys = [(None, source), (SecretStr(DEFAULT_KEY), None), (None, Source(simulator.mint))]
    for generation, (key, tokens) in enumerate(keys, 1):
        edge.reload(key, Wishes(), tokens)
        edge.connect(generation, MODEL, None)
        await ears.hear(ev.ConnectionOpened, generation)
        await lose(edge, ears, generation)
    kinds = [each.key.startswith("auth_tokens/") for each in simulator.connections]
    assert kinds == [True, False, True]


async def test_without_a_network_a_token_is_kept(
    ears: Ears, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://127.0.0.1:1")
    live = LiveEdge(ears.outlets(), source=source, timeouts=Timeouts(connect_s=5))
    for generation in (1, 2):
        live.connect(generation, MODEL, None)
        closed = await ears.hear(ev.ConnectionClosed, generation)
        assert closed.failure is not None
        assert closed.failure.kind is FailureKind.NETWORK
    assert len(source.fetched) == 1
    await live.close()
