"""Which options ask for which optional part of the setup."""

from __future__ import annotations

from speakerd.errors import Feature

#: By the part, the fields of :class:`~speakerd.config.settings.Settings`; none: nobody has to ask.
OPTIONS: dict[Feature, tuple[str, ...]] = {
    Feature.SEARCH: ("google_search",),
    Feature.THINKING: ("thinking_level", "thinking_budget"),
    Feature.AFFECTIVE_DIALOG: ("affective_dialog",),
    Feature.PROACTIVE_AUDIO: ("proactive_audio",),
    Feature.TEMPERATURE: ("temperature",),
    Feature.MEDIA_RESOLUTION: ("media_resolution",),
    Feature.SAFETY: ("safety",),
    Feature.LANGUAGE_HINTS: ("language",),
    Feature.VOCABULARY: ("vocabulary",),
    Feature.VOICE: ("voice",),
    Feature.TRANSCRIPTION: (),
    Feature.COMPRESSION: ("compression_trigger_tokens", "compression_target_tokens"),
    Feature.TOOLS: ("tools",),
    Feature.HISTORY: ("history_turns",),
}
