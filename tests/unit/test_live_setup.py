"""What is asked of a model, and what can be left out of the setup."""

from __future__ import annotations

from typing import Any

import pytest

from speakerd.errors import Feature
from speakerd.live.models import Thinking
from speakerd.live.setup import (
    Detection,
    Wishes,
    asked,
    config,
    left_out,
    manners,
    takes_history,
    wished,
)

LIVE, NATIVE = "gemini-3.8-live", "gemini-2.5-flash-native-audio-latest"
THINKER = "gemini-3.8-live-extended-thinking"
LATER = "gemini-4-live"  # which takes all but the feelings, as far as anybody knows

ON = {"type": "integer", "description": "how bright", "minimum": 0, "maximum": 9}
LAMP = {
    "name": "lamp",
    "description": "Light.",
    "parameters": {"type": "object", "properties": {"on": ON}, "required": ["on"]},
    "slow": False,
}
BARE = {
    "name": "stop",
    "description": "",
    "parameters": {"type": "object", "properties": {}},
    "slow": True,
}
EVERYTHING = Wishes(
    voice="Kore",
    languages=("de", "en"),
    instruction="Be brief.",
    vocabulary=("speakerd",),
    search=True,
    thinking=Thinking("low"),
    affective_dialog=True,
    proactive_audio=True,
    temperature=0.5,
    media_resolution="low",
    safety=(("hate-speech", "only-high"),),
    trigger_tokens=12_000,
    target_tokens=6_000,
    functions=(LAMP,),
    history=True,
)
FEELINGS = {Feature.AFFECTIVE_DIALOG, Feature.PROACTIVE_AUDIO}
#: What a feature stands for in the SDK's configuration.
PARTS = {
    Feature.VOICE: ("speech_config",),
    Feature.THINKING: ("thinking_config",),
    Feature.TEMPERATURE: ("temperature",),
    Feature.MEDIA_RESOLUTION: ("media_resolution",),
    Feature.SAFETY: ("safety_settings",),
    Feature.LANGUAGE_HINTS: ("input_audio_transcription", "language_codes"),
    Feature.VOCABULARY: ("input_audio_transcription", "custom_vocabulary"),
    Feature.COMPRESSION: ("context_window_compression",),
}
REST = {
    "response_modalities",
    "realtime_input_config",
    "session_resumption",
    "system_instruction",
}


def made(
    wishes: Wishes = EVERYTHING,
    model: str = LATER,
    *,
    handle: str | None = "h",
    without: frozenset[Feature] = frozenset(),
) -> dict[str, Any]:
    of = config(wishes, model, handle=handle, without=without)
    return of.model_dump(mode="json", exclude_none=True)


def without_part(setup: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {name: value for name, value in setup.items() if name != first}
    return setup | {first: without_part(setup[first], tuple(rest))}


def test_every_part_can_be_wished() -> None:
    assert wished(EVERYTHING) == set(Feature)
    assert asked(EVERYTHING, LATER) == set(Feature) - FEELINGS


def test_a_setup_without_wishes_has_what_every_speaker_likes_to_have() -> None:
    assert asked(Wishes(), LIVE) == {Feature.TRANSCRIPTION, Feature.COMPRESSION}
    assert made(Wishes(), LIVE, handle=None) == {
        "response_modalities": ["AUDIO"],
        "realtime_input_config": {"automatic_activity_detection": {"disabled": True}},
        "input_audio_transcription": {},
        "output_audio_transcription": {},
        "context_window_compression": {"sliding_window": {}},
        "session_resumption": {},
    }


def test_what_is_wished_is_what_is_asked() -> None:
    setup = made()
    assert setup["system_instruction"] == {"role": "user", "parts": [{"text": "Be brief."}]}
    voice = setup["speech_config"]["voice_config"]["prebuilt_voice_config"]
    assert voice == {"voice_name": "Kore"}
    assert setup["thinking_config"] == {"thinking_level": "LOW"}
    assert setup["temperature"] == 0.5
    assert setup["media_resolution"] == "MEDIA_RESOLUTION_LOW"
    assert setup["safety_settings"] == [
        {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_ONLY_HIGH"}
    ]
    assert setup["input_audio_transcription"] == {
        "language_codes": ["de", "en"],
        "custom_vocabulary": ["speakerd"],
    }
    assert setup["context_window_compression"] == {
        "trigger_tokens": 12_000,
        "sliding_window": {"target_tokens": 6_000},
    }
    assert setup["session_resumption"] == {"handle": "h"}
    assert "http_options" not in setup


@pytest.mark.parametrize("feature", PARTS)
def test_each_part_can_be_left_out(feature: Feature) -> None:
    left = made(without=frozenset({feature}))
    assert left == without_part(made(), PARTS[feature])


def test_without_a_transcription_there_are_no_hints_for_it() -> None:
    left = made(without=frozenset({Feature.TRANSCRIPTION}))
    assert not {"input_audio_transcription", "output_audio_transcription"} & set(left)


def test_how_it_went_before_is_announced_where_there_is_anything_to_tell() -> None:
    assert "history_config" not in made(handle=None)
    told = config(EVERYTHING, LIVE, handle=None, history=True)
    assert told.model_dump(mode="json", exclude_none=True)["history_config"] == {
        "initial_history_in_client_content": True
    }


@pytest.mark.parametrize(
    ("model", "handle", "without", "takes"),
    [
        (LIVE, None, set[Feature](), True),
        (LATER, None, set(), True),
        (LIVE, "h", set(), False),
        (LIVE, None, {Feature.HISTORY}, False),
        (NATIVE, None, set(), False),
    ],
)
def test_a_session_is_told_that_does_not_know(
    model: str, handle: str | None, without: set[Feature], takes: bool
) -> None:
    parts = frozenset(without)
    assert takes_history(EVERYTHING, model, handle=handle, without=parts) is takes
    assert not takes_history(Wishes(), model, handle=handle, without=parts)


def test_all_of_them_can_be_left_out() -> None:
    assert set(made(without=frozenset(Feature))) == REST


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (set[Feature](), ["google_search", "lamp"]),
        ({Feature.SEARCH}, ["lamp"]),
        ({Feature.TOOLS}, ["google_search"]),
        ({Feature.SEARCH, Feature.TOOLS}, []),
    ],
)
def test_search_and_tools_are_in_one_list(without: set[Feature], left: list[str]) -> None:
    tools = made(without=frozenset(without)).get("tools", [])
    names = [each["name"] for tool in tools for each in tool.get("function_declarations", [])]
    assert [*(["google_search"] if {"google_search": {}} in tools else []), *names] == left


