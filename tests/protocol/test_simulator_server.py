"""The simulator's server with a raw WebSocket client: what the SDK cannot send or would hide."""

from __future__ import annotations

import asyncio
import json
import ssl
import wave
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from speakerd.simulator import faults
from speakerd.simulator.faults import Moment, Phase, Plan, Planned
from speakerd.simulator.options import DEFAULT_KEY, SimulatorOptions
from speakerd.simulator.records import Outcome
from speakerd.simulator.server import Simulator
from tests.protocol.simulator_driver import (
    ACTIVITY_END,
    ACTIVITY_START,
    CHUNK,
    audio,
    kinds,
    reply_pcm,
    resampled,
    setup,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

METHOD = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PATH = f"/ws/{METHOD}"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(speed=0)) as running:
        yield running


def dial(simulator: Simulator, path: str = f"{PATH}?key={DEFAULT_KEY}", **options: Any) -> connect:  # noqa: ANN401
    context = ssl.create_default_context(cafile=str(simulator.certificate))
    url = simulator.base_url.replace("https", "wss") + path
    return connect(url, ssl=context, **{"close_timeout": 1} | options)


async def send(socket: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def read(socket: ClientConnection, last: str) -> list[dict[str, Any]]:
    """The messages up to the first of that kind."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while last not in kinds(messages):
            frame = await socket.recv()
            assert isinstance(frame, bytes)
            messages.append(json.loads(frame))
    return messages


async def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closes."""
    async with asyncio.timeout(5):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def test_json_comes_in_binary_frames(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")


async def test_a_name_of_its_own_for_other_machines() -> None:
    async with Simulator(SimulatorOptions(speed=0, name="gemini.test")) as simulator:
        assert simulator.base_url == f"https://gemini.test:{simulator.port}"
        # server_hostname, against which TLS holds the certificate, is the URL's
        async with dial(simulator, host="127.0.0.1") as socket:
            await send(socket, setup())
            await read(socket, "setupComplete")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH, {"x-goog-api-key": DEFAULT_KEY}),
        (f"/{PATH}", {"x-goog-api-key": DEFAULT_KEY}),
        (f"{PATH}?key={DEFAULT_KEY}", {}),
        (f"/{PATH}?key={DEFAULT_KEY}", {}),
        (f"{PATH}Constrained?access_token=TOKEN", {}),
        (f"{PATH}Constrained", {"Authorization": "Token TOKEN"}),
    ],
)
async def test_the_ways_to_say_who_one_is(
    simulator: Simulator, path: str, headers: dict[str, str]
) -> None:
    token = simulator.mint()
    path = path.replace("TOKEN", token)
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    async with dial(simulator, path, additional_headers=headers) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")


