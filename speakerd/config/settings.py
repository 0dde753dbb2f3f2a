"""Every option: what it is for, its unit, its range, its default.

The example env file and the table in docs/configuration.md are made from these fields, see
:mod:`speakerd.config.render`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from speakerd.config.kinds import (
    AbsolutePath,
    ApiKey,
    DeviceName,
    KeyUses,
    KnobPins,
    Language,
    LedPins,
    Lowered,
    Model,
    Models,
    Pin,
    SocketPath,
    Tools,
    Voice,
)
from speakerd.config.sources import API_KEY, DEFAULT_CONTROL_SOCKET, PREFIX

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_PIN = "a BCM number from 0 to 53"


def _words(allowed: str) -> dict[str, Any]:
    """What is allowed, for a field whose type and bounds do not say it."""
    return {"allowed": allowed}


class Settings(BaseSettings):
    """The options of one speaker. Made by :func:`speakerd.config.load`.

    Made directly, it takes what it is given and looks nowhere else.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gemini_api_key: ApiKey = Field(
        description="The key of your Gemini project, from https://aistudio.google.com/apikey",
        json_schema_extra=_words("an API key"),
    )

    model: Model = Field(
        "gemini-3.8-live",
        description="The model to talk with.",
        json_schema_extra=_words("the name of a Live API model"),
    )
    fallback_models: Models = Field(
        (),
        description="Models to try, in this order, when the server does not know that one.",
        json_schema_extra=_words("names of Live API models with commas between them"),
    )
    voice: Voice = Field(
        "",
        description="The voice that answers, such as Kore or Puck; without it, the model's own.",
        json_schema_extra=_words("the name of a prebuilt voice"),
    )
    language: Language = Field(
        "",
        description="The language of the conversation; without it, the model hears which it is.",
        json_schema_extra=_words("a BCP-47 code such as en-US or de"),
    )
    system_instruction: str = Field(
        "",
        description="What the model is told before every conversation.",
        json_schema_extra=_words("any text"),
    )

    search: bool = Field(
        default=False,
        description="Whether the model may look things up with Google Search.",
        json_schema_extra=_words("true or false"),
    )
    tools: Tools = Field(
        ("volume",),
        description="What the model may do when it is asked to: turn the volume.",
        json_schema_extra=_words("volume, or none"),
    )
    thinking_level: Annotated[Literal["", "minimal", "low", "medium", "high"], Lowered] = Field(
        "",
        description="How much the model thinks before it answers; without it, as it likes.",
        json_schema_extra=_words("minimal, low, medium or high"),
    )

    capture_device: DeviceName = Field(
        "default",
        description="The microphone.",
        json_schema_extra=_words("a PCM name of ALSA such as plughw:CARD=Device"),
    )
    playback_device: DeviceName = Field(
        "default",
        description="The speaker.",
        json_schema_extra=_words("a PCM name of ALSA such as plughw:CARD=sndrpihifiberry"),
    )
    prebuffer_ms: int = Field(
        120,
        ge=0,
        le=2000,
        description="How much of an answer is queued before it begins to play.",
    )
    prebuffer_max_ms: int = Field(
        600,
        ge=0,
        le=5000,
        description="How far that grows by itself while the network is uneven.",
    )
    wake_ms: int = Field(
        0,
        ge=0,
        le=3000,
        description="How much silence is played first, for a DAC that swallows what it wakes by.",
    )
    keep_awake_s: float = Field(
        0,
        ge=0,
        le=3600,
        description="How long a DAC is kept awake, by silence, after something was played.",
    )

    earcon_volume: int = Field(
        60,
        ge=0,
        le=100,
        description="How loud the short sounds and spoken notices are; with 0 there are none.",
        json_schema_extra=_words("a whole number of percent from 0 to 100"),
    )
    thinking_sound: bool = Field(
        default=False,
        description="Whether a quiet sound tells that an answer is being waited for.",
        json_schema_extra=_words("true or false"),
    )
    prompts: bool = Field(
        default=True,
        description="Whether failures are explained by voice, where espeak-ng is installed.",
        json_schema_extra=_words("true or false"),
    )

    mixer: str = Field(
        "",
        description="The mixer of the speaker; without it, that of the speaker's card.",
        json_schema_extra=_words("a mixer of ALSA such as hw:CARD=sndrpihifiberry"),
    )
    mixer_control: str = Field(
        "",
        description="Its control for the volume; without it, the most fitting one; with none, "
        "the volume is left alone.",
        json_schema_extra=_words("the name of a mixer control such as Digital, or none"),
    )
    volume: int = Field(
        40,
        ge=0,
        le=100,
        description="The volume of the first start; after that it is as it was left.",
        json_schema_extra=_words("a whole number of percent from 0 to 100"),
    )
    volume_max: int = Field(
        100,
        ge=1,
        le=100,
        description="The highest volume that anybody, or the model, can set.",
        json_schema_extra=_words("a whole number of percent from 1 to 100"),
    )
    volume_step: int = Field(
        5,
        ge=1,
        le=50,
        description="How much louder or softer a press of a volume button makes it.",
        json_schema_extra=_words("a whole number of percent from 1 to 50"),
    )

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

    second_button_pin: Pin | None = Field(
        None,
        description="The GPIO of a second button, to ground as the first.",
        json_schema_extra=_words(_PIN),
    )
    second_button: Annotated[Literal["stop", "forget", "mute", "volume"], Lowered] = Field(
        "stop",
        description="What the second button does: end the answer, begin a new conversation, "
        "mute the microphone, or the volume (a tap is louder, a hold softer).",
    )
    volume_up_pin: Pin | None = Field(
        None,
        description="The GPIO of a button that makes it louder.",
        json_schema_extra=_words(_PIN),
    )
    volume_down_pin: Pin | None = Field(
        None,
        description="The GPIO of a button that makes it softer.",
        json_schema_extra=_words(_PIN),
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
        json_schema_extra=_words("two BCM numbers with a comma between them"),
    )
    mute_pin: Pin | None = Field(
        None,
        description="The GPIO of a switch that mutes the microphone while it is closed to ground.",
        json_schema_extra=_words(_PIN),
    )

    keypad: str = Field(
        "",
        description="A USB foot switch, keypad or keyboard: a part of the name that "
        "speakerd-keypad lists, or its path. Then: sudo speakerd-keypad --apply",
        json_schema_extra=_words("a part of a name, or a path such as /dev/input/by-id/..."),
    )
    keypad_keys: KeyUses = Field(
        (),
        description="What its keys do, such as F13=talk,F14=stop; without it, keys for the volume, "
        "for muting and for stopping do that, and any other is held to talk.",
        json_schema_extra=_words(
            "KEY=USE with commas between them; USE is talk, stop, forget, mute, louder or softer"
        ),
    )

    led_pins: LedPins = Field(
        (),
        description="The GPIO of an LED, or the three of an RGB LED: red, green, blue.",
        json_schema_extra=_words("one BCM number, or three with commas between them"),
    )
    led_smooth: bool = Field(
        default=True,
        description="Whether it is dimmed, by PWM, which wakes the processor 50 times a second "
        "once it was used; without that it is on or off.",
        json_schema_extra=_words("true or false"),
    )
    led_brightness: int = Field(
        60,
        ge=1,
        le=100,
        description="How bright it is at most, where it can be dimmed.",
        json_schema_extra=_words("a whole number of percent from 1 to 100"),
    )
    led_active_high: bool = Field(
        default=True,
        description="Whether it is lit by a high level (from the GPIO to ground), "
        "or by a low one (from 3.3 V to the GPIO).",
        json_schema_extra=_words("true or false"),
    )

    reply_timeout_s: float = Field(
        15,
        ge=1,
        le=120,
        description="How long the model may be silent before it is asked once more.",
    )
    patience_s: float = Field(
        20,
        ge=1,
        le=600,
        description="How long what was said waits for a connection before it is given up, aloud.",
    )
    link: Annotated[Literal["on-demand", "always"], Lowered] = Field(
        "on-demand",
        description="Whether the connection is made at the press, or kept all the time.",
    )
    linger_s: float = Field(
        60,
        ge=0,
        le=3600,
        description="How long an on-demand connection is kept for a follow-up.",
    )
    conversation_timeout_s: float = Field(
        0,
        ge=0,
        le=604800,
        description="How long after its last turn a conversation is forgotten; with 0 it never is.",
    )

    control_socket: SocketPath = Field(
        DEFAULT_CONTROL_SOCKET,
        description="Where speakerd press, say, status and the like reach the daemon.",
        json_schema_extra=_words("an absolute path of at most 107 bytes, in an existing folder"),
    )
    state_directory: AbsolutePath | None = Field(
        None,
        description="Where the conversation is kept across restarts; "
        "without it, systemd's $STATE_DIRECTORY, or nowhere.",
        json_schema_extra=_words("an absolute path"),
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lowered] = Field(
        "info", description="How much goes to the journal."
    )
    log_transcripts: bool = Field(
        default=False,
        description="Whether what was said, and what was answered, goes to the journal.",
        json_schema_extra=_words("true or false"),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing ambient: :func:`speakerd.config.reading.read` names the sources."""
        return (init_settings,)


def variable_of(option: str) -> str:
    """The environment variable of a field of :class:`Settings`."""
    return API_KEY if option == "gemini_api_key" else f"{PREFIX}{option.upper()}"


VARIABLES = {variable_of(option): option for option in Settings.model_fields}


def allowed(option: str) -> str:
    """What a field of :class:`Settings` takes, in words."""
    field = Settings.model_fields[option]
    if isinstance(field.json_schema_extra, dict) and "allowed" in field.json_schema_extra:
        return str(field.json_schema_extra["allowed"])
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    unit = {"_ms": "milliseconds", "_s": "seconds"}.get(option[option.rfind("_") :])
    number = "a whole number" if field.annotation is int else "a number"
    bounds = f"from {_bound(field, 'ge')} to {_bound(field, 'le')}"
    return f"{number} of {unit} {bounds}" if unit else f"{number} {bounds}"


def _bound(field: FieldInfo, which: Literal["ge", "le"]) -> str:
    kind = {"ge": annotated_types.Ge, "le": annotated_types.Le}[which]
    return next(f"{getattr(each, which):g}" for each in field.metadata if isinstance(each, kind))
