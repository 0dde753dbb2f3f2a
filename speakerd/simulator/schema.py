"""What a client may send: the messages of BidiGenerateContent, from the Live API reference.

Kept by hand: the reference (v1beta), and for fields it does not list yet what google-genai 3.x
sends to the Developer API. Fields of Vertex AI only (``transparent`` and the like) are unknown
here, as they are to the server.
"""

from __future__ import annotations

from typing import Final

from speakerd.simulator.protojson import Choice, FieldType, Kind, MapOf, Message, NotNull, Repeated

_PACKAGE = "google.ai.generativelanguage.v1beta"
_STRING, _BYTES, _BOOL, _INT = Kind.STRING, Kind.BYTES, Kind.BOOL, Kind.INT
_FLOAT, _STRUCT, _ANY = Kind.FLOAT, Kind.STRUCT, Kind.ANY


def _message(name: str, /, **fields: FieldType) -> Message:
    return Message(f"{_PACKAGE}.{name}", fields)


def _choice(name: str, *values: str) -> Choice:
    return Choice(f"{_PACKAGE}.{name}", frozenset(values))


_MODALITY = _choice("GenerationConfig.Modality", "MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO")
_MEDIA_RESOLUTION = _choice(
    "GenerationConfig.MediaResolution",
    "MEDIA_RESOLUTION_UNSPECIFIED",
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
)
_THINKING_LEVEL = _choice(
    "ThinkingConfig.ThinkingLevel",
    "THINKING_LEVEL_UNSPECIFIED",
    "MINIMAL",
    "LOW",
    "MEDIUM",
    "HIGH",
    "XHIGH",
)
_TYPE = _choice(
    "Type",
    "TYPE_UNSPECIFIED",
    "STRING",
    "NUMBER",
    "INTEGER",
    "BOOLEAN",
    "ARRAY",
    "OBJECT",
    "NULL",
)
_START = _choice(
    "StartSensitivity",
    "START_SENSITIVITY_UNSPECIFIED",
    "START_SENSITIVITY_HIGH",
    "START_SENSITIVITY_LOW",
)
_END = _choice(
    "EndSensitivity",
    "END_SENSITIVITY_UNSPECIFIED",
    "END_SENSITIVITY_HIGH",
    "END_SENSITIVITY_LOW",
)
_ACTIVITY_HANDLING = _choice(
    "ActivityHandling",
    "ACTIVITY_HANDLING_UNSPECIFIED",
    "START_OF_ACTIVITY_INTERRUPTS",
    "NO_INTERRUPTION",
)
_TURN_COVERAGE = _choice(
    "TurnCoverage",
    "TURN_COVERAGE_UNSPECIFIED",
    "TURN_INCLUDES_ONLY_ACTIVITY",
    "TURN_INCLUDES_ALL_INPUT",
    "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
)
_BEHAVIOR = _choice("FunctionDeclaration.Behavior", "UNSPECIFIED", "BLOCKING", "NON_BLOCKING")
_SCHEDULING = _choice(
    "FunctionResponse.Scheduling", "SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"
)
_TRANSCRIPTION_MODE = _choice("TranscriptionMode", "MODE_UNSPECIFIED", "VERBATIM", "SMART")

_SCHEMA: Final = _message(
    "Schema",
    type=_TYPE,
    format=_STRING,
    title=_STRING,
    description=_STRING,
    nullable=_BOOL,
    enum=Repeated(_STRING),
    max_items=_INT,
    min_items=_INT,
    required=Repeated(_STRING),
    min_properties=_INT,
    max_properties=_INT,
    min_length=_INT,
    max_length=_INT,
    pattern=_STRING,
    example=_ANY,
    property_ordering=Repeated(_STRING),
    default=_ANY,
    minimum=_FLOAT,
    maximum=_FLOAT,
)
_SCHEMA.fields |= {
    "items": _SCHEMA,
    "properties": MapOf(_SCHEMA),
    "any_of": Repeated(_SCHEMA),
}