async def test_without_a_key(simulator: Simulator) -> None:
    async with dial(simulator, PATH) as socket:
        await send(socket, setup())
        code, reason = await closed(socket)
    assert code == 1008
    assert str(reason).startswith("Method doesn't allow unregistered callers")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/x{PATH}",
        f"///{PATH}",
        PATH.replace("v1beta", "v2"),
        f"{PATH}Other",
        PATH.replace("Bidi", ""),
    ],
)
async def test_other_paths_are_not_found(simulator: Simulator, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await dial(simulator, path)
    assert caught.value.response.status_code == 404
    assert simulator.connections == []


@pytest.mark.parametrize("frame", [b'{"setup": {"model": 5}}', '{"setup": {"model": 5}}'])
async def test_text_and_binary_frames_are_read(simulator: Simulator, frame: str | bytes) -> None:
    async with dial(simulator) as socket:
        await socket.send(frame)
        assert (await closed(socket))[0] == 1007
    assert simulator.setups == [{"model": 5}]


async def test_a_null_handle(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup(sessionResumption={"handle": None}))
        assert await closed(socket) == (1007, "Request contains an invalid argument.")


async def test_the_records(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup(), audio(), ACTIVITY_START, audio(), ACTIVITY_END)
        messages = await read(socket, "turnComplete")
        assert simulator.open_connections == 1
    await simulator.wait_for(lambda: simulator.open_connections == 0)
    [turn], [connection] = simulator.turns, simulator.connections
    assert turn.utterance == CHUNK
    assert reply_pcm(messages) == turn.reply == resampled(CHUNK)
    assert turn.outcome is Outcome.COMPLETE
    assert connection.setup == simulator.setups[0] == setup()["setup"]
    assert (connection.discarded_chunks, connection.discarded_bytes) == (1, len(CHUNK))
    assert (connection.closed_by, connection.close_code) == ("client", 1000)
    assert DEFAULT_KEY not in repr(connection)


async def test_when_it_was_set_up_and_when_each_chunk_came(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup(), ACTIVITY_START, audio(), audio(), ACTIVITY_END)
        await read(socket, "turnComplete")
    [turn], [connection] = simulator.turns, simulator.connections
    assert connection.ready_at is not None
    assert turn.activity_start_at is not None
    assert turn.first_audio_at == turn.chunk_at[0]
    assert connection.opened_at <= connection.ready_at <= turn.activity_start_at
    assert len(turn.chunk_at) == len(turn.chunk_bytes) == 2


async def test_what_goes_over_a_connection_is_counted(simulator: Simulator) -> None:
    async with dial(simulator, compression=None) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")
        before = simulator.traffic()
        await send(socket, ACTIVITY_START, audio(), ACTIVITY_END)
        await read(socket, "turnComplete")
        await send(socket, audio())  # and with it the acknowledgement of what was sent before
        await simulator.wait_for(
            lambda: simulator.traffic().sent - before.sent > len(simulator.turns[0].reply)
        )
        assert simulator.traffic().received - before.received > len(CHUNK)
    await simulator.wait_for(lambda: simulator.open_connections == 0)
    with pytest.raises(LookupError):
        simulator.traffic()


@pytest.mark.parametrize("agrees", [False, True])
async def test_compression_is_agreed_to_or_not(*, agrees: bool) -> None:
    async with Simulator(SimulatorOptions(speed=0, deflate=agrees)) as simulator:
        async with dial(simulator) as socket:
            await send(socket, setup(), ACTIVITY_START, audio(), ACTIVITY_END)
            await read(socket, "turnComplete")
            assert [one.name for one in socket.protocol.extensions] == (
                ["permessage-deflate"] if agrees else []
            )
        assert simulator.turns[0].utterance == CHUNK


async def test_only_so_much_is_remembered() -> None:
    async with Simulator(SimulatorOptions(speed=0, keep=2)) as simulator:
        for _ in range(3):
            async with dial(simulator) as socket:
                await send(socket, setup(), ACTIVITY_START, ACTIVITY_END)
                await read(socket, "turnComplete")
        assert [connection.number for connection in simulator.connections] == [2, 3]
        assert [turn.number for turn in simulator.turns] == [2, 3]
        assert len(simulator.setups) == 2


async def test_answering_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answer.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(CHUNK)
    utterances = tmp_path / "heard"
    utterances.mkdir()
    options = SimulatorOptions(speed=0, reply=path, save_utterances=utterances)
    async with Simulator(options) as simulator, dial(simulator) as socket:
        await send(socket, setup(), ACTIVITY_START, audio(), audio(), ACTIVITY_END)
        assert reply_pcm(await read(socket, "turnComplete")) == resampled(CHUNK, 48_000)
    with wave.open(str(utterances / "utterance-0001.wav")) as file:
        assert file.getframerate() == 16_000
        assert file.readframes(file.getnframes()) == 2 * CHUNK


async def test_an_unusable_answer_is_told_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"missing\.wav"):
        Simulator(SimulatorOptions(reply=tmp_path / "missing.wav"))


async def test_a_port_that_is_taken_leaves_nothing_behind(simulator: Simulator) -> None:
    second = Simulator(SimulatorOptions(port=simulator.port))
    with pytest.raises(OSError, match="address already in use"):
        await second.__aenter__()
    assert not second.certificate.exists()


async def test_it_stops_with_a_farewell() -> None:
    async with Simulator() as other, dial(other) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")
        certificate = other.certificate
        await other.__aexit__()
        assert (await closed(socket))[0] == 1001
    assert not certificate.exists()
    assert other.connections[0].closed_by == "server"


