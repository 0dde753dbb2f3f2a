"""What is asked, and of whom: the key and the model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speakerd.config.kinds import (
    ApiKey,
    Language,
    Lowered,
    Model,
    Models,
    Tools,
    Voice,
)
from speakerd.config.options.area import Area, words


class TheKey(Area):
    """The key."""

    gemini_api_key: ApiKey = Field(
        description="The key of your Gemini project, from https://aistudio.google.com/apikey",
        json_schema_extra=words("an API key"),
    )


class TheModel(Area):
    """The model."""

    model: Model = Field(
        "gemini-3.8-live",
        description="The model to talk with.",
        json_schema_extra=words("the name of a Live API model"),
    )
    fallback_models: Models = Field(
        (),
        description="Models to try, in this order, when the server does not know that one.",
        json_schema_extra=words("names of Live API models with commas between them"),
    )
    voice: Voice = Field(
        "",
        description="The voice that answers, such as Kore or Puck; without it, the model's own.",
        json_schema_extra=words("the name of a prebuilt voice"),
    )
    language: Language = Field(
        "",
        description="The language of the conversation; without it, the model hears which it is.",
        json_schema_extra=words("a BCP-47 code such as en-US or de"),
    )
    system_instruction: str = Field(
        "",
        description="What the model is told before every conversation.",
        json_schema_extra=words("any text"),
    )
    search: bool = Field(
        default=False,
        description="Whether the model may look things up with Google Search.",
        json_schema_extra=words("true or false"),
    )
    tools: Tools = Field(
        ("volume",),
        description="What the model may do when it is asked to: turn the volume.",
        json_schema_extra=words("volume, or none"),
    )
    thinking_level: Annotated[Literal["", "minimal", "low", "medium", "high"], Lowered] = Field(
        "",
        description="How much the model thinks before it answers; without it, as it likes.",
        json_schema_extra=words("minimal, low, medium or high"),
    )
