"""What the server refuses, rule by rule, on the pure protocol."""

from __future__ import annotations

from typing import Any

import pytest

from speakerd.simulator import faults
from speakerd.simulator.catalogue import LONGEST_REASON_BYTES, Closing
from speakerd.simulator.conversation import MOST_PICTURES, Conversation
from speakerd.simulator.faults import Phase
from speakerd.simulator.machine import AUTOMATIC_TABLE, TABLE, Action, Input, State
from tests.protocol.simulator_driver import (
    ACTIVITY_END,
    ACTIVITY_START,
    CHUNK,
    CONTENT,
    HISTORY_CONFIG,
    STREAM_END,
    TEXT,
    Client,
    Server,
    audio,
    history,
    kinds,
    picture,
    setup,
    tool_response,
)

BAD_ARGUMENT = "1007 Request contains an invalid argument."
PRECONDITION = "1007 Precondition check failed."
NOT_ENABLED = "1008 Operation is not implemented, or supported, or enabled."
EXPLICIT = (
    "1007 Explicit activity control is not supported when automatic activity detection is enabled."
)
UNKNOWN = "1007 Invalid JSON payload received. Unknown name"
NATIVE = "models/gemini-2.5-flash-native-audio-preview-12-2025"
THINKER = "models/gemini-3.8-live-extended-thinking"
OTHER_MODEL = "models/gemini-3.1-flash-live-preview"

SETUPS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown model", {"model": "models/nobody"}, "1008 models/nobody is not found for API"),
    ("retired model", {"model": "models/gemini-2.0-flash-live-001"}, "1008 models/gemini-2.0-fl"),
    ("model without its prefix", {"model": "gemini-3.8-live"}, BAD_ARGUMENT),
    ("no model", {"model": None}, BAD_ARGUMENT),
    ("unknown field", {"voice": "Kore"}, f"{UNKNOWN} \"voice\" at 'setup': Cannot find field."),
    (
        "unknown nested field",
        {"generationConfig": {"speechConfig": {"pitch": 1}}},
        f"{UNKNOWN} \"pitch\" at 'setup.generation_config.speech_config': Cannot find field.",
    ),
    (
        "unknown field of an item",
        {"tools": [{"googleSearch": {}}, {"functionDeclarations": [{"x": 1}]}]},
        f"{UNKNOWN} \"x\" at 'setup.tools[1].function_declarations[0]': Cannot find field.",
    ),
    (
        "a field of Vertex AI",
        {"sessionResumption": {"transparent": True}},
        f"{UNKNOWN} \"transparent\" at 'setup.session_resumption'",
    ),
    ("null handle", {"sessionResumption": {"handle": None}}, BAD_ARGUMENT),
    ("handle never issued", {"sessionResumption": {"handle": "x"}}, "1007 Invalid session handle"),
    (
        "wrong type",
        {"model": 5},
        "1007 Invalid value at 'setup.model' (TYPE_STRING), 5",
    ),
    (
        "unknown enum value",
        {"generationConfig": {"responseModalities": ["SMELL"]}},
        "1007 Invalid value at 'setup.generation_config.response_modalities[0]' (type.googleapis",
    ),
    (
        "a list where none belongs",
        {"generationConfig": [{}]},
        f"{UNKNOWN} \"generation_config\" at 'setup': Proto field is not repeating",
    ),
    (
        "text from a 3.x model",
        {"generationConfig": {"responseModalities": ["TEXT"]}},
        "1007 The requested combination of response modalities (TEXT) is not supported by the mod",
    ),
    (
        "two modalities",
        {"generationConfig": {"responseModalities": ["AUDIO", "TEXT"]}},
        "1007 The requested combination of response modalities (AUDIO, TEXT) is not supported by",
    ),
    (
        "text from a native audio model",
        {"model": NATIVE, "generationConfig": {"responseModalities": ["TEXT"]}},
        "1007 Cannot extract voices from a non-audio request.",
    ),
    (
        "thinking level on 3.8",
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
        "1007 Thinking level is not supported for this model.",
    ),
    (
        "thinking budget on 3.8",
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        "1007 Thinking level is not supported for this model.",
    ),
    ("no thinking level", {"model": THINKER}, "1007 Thinking level must be specified for this mod"),
    (
        "minimal thinking",
        {"model": THINKER, "generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
        "1007 Thinking level MINIMAL is not supported for this model.",
    ),
    (
        "a function that is waited for",
        {
            "model": THINKER,
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
            "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
        },
        "1007 BLOCKING function calls are not supported for this model.",
    ),
    (
        "affective dialog in v1beta",
        {"model": NATIVE, "generationConfig": {"enableAffectiveDialog": False}},
        f"{UNKNOWN} \"enableAffectiveDialog\" at 'setup.generation_config': Cannot find field.",
    ),
    (
        "proactive audio in v1beta",
        {"proactivity": {"proactiveAudio": True}},
        f"{UNKNOWN} \"proactivity\" at 'setup': Cannot find field.",
    ),
    (
        "compression to more than its trigger",
        {
            "contextWindowCompression": {
                "triggerTokens": 1000,
                "slidingWindow": {"targetTokens": 2000},
            }
        },
        BAD_ARGUMENT,
    ),
]


