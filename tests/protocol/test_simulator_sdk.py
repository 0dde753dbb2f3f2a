"""The bare google-genai SDK over TLS against the simulator."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import types
from google.genai.errors import APIError

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY, Pacing, SimulatorOptions
from speakerd.simulator.records import Outcome
from speakerd.simulator.server import Simulator
from tests.protocol.simulator_driver import CHUNK, resampled, silence, speech

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.genai.live import AsyncSession

MODEL = "gemini-3.8-live"
NATIVE = "gemini-2.5-flash-native-audio-preview-12-2025"
START, END = types.ActivityStart(), types.ActivityEnd()
MANUAL = types.RealtimeInputConfig(
    automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
)


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(speed=0, keys=(DEFAULT_KEY, "other"))) as running:
        yield running


def client(simulator: Simulator, key: str = DEFAULT_KEY, version: str = "v1beta") -> genai.Client:
    context = ssl.create_default_context(cafile=str(simulator.certificate))
    return genai.Client(
        api_key=key,
        http_options=types.HttpOptions(
            base_url=simulator.base_url,
            api_version=version,
            async_client_args={"ssl": context, "close_timeout": 1},
        ),
    )


def config(handle: str | None = None, **fields: Any) -> types.LiveConnectConfig:  # noqa: ANN401
    return types.LiveConnectConfig(
        **{
            "response_modalities": ["AUDIO"],
            "realtime_input_config": MANUAL,
            "input_audio_transcription": {},
            "output_audio_transcription": {},
            "session_resumption": types.SessionResumptionConfig(handle=handle),
        }
        | fields
    )


def blob(pcm: bytes = CHUNK) -> types.Blob:
    return types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")


async def say(session: AsyncSession, chunks: int = 5) -> None:
    await session.send_realtime_input(activity_start=START)
    for _ in range(chunks):
        await session.send_realtime_input(audio=blob())
    await session.send_realtime_input(activity_end=END)


async def turn(session: AsyncSession) -> list[types.LiveServerMessage]:
    return [message async for message in session.receive()]


async def next_handle(session: AsyncSession) -> str:
    async for message in session.receive():
        update = message.session_resumption_update
        if update and update.resumable and update.new_handle:
            return update.new_handle
    raise AssertionError("the turn ended without a handle")


async def failure(session: AsyncSession) -> APIError:
    """The close, as the SDK tells it."""
    try:
        while True:
            await turn(session)
    except APIError as error:
        return error


async def test_a_turn_is_parroted_bit_by_bit(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        await say(session)
        messages = await turn(session)
    assert b"".join(message.data or b"" for message in messages) == resampled(5 * CHUNK)
    contents = [message.server_content for message in messages if message.server_content]
    heard = [c.input_transcription.text for c in contents if c.input_transcription]
    spoken = [c.output_transcription.text or "" for c in contents if c.output_transcription]
    assert heard == ["0.5 seconds of speech."]
    assert "".join(spoken).strip() == "You said 0.5 seconds of speech."
    assert sum(bool(content.generation_complete) for content in contents) == 1
    assert messages[-1].usage_metadata is not None
    assert messages[-1].usage_metadata.total_token_count == 24
    assert simulator.turns[0].utterance == 5 * CHUNK


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize("model", [MODEL, NATIVE])
async def test_all_versions_and_models(simulator: Simulator, version: str, model: str) -> None:
    dialled = client(simulator, version=version)
    async with dialled.aio.live.connect(model=model, config=config()) as session:
        await say(session)
        await turn(session)
    assert simulator.connections[0].path.endswith(
        f".{version}.GenerativeService.BidiGenerateContent"
    )


async def test_the_environment_leads_the_sdk_here(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    # A trailing slash makes the SDK dial a path with two of them.
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", simulator.base_url + "/")
    async with genai.Client().aio.live.connect(model=MODEL, config=config()) as session:
        await say(session)
        assert await turn(session)
    assert simulator.connections[0].path.startswith("//ws/")
    assert simulator.connections[0].user_agent.startswith("google-genai-sdk/")


async def test_a_conversation_goes_on_over_connections(simulator: Simulator) -> None:
    handle: str | None = None
    for _ in range(3):
        async with client(simulator).aio.live.connect(
            model=MODEL, config=config(handle)
        ) as session:
            await say(session)
            await turn(session)
            handle = await next_handle(session)
    assert [turn.context for turn in simulator.turns] == [(), (1,), (1, 2)]
    assert [len(connection.handles) for connection in simulator.connections] == [2, 2, 2]


async def test_a_dropped_connection_is_resumed(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        await say(session)
        await turn(session)
        handle = await next_handle(session)
        simulator.drop()
        assert (await failure(session)).code == 1006
    async with client(simulator).aio.live.connect(model=MODEL, config=config(handle)) as session:
        await say(session)
        await turn(session)
    assert simulator.turns[1].context == (1,)


async def test_barge_in() -> None:
    options = SimulatorOptions(pacing=Pacing.REALTIME, first_audio_delay_s=0.0)
    async with (
        Simulator(options) as simulator,
        client(simulator).aio.live.connect(model=MODEL, config=config()) as session,
    ):
        await say(session, chunks=50)
        async for message in session.receive():
            if message.data:
                break
        await session.send_realtime_input(activity_start=START)
        rest = await turn(session)
        assert [m.server_content.interrupted for m in rest if m.server_content][-2:] == [True, None]
        await session.send_realtime_input(audio=blob())
        await session.send_realtime_input(activity_end=END)
        await turn(session)
        assert [turn.outcome for turn in simulator.turns] == [Outcome.INTERRUPTED, Outcome.COMPLETE]
        assert simulator.turns[0].reply_s < 5.0
        assert simulator.turns[1].reply == resampled(CHUNK)


async def test_a_conversation_without_a_button() -> None:
    options = SimulatorOptions(pacing=Pacing.REALTIME, first_audio_delay_s=0.0)
    hands_free = config(realtime_input_config=None)
    async with (
        Simulator(options) as simulator,
        client(simulator).aio.live.connect(model=MODEL, config=hands_free) as session,
    ):
        await session.send_realtime_input(audio=blob(silence(1) + speech(3) + silence(1)))
        told = []
        async for message in session.receive():
            told += [message.voice_activity] if message.voice_activity else []
            if message.data:
                break
        start, end = types.VoiceActivityType.ACTIVITY_START, types.VoiceActivityType.ACTIVITY_END
        assert [(one.voice_activity_type, one.audio_offset) for one in told] == [
            (start, "1.150s"),
            (end, "4.800s"),
        ]
        await session.send_realtime_input(audio=blob(speech(0.5)))
        cut = [message.server_content for message in await turn(session) if message.server_content]
        assert [content.interrupted for content in cut][-2:] == [True, None]
        await session.send_realtime_input(audio_stream_end=True)  # it does not take this
        await session.send_realtime_input(audio=blob(silence(1)))
        await turn(session)
    first, second = simulator.turns
    assert (first.outcome, second.outcome) == (Outcome.INTERRUPTED, Outcome.COMPLETE)
    # Of the silence before, 0.2 s are heard as well; at its end there was one.
    assert second.utterance == silence(0.2) + speech(0.5) + silence(0.8)
    assert second.reply == resampled(bytes(second.utterance))


async def test_a_stream_that_ends_ends_the_sentence_of_2_5(simulator: Simulator) -> None:
    hands_free = config(realtime_input_config=None)
    async with client(simulator).aio.live.connect(model=NATIVE, config=hands_free) as session:
        await session.send_realtime_input(audio=blob(speech(0.5)))
        await session.send_realtime_input(audio_stream_end=True)
        assert not any(message.voice_activity for message in await turn(session))
    assert simulator.turns[0].utterance == speech(0.5)


async def test_a_text_turn(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        await session.send_realtime_input(text="hello")
        await turn(session)
        content = types.Content(role="user", parts=[types.Part(text="and again")])
        await session.send_client_content(turns=content)
        await turn(session)
    assert [turn.text for turn in simulator.turns] == ["hello", "and again"]


async def test_a_tool_call(simulator: Simulator) -> None:
    def set_volume(percent: int) -> str:
        """Set the volume."""
        return str(percent)

    simulator.plan.add(Phase.THINKING, faults.ToolCall("set_volume", {"percent": 30}))
    async with client(simulator).aio.live.connect(
        model=MODEL, config=config(tools=[set_volume])
    ) as session:
        await say(session)
        async for message in session.receive():
            if message.tool_call and message.tool_call.function_calls:
                [call] = message.tool_call.function_calls
                assert (call.name, call.args) == ("set_volume", {"percent": 30})
                response = types.FunctionResponse(
                    id=call.id, name=call.name, response={"result": "ok"}
                )
                await session.send_tool_response(function_responses=response)
    assert simulator.turns[0].tool_responses[0]["response"] == {"result": "ok"}
    assert simulator.turns[0].reply == resampled(5 * CHUNK)


CONNECTS: list[tuple[str, dict[str, Any], str, int, str]] = [
    ("bad key", {}, "nonsense", 1007, "API key not valid. Please pass a valid API key."),
    (
        "text modality",
        {"response_modalities": ["TEXT"]},
        DEFAULT_KEY,
        1007,
        "The requested combination of response modalities (TEXT) is not supported by the model. ",
    ),
    (
        "thinking level",
        {"thinking_config": types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)},
        DEFAULT_KEY,
        1007,
        "Thinking level is not supported for this model.",
    ),
    (
        "bad handle",
        {"session_resumption": types.SessionResumptionConfig(handle="no-such-handle")},
        DEFAULT_KEY,
        1007,
        "Invalid session handle",
    ),
]


@pytest.mark.parametrize(
    ("fields", "key", "code", "text"), [row[1:] for row in CONNECTS], ids=[r[0] for r in CONNECTS]
)
async def test_a_connect_that_is_refused(
    simulator: Simulator, fields: dict[str, Any], key: str, code: int, text: str
) -> None:
    with pytest.raises(APIError) as caught:
        async with client(simulator, key).aio.live.connect(model=MODEL, config=config(**fields)):
            pass
    assert caught.value.code == code
    assert str(caught.value.details).startswith(text)


async def test_an_unknown_model(simulator: Simulator) -> None:
    with pytest.raises(APIError) as caught:
        async with client(simulator).aio.live.connect(model="gemini-0", config=config()):
            pass
    text = (
        "models/gemini-0 is not found for API version v1beta, or is not supported for "
        "bidiGenerateContent. Call ListModels to see th"
    )
    assert (caught.value.code, caught.value.details) == (1008, text)


INPUTS: list[tuple[str, list[dict[str, Any]], dict[str, Any], int, str]] = [
    (
        "explicit activity with automatic detection",
        [{"activity_start": START}],
        {"realtime_input_config": None},
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
    ),
    (
        "an end without a start",
        [{"activity_end": END}],
        {},
        1008,
        "Operation is not implemented, or supported, or enabled.",
    ),
    (
        "two starts",
        [{"activity_start": START}, {"activity_start": START}],
        {},
        1007,
        "Precondition check failed.",
    ),
    (
        "text within an activity",
        [{"activity_start": START}, {"text": "hello"}],
        {},
        1007,
        "Precondition check failed.",
    ),
    (
        "the end of a stream in manual mode",
        [{"audio_stream_end": True}],
        {},
        1007,
        "Request contains an invalid argument.",
    ),
    (
        "audio that is not PCM",
        [{"activity_start": START}, {"audio": types.Blob(data=b"", mime_type="audio/ogg")}],
        {},
        1007,
        "Request contains an invalid argument.",
    ),
    (
        "media chunks",
        [{"activity_start": START}, {"media": blob()}],
        {},
        1007,
        "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
    ),
]


@pytest.mark.parametrize(
    ("inputs", "fields", "code", "text"), [row[1:] for row in INPUTS], ids=[r[0] for r in INPUTS]
)
async def test_an_input_that_is_refused(
    simulator: Simulator,
    inputs: list[dict[str, Any]],
    fields: dict[str, Any],
    code: int,
    text: str,
) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config(**fields)) as session:
        for one in inputs:
            await session.send_realtime_input(**one)
        error = await failure(session)
    assert (error.code, error.details) == (code, text)


async def test_input_while_a_tool_runs(simulator: Simulator) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("f"))
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        await say(session)
        async for message in session.receive():
            if message.tool_call:
                break
        await session.send_realtime_input(audio=blob())
        error = await failure(session)
    assert (error.code, error.details) == (
        1008,
        "Operation is not implemented, or supported, or enabled.",
    )


async def test_resuming_while_the_old_socket_is_open(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        handle = await next_handle(session)
        with pytest.raises(APIError) as caught:
            async with client(simulator).aio.live.connect(model=MODEL, config=config(handle)):
                pass
    assert (caught.value.code, caught.value.details) == (1011, "Internal error encountered.")


async def test_a_handle_of_another_model(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        handle = await next_handle(session)
    async with client(simulator).aio.live.connect(model=NATIVE, config=config(handle)) as session:
        assert session.setup_complete is not None
        assert (await failure(session)).code == 1011


async def test_a_handle_of_another_key(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        handle = await next_handle(session)
    with pytest.raises(APIError, match="Requested entity was not found"):
        async with client(simulator, "other").aio.live.connect(model=MODEL, config=config(handle)):
            pass


async def test_an_expired_handle() -> None:
    async with Simulator(SimulatorOptions(speed=0, handle_validity_s=0.0)) as simulator:
        async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
            handle = await next_handle(session)
        with pytest.raises(APIError, match="BidiGenerateContent session not found"):
            async with client(simulator).aio.live.connect(model=MODEL, config=config(handle)):
                pass


async def test_go_away(simulator: Simulator) -> None:
    async with client(simulator).aio.live.connect(model=MODEL, config=config()) as session:
        simulator.go_away(0.05)
        message = await anext(aiter(session.receive()))
        while not message.go_away:
            message = await anext(aiter(session.receive()))
        error = await failure(session)
    assert message.go_away.time_left == "0.05s"
    assert (error.code, error.details) == (1008, "The operation was aborted.")


async def test_the_idle_close() -> None:
    async with (
        Simulator(SimulatorOptions(idle_timeout_s=0.05)) as simulator,
        client(simulator).aio.live.connect(model=MODEL, config=config()) as session,
    ):
        error = await failure(session)
    assert (error.code, error.details) == (1008, "The operation was aborted.")
