"""The setup message: what is asked of the model at the start of every connection.

Only what every Live model takes is in it: audio out, manual activity, transcription of both
sides, context window compression, session resumption. Voice and instruction where they are set.
A language is told in the instruction: native-audio models choose it themselves and refuse a code
(Live API guide, "Change voice and language").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.genai import types

#: The version the Live API reference documents; the SDK would dial v1.
API_VERSION = "v1beta"


def instruction(text: str, language: str) -> str:
    """The system instruction with the language (a BCP-47 code, may be empty) told in it."""
    told = f"Answer in the language with the BCP-47 code {language}." if language else ""
    return "\n".join(part for part in (text, told) if part)


def config(
    *, voice: str, language: str, system_instruction: str, handle: str | None
) -> types.LiveConnectConfig:
    """The configuration of one connection; empty strings leave the model its own choice.

    ``handle`` resumes the session that issued it; None begins a fresh one that can be resumed.
    """
    from google.genai import types

    told = instruction(system_instruction, language)
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(
                prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=voice)
            )
        )
        if voice
        else None,
        system_instruction=types.Content(role="user", parts=[types.Part(text=told)])
        if told
        else None,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        context_window_compression=types.ContextWindowCompressionConfig(
            sliding_window=types.SlidingWindow()
        ),
        session_resumption=types.SessionResumptionConfig(handle=handle),
    )
