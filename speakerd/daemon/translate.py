"""From settings to what the rooms live by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.audio.buffers import CHUNK_BYTES
from speakerd.audio.pcm import CAPTURE_RATE_HZ, bytes_of_ms
from speakerd.config import mcp
from speakerd.config.instruction import time_zone
from speakerd.conversation.events import Device
from speakerd.conversation.rules import (
    ButtonMode,
    LinkPolicy,
    Rules,
    SecondButton,
    TurnTaking,
    urgent_backoff_s,
)
from speakerd.daemon.devices import Part
from speakerd.live.fetching import LIMIT_S, source_of
from speakerd.live.setup import Wishes, asked, wished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from typing import Any

    from speakerd.config.settings import Settings

#: The options that a part has been made with.
_OF_A_PART = {
    Part.MICROPHONE: {"capture_device", "preroll_ms"},
    Part.SPEAKER: {
        "playback_device",
        "prebuffer_ms",
        "prebuffer_max_ms",
        "wake_ms",
        "keep_awake_s",
    },
    Part.BUTTON: {"button_pin"},
    Part.LIGHT: {"led_pins", "led_smooth", "led_brightness", "led_active_high"},
    Part.KEYS: {"second_button_pin", "volume_up_pin", "volume_down_pin", "mute_pin"},
    Part.KNOB: {"knob_pins"},
    Part.KEYPAD: {"keypad", "keypad_keys"},
    Part.VOICE: {"prompts", "language", "earcon_volume"},
    Part.CAMERA: {"camera_command", "camera_interval_s"},
    Part.VOLUME: {"mixer", "mixer_control", "volume_max", "playback_device"},
}
#: So often a sound tells that an answer is being waited for.
_THINKING_CUE_S = 2.0

#: One message of a conversation hands free.
_STREAMED_BYTES = bytes_of_ms(40, CAPTURE_RATE_HZ)
#: The options that are in the setup of a connection, or in what it is made with.
_OF_THE_SETUP = {
    "gemini_api_key",
    "token_command",
    "token_url",
    "voice",
    "language",
    "vocabulary",
    "thinking_level",
    "thinking_budget",
    "affective_dialog",
    "proactive_audio",
    "temperature",
    "media_resolution",
    "safety",
    "system_instruction",
    "system_instruction_file",
    "place",
    "names",
    "google_search",
    "tools",
    "commands_file",
    "compression_trigger_tokens",
    "compression_target_tokens",
    "turn_taking",
    "vad_start",
    "vad_end",
    "vad_padding_ms",
    "vad_silence_ms",
}


def rules_of(settings: Settings, functions: tuple[Mapping[str, Any], ...] = ()) -> Rules:
    """The core's rules, where the model is offered these ``functions``."""
    models = (settings.model, *settings.fallback_models)
    wishes = wishes_of(settings, functions)
    fetching_s = LIMIT_S if source_of(settings) is not None else 0.0
    return Rules(
        models=models,
        features=wished(wishes),
        lacks={model: wished(wishes) - asked(wishes, model) for model in models},
        policy=LinkPolicy(settings.link),
        keeps_answers=keeps_answers(settings),
        turn_taking=TurnTaking(settings.turn_taking),
        full_duplex=settings.echo_cancelled,
        conversation_silence_s=settings.conversation_silence_s,
        conversation_length_s=settings.conversation_length_s,
        button_mode=ButtonMode(settings.button_mode),
        second_button=SecondButton(settings.second_button),
        debounce_s=settings.debounce_ms / 1000,
        glitch_s=settings.glitch_ms / 1000,
        tap_s=settings.tap_ms / 1000,
        double_tap_s=settings.double_tap_ms / 1000,
        late_tap_s=settings.late_tap_ms / 1000,
        repeat_after_s=settings.repeat_after_ms / 1000,
        repeat_every_s=settings.repeat_every_ms / 1000,
        volume_step=settings.volume_step,
        thinking_cue_s=_THINKING_CUE_S if settings.thinking_sound else 0.0,
        preroll_s=settings.preroll_ms / 1000,
        echo_guard_s=settings.echo_guard_ms / 1000,
        min_press_s=settings.min_press_ms / 1000,
        tail_s=settings.tail_ms / 1000,
        max_utterance_s=settings.max_utterance_s,
        reply_timeout_s=settings.reply_timeout_s,
        patience_s=settings.patience_s,
        resume_patience_s=settings.patience_s / 2,
        backoff_urgent_s=urgent_backoff_s(settings.patience_s),
        connect_timeout_s=Rules().connect_timeout_s + fetching_s,
        linger_s=settings.linger_s,
        conversation_timeout_s=settings.conversation_timeout_s,
    )


def wishes_of(settings: Settings, functions: tuple[Mapping[str, Any], ...] = ()) -> Wishes:
    """What a connection asks of the model, and which ``functions`` it offers."""
    zone = time_zone(Path("/"), os.environ.get("TZ", ""))
    return Wishes.of(settings, functions, zone)


def secrets_of(*all_settings: Settings) -> list[str]:
    """What must not be in the journal."""
    kept = (secret for each in all_settings for secret in (each.gemini_api_key, each.token_url))
    ours = [secret.get_secret_value() for secret in kept if secret is not None]
    files = (each.mcp_servers for each in all_settings if each.mcp_servers is not None)
    return ours + [secret for file in files for secret in mcp.secrets(file, os.environ)]


def keeps_answers(settings: Settings) -> bool:
    """Whether the last answer may be asked for again."""
    return "speaker" in settings.tools


def unmuted_by(settings: Settings) -> str:
    """The button that switches the microphone on again whoever has switched it off; or nothing.

    The mute switch is none: it undoes nothing but itself.
    """
    if settings.second_button_pin is not None and settings.second_button == "mute":
        return "the second button"
    keys = (pair.split("=") for pair in settings.keypad_keys) if settings.keypad else ()
    return next((f"the key {key} of the keypad" for key, use in keys if use == "mute"), "")


def utterance_bytes_of(settings: Settings) -> int:
    """What the longest utterance takes, with its pre-roll and tail, and a second to spare."""
    hands_free = settings.turn_taking == "conversation"
    longest_s = settings.conversation_length_s if hands_free else settings.max_utterance_s
    longest_ms = 1000 * longest_s + settings.preroll_ms + settings.tail_ms
    return bytes_of_ms(longest_ms + 1000, CAPTURE_RATE_HZ)


def chunk_bytes_of(settings: Settings) -> int:
    """How much of an utterance is sent at once.

    Where the server has to hear by itself when somebody has spoken it gets what the Live API's best
    practices recommend (20 to 40 ms); where it is told, nobody waits for a chunk.
    """
    hands_free = settings.turn_taking == "conversation"
    return _STREAMED_BYTES if hands_free else CHUNK_BYTES


def remade_by(options: AbstractSet[str]) -> frozenset[Part]:
    """The parts that have to be made anew when these options have changed."""
    return frozenset(part for part, own in _OF_A_PART.items() if own & options)


def devices_of(parts: AbstractSet[Part]) -> frozenset[Device]:
    """Those of them that the core knows as its devices."""
    return frozenset(device for device in Device if Part(device.value) in parts)


def changes_setup(options: AbstractSet[str]) -> bool:
    """Whether a connection has to be made anew when these options have changed."""
    return bool(_OF_THE_SETUP & options)
