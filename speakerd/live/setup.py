"""The setup message: what is asked of the model at the start of every connection.

What every Live model takes is always in it: audio out, manual activity, session resumption. The
optional parts (:class:`~speakerd.errors.Feature`) are transcription of both sides, context window
compression, and what is wished of voice, thinking level, search and tools. A language is told in
the instruction: native-audio models choose it themselves and refuse a code (Live API guide, "Change
voice and language").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.errors import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.genai import types

    from speakerd.config.settings import Settings

#: The version the Live API reference documents; the SDK would dial v1.
API_VERSION = "v1beta"


def instruction(text: str, language: str) -> str:
    """The system instruction with the language (a BCP-47 code, may be empty) told in it."""
    told = f"Answer in the language with the BCP-47 code {language}." if language else ""
    return "\n".join(part for part in (text, told) if part)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person wants of the model; empty strings leave it its own choice."""

    voice: str = ""
    language: str = ""  # a BCP-47 code
    system_instruction: str = ""
    search: bool = False
    thinking_level: str = ""  # minimal, low, medium or high
    functions: tuple[Mapping[str, Any], ...] = ()  # name, description and parameters of each

    @classmethod
    def of(cls, settings: Settings, functions: tuple[Mapping[str, Any], ...]) -> Wishes:
        """What these settings ask for, with these ``functions`` for their tools."""
        return cls(
            voice=settings.voice,
            language=settings.language,
            system_instruction=settings.system_instruction,
            search=settings.search,
            thinking_level=settings.thinking_level,
            functions=functions,
        )


#: Asked of every model, whatever the wishes: what a speaker likes to have and can do without.
_ALWAYS = frozenset({Feature.TRANSCRIPTION, Feature.COMPRESSION})


def features(wishes: Wishes) -> frozenset[Feature]:
    """The optional parts of the setup that ``wishes`` makes."""
    wished = {
        Feature.VOICE: bool(wishes.voice),
        Feature.SEARCH: wishes.search,
        Feature.THINKING: bool(wishes.thinking_level),
        Feature.TOOLS: bool(wishes.functions),
    }
    return _ALWAYS | {feature for feature, is_wished in wished.items() if is_wished}


def _declaration(function: Mapping[str, Any]) -> types.FunctionDeclaration:
    """As the Live API guide has it, "Tool use": ``parameters``, an object with at least one."""
    from google.genai import types

    schema = types.JSONSchema.model_validate(function["parameters"])
    return types.FunctionDeclaration(
        name=function["name"],
        description=function["description"],
        parameters=types.Schema.from_json_schema(json_schema=schema) if schema.properties else None,
    )


def config(
    wishes: Wishes, *, handle: str | None, without: frozenset[Feature] = frozenset()
) -> types.LiveConnectConfig:
    """The configuration of one connection, without the optional parts named.

    ``handle`` resumes the session that issued it; None begins a fresh one that can be resumed.
    """
    from google.genai import types

    told = instruction(wishes.system_instruction, wishes.language)
    has = features(wishes) - without
    transcription = types.AudioTranscriptionConfig() if Feature.TRANSCRIPTION in has else None
    search = [types.Tool(google_search=types.GoogleSearch())] if Feature.SEARCH in has else []
    declarations = [_declaration(each) for each in wishes.functions]
    functions = [types.Tool(function_declarations=declarations)] if Feature.TOOLS in has else []
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(
                prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=wishes.voice)
            )
        )
        if Feature.VOICE in has
        else None,
        thinking_config=types.ThinkingConfig(
            thinking_level=types.ThinkingLevel(wishes.thinking_level.upper())
        )
        if Feature.THINKING in has
        else None,
        tools=[*search, *functions] or None,
        system_instruction=types.Content(role="user", parts=[types.Part(text=told)])
        if told
        else None,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
        input_audio_transcription=transcription,
        output_audio_transcription=transcription,
        context_window_compression=types.ContextWindowCompressionConfig(
            sliding_window=types.SlidingWindow()
        )
        if Feature.COMPRESSION in has
        else None,
        session_resumption=types.SessionResumptionConfig(handle=handle),
    )