async def test_waiting_for_what_does_not_come(simulator: Simulator) -> None:
    with pytest.raises(TimeoutError):
        await simulator.wait_for(lambda: simulator.turns, timeout_s=0.01)


# --- faults on a real socket


async def test_a_refused_upgrade(simulator: Simulator) -> None:
    simulator.plan.add(Phase.UPGRADE, faults.HttpStatus(503))
    with pytest.raises(InvalidStatus) as caught:
        await dial(simulator)
    assert caught.value.response.status_code == 503
    async with dial(simulator):
        await simulator.wait_for(lambda: len(simulator.connections) == 1)


async def test_a_broken_upgrade(simulator: Simulator) -> None:
    simulator.plan.add(Phase.UPGRADE, faults.Abort())
    with pytest.raises(InvalidMessage):
        await dial(simulator)
    assert simulator.connections == []


@pytest.mark.parametrize(
    "phase", [Phase.SETUP, Phase.IDLE, Phase.UTTERANCE, Phase.THINKING, Phase.REPLY]
)
async def test_a_broken_connection(simulator: Simulator, phase: Phase) -> None:
    simulator.plan.add(phase, faults.Abort())
    async with dial(simulator) as socket:
        await send(socket, setup(), ACTIVITY_START, audio(), ACTIVITY_END)
        assert await closed(socket) == (1006, "")


async def test_what_is_done_by_hand(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")
        simulator.inject({"serverContent": {"interrupted": True}})
        simulator.go_away(7, closes=False)
        assert (await read(socket, "goAway"))[-1] == {"goAway": {"timeLeft": "7s"}}
        simulator.inject(b"not JSON")
        assert await socket.recv() == b"not JSON"
        simulator.close(1011, "Internal error encountered.")
        assert await closed(socket) == (1011, "Internal error encountered.")
    with pytest.raises(LookupError):
        simulator.drop()


async def test_silence_with_pongs(simulator: Simulator) -> None:
    async with dial(simulator) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")
        simulator.be_silent()
        await send(socket, ACTIVITY_START, ACTIVITY_END)
        await (await socket.ping())
        await simulator.wait_for(lambda: simulator.turns and simulator.turns[0].activity_end_at)
        assert simulator.turns[0].completed_at is None


async def test_silence_without_pongs(simulator: Simulator) -> None:
    impatient: dict[str, Any] = {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05}
    async with dial(simulator, **impatient) as socket:
        await send(socket, setup())
        await read(socket, "setupComplete")
        simulator.be_silent(pongs=False)
        await closed(socket)
        assert socket.protocol.close_sent is not None
        assert socket.protocol.close_sent.reason == "keepalive ping timeout"


async def test_acting_is_for_the_newest_connection(simulator: Simulator) -> None:
    async with dial(simulator) as first, dial(simulator) as second:
        await simulator.wait_for(lambda: simulator.open_connections == 2)
        simulator.close(1011, "second")
        assert await closed(second) == (1011, "second")
        simulator.close(1011, "first")
        assert await closed(first) == (1011, "first")


async def test_only_a_plan_can_be_added_to(simulator: Simulator) -> None:
    class Fair:
        def faults(self, moment: Moment) -> list[Planned]:  # noqa: ARG002 - the protocol's
            return []

    assert isinstance(simulator.script, Plan)
    simulator.script = Fair()
    with pytest.raises(TypeError, match="not a plan"):
        simulator.plan.add(Phase.IDLE, faults.Abort())


@pytest.mark.parametrize("phase", [Phase.SETUP, Phase.IDLE])
async def test_a_bug_of_the_simulator_is_not_swallowed(phase: Phase) -> None:
    class Broken:
        """Fails while a frame is taken (SETUP) or by the clock (IDLE, after an answer)."""

        def faults(self, moment: Moment) -> list[Planned]:
            if moment.phase is phase and (phase is Phase.SETUP or running.turns):
                raise ZeroDivisionError
            return []

    running = await Simulator(SimulatorOptions(speed=100)).__aenter__()
    running.script = Broken()
    async with dial(running) as socket:
        await send(socket, setup(), ACTIVITY_START, audio(), ACTIVITY_END)
        assert (await closed(socket))[0] == 1011
    with pytest.raises(ExceptionGroup) as caught:
        await running.__aexit__()
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