_BLOB = _message("Blob", mime_type=_STRING, data=_BYTES, display_name=_STRING)
_FUNCTION_RESPONSE = _message(
    "FunctionResponse",
    id=_STRING,
    name=_STRING,
    response=_STRUCT,
    will_continue=_BOOL,
    scheduling=_SCHEDULING,
    parts=Repeated(_STRUCT),
)
_CONTENT = _message(
    "Content",
    role=_STRING,
    parts=Repeated(
        _message(
            "Part",
            text=_STRING,
            inline_data=_BLOB,
            file_data=_STRUCT,
            function_call=_STRUCT,
            function_response=_FUNCTION_RESPONSE,
            executable_code=_STRUCT,
            code_execution_result=_STRUCT,
            thought=_BOOL,
            thought_signature=_BYTES,
            video_metadata=_STRUCT,
            media_resolution=_STRUCT,
            part_metadata=_STRUCT,
        )
    ),
)
_TOOL = _message(
    "Tool",
    function_declarations=Repeated(
        _message(
            "FunctionDeclaration",
            name=_STRING,
            description=_STRING,
            behavior=_BEHAVIOR,
            parameters=_SCHEMA,
            parameters_json_schema=_ANY,
            response=_SCHEMA,
            response_json_schema=_ANY,
        )
    ),
    google_search=_STRUCT,
    google_search_retrieval=_STRUCT,
    google_maps=_STRUCT,
    code_execution=_STRUCT,
    computer_use=_STRUCT,
    file_search=_STRUCT,
    url_context=_STRUCT,
    mcp_servers=Repeated(_STRUCT),
)
_VOICE_CONFIG = _message(
    "VoiceConfig",
    prebuilt_voice_config=_message("PrebuiltVoiceConfig", voice_name=_STRING),
    replicated_voice_config=_STRUCT,
)
_GENERATION_CONFIG = _message(
    "GenerationConfig",
    candidate_count=_INT,
    max_output_tokens=_INT,
    temperature=_FLOAT,
    top_p=_FLOAT,
    top_k=_FLOAT,
    seed=_INT,
    presence_penalty=_FLOAT,
    frequency_penalty=_FLOAT,
    stop_sequences=Repeated(_STRING),
    response_modalities=Repeated(_MODALITY),
    speech_config=_message(
        "SpeechConfig",
        voice_config=_VOICE_CONFIG,
        multi_speaker_voice_config=_STRUCT,
        language_code=_STRING,
    ),
    media_resolution=_MEDIA_RESOLUTION,
    thinking_config=_message(
        "ThinkingConfig",
        include_thoughts=_BOOL,
        thinking_budget=_INT,
        thinking_level=_THINKING_LEVEL,
    ),
    enable_affective_dialog=_BOOL,
    translation_config=_message(
        "TranslationConfig", target_language_code=_STRING, echo_target_language=_BOOL
    ),
)
_TRANSCRIPTION = _message(
    "AudioTranscriptionConfig",
    language_codes=Repeated(_STRING),
    language_auto=_STRUCT,
    language_hints=_STRUCT,
    custom_vocabulary=Repeated(_STRING),
    adaptation_phrases=Repeated(_STRING),
    word_timestamp=_BOOL,
    diarization=_BOOL,
    mode=_TRANSCRIPTION_MODE,
    source_text=_STRING,
)
_SETUP = _message(
    "BidiGenerateContentSetup",
    model=_STRING,
    generation_config=_GENERATION_CONFIG,
    system_instruction=_CONTENT,
    tools=Repeated(_TOOL),
    realtime_input_config=_message(
        "RealtimeInputConfig",
        automatic_activity_detection=_message(
            "AutomaticActivityDetection",
            disabled=_BOOL,
            start_of_speech_sensitivity=_START,
            end_of_speech_sensitivity=_END,
            prefix_padding_ms=_INT,
            silence_duration_ms=_INT,
        ),
        activity_handling=_ACTIVITY_HANDLING,
        turn_coverage=_TURN_COVERAGE,
        interim_transcript_timestamp_enabled=_BOOL,
    ),
    session_resumption=_message("SessionResumptionConfig", handle=NotNull(_STRING)),
    context_window_compression=_message(
        "ContextWindowCompressionConfig",
        trigger_tokens=_INT,
        sliding_window=_message("SlidingWindow", target_tokens=_INT),
    ),
    input_audio_transcription=_TRANSCRIPTION,
    output_audio_transcription=_TRANSCRIPTION,
    proactivity=_message("ProactivityConfig", proactive_audio=_BOOL, proactive_video=_BOOL),
    history_config=_message("HistoryConfig", initial_history_in_client_content=_BOOL),
    avatar_config=_STRUCT,
    safety_settings=Repeated(_message("SafetySetting", category=_STRING, threshold=_STRING)),
    labels=MapOf(_STRING),
)

#: The message that every frame of a client holds; exactly one of its fields may be set.
CLIENT_MESSAGE = _message(
    "BidiGenerateContentClientMessage",
    setup=_SETUP,
    client_content=_message(
        "BidiGenerateContentClientContent", turns=Repeated(_CONTENT), turn_complete=_BOOL
    ),
    realtime_input=_message(
        "BidiGenerateContentRealtimeInput",
        media_chunks=Repeated(_BLOB),
        audio=_BLOB,
        video=_BLOB,
        text=_STRING,
        activity_start=_message("ActivityStart"),
        activity_end=_message("ActivityEnd"),
        audio_stream_end=_BOOL,
    ),
    tool_response=_message(
        "BidiGenerateContentToolResponse", function_responses=Repeated(_FUNCTION_RESPONSE)
    ),
    context_update=_message(
        "BidiGenerateContentContextUpdate",
        system_instruction=_CONTENT,
        tools=_message("Tools", tools=Repeated(_TOOL)),
    ),
)