@pytest.mark.parametrize(
    ("fields", "closing"), [row[1:] for row in SETUPS], ids=[row[0] for row in SETUPS]
)
def test_a_setup_that_is_refused(fields: dict[str, Any], closing: str) -> None:
    client = Server().connect()
    assert client.send(setup(**fields)) == []
    assert client.closing.startswith(closing)
    assert len(client.closing) - len("1007 ") <= LONGEST_REASON_BYTES


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("the least", {}),
    (
        "thinking level on 3.1",
        {
            "model": OTHER_MODEL,
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}},
        },
    ),
    ("the native audio model", {"model": NATIVE}),
    (
        "a modality in the way of the web console",
        {"generationConfig": {"responseModalities": "audio"}},
    ),
    ("null for absent", {"tools": None, "generationConfig": {"temperature": None}}),
    ("64 bits as a string", {"contextWindowCompression": {"triggerTokens": "25600"}}),
    ("an empty handle", {"sessionResumption": {"handle": ""}}),
    (
        "every field",
        {
            "model": NATIVE,
            "generation_config": {
                "response_modalities": ["AUDIO"],
                "temperature": 0.7,
                "top_p": 0.9,
                "top_k": 40,
                "maxOutputTokens": 1000,
                "mediaResolution": "MEDIA_RESOLUTION_LOW",
                "seed": 3,
                "speechConfig": {
                    "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}},
                    "language_code": "de-DE",
                },
                "thinkingConfig": {"include_thoughts": False, "thinking_budget": 0},
                "enableAffectiveDialog": True,
            },
            "systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"},
            "tools": [
                {"googleSearch": {}},
                {
                    "functionDeclarations": [
                        {
                            "description": "louder",
                            "name": "set_volume",
                            "parameters_json_schema": {"type": "object", "properties": {}},
                            "behavior": "NON_BLOCKING",
                        },
                        {
                            "name": "stop",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {"x": {"type": "STRING", "enum": ["a"]}},
                            },
                        },
                    ]
                },
            ],
            "inputAudioTranscription": {
                "language_codes": ["de-DE"],
                "custom_vocabulary": ["speakerd"],
            },
            "realtimeInputConfig": {
                "automatic_activity_detection": {"disabled": True},
                "activity_handling": "START_OF_ACTIVITY_INTERRUPTS",
                "turn_coverage": "TURN_INCLUDES_ONLY_ACTIVITY",
            },
            "contextWindowCompression": {
                "trigger_tokens": 25600,
                "sliding_window": {"target_tokens": 12800},
            },
            "proactivity": {"proactive_audio": True},
            "historyConfig": {"initial_history_in_client_content": True},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "labels": {"a": "b"},
        },
    ),
]


