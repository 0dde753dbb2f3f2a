"""Every setting gets to whoever lives by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest
from pydantic import SecretStr

from speakerd.config.settings import Settings
from speakerd.conversation.events import Device
from speakerd.conversation.rules import LinkPolicy, Rules
from speakerd.daemon import devices, root
from speakerd.daemon.translate import reopened_by, rules_of
from speakerd.errors import Feature
from speakerd.live.setup import Wishes
from speakerd.live.transport import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What every option that a person can set is set to: none has its default.
CHOSEN = {
    "model": "gemini-a",
    "fallback_models": "gemini-b,gemini-c",
    "voice": "Puck",
    "language": "de-DE",
    "system_instruction": "Be brief.",
    "search": True,
    "thinking_level": "low",
    "capture_device": "microphone",
    "playback_device": "dac",
    "prebuffer_ms": 150,
    "prebuffer_max_ms": 450,
    "wake_ms": 250,
    "keep_awake_s": 15,
    "button_pin": 27,
    "debounce_ms": 11,
    "min_press_ms": 120,
    "preroll_ms": 130,
    "tail_ms": 140,
    "echo_guard_ms": 160,
    "max_utterance_s": 31,
    "reply_timeout_s": 12,
    "patience_s": 13,
    "link": "always",
    "linger_s": 14,
    "conversation_timeout_s": 1500,
    "log_level": "debug",
    "log_transcripts": True,
}
#: The button has one mode so far; the rest is where things are, and different in each test.
LEFT_OUT = {"button_mode", "gemini_api_key", "control_socket", "state_directory"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        CHOSEN
        | {
            "gemini_api_key": SecretStr("AIza-of-a-test"),
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
        features=frozenset(Feature),
        policy=LinkPolicy.ALWAYS,
        debounce_s=0.011,
        preroll_s=0.13,
        echo_guard_s=0.16,
        min_press_s=0.12,
        tail_s=0.14,
        max_utterance_s=31.0,
        reply_timeout_s=12.0,
        patience_s=13.0,
        resume_patience_s=6.5,
        backoff_urgent_s=3.25,
        linger_s=14.0,
        conversation_timeout_s=1500.0,
    )


def test_the_edges_live_by_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {}

    def recorded(name: str) -> Callable[..., object]:
        def make(*args: object, **options: object) -> object:
            made[name] = (args, options)
            return SimpleNamespace(feed=None)

        return make

    for room, name in (
        (devices, "Microphone"),
        (devices, "Speaker"),
        (devices, "GpioButton"),
        (root, "LiveEdge"),
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
    assert made["LiveEdge"][1] == {
        "api_key": settings.gemini_api_key,
        "wishes": Wishes("Puck", "de-DE", "Be brief.", search=True, thinking_level="low"),
        "timeouts": Timeouts(connect_s=Rules().connect_timeout_s),
    }


@pytest.mark.parametrize(
    "option", ["playback_device", "prebuffer_ms", "prebuffer_max_ms", "wake_ms", "keep_awake_s"]
)
def test_what_the_speaker_is_made_with_opens_it_anew(option: str) -> None:
    assert reopened_by({option}) == {Device.SPEAKER}
