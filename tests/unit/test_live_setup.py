"""What is told to the model in words, and what can be left out of the setup."""

from __future__ import annotations

import pytest

from speakerd.errors import Feature
from speakerd.live.setup import Wishes, config, features, instruction


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("", "", ""),
        ("Be brief.", "", "Be brief."),
        ("", "de-DE", "Answer in the language with the BCP-47 code de-DE."),
        ("Be brief.", "de", "Be brief.\nAnswer in the language with the BCP-47 code de."),
    ],
)
def test_the_instruction_has_what_is_set(text: str, language: str, told: str) -> None:
    assert instruction(text, language) == told


ON = {"type": "integer", "description": "how bright", "minimum": 0, "maximum": 9}
LAMP = {
    "name": "lamp",
    "description": "Light.",
    "parameters": {"type": "object", "properties": {"on": ON}, "required": ["on"]},
}
EVERYTHING = Wishes("Kore", "de", "Be brief.", True, "low", (LAMP,))
#: The fields of the SDK's configuration that a feature stands for.
FIELDS = {
    Feature.THINKING: {"thinking_config"},
    Feature.VOICE: {"speech_config"},
    Feature.TRANSCRIPTION: {"input_audio_transcription", "output_audio_transcription"},
    Feature.COMPRESSION: {"context_window_compression"},
}
REST = {
    "response_modalities",
    "realtime_input_config",
    "session_resumption",
    "system_instruction",
}


def fields_of(wishes: Wishes, without: frozenset[Feature]) -> set[str]:
    made = config(wishes, handle="h", without=without)
    return set(made.model_dump(exclude_none=True))


def test_a_setup_has_every_feature_that_is_wished() -> None:
    assert features(EVERYTHING) == set(Feature)
    assert fields_of(EVERYTHING, frozenset()) == REST.union({"tools"}, *FIELDS.values())


def test_a_setup_without_wishes_has_what_every_speaker_likes_to_have() -> None:
    assert features(Wishes()) == {Feature.TRANSCRIPTION, Feature.COMPRESSION}


@pytest.mark.parametrize("feature", FIELDS)
def test_each_feature_can_be_left_out(feature: Feature) -> None:
    everything = fields_of(EVERYTHING, frozenset())
    assert everything - fields_of(EVERYTHING, frozenset({feature})) == FIELDS[feature]


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
    told = config(EVERYTHING, handle=None, without=frozenset(without)).model_dump(exclude_none=True)
    tools = told.get("tools", [])
    names = [each["name"] for tool in tools for each in tool.get("function_declarations", [])]
    assert [*(["google_search"] if {"google_search": {}} in tools else []), *names] == left


def test_all_of_them_can_be_left_out() -> None:
    assert fields_of(EVERYTHING, frozenset(Feature)) == REST


@pytest.mark.parametrize("level", ["minimal", "low", "medium", "high"])
def test_the_thinking_level_is_the_one_wished(level: str) -> None:
    thinking = config(Wishes(thinking_level=level), handle=None).thinking_config
    assert thinking is not None
    assert thinking.thinking_level is not None
    assert thinking.thinking_level.value == level.upper()


def test_a_function_is_declared_with_its_parameters_if_it_has_any() -> None:
    bare = {"name": "stop", "description": "", "parameters": {"type": "object", "properties": {}}}
    made = config(Wishes(functions=(LAMP, bare)), handle=None).model_dump(
        mode="json", exclude_none=True
    )
    (tool,) = made["tools"]
    number = {"type": "INTEGER", "description": "how bright", "minimum": 0.0, "maximum": 9.0}
    assert tool["function_declarations"] == [
        {
            "name": "lamp",
            "description": "Light.",
            "parameters": {"type": "OBJECT", "properties": {"on": number}, "required": ["on"]},
        },
        {"name": "stop", "description": ""},
    ]