@pytest.mark.parametrize("fields", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_a_setup_that_is_taken(fields: dict[str, Any]) -> None:
    client = Server().connect(version="v1alpha")
    assert kinds(client.send(setup(**fields))) == ["setupComplete", "sessionResumptionUpdate"]


def test_feelings_are_for_those_models_that_have_them() -> None:
    client = Server().connect(version="v1alpha")
    client.send(setup(generationConfig={"enableAffectiveDialog": True}))
    assert client.closing == BAD_ARGUMENT


@pytest.mark.parametrize(
    ("key", "constrained", "closing"),
    [
        ("simulated-key", False, ""),
        ("wrong", False, "1007 API key not valid. Please pass a valid API key."),
        ("auth_tokens/simulated-key", True, "1007 API key not valid."),
        ("simulated-key", True, "1007 API key not valid."),
        ("", False, "1008 Method doesn't allow unregistered callers"),
    ],
)
def test_keys(key: str, constrained: bool, closing: str) -> None:
    client = Server().connect(key, constrained=constrained)
    client.send(setup())
    assert client.closing.startswith(closing)
    assert bool(client.messages) is not bool(closing)


def test_the_reason_names_the_version_and_is_cut() -> None:
    client = Server().connect(version="v1alpha")
    client.send(setup(model="models/nobody"))
    assert client.closing == (
        "1008 models/nobody is not found for API version v1alpha, or is not supported for "
        "bidiGenerateContent. Call ListModels to see the"
    )


FRAMES: list[tuple[str, str, str]] = [
    ("not JSON", "{", "1007 Invalid JSON payload received. Unexpected token."),
    ("not an object", "[]", '1007 Invalid JSON payload received. Unknown name "": Root element'),
    ("nothing", "{}", BAD_ARGUMENT),
    ("two messages in one", '{"clientContent": {}, "toolResponse": {}}', BAD_ARGUMENT),
    ("unknown message", '{"sing": {}}', f'{UNKNOWN} "sing": Cannot find field.'),
    (
        "unknown realtime field",
        '{"realtimeInput": {"smell": {}}}',
        f"{UNKNOWN} \"smell\" at 'realtime_input': Cannot find field.",
    ),
    (
        "audio that is not base64",
        '{"realtimeInput": {"audio": {"data": "?", "mimeType": "audio/pcm"}}}',
        "1007 Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), \"?\"",
    ),
]


@pytest.mark.parametrize(
    ("frame", "closing"), [row[1:] for row in FRAMES], ids=[row[0] for row in FRAMES]
)
def test_a_frame_that_is_refused(frame: str, closing: str) -> None:
    client = Server().set_up()
    client.send_frame(frame)
    assert client.closing.startswith(closing)


def test_a_setup_that_is_no_object_is_refused() -> None:
    server = Server()
    client = server.connect()
    client.send({"setup": 5})
    assert client.closing.startswith(
        "1007 Invalid value at 'setup' (type.googleapis.com/google.ai."
    )
    assert server.world.setups == []


@pytest.mark.parametrize("message", [ACTIVITY_START, audio(), TEXT, CONTENT, tool_response("x")])
def test_nothing_is_taken_before_the_setup(message: dict[str, Any]) -> None:
    client = Server().connect()
    client.send(message)
    assert client.closing == BAD_ARGUMENT


def test_a_second_setup_is_refused() -> None:
    client = Server().set_up()
    client.send(setup())
    assert client.closing == BAD_ARGUMENT


# --- the table, walked from each state


def _idle(_server: Server, client: Client) -> None:
    client.wait(0)


def _window(_server: Server, client: Client) -> None:
    client.send(ACTIVITY_START)


def _generating(_server: Server, client: Client) -> None:
    client.say()


def _tool(server: Server, client: Client) -> None:
    server.plan.add(Phase.THINKING, faults.ToolCall("f"))
    client.say()
    client.wait(0.4)


STATES = {
    State.IDLE: _idle,
    State.WINDOW: _window,
    State.GENERATING: _generating,
    State.TOOL_PENDING: _tool,
}
VIDEO = picture(b"\0")
UPDATE = {"contextUpdate": {"systemInstruction": {"parts": [{"text": "new"}]}}}
UNEXPECTED_RESULT = tool_response("never-called")
#: For each state: what is sent, and how the server closes; empty if it does not.
RULES: dict[State, list[tuple[dict[str, Any], str]]] = {
    State.IDLE: [
        (ACTIVITY_START, ""),
        (ACTIVITY_END, NOT_ENABLED),
        (audio(), ""),
        (VIDEO, ""),
        (TEXT, ""),
        (STREAM_END, BAD_ARGUMENT),
        ({"realtimeInput": {"audioStreamEnd": False}}, ""),
        (CONTENT, ""),
        (UNEXPECTED_RESULT, BAD_ARGUMENT),
        (UPDATE, ""),
        (setup(), BAD_ARGUMENT),
    ],
    State.WINDOW: [
        (ACTIVITY_START, PRECONDITION),
        (ACTIVITY_END, ""),
        (audio(), ""),
        (VIDEO, ""),
        (TEXT, PRECONDITION),
        (STREAM_END, BAD_ARGUMENT),
        (CONTENT, PRECONDITION),
        (UPDATE, ""),
    ],
    State.GENERATING: [
        (ACTIVITY_START, ""),
        (ACTIVITY_END, NOT_ENABLED),
        (audio(), ""),
        (TEXT, ""),
        (STREAM_END, BAD_ARGUMENT),
        (CONTENT, ""),
        (UNEXPECTED_RESULT, BAD_ARGUMENT),
    ],
    State.TOOL_PENDING: [
        (ACTIVITY_START, NOT_ENABLED),
        (ACTIVITY_END, NOT_ENABLED),
        (audio(), NOT_ENABLED),
        (VIDEO, NOT_ENABLED),
        (TEXT, NOT_ENABLED),
        (STREAM_END, NOT_ENABLED),
        (CONTENT, ""),
        (UNEXPECTED_RESULT, BAD_ARGUMENT),
    ],
}
AUDIO_KINDS = ["audio/wav", "audio/opus;rate=16000", "", "audio/pcm;rate=x", "audio/pcm;rate=1"]


@pytest.mark.parametrize(
    ("state", "message", "closing"),
    [(state, *rule) for state, rules in RULES.items() for rule in rules],
)
def test_manual_activity(state: State, message: dict[str, Any], closing: str) -> None:
    server = Server()
    client = server.set_up()
    STATES[state](server, client)
    assert client.core.state is state
    client.send(message)
    assert client.closing == closing


@pytest.mark.parametrize("message", [ACTIVITY_START, ACTIVITY_END])
def test_explicit_activity_is_refused_where_it_is_detected(message: dict[str, Any]) -> None:
    client = Server().set_up(realtimeInputConfig={})
    client.send(message)
    assert client.closing == EXPLICIT


@pytest.mark.parametrize("mime_type", AUDIO_KINDS)
@pytest.mark.parametrize("in_window", [True, False])
def test_audio_that_is_not_pcm_is_refused(mime_type: str, in_window: bool) -> None:
    client = Server().set_up()
    if in_window:
        client.send(ACTIVITY_START)
    client.send(audio(CHUNK, mime_type))
    assert client.closing == BAD_ARGUMENT


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"\xff\xd8", "video/mp4"),
        (b"\xff\xd8", "audio/pcm"),
        (b"\xff\xd8", ""),
        (b"", "image/jpeg"),
    ],
)
@pytest.mark.parametrize("in_window", [True, False])
def test_a_picture_that_is_none_is_refused(data: bytes, mime_type: str, in_window: bool) -> None:
    client = Server().set_up()
    if in_window:
        client.send(ACTIVITY_START)
    client.send(picture(data, mime_type))
    assert client.closing == BAD_ARGUMENT


