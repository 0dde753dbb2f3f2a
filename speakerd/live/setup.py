"""The setup message: what is asked of the model at the start of every connection.

What every Live model takes is always in it: audio out, manual activity, session resumption. The
optional parts (:class:`~speakerd.errors.Feature`) are transcription of both sides and context
window compression, which are asked for always, and what is wished; each is in it only if the model
takes it (:mod:`~speakerd.live.models`). Languages are told in the instruction: native-audio models
choose theirs themselves and refuse a code (Live API guide, "Change voice and language").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.config.features import OPTIONS
from speakerd.config.instruction import instruction
from speakerd.config.sources import variable_of
from speakerd.errors import Feature
from speakerd.live import models
from speakerd.live.models import AS_IT_LIKES, Thinking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.genai import types

    from speakerd.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Detection:
    """How the server shall hear that somebody speaks; what is empty or None is left to it."""

    start: str = ""  # high or low: how easily it takes a sound for speech
    end: str = ""  # high or low: how easily it takes a pause for the end
    padding_ms: int | None = None  # so much speech before it counts
    silence_ms: int | None = None  # so much silence before it is over


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person wants of the model; what is empty or None is left to it."""

    voice: str = ""
    languages: tuple[str, ...] = ()  # BCP-47 codes
    instruction: str = ""
    vocabulary: tuple[str, ...] = ()  # words that are to be understood right
    search: bool = False
    thinking: Thinking = AS_IT_LIKES
    affective_dialog: bool = False
    proactive_audio: bool = False
    temperature: float | None = None  # 0 to 2
    media_resolution: str = ""  # low, medium or high
    safety: tuple[tuple[str, str], ...] = ()  # categories of harm, and what is blocked of each
    trigger_tokens: int | None = None  # the context is compressed when it has grown so long
    target_tokens: int | None = None  # to so much
    detection: Detection | None = None  # None: activityStart and activityEnd say it
    history: bool = False  # a fresh session is told how it went before
    functions: tuple[Mapping[str, Any], ...] = ()  # name, description, parameters and slow of each

    @classmethod
    def of(
        cls, settings: Settings, functions: tuple[Mapping[str, Any], ...], time_zone: str = "UTC"
    ) -> Wishes:
        """What these settings ask for, with these ``functions`` for their tools."""
        return cls(
            voice=settings.voice,
            languages=settings.language,
            instruction=instruction(settings, time_zone),
            vocabulary=settings.vocabulary,
            search=settings.google_search,
            thinking=Thinking(settings.thinking_level, settings.thinking_budget),
            affective_dialog=settings.affective_dialog,
            proactive_audio=settings.proactive_audio,
            temperature=settings.temperature,
            media_resolution=settings.media_resolution,
            safety=settings.safety,
            trigger_tokens=settings.compression_trigger_tokens,
            target_tokens=settings.compression_target_tokens,
            detection=_detection(settings),
            history=settings.history_turns > 0,
            functions=functions,
        )


@dataclass(frozen=True, slots=True)
class Manners:
    """How a model is talked with once it is set up."""

    text_turns: bool = True  # a text is a turn of its own as realtime input
    automatic: bool = False  # it hears by itself when somebody has spoken
    hears_stream_end: bool = True  # audioStreamEnd ends what is being said, as silence does
    patient: frozenset[str] = frozenset()  # the functions for which it does not wait
    scheduling: bool = False  # it can be told when to speak of the result of one of these


#: Asked of every model, whatever the wishes: what a speaker likes to have and can do without.
_ALWAYS = frozenset({Feature.TRANSCRIPTION, Feature.COMPRESSION})


def wished(wishes: Wishes) -> frozenset[Feature]:
    """The optional parts that ``wishes`` make, whatever the model."""
    each = {
        Feature.VOICE: wishes.voice,
        Feature.SEARCH: wishes.search,
        Feature.THINKING: wishes.thinking != AS_IT_LIKES,
        Feature.AFFECTIVE_DIALOG: wishes.affective_dialog,
        Feature.PROACTIVE_AUDIO: wishes.proactive_audio,
        Feature.TEMPERATURE: wishes.temperature is not None,
        Feature.MEDIA_RESOLUTION: wishes.media_resolution,
        Feature.SAFETY: wishes.safety,
        Feature.LANGUAGE_HINTS: wishes.languages,
        Feature.VOCABULARY: wishes.vocabulary,
        Feature.TOOLS: wishes.functions,
        Feature.HISTORY: wishes.history,
    }
    return _ALWAYS | {feature for feature, is_wished in each.items() if is_wished}


