"""What is pressed and turned, and what is lit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speakerd.config.kinds import (
    KeyUses,
    KnobPins,
    LedPins,
    Lowered,
    Pin,
)
from speakerd.config.options.area import Area, words

_PIN = "a BCM number from 0 to 53"


class TheButton(Area):
    """The button."""

    button_pin: int = Field(
        17,
        ge=0,
        le=53,
        description="The GPIO of the button, by its BCM number; the other end goes to ground.",
    )
    button_mode: Annotated[Literal["hold", "toggle", "auto"], Lowered] = Field(
        "hold",
        description="How the button works: hold it while you speak; tap it before and after "
        "(toggle); or either, by how long it is down (auto).",
    )
    tap_ms: int = Field(
        400,
        ge=100,
        le=2000,
        description="A press up to this long is a tap, for auto and for the second button.",
    )
    double_tap_ms: int = Field(
        400,
        ge=0,
        le=2000,
        description="A tap this soon after the one that ended a sentence means nothing more "
        "(toggle and auto).",
    )
    late_tap_ms: int = Field(
        3000,
        ge=0,
        le=10000,
        description="So too a tap this soon after a sentence that had become too long.",
    )
    debounce_ms: int = Field(
        30, ge=0, le=500, description="How long the button may bounce after it has moved."
    )
    glitch_ms: int = Field(
        20,
        ge=0,
        le=200,
        description="A press for less is no hand's, but a disturbance on the wire, and means "
        "nothing.",
    )
    min_press_ms: int = Field(
        250,
        ge=0,
        le=2000,
        description="Held for less, the button sends nothing; during an answer that stops it.",
    )
    preroll_ms: int = Field(
        300,
        ge=0,
        le=5000,
        description="How much sound from before the press is sent with it; "
        "with 0 the microphone is off while nobody speaks.",
    )
    tail_ms: int = Field(
        300, ge=0, le=3000, description="How long the microphone stays open after the release."
    )
    echo_guard_ms: int = Field(
        100,
        ge=0,
        le=2000,
        description="How far the pre-roll keeps from what the speaker itself was playing.",
    )
    max_utterance_s: float = Field(
        60, ge=1, le=600, description="After this long a held button counts as stuck."
    )


class MoreButtons(Area):
    """More buttons."""

    second_button_pin: Pin | None = Field(
        None,
        description="The GPIO of a second button, to ground as the first.",
        json_schema_extra=words(_PIN),
    )
    second_button: Annotated[Literal["stop", "forget", "mute", "volume"], Lowered] = Field(
        "stop",
        description="What the second button does: end the answer, begin a new conversation, "
        "mute the microphone, or the volume (a tap is louder, a hold softer).",
    )
    volume_up_pin: Pin | None = Field(
        None,
        description="The GPIO of a button that makes it louder.",
        json_schema_extra=words(_PIN),
    )
    volume_down_pin: Pin | None = Field(
        None,
        description="The GPIO of a button that makes it softer.",
        json_schema_extra=words(_PIN),
    )
    repeat_after_ms: int = Field(
        500,
        ge=100,
        le=5000,
        description="Held for so long, a volume button acts again.",
    )
    repeat_every_ms: int = Field(
        150, ge=50, le=2000, description="And then it acts once in so long."
    )
    knob_pins: KnobPins = Field(
        (),
        description="The two GPIOs of a rotary encoder for the volume, A and B.",
        json_schema_extra=words("two BCM numbers with a comma between them"),
    )
    mute_pin: Pin | None = Field(
        None,
        description="The GPIO of a switch that mutes the microphone while it is closed to ground.",
        json_schema_extra=words(_PIN),
    )


class FootSwitch(Area):
    """A foot switch or a keypad."""

    keypad: str = Field(
        "",
        description="A USB foot switch, keypad or keyboard: a part of the name that "
        "speakerd-keypad lists, or its path. Then: sudo speakerd-keypad --apply",
        json_schema_extra=words("a part of a name, or a path such as /dev/input/by-id/..."),
    )
    keypad_keys: KeyUses = Field(
        (),
        description="What its keys do, such as F13=talk,F14=stop; without it, keys for the volume, "
        "for muting and for stopping do that, and any other is held to talk.",
        json_schema_extra=words(
            "KEY=USE with commas between them; USE is talk, stop, forget, mute, louder or softer"
        ),
    )


class TheLight(Area):
    """The light."""

    led_pins: LedPins = Field(
        (),
        description="The GPIO of an LED, or the three of an RGB LED: red, green, blue.",
        json_schema_extra=words("one BCM number, or three with commas between them"),
    )
    led_smooth: bool = Field(
        default=True,
        description="Whether it is dimmed, by PWM, which wakes the processor 50 times a second "
        "once it was used; without that it is on or off.",
        json_schema_extra=words("true or false"),
    )
    led_brightness: int = Field(
        60,
        ge=1,
        le=100,
        description="How bright it is at most, where it can be dimmed.",
        json_schema_extra=words("a whole number of percent from 1 to 100"),
    )
    led_active_high: bool = Field(
        default=True,
        description="Whether it is lit by a high level (from the GPIO to ground), "
        "or by a low one (from 3.3 V to the GPIO).",
        json_schema_extra=words("true or false"),
    )
