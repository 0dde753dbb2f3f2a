"""Every setting gets to whoever lives by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest
from pydantic import SecretStr

from speakerd.config.settings import Settings
from speakerd.conversation.events import Device, Key, PadKey, Trigger
from speakerd.conversation.rules import ButtonMode, LinkPolicy, Rules, SecondButton, TurnTaking
from speakerd.daemon import devices, eyes, root
from speakerd.daemon.devices import Part
from speakerd.daemon.translate import (
    chunk_bytes_of,
    devices_of,
    keeps_answers,
    remade_by,
    rules_of,
    secrets_of,
    unmuted_by,
)
from speakerd.errors import Feature
from speakerd.live.fetching import Address, Command, source_of
from speakerd.live.models import UNKNOWN, Thinking
from speakerd.live.setup import Detection, Wishes
from speakerd.live.transport import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What every option that a person can set is set to: none has its default.
CHOSEN = {
    "token_command": "ssh 'the key' speakerd token",
    "token_url": "https://tokens.example",
    "model": "gemini-a",
    "fallback_models": "gemini-b,gemini-c",
    "voice": "Puck",
    "language": "de-DE,en",
    "vocabulary": "speakerd, Ada",
    "thinking_level": "low",
    "thinking_budget": 256,
    "affective_dialog": True,
    "proactive_audio": True,
    "temperature": 0.5,
    "media_resolution": "low",
    "safety": "harassment=none",
    "turn_taking": "conversation",
    "conversation_silence_s": 21,
    "conversation_length_s": 240,
    "echo_cancelled": True,
    "vad_start": "low",
    "vad_end": "high",
    "vad_padding_ms": 120,
    "vad_silence_ms": 700,
    "system_instruction": "You are in {place}, with {names}.",
    "place": "Bonn",
    "names": "Ada,Alan",
    "google_search": True,
    "tools": "none",
    "compression_trigger_tokens": 9000,
    "compression_target_tokens": 4000,
    "history_turns": 7,
    "capture_device": "microphone",
    "playback_device": "dac",
    "prebuffer_ms": 150,
    "prebuffer_max_ms": 450,
    "wake_ms": 250,
    "keep_awake_s": 15,
    "earcon_volume": 70,
    "thinking_sound": True,
    "prompts": False,
    "mixer": "hw:CARD=dac",
    "mixer_control": "Digital",
    "volume": 30,
    "volume_max": 80,
    "volume_step": 4,
    "button_pin": 27,
    "button_mode": "auto",
    "tap_ms": 450,
    "double_tap_ms": 350,
    "late_tap_ms": 2500,
    "debounce_ms": 11,
    "glitch_ms": 17,
    "min_press_ms": 120,
    "preroll_ms": 130,
    "tail_ms": 140,
    "echo_guard_ms": 160,
    "max_utterance_s": 31,
    "second_button_pin": 5,
    "second_button": "volume",
    "volume_up_pin": 6,
    "volume_down_pin": 12,
    "knob_pins": "22,23",
    "repeat_after_ms": 600,
    "repeat_every_ms": 200,
    "mute_pin": 16,
    "keypad": "FootSwitch",
    "keypad_keys": "F13=talk,KEY_F14=louder",
    "led_pins": "13,26,25",
    "led_smooth": False,
    "led_brightness": 50,
    "led_active_high": False,
    "camera_command": "rpicam-jpeg -n -o - --width '768'",
    "camera_interval_s": 2.5,
    "reply_timeout_s": 12,
    "patience_s": 13,
    "link": "always",
    "linger_s": 14,
    "conversation_timeout_s": 1500,
    "daily_budget": 2.5,
    "prices": "audio-in=2.5",
    "log_level": "debug",
    "log_transcripts": True,
}
#: Where things are, which is different in each test.
LEFT_OUT = {
    "gemini_api_key",
    "system_instruction_file",
    "commands_file",
    "mcp_servers",
    "control_socket",
    "state_directory",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "instruction.txt").write_text("Be brief.\n", encoding="utf-8")
    (tmp_path / "commands.json").write_text('{"commands": {}}', encoding="utf-8")
    home = '{"url": "http://h/mcp", "headers": {"X": "Bearer eyJ-a-token"}}'
    (tmp_path / "mcp.json").write_text(f'{{"servers": {{"home": {home}}}}}', encoding="utf-8")
    return Settings.model_validate(
        CHOSEN
        | {
            "gemini_api_key": SecretStr("AIza-of-a-test"),
            "system_instruction_file": str(tmp_path / "instruction.txt"),
            "commands_file": str(tmp_path / "commands.json"),
            "mcp_servers": str(tmp_path / "mcp.json"),
            "control_socket": tmp_path / "control.sock",
            "state_directory": tmp_path,
        }
    )


def test_nothing_is_left_out(settings: Settings) -> None:
    assert set(CHOSEN) | LEFT_OUT == set(Settings.model_fields)
    for name in CHOSEN:
        assert getattr(settings, name) != Settings.model_fields[name].default, name


def test_the_core_lives_by_them(settings: Settings) -> None:
    assert rules_of(settings) == Rules(
        models=("gemini-a", "gemini-b", "gemini-c"),
        features=frozenset(Feature) - {Feature.TOOLS},
        lacks=dict.fromkeys(("gemini-a", "gemini-b", "gemini-c"), UNKNOWN.lacks),
        policy=LinkPolicy.ALWAYS,
        turn_taking=TurnTaking.CONVERSATION,
        full_duplex=True,
        conversation_silence_s=21.0,
        conversation_length_s=240.0,
        button_mode=ButtonMode.AUTO,
        second_button=SecondButton.VOLUME,
        debounce_s=0.011,
        glitch_s=0.017,
        tap_s=0.45,
        double_tap_s=0.35,
        late_tap_s=2.5,
        repeat_after_s=0.6,
        repeat_every_s=0.2,
        volume_step=4,
        thinking_cue_s=2.0,
        preroll_s=0.13,
        echo_guard_s=0.16,
        min_press_s=0.12,
        tail_s=0.14,
        max_utterance_s=31.0,
        reply_timeout_s=12.0,
        patience_s=13.0,
        resume_patience_s=6.5,
        backoff_urgent_s=3.25,
        connect_timeout_s=30.0,  # a token has to come before
        linger_s=14.0,
        conversation_timeout_s=1500.0,
    )


def test_a_connection_with_a_key_waits_for_no_token(settings: Settings) -> None:
    without = settings.model_copy(update={"token_command": "", "token_url": None})
    assert rules_of(without).connect_timeout_s == Rules().connect_timeout_s == 10.0


def test_the_edges_live_by_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {}

    def recorded(name: str) -> Callable[..., object]:
        def make(*args: object, **options: object) -> object:
            made[name] = (args, options)
            return SimpleNamespace(feed=None, set=None, respond=None)

        return make

    for room, name in (
        (devices, "Microphone"),
        (devices, "Speaker"),
        (devices, "GpioButton"),
        (devices, "GpioKeys"),
        (devices, "GpioKnob"),
        (devices, "EvdevKeypad"),
        (devices, "Lamp"),
        (devices, "Volume"),
        (eyes, "Camera"),
        (root, "LiveEdge"),
        (root, "Tally"),
        (root, "Purse"),
        (root, "History"),
    ):
        monkeypatch.setattr(room, name, recorded(name))
    root.Daemon(settings)
    assert made["Microphone"] == (("microphone",), {"preroll_ms": 130, "post": ANY})
    assert made["Speaker"] == (
        ("dac",),
        {
            "prebuffer_ms": 150,
            "prebuffer_max_ms": 450,
            "wake_ms": 250,
            "keep_awake_s": 15,
            "post": ANY,
        },
    )
    assert made["GpioButton"] == ((27, ANY), {})
    assert made["GpioKeys"][0] == (
        {
            Key.SECOND: (5, "SPEAKERD_SECOND_BUTTON_PIN"),
            Key.VOLUME_UP: (6, "SPEAKERD_VOLUME_UP_PIN"),
            Key.VOLUME_DOWN: (12, "SPEAKERD_VOLUME_DOWN_PIN"),
            Key.MUTE: (16, "SPEAKERD_MUTE_PIN"),
        },
    )
    assert made["GpioKnob"][0] == ((22, 23), ANY)
    assert made["EvdevKeypad"] == (
        ("FootSwitch", {"F13": Trigger.KEYPAD, "F14": PadKey.VOLUME_UP}, None),
        {"edge": ANY, "ready": ANY, "lost": ANY},
    )
    assert made["Lamp"] == (
        ((13, 26, 25),),
        {"smooth": False, "brightness": 0.5, "active_high": False, "ready": ANY, "lost": ANY},
    )
    assert made["Volume"] == (
        ("hw:CARD=dac", "Digital"),
        {"listener": ANY, "highest_percent": 80},
    )
    assert made["Camera"] == (
        (["rpicam-jpeg", "-n", "-o", "-", "--width", "768"], 2.5),
        {"ready": ANY, "lost": ANY},
    )
    assert made["Tally"] == ((settings.state_directory,), {"prices": ("audio-in=2.5",)})
    assert made["Purse"] == ((ANY, 2.5, ANY), {})
    assert made["LiveEdge"][1] == {
        "api_key": settings.gemini_api_key,
        "source": Command(("ssh", "the key", "speakerd", "token")),
        "wishes": Wishes(
            voice="Puck",
            languages=("de-DE", "en"),
            instruction="You are in Bonn, with Ada, Alan.\nBe brief.\n"
            "People here speak the languages with the BCP-47 codes de-DE, en: answer in the one "
            "that you are spoken to in, and in doubt in the first of them.",
            vocabulary=("speakerd", "Ada"),
            search=True,
            thinking=Thinking("low", 256),
            affective_dialog=True,
            proactive_audio=True,
            temperature=0.5,
            media_resolution="low",
            safety=(("harassment", "none"),),
            trigger_tokens=9000,
            target_tokens=4000,
            detection=Detection("low", "high", 120, 700),
            history=True,
        ),
        "timeouts": Timeouts(connect_s=Rules().connect_timeout_s),
    }
    assert made["History"] == ((7,), {})


def test_where_tokens_come_from(settings: Settings) -> None:
    assert source_of(settings.model_copy(update={"token_command": "", "token_url": None})) is None
    url = settings.token_url
    assert url is not None
    assert source_of(settings.model_copy(update={"token_command": ""})) == Address(url)
    assert set(secrets_of(settings)) == {
        "AIza-of-a-test",
        "https://tokens.example",
        "Bearer",
        "eyJ-a-token",
    }


@pytest.mark.parametrize("option", ["prebuffer_ms", "prebuffer_max_ms", "wake_ms", "keep_awake_s"])
def test_what_the_speaker_is_made_with_opens_it_anew(option: str) -> None:
    assert remade_by({option}) == {Part.SPEAKER}
    assert devices_of(remade_by({option})) == {Device.SPEAKER}


def test_the_voice_lives_by_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr(devices, "Voice", lambda *args, **_: made.append(args))
    monkeypatch.setenv("CACHE_DIRECTORY", f"{tmp_path}:/elsewhere")
    devices.Makers().voice(settings, print)
    assert made == []
    devices.Makers().voice(settings.model_copy(update={"prompts": True}), print)
    assert made == [("de-DE", 70, tmp_path)]


def test_another_speaker_may_have_another_mixer() -> None:
    assert remade_by({"playback_device"}) == {Part.SPEAKER, Part.VOLUME}
    assert devices_of({Part.SPEAKER, Part.VOLUME}) == {Device.SPEAKER}


@pytest.mark.parametrize(
    ("options", "button"),
    [
        ({}, ""),
        ({"second_button": "mute"}, ""),
        ({"second_button": "stop", "second_button_pin": 6}, ""),
        ({"second_button": "mute", "second_button_pin": 6}, "the second button"),
        ({"mute_pin": 16}, ""),
        ({"keypad_keys": "F13=mute"}, ""),
        ({"keypad": "pad", "keypad_keys": "F13=talk,F14=mute"}, "the key F14 of the keypad"),
    ],
)
def test_a_button_that_ends_a_mute_is_known_by_its_name(
    options: dict[str, object], button: str
) -> None:
    assert unmuted_by(Settings.model_validate(options)) == button


@pytest.mark.parametrize(("tools", "kept"), [("volume", False), ("volume,speaker", True)])
def test_an_answer_is_kept_where_it_can_be_asked_for(tools: str, kept: bool) -> None:
    settings = Settings.model_validate({"tools": tools})
    assert keeps_answers(settings) is kept
    assert rules_of(settings).keeps_answers is kept


@pytest.mark.parametrize(
    ("turn_taking", "chunk_bytes"), [("push-to-talk", 3200), ("conversation", 1280)]
)
def test_who_waits_for_the_server_to_hear_sends_smaller_chunks(
    turn_taking: str, chunk_bytes: int
) -> None:
    assert chunk_bytes_of(Settings.model_validate({"turn_taking": turn_taking})) == chunk_bytes
