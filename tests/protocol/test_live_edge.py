"""The Gemini edge with the real google-genai, over TLS, against the simulator."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import stat
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from google.genai.live import AsyncSession
from pydantic import SecretStr

from speakerd.audio.buffers import CHUNK_BYTES, Utterance
from speakerd.conversation import events as ev
from speakerd.errors import Failure, FailureKind
from speakerd.live.connection import Outlets
from speakerd.live.edge import LiveEdge
from speakerd.live.sending import Text
from speakerd.live.setup import Wishes
from speakerd.live.transport import Timeouts
from speakerd.simulator import faults
from speakerd.simulator.catalogue import MODELS
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY, SimulatorOptions
from speakerd.simulator.records import Outcome
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-live"
SPEECH = bytes(range(256)) * 100  # 0.8 s of S16_LE mono at 16 kHz
E = TypeVar("E", bound=ev.Event)


class Ears:
    """Takes what the edge reports, and waits for it."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.played: defaultdict[int, bytearray] = defaultdict(bytearray)
        self.texts: list[tuple[str, int, str]] = []
        self.lasts_s = 0.0  # what there is to play, whatever comes
        self._changed = asyncio.Event()

    def outlets(self) -> Outlets:
        return Outlets(self.post, self.play, self.transcript)

    def post(self, event: ev.Event) -> None:
        self.events.append(event)
        self._changed.set()

    def play(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        assert rate_hz == 24_000
        self.played[turn] += pcm
        return self.lasts_s

    def transcript(self, side: str, turn: int, text: str) -> None:
        self.texts.append((side, turn, text))

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def hear(self, kind: type[E], count: int = 1) -> E:
        """The ``count``-th event of that kind, waited for if need be."""
        async with asyncio.timeout(10):
            while len(self.all(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.all(kind)[count - 1]


class BrokenUtterance(Utterance):
    """A buffer that cannot be read."""

    def read(self, position_bytes: int, max_bytes: int) -> bytes:
        raise ZeroDivisionError(f"planted at {position_bytes}, {max_bytes}")


def spoken(turn: int, pcm: bytes = SPEECH) -> Utterance:
    utterance = Utterance(turn, max_bytes=10 * len(SPEECH))
    utterance.append(pcm)
    utterance.finish()
    return utterance


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def edge(simulator: Simulator, ears: Ears) -> AsyncIterator[LiveEdge]:  # noqa: ARG001 - it has to be there first
    live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
    yield live
    await live.close()


async def ready(edge: LiveEdge, ears: Ears, generation: int = 1, model: str = MODEL) -> None:
    edge.connect(generation, model, None)
    await ears.hear(ev.ConnectionOpened, generation)


@pytest.mark.parametrize("model", sorted(MODELS))
async def test_every_model_takes_the_setup_and_answers(
    edge: LiveEdge, ears: Ears, simulator: Simulator, model: str
) -> None:
    await ready(edge, ears, model=model)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    assert simulator.turns[0].utterance == SPEECH
    assert ears.played[1] == simulator.turns[0].reply


async def test_a_turn_is_reported_milestone_by_milestone(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    anytime = ev.TranscriptReceived | ev.HandleIssued
    order = [type(event) for event in ears.events if not isinstance(event, anytime)]
    assert order[:5] == [
        ev.ConnectionOpened,
        ev.ActivityStartSent,
        ev.FirstAudioSent,
        ev.UtteranceSent,
        ev.ReplyStarted,
    ]
    assert order[5:8] == [ev.GenerationCompleted, ev.UsageReported, ev.TurnCompleted]
    assert {side for side, turn, _ in ears.texts if turn == 1} == {"heard", "spoken"}
    assert max(simulator.turns[0].chunk_bytes) <= CHUNK_BYTES


async def test_a_setup_carries_what_is_configured_and_nothing_more(
    simulator: Simulator, ears: Ears
) -> None:
    live = LiveEdge(
        ears.outlets(),
        api_key=SecretStr(DEFAULT_KEY),
        wishes=Wishes(voice="Kore", languages=("de-DE",), instruction="Be brief."),
    )
    live.connect(1, MODEL, None)
    await ears.hear(ev.ConnectionOpened)
    await live.close()
    assert simulator.setups == [
        {
            "model": f"models/{MODEL}",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
            },
            "systemInstruction": {
                "parts": [
                    {
                        "text": "Be brief.",
                    }
                ],
                "role": "user",
            },
            "realtimeInputConfig": {"automatic_activity_detection": {"disabled": True}},
            "sessionResumption": {},
            "inputAudioTranscription": {"language_codes": ["de-DE"]},
            "outputAudioTranscription": {},
            "contextWindowCompression": {"sliding_window": {}},
        }
    ]
    assert simulator.connections[0].path.endswith("v1beta.GenerativeService.BidiGenerateContent")


async def test_an_utterance_is_sent_as_it_grows(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    utterance = Utterance(1, max_bytes=len(SPEECH))
    utterance.append(SPEECH[:CHUNK_BYTES])
    edge.deliver(1, 1, utterance)
    await simulator.wait_for(lambda: simulator.turns and simulator.turns[0].utterance)
    assert simulator.turns[0].utterance == SPEECH[:CHUNK_BYTES]
    utterance.append(SPEECH[CHUNK_BYTES:])
    utterance.finish()
    await ears.hear(ev.TurnCompleted)
    assert simulator.turns[0].utterance == SPEECH


async def test_an_utterance_thrown_away_closes_the_window_it_had_opened(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    utterance = Utterance(1, max_bytes=len(SPEECH))
    utterance.append(SPEECH[:CHUNK_BYTES])
    edge.deliver(1, 1, utterance)
    await ears.hear(ev.FirstAudioSent)
    utterance.discard()
    await ears.hear(ev.UtteranceSent)
    assert (await simulator.wait_for(lambda: simulator.turns[0].activity_end_at)) is not None


async def test_an_utterance_thrown_away_before_its_window_opens_none(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    utterance = Utterance(1, max_bytes=len(SPEECH))
    utterance.discard()
    edge.deliver(1, 1, utterance)
    edge.deliver(1, 2, spoken(2))
    await ears.hear(ev.TurnCompleted)
    assert [event.turn for event in ears.all(ev.ActivityStartSent)] == [2]
    assert len(simulator.turns) == 1


async def test_a_text_is_a_turn_of_its_own(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    edge.deliver(1, 1, Text("What time is it?"))
    await ears.hear(ev.TurnCompleted)
    assert simulator.turns[0].text == "What time is it?"
    assert ears.played[1] == simulator.turns[0].reply


async def test_the_session_is_resumed_with_its_handle(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    handle = (await ears.hear(ev.HandleIssued, 2)).handle  # the first is from before the turn
    edge.disconnect(1)
    assert (await ears.hear(ev.ConnectionClosed)) == ev.ConnectionClosed(1, None)
    edge.connect(2, MODEL, ev.SessionHandle(handle, MODEL))
    await ears.hear(ev.ConnectionOpened, 2)
    edge.deliver(2, 2, spoken(2))
    await ears.hear(ev.TurnCompleted, 2)
    assert simulator.turns[1].context == (1,)


async def test_late_audio_of_an_answer_spoken_into_is_not_taken_for_the_next_answer(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SimulatorOptions(speed=20, late_audio_chunks=3)
    async with Simulator(options) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
        await ready(live, ears)
        simulator.plan.add(Phase.REPLY, faults.Pause(1000.0), after_s=0.4, turn=1)
        live.deliver(1, 1, spoken(1, SPEECH * 8))
        await ears.hear(ev.ReplyStarted)
        live.deliver(1, 2, spoken(2))
        await ears.hear(ev.ReplyStarted, 2)
        await simulator.wait_for(lambda: simulator.turns[1].outcome is Outcome.COMPLETE)
        await ears.hear(ev.TurnCompleted, 2)
        await live.close()
        assert [event.turn for event in ears.all(ev.Interrupted)] == [1]
        assert [event.turn for event in ears.all(ev.TurnCompleted)] == [1, 2]
        assert ears.played[1] == simulator.turns[0].reply
        assert ears.played[2] == simulator.turns[1].reply


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (faults.Close(1008, "The operation was aborted."), FailureKind.IDLE, 1008),
        (faults.Close(1011, "Internal error encountered."), FailureKind.SERVER, 1011),
        (faults.Close(1000, ""), FailureKind.IDLE, 1000),
        (faults.Abort(), FailureKind.NETWORK, 1006),
    ],
)
async def test_a_connection_that_ends_says_why_once_and_last(
    edge: LiveEdge,
    ears: Ears,
    simulator: Simulator,
    fault: faults.Act,
    kind: FailureKind,
    code: int,
) -> None:
    await ready(edge, ears)
    simulator.act(fault)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert (closed.failure.kind, closed.failure.code) == (kind, code)
    assert ears.events[-1] is closed


async def test_a_refused_key_is_told_as_one(simulator: Simulator, ears: Ears) -> None:
    assert simulator.options.keys == (DEFAULT_KEY,)
    live = LiveEdge(ears.outlets(), api_key=SecretStr("wrong"))
    live.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    await live.close()
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.KEY
    assert ears.all(ev.ConnectionOpened) == []


async def test_an_unknown_model_is_told_as_one(edge: LiveEdge, ears: Ears) -> None:
    edge.connect(1, "gemini-2.0-flash-live-001", None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.MODEL


async def test_nobody_there_is_a_network_failure(
    ears: Ears, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://127.0.0.1:{unused_tcp_port}")
    live = LiveEdge(ears.outlets(), api_key=SecretStr("any"))
    live.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    await live.close()
    assert closed.failure is not None
    assert closed.failure.kind is FailureKind.NETWORK


async def test_a_setup_that_is_never_answered_can_be_given_up(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.SETUP, faults.Silence())
    edge.connect(1, MODEL, None)
    await simulator.wait_for(lambda: simulator.setups)
    edge.disconnect(1)
    assert (await ears.hear(ev.ConnectionClosed)) == ev.ConnectionClosed(1, None)
    assert ears.all(ev.ConnectionOpened) == []


@pytest.mark.parametrize(
    "message",
    [
        {"somethingNew": {"a": 1}},
        {"interactionStatus": "IDLE"},
        {"serverContent": {"modelTurn": "not an object"}},
        b"not JSON",
        b"",
        {},
    ],
)
async def test_a_message_that_cannot_be_read_costs_nothing(
    edge: LiveEdge, ears: Ears, simulator: Simulator, message: dict[str, object] | bytes
) -> None:
    await ready(edge, ears)
    simulator.inject(message)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    assert ears.played[1] == simulator.turns[0].reply
    assert ears.all(ev.ConnectionClosed) == []


async def test_a_message_of_megabytes_is_taken(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    sound = bytes(range(256)) * 8000  # 43 s, 2.7 MB of base64
    data = base64.b64encode(sound).decode()
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
    simulator.inject({"serverContent": {"modelTurn": {"parts": [part]}}})
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    assert sound in ears.played[0] + ears.played[1]


async def test_go_away_and_tool_calls_are_passed_on(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    simulator.go_away(50.0, closes=False)
    assert (await ears.hear(ev.GoAwayReceived)).time_left_s == 50.0
    simulator.plan.add(Phase.THINKING, faults.ToolCall("lamp", {"on": True}))
    edge.deliver(1, 1, spoken(1))
    (call,) = (await ears.hear(ev.ToolCallReceived)).calls
    assert (call.name, call.args) == ("lamp", {"on": True})
    edge.respond(1, 1, call, {"error": "there is no tool 'lamp'"})
    await ears.hear(ev.ToolResponseSent)
    await ears.hear(ev.TurnCompleted)
    assert ears.played[1] == simulator.turns[0].reply


@pytest.mark.parametrize("bug", [ZeroDivisionError, ValueError])  # the SDK raises the latter
async def test_what_nobody_foresaw_ends_the_connection_and_is_told(
    ears: Ears, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, bug: type[Exception]
) -> None:
    def explode(*_args: object) -> None:
        raise bug("planted")

    monkeypatch.setattr(ears, "transcript", explode)
    broken = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
    await ready(broken, ears)
    simulator.inject({"serverContent": {"inputTranscription": {"text": "hello"}}})
    closed = await ears.hear(ev.ConnectionClosed)
    await broken.close()
    assert closed.failure is not None
    assert "planted" in closed.failure.text


async def test_variables_for_other_google_clients_change_nothing(
    edge: LiveEdge,
    ears: Ears,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "true")
    monkeypatch.setenv("GOOGLE_API_KEY", "of another program")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v1")
    await edge.load()
    await ready(edge, ears)
    said = [record.message for record in caplog.records if record.name.startswith("google")]
    assert said == []  # the SDK would say that it uses the other key


async def test_the_simulator_is_reached_past_any_proxy(
    edge: LiveEdge, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await ready(edge, ears)


@pytest.mark.parametrize("proxy", ["socks5://proxy:9", "foo://proxy:9", "user:hunter2@proxy:9"])
async def test_a_proxy_that_cannot_be_used_is_told(
    edge: LiveEdge, ears: Ears, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("no_proxy")
    await edge.load()
    edge.connect(1, MODEL, None)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert "proxy" in closed.failure.text.lower()
    assert "hunter2" not in closed.failure.text


async def test_our_own_close_is_an_orderly_one(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    edge.disconnect(1)
    await ears.hear(ev.ConnectionClosed)
    closed = await simulator.wait_for(lambda: simulator.connections[0].close_code)
    assert closed == 1000


async def test_a_connection_given_up_before_it_began_is_reported_closed(
    edge: LiveEdge, ears: Ears
) -> None:
    edge.connect(1, MODEL, None)
    edge.disconnect(1)
    assert (await ears.hear(ev.ConnectionClosed)) == ev.ConnectionClosed(1, None)


async def test_a_send_that_fails_ends_the_connection_and_is_told(
    edge: LiveEdge, ears: Ears
) -> None:
    await ready(edge, ears)
    utterance = BrokenUtterance(1, max_bytes=len(SPEECH))
    utterance.append(SPEECH)
    edge.deliver(1, 1, utterance)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is not None
    assert "planted" in closed.failure.text


async def test_a_follow_up_is_heard_whole_though_the_turn_before_was_never_called_complete(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.THINKING, faults.MissingTurnComplete(), turn=1)
    await ready(edge, ears)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.GenerationCompleted)
    edge.deliver(1, 2, spoken(2))
    await ears.hear(ev.GenerationCompleted, 2)
    assert ears.played[2] == simulator.turns[1].reply


async def test_a_call_is_answered_though_somebody_is_speaking(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("lamp", {"on": True}))
    await ready(edge, ears)
    edge.deliver(1, 1, spoken(1))
    (call,) = (await ears.hear(ev.ToolCallReceived)).calls
    growing = Utterance(2, max_bytes=len(SPEECH))
    edge.deliver(1, 2, growing)  # nothing of it is there: only its window can be opened
    edge.respond(1, 1, call, {"error": "cancelled"})
    await ears.hear(ev.ToolResponseSent)
    growing.discard()


def user_timeouts_ms(port: int) -> list[int]:
    """The TCP_USER_TIMEOUT of every socket of this process that is connected to ``port``."""
    found = []
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            sock = stack.enter_context(socket.socket(fileno=os.dup(number)))
            if sock.getpeername()[1:2] == (port,):
                found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
    return found


async def test_a_link_may_be_dead_for_so_long(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    assert user_timeouts_ms(simulator.port) == [7000]


async def test_a_system_that_cannot_tell_a_dead_link_gets_an_ordinary_connection(
    edge: LiveEdge, ears: Ears, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("speakerd.live.transport.socket.TCP_USER_TIMEOUT")
    await ready(edge, ears)
    monkeypatch.undo()
    assert user_timeouts_ms(simulator.port) == [0]


async def test_a_connection_that_is_cut_off_says_so(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    await ready(edge, ears)
    simulator.act(faults.Abort())
    closed = await ears.hear(ev.ConnectionClosed)
    assert str(closed.failure) == "1006 the connection was cut off"


async def test_a_ping_that_is_never_answered_ends_the_connection_and_is_told(
    ears: Ears, simulator: Simulator
) -> None:
    quick = Timeouts(ping_interval_s=0.1, ping_timeout_s=0.1, close_s=0.1)
    live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY), timeouts=quick)
    await ready(live, ears)
    simulator.be_silent(pongs=False)
    closed = await ears.hear(ev.ConnectionClosed)
    await live.close()
    assert closed.failure == Failure(FailureKind.NETWORK, "given up: keepalive ping timeout", 1006)


async def test_a_farewell_that_cannot_be_sent_does_not_hold_the_socket_open(
    ears: Ears, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a clogged line, where the library waits until all that was sent before is gone."""

    async def wait_for_ever(_session: AsyncSession) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(AsyncSession, "close", wait_for_ever)
    live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY), timeouts=Timeouts(close_s=0.05))
    await ready(live, ears)
    live.disconnect(1)
    closed = await ears.hear(ev.ConnectionClosed)
    assert closed.failure is None
    await simulator.wait_for(lambda: simulator.open_connections == 0)


async def test_a_server_that_closes_while_nobody_reads_has_been_heard_out(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is ahead of what is heard is read now and then: all of it arrives."""
    async with Simulator(SimulatorOptions(generation_rate=4.0)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        ears.lasts_s = 1.0
        live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
        await ready(live, ears)
        live.deliver(1, 1, spoken(1, 5 * SPEECH))
        await simulator.wait_for(lambda: simulator.turns and len(simulator.turns[0].reply) > 48_000)
        simulator.close(1011, "Internal error encountered.")
        closed = await ears.hear(ev.ConnectionClosed)
        await live.close()
    assert closed.failure is not None
    assert closed.failure.code == 1011
    assert ears.played[1] == simulator.turns[0].reply


class Deaf(Ears):
    """Cannot play."""

    def play(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        raise TypeError(f"planted at {turn}: {len(pcm)} bytes, {rate_hz} Hz")


async def test_sound_that_cannot_be_handed_on_ends_the_connection(simulator: Simulator) -> None:
    """The SDK would take that for an error of its own, and go on."""
    ears = Deaf()
    live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
    await ready(live, ears)
    live.deliver(1, 1, spoken(1))
    closed = await ears.hear(ev.ConnectionClosed)
    await live.close()
    assert closed.failure is not None
    assert "planted at 1" in closed.failure.text
    assert len(simulator.turns) == 1