def asked(wishes: Wishes, model: str) -> frozenset[Feature]:
    """Those of them that this model is asked for; it does not take the others."""
    traits = models.of(model)
    parts = wished(wishes) - traits.lacks
    thinking = traits.thinking(wishes.thinking)
    granted = thinking is not None and thinking in {
        Thinking(level=wishes.thinking.level),
        Thinking(budget_tokens=wishes.thinking.budget_tokens),
    }
    return parts if granted else parts - {Feature.THINKING}


def manners(wishes: Wishes, model: str) -> Manners:
    """How this model is talked with."""
    traits = models.of(model)
    calls = (each for each in wishes.functions if not traits.blocks(slow=_slow(wishes, each)))
    return Manners(
        text_turns=traits.text_turns,
        automatic=wishes.detection is not None,
        hears_stream_end=traits.hears_stream_end,
        patient=frozenset(each["name"] for each in calls),
        scheduling=traits.scheduling,
    )


def left_out(wishes: Wishes, model: str) -> tuple[str, ...]:
    """The variables that ask for what this model does not take."""
    fields = (each for part in wished(wishes) - asked(wishes, model) for each in OPTIONS[part])
    unset = {"thinking_budget"} if wishes.thinking.level else {"thinking_level"}
    return tuple(sorted(variable_of(each) for each in fields if each not in unset))


def takes_history(
    wishes: Wishes, model: str, *, handle: str | None, without: frozenset[Feature] = frozenset()
) -> bool:
    """Whether a session made so may be told how it went before.

    One that is resumed never: it knows, and would take the next text for more of it, or close again
    and again (livekit/agents#5985).
    """
    return handle is None and Feature.HISTORY in asked(wishes, model) - without


def config(
    wishes: Wishes,
    model: str,
    *,
    handle: str | None,
    without: frozenset[Feature] = frozenset(),
    history: bool = False,
) -> types.LiveConnectConfig:
    """The configuration of one connection to ``model``, without the optional parts named.

    ``handle`` resumes the session that issued it; None begins a fresh one that can be resumed. With
    ``history`` the server waits to be told how it went before, and takes no sound until then.
    """
    from google.genai import types

    traits = models.of(model)
    has = asked(wishes, model) - without
    version = traits.version(has)
    return types.LiveConnectConfig(
        # the client's own is BETA
        http_options=None if version == models.BETA else types.HttpOptions(api_version=version),
        response_modalities=[types.Modality.AUDIO],
        speech_config=_voice(wishes) if Feature.VOICE in has else None,
        thinking_config=_thinking(traits, wishes, has),
        enable_affective_dialog=True if Feature.AFFECTIVE_DIALOG in has else None,
        proactivity=types.ProactivityConfig(proactive_audio=True)
        if Feature.PROACTIVE_AUDIO in has
        else None,
        temperature=wishes.temperature if Feature.TEMPERATURE in has else None,
        media_resolution=types.MediaResolution(
            f"MEDIA_RESOLUTION_{wishes.media_resolution.upper()}"
        )
        if Feature.MEDIA_RESOLUTION in has
        else None,
        safety_settings=_safety(wishes) if Feature.SAFETY in has else None,
        tools=_tools(traits, wishes, has) or None,
        system_instruction=types.Content(role="user", parts=[types.Part(text=wishes.instruction)])
        if wishes.instruction
        else None,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=_listening(wishes.detection)
        ),
        input_audio_transcription=_hearing(wishes, has),
        output_audio_transcription=types.AudioTranscriptionConfig()
        if Feature.TRANSCRIPTION in has
        else None,
        context_window_compression=types.ContextWindowCompressionConfig(
            trigger_tokens=wishes.trigger_tokens,
            sliding_window=types.SlidingWindow(target_tokens=wishes.target_tokens),
        )
        if Feature.COMPRESSION in has
        else None,
        session_resumption=types.SessionResumptionConfig(handle=handle),
        history_config=types.HistoryConfig(initial_history_in_client_content=True)
        if history
        else None,
    )