def test_what_needs_the_version_that_is_being_tried_out_gets_it() -> None:
    setup = made(Wishes(affective_dialog=True, proactive_audio=True), NATIVE)
    assert setup["http_options"] == {"api_version": "v1alpha"}
    assert setup["enable_affective_dialog"] is True
    assert setup["proactivity"] == {"proactive_audio": True}
    assert "http_options" not in made(Wishes(voice="Kore"), NATIVE)


def test_what_a_model_does_not_take_is_left_out() -> None:
    wishes = Wishes(affective_dialog=True, proactive_audio=True, thinking=Thinking("high"))
    assert made(wishes, LIVE) == made(Wishes(), LIVE)
    assert left_out(wishes, LIVE) == (
        "SPEAKERD_AFFECTIVE_DIALOG",
        "SPEAKERD_PROACTIVE_AUDIO",
        "SPEAKERD_THINKING_LEVEL",
    )
    assert left_out(Wishes(thinking=Thinking(budget_tokens=9)), LIVE) == (
        "SPEAKERD_THINKING_BUDGET",
    )
    assert left_out(Wishes(), LIVE) == ()


def test_what_a_model_cannot_do_without_it_gets_all_the_same() -> None:
    everything = frozenset(Feature)
    assert made(Wishes(), THINKER, without=everything)["thinking_config"] == {
        "thinking_level": "LOW"
    }
    assert left_out(Wishes(thinking=Thinking("minimal")), THINKER) == ("SPEAKERD_THINKING_LEVEL",)


def test_a_function_is_declared_with_its_parameters_if_it_has_any() -> None:
    (tool,) = made(Wishes(functions=(LAMP, BARE)))["tools"]
    number = {"type": "INTEGER", "description": "how bright", "minimum": 0.0, "maximum": 9.0}
    assert tool["function_declarations"] == [
        {
            "name": "lamp",
            "description": "Light.",
            "parameters": {"type": "OBJECT", "properties": {"on": number}, "required": ["on"]},
        },
        {"name": "stop", "description": ""},
    ]


@pytest.mark.parametrize(
    ("model", "behaviors", "patient"),
    [
        (LATER, [None, None], set()),
        (LIVE, ["BLOCKING", "NON_BLOCKING"], {"stop"}),
        (THINKER, ["NON_BLOCKING", "NON_BLOCKING"], {"lamp", "stop"}),
    ],
)
def test_functions_are_called_as_the_model_can(
    model: str, behaviors: list[str | None], patient: set[str]
) -> None:
    wishes = Wishes(functions=(LAMP, BARE))
    (tool,) = made(wishes, model)["tools"]
    assert [each.get("behavior") for each in tool["function_declarations"]] == behaviors
    assert manners(wishes, model).patient == patient


def test_the_server_hears_by_itself_when_somebody_speaks_where_that_is_wished() -> None:
    wishes = Wishes(detection=Detection())
    listening = "automatic_activity_detection"
    assert made(wishes)["realtime_input_config"] == {listening: {}}
    assert manners(wishes, LATER).automatic
    assert not manners(Wishes(), LATER).automatic
    all_of_it = Wishes(detection=Detection("high", "low", 100, 900))
    assert made(all_of_it)["realtime_input_config"] == {
        listening: {
            "start_of_speech_sensitivity": "START_SENSITIVITY_HIGH",
            "end_of_speech_sensitivity": "END_SENSITIVITY_LOW",
            "prefix_padding_ms": 100,
            "silence_duration_ms": 900,
        }
    }


def test_where_sound_goes_out_all_the_time_no_function_is_waited_for_if_that_can_be() -> None:
    wishes = Wishes(functions=(LAMP,), detection=Detection())
    (tool,) = made(wishes, LIVE)["tools"]
    assert tool["function_declarations"][0]["behavior"] == "NON_BLOCKING"
    assert manners(wishes, LIVE).patient == {"lamp"}
    assert manners(wishes, LATER).patient == set()


def test_the_end_of_a_stream_is_no_end_of_a_sentence_everywhere() -> None:
    assert manners(Wishes(), NATIVE).hears_stream_end
    assert not manners(Wishes(), LIVE).hears_stream_end


def test_a_text_is_no_turn_as_realtime_input_everywhere() -> None:
    assert manners(Wishes(), LIVE).text_turns
    assert not manners(Wishes(), NATIVE).text_turns