def test_more_pictures_than_one_a_second_for_ten_minutes_are_refused() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    for _ in range(MOST_PICTURES):
        client.send(picture())
    assert client.closing == ""
    client.send(picture())
    assert client.closing == BAD_ARGUMENT


@pytest.mark.parametrize("message", [ACTIVITY_START, audio(), TEXT, ACTIVITY_END, STREAM_END])
@pytest.mark.parametrize("realtime", [{}, {"automaticActivityDetection": {"disabled": True}}])
def test_realtime_input_before_the_history_that_was_announced(
    message: dict[str, Any], realtime: dict[str, Any]
) -> None:
    fields = {"historyConfig": HISTORY_CONFIG, "realtimeInputConfig": realtime}
    client = Server().set_up(**fields)
    client.send(history(("user", "I am Ada."), complete=False))
    client.send(message)
    assert client.closing == PRECONDITION


@pytest.mark.parametrize("line", [("", "hi"), ("person", "hi"), ("user", " "), ("model", "")])
def test_a_history_without_a_role_or_words(line: tuple[str, str]) -> None:
    client = Server().set_up(historyConfig=HISTORY_CONFIG)
    client.send(history(("user", "I am Ada."), line))
    assert client.closing == BAD_ARGUMENT


def test_content_without_a_role() -> None:
    client = Server().set_up()
    client.send({"clientContent": {"turns": [{"parts": [{"text": "hi"}]}]}})
    assert client.closing == BAD_ARGUMENT


@pytest.mark.parametrize("announced", [HISTORY_CONFIG, None])
def test_3_1_takes_content_for_its_history_only(announced: dict[str, Any] | None) -> None:
    client = Server().set_up(model=OTHER_MODEL, historyConfig=announced)
    if announced:
        client.send(history(("user", "I am Ada.")))
        assert client.closing == ""
    client.send(CONTENT)
    assert client.closing == BAD_ARGUMENT


def test_media_chunks_are_refused_by_3_8_and_taken_by_2_5() -> None:
    chunk = audio()["realtimeInput"]["audio"]
    message = {"realtimeInput": {"mediaChunks": [chunk, chunk]}}
    new, old = Server().set_up(), Server().set_up(model=NATIVE)
    for client in (new, old):
        client.send(ACTIVITY_START)
        client.send(message)
    assert new.closing.startswith("1007 realtime_input.media_chunks is deprecated.")
    assert old.closing == ""
    assert old.turn.utterance == CHUNK


def test_the_tables_are_total_and_every_action_has_its_method() -> None:
    for state in State:
        if state is not State.CLOSED:
            assert set(TABLE[state]) == set(Input), state
    for state, row in AUTOMATIC_TABLE.items():
        assert set(row) == set(Input), state
    cells = [
        cell
        for table in (TABLE, AUTOMATIC_TABLE)
        for row in table.values()
        for cell in row.values()
    ]
    actions = {cell for cell in cells if isinstance(cell, Action)}
    assert actions == set(Action)
    assert actions - {Action.SET_UP} == set(Conversation._ACTIONS)


def test_a_closed_connection_ignores_everything() -> None:
    client = Server().set_up()
    client.send(STREAM_END)
    assert client.send(ACTIVITY_START) == []
    assert client.wait(10_000) == []
    assert len(client.others) == 1


def test_reasons_are_cut_at_whole_letters() -> None:
    assert Closing(1007, "ü" * 100).reason == "ü" * 61
