"""Every option about the model reaches the models that take it, and no other: over TLS."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from speakerd.config.settings import Settings
from speakerd.conversation import events as ev
from speakerd.daemon.translate import wishes_of
from speakerd.live.edge import LiveEdge
from speakerd.live.sending import Text
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY
from speakerd.tools.toolbox import Toolbox
from tests.protocol.test_live_edge import Ears, spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from speakerd.simulator.server import Simulator

LIVE, THINKER = "gemini-3.8-live", "gemini-3.8-live-extended-thinking"
LEGACY, NATIVE = "gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-latest"
ALL = (LIVE, THINKER, LEGACY, NATIVE)


@dataclass(frozen=True, slots=True)
class Row:
    """An option with a value, what the setup has for it, and for which models."""

    option: str
    value: object
    path: tuple[str, ...]
    expected: object
    takers: tuple[str, ...] = ALL
    more: Mapping[str, object] = field(default_factory=dict)  # what else is set

    def find(self, setup: dict[str, Any]) -> object:
        """What is there; a name in snake_case stands for camelCase, too."""
        found: Any = setup
        for name in self.path:
            first, *rest = name.split("_")
            camel = first + "".join(map(str.title, rest))
            found = (found or {}).get(name, (found or {}).get(camel))
        return found


VOLUME = Toolbox.of(["volume"]).declarations()
_CONFIG = "generation_config"
_THINKING = (_CONFIG, "thinking_config")
_VOICE = (_CONFIG, "speech_config", "voice_config", "prebuilt_voice_config")
_HEARING = "input_audio_transcription"
_LOW = "MEDIA_RESOLUTION_LOW"
_TOLD = ("system_instruction",)
_COMPRESSED = ("context_window_compression",)
_LISTENING = ("realtime_input_config", "automatic_activity_detection")
_HANDS_FREE = {"turn_taking": "conversation"}


def told(text: str) -> dict[str, object]:
    """The system instruction as it is sent."""
    return {"parts": [{"text": text}], "role": "user"}


CAPABILITIES = [
    Row("voice", "kore", _VOICE, {"voice_name": "Kore"}),
    Row("language", "de-DE,en", (_HEARING, "language_codes"), ["de-DE", "en"]),
    Row("language", "de", _TOLD, told("Answer in the language with the BCP-47 code de.")),
    Row(
        "vocabulary",
        "speakerd",
        (_HEARING, "custom_vocabulary"),
        ["speakerd"],
        (LIVE, THINKER, LEGACY),
    ),
    Row("thinking_level", "medium", (*_THINKING, "thinking_level"), "MEDIUM", (THINKER, LEGACY)),
    Row("thinking_budget", 128, (*_THINKING, "thinking_budget"), 128, (LEGACY, NATIVE)),
    Row("affective_dialog", True, (_CONFIG, "enable_affective_dialog"), True, (NATIVE,)),
    Row("proactive_audio", True, ("proactivity",), {"proactive_audio": True}, (NATIVE,)),
    Row("temperature", 0.5, (_CONFIG, "temperature"), 0.5),
    Row("media_resolution", "low", (_CONFIG, "media_resolution"), _LOW),
    Row(
        "safety",
        "harassment=none",
        ("safety_settings",),
        [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    ),
    Row("google_search", True, ("tools",), [{"googleSearch": {}}]),
    Row("system_instruction", "Be brief.", _TOLD, told("Be brief.")),
    Row("place", "Bonn", _TOLD, told("In Bonn."), more={"system_instruction": "In {place}."}),
    Row("names", "Ada,Alan", _TOLD, told("Ada, Alan."), more={"system_instruction": "{names}."}),
    Row(
        "compression_trigger_tokens",
        9000,
        _COMPRESSED,
        {"trigger_tokens": 9000, "sliding_window": {}},
    ),
    Row(
        "compression_target_tokens",
        4000,
        _COMPRESSED,
        {"trigger_tokens": 12000, "sliding_window": {"target_tokens": 4000}},
    ),
    Row("turn_taking", "conversation", _LISTENING, {}),
    Row(
        "vad_start",
        "high",
        (*_LISTENING, "start_of_speech_sensitivity"),
        "START_SENSITIVITY_HIGH",
        more=_HANDS_FREE,
    ),
    Row(
        "vad_end",
        "low",
        (*_LISTENING, "end_of_speech_sensitivity"),
        "END_SENSITIVITY_LOW",
        more=_HANDS_FREE,
    ),
    Row("vad_padding_ms", 120, (*_LISTENING, "prefix_padding_ms"), 120, more=_HANDS_FREE),
    Row("vad_silence_ms", 700, (*_LISTENING, "silence_duration_ms"), 700, more=_HANDS_FREE),
]


def settings(**options: object) -> Settings:
    return Settings.model_validate({"gemini_api_key": DEFAULT_KEY, "tools": "none", **options})


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def edge(simulator: Simulator, ears: Ears) -> AsyncIterator[LiveEdge]:  # noqa: ARG001 - it has to be there first
    live = LiveEdge(ears.outlets(), api_key=SecretStr(DEFAULT_KEY))
    yield live
    await live.close()


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("row", CAPABILITIES, ids=[row.option for row in CAPABILITIES])
async def test_an_option_reaches_the_models_that_take_it(
    edge: LiveEdge,
    ears: Ears,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    row: Row,
    model: str,
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    edge.reload(SecretStr(DEFAULT_KEY), wishes_of(settings(**{row.option: row.value}, **row.more)))
    for generation in (1, 2):
        edge.connect(generation, model, None)
        await ears.hear(ev.ConnectionOpened, generation)
        edge.disconnect(generation)
        await ears.hear(ev.ConnectionClosed, generation)
    is_taken = model in row.takers
    assert (row.find(simulator.setups[0]) == row.expected) is is_taken
    left_out = [line for line in caplog.messages if line.endswith(": left out")]
    told = f"{model} does not take SPEAKERD_{row.option.upper()}: left out"
    assert left_out == ([] if is_taken else [told])  # once


async def test_the_defaults_ask_for_nothing_but_what_every_speaker_needs(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    defaults = Settings.model_validate({"gemini_api_key": DEFAULT_KEY})
    edge.reload(SecretStr(DEFAULT_KEY), wishes_of(defaults, VOLUME))
    edge.connect(1, LIVE, None)
    await ears.hear(ev.ConnectionOpened)
    (setup,) = simulator.setups
    (tool,) = setup.pop("tools")  # the volume is the only one that is on by itself
    names = {each["name"] for each in tool.pop("functionDeclarations")}
    assert (names, tool) == ({"get_volume", "set_volume", "change_volume"}, {})
    assert setup == {
        "model": f"models/{LIVE}",
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "realtimeInputConfig": {"automatic_activity_detection": {"disabled": True}},
        "sessionResumption": {},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "contextWindowCompression": {"trigger_tokens": 12000, "sliding_window": {}},
    }


@pytest.mark.parametrize("model", ALL)
async def test_a_text_is_a_turn_of_every_model(
    edge: LiveEdge, ears: Ears, simulator: Simulator, model: str
) -> None:
    edge.connect(1, model, None)
    await ears.hear(ev.ConnectionOpened)
    edge.deliver(1, 1, Text("What is a gnu?"))
    await ears.hear(ev.TurnCompleted)
    edge.deliver(1, 2, Text("A gnu is an antelope.", read_out=True))
    await ears.hear(ev.TurnCompleted, 2)
    asked, told = (turn.text for turn in simulator.turns)
    assert asked == "What is a gnu?"
    assert told.endswith(' word for word, and nothing else: "A gnu is an antelope."')
    assert ears.played[1]
    assert ears.played[2]


async def test_an_answer_in_parts_is_one(edge: LiveEdge, ears: Ears, simulator: Simulator) -> None:
    part = {"serverContent": {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}}
    simulator.plan.add(Phase.REPLY, faults.Inject(part), after_s=0.2)
    edge.connect(1, THINKER, None)
    await ears.hear(ev.ConnectionOpened)
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.TurnCompleted)
    assert ears.all(ev.AnswerContinues) == [ev.AnswerContinues(1, 1)]
    assert ears.played == {1: simulator.turns[0].reply}


@pytest.mark.parametrize(("model", "blocking"), [(LIVE, True), (THINKER, False), (LEGACY, True)])
async def test_a_model_waits_for_a_function_where_it_can(
    edge: LiveEdge, ears: Ears, simulator: Simulator, model: str, blocking: bool
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("get_volume"))
    edge.reload(SecretStr(DEFAULT_KEY), wishes_of(settings(), VOLUME))
    edge.connect(1, model, None)
    await ears.hear(ev.ConnectionOpened)
    edge.deliver(1, 1, spoken(1))
    received = await ears.hear(ev.ToolCallReceived)
    assert received.blocking is blocking
    edge.respond(1, 1, received.calls[0], {"volume_percent": 40})
    (result,) = await simulator.wait_for(lambda: simulator.turns[0].tool_responses)
    assert result["response"] == {"volume_percent": 40}
    await ears.hear(ev.TurnCompleted)


async def test_what_comes_of_a_call_that_is_not_waited_for_is_part_of_the_turn(
    edge: LiveEdge, ears: Ears, simulator: Simulator
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("get_volume"))
    edge.reload(SecretStr(DEFAULT_KEY), wishes_of(settings(), VOLUME))
    edge.connect(1, THINKER, None)
    await ears.hear(ev.ConnectionOpened)
    edge.deliver(1, 1, spoken(1))
    (call,) = (await ears.hear(ev.ToolCallReceived)).calls
    await ears.hear(ev.TurnCompleted)
    before = bytes(ears.played[1])
    edge.respond(1, 1, call, {"volume_percent": 40})
    await ears.hear(ev.TurnCompleted, 2)
    assert before == simulator.turns[0].reply != b""
    assert ears.played == {1: before + simulator.turns[1].reply}
    assert simulator.turns[1].reply


@pytest.mark.parametrize("in_vain", [0, 1])
@pytest.mark.parametrize("model", [LIVE, THINKER, NATIVE])
async def test_a_call_that_a_lost_connection_left_open_swallows_nothing(
    edge: LiveEdge, ears: Ears, simulator: Simulator, model: str, in_vain: int
) -> None:
    simulator.plan.add(Phase.THINKING, faults.ToolCall("get_volume"))
    edge.reload(SecretStr(DEFAULT_KEY), wishes_of(settings(), VOLUME))
    edge.connect(1, model, None)
    handle = (await ears.hear(ev.HandleIssued)).handle
    edge.deliver(1, 1, spoken(1))
    await ears.hear(ev.ToolCallReceived)
    simulator.drop()
    await ears.hear(ev.ConnectionClosed)
    for generation in range(2, 2 + in_vain):  # given up before it was there
        edge.connect(generation, model, ev.SessionHandle(handle, model))
        edge.disconnect(generation)
        await ears.hear(ev.ConnectionClosed, generation)
    last = 2 + in_vain
    edge.connect(last, model, ev.SessionHandle(handle, model))
    await ears.hear(ev.ConnectionOpened, 2)
    edge.deliver(last, 2, Text("Are you there?"))
    while (await ears.hear(ev.TurnCompleted)).turn != 2:
        ears.events.remove(ears.all(ev.TurnCompleted)[0])
    assert ears.played[2] == simulator.turns[-1].reply != b""