def _detection(settings: Settings) -> Detection | None:
    if settings.turn_taking != "conversation":
        return None
    return Detection(
        start=settings.vad_start,
        end=settings.vad_end,
        padding_ms=settings.vad_padding_ms,
        silence_ms=settings.vad_silence_ms,
    )


def _listening(detection: Detection | None) -> types.AutomaticActivityDetection:
    from google.genai import types

    if detection is None:
        return types.AutomaticActivityDetection(disabled=True)
    start, end = detection.start.upper(), detection.end.upper()
    return types.AutomaticActivityDetection(
        start_of_speech_sensitivity=types.StartSensitivity(f"START_SENSITIVITY_{start}")
        if start
        else None,
        end_of_speech_sensitivity=types.EndSensitivity(f"END_SENSITIVITY_{end}") if end else None,
        prefix_padding_ms=detection.padding_ms,
        silence_duration_ms=detection.silence_ms,
    )


def _voice(wishes: Wishes) -> types.SpeechConfig:
    from google.genai import types

    voice = types.PrebuiltVoiceConfig(voice_name=wishes.voice)
    return types.SpeechConfig(voice_config=types.VoiceConfig(prebuilt_voice_config=voice))


def _thinking(
    traits: models.Model, wishes: Wishes, has: frozenset[Feature]
) -> types.ThinkingConfig | None:
    from google.genai import types

    thinking = traits.thinking(wishes.thinking if Feature.THINKING in has else AS_IT_LIKES)
    if thinking is None:
        return None
    level = types.ThinkingLevel(thinking.level.upper()) if thinking.level else None
    return types.ThinkingConfig(thinking_level=level, thinking_budget=thinking.budget_tokens)


def _safety(wishes: Wishes) -> list[types.SafetySetting]:
    from google.genai import types

    return [
        types.SafetySetting(
            category=types.HarmCategory(f"HARM_CATEGORY_{category.upper().replace('-', '_')}"),
            threshold=types.HarmBlockThreshold(f"BLOCK_{threshold.upper().replace('-', '_')}"),
        )
        for category, threshold in wishes.safety
    ]


def _hearing(wishes: Wishes, has: frozenset[Feature]) -> types.AudioTranscriptionConfig | None:
    from google.genai import types

    if Feature.TRANSCRIPTION not in has:
        return None
    return types.AudioTranscriptionConfig(
        language_codes=list(wishes.languages) if Feature.LANGUAGE_HINTS in has else None,
        custom_vocabulary=list(wishes.vocabulary) if Feature.VOCABULARY in has else None,
    )


def _tools(traits: models.Model, wishes: Wishes, has: frozenset[Feature]) -> list[types.Tool]:
    from google.genai import types

    search = [types.Tool(google_search=types.GoogleSearch())] if Feature.SEARCH in has else []
    if Feature.TOOLS not in has:
        return search
    declarations = [
        _declaration(traits, each, slow=_slow(wishes, each)) for each in wishes.functions
    ]
    return [*search, types.Tool(function_declarations=declarations)]


def _slow(wishes: Wishes, function: Mapping[str, Any]) -> bool:
    """Whether it is better not waited for: where sound goes out all the time, none may then."""
    return bool(function["slow"]) or wishes.detection is not None


def _declaration(
    traits: models.Model, function: Mapping[str, Any], *, slow: bool
) -> types.FunctionDeclaration:
    """As the Live API guide has it, "Tool use": ``parameters``, an object with at least one."""
    from google.genai import types

    schema = types.JSONSchema.model_validate(function["parameters"])
    behavior = traits.behavior(slow=slow)
    return types.FunctionDeclaration(
        name=function["name"],
        description=function["description"],
        parameters=types.Schema.from_json_schema(json_schema=schema) if schema.properties else None,
        behavior=types.Behavior(behavior) if behavior else None,
    )
