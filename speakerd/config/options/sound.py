"""The sound cards, what is heard beside the answers, and how loud."""

from __future__ import annotations

from pydantic import Field

from speakerd.config.kinds import (
    DeviceName,
)
from speakerd.config.options.area import Area, words


class MicrophoneAndSpeaker(Area):
    """Microphone and speaker."""

    capture_device: DeviceName = Field(
        "default",
        description="The microphone.",
        json_schema_extra=words("a PCM name of ALSA such as plughw:CARD=Device"),
    )
    playback_device: DeviceName = Field(
        "default",
        description="The speaker.",
        json_schema_extra=words("a PCM name of ALSA such as plughw:CARD=sndrpihifiberry"),
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


class Sounds(Area):
    """Sounds."""

    earcon_volume: int = Field(
        60,
        ge=0,
        le=100,
        description="How loud the short sounds and spoken notices are; with 0 there are none.",
        json_schema_extra=words("a whole number of percent from 0 to 100"),
    )
    thinking_sound: bool = Field(
        default=False,
        description="Whether a quiet sound tells that an answer is being waited for.",
        json_schema_extra=words("true or false"),
    )
    prompts: bool = Field(
        default=True,
        description="Whether failures are explained by voice, where espeak-ng is installed.",
        json_schema_extra=words("true or false"),
    )


class TheVolume(Area):
    """The volume."""

    mixer: str = Field(
        "",
        description="The mixer of the speaker; without it, that of the speaker's card.",
        json_schema_extra=words("a mixer of ALSA such as hw:CARD=sndrpihifiberry"),
    )
    mixer_control: str = Field(
        "",
        description="Its control for the volume; without it, the most fitting one; with none, "
        "the volume is left alone.",
        json_schema_extra=words("the name of a mixer control such as Digital, or none"),
    )
    volume: int = Field(
        40,
        ge=0,
        le=100,
        description="The volume of the first start; after that it is as it was left.",
        json_schema_extra=words("a whole number of percent from 0 to 100"),
    )
    volume_max: int = Field(
        100,
        ge=1,
        le=100,
        description="The highest volume that anybody, or the model, can set.",
        json_schema_extra=words("a whole number of percent from 1 to 100"),
    )
    volume_step: int = Field(
        5,
        ge=1,
        le=50,
        description="How much louder or softer a press of a volume button makes it.",
        json_schema_extra=words("a whole number of percent from 1 to 50"),
    )
