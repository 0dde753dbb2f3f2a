"""What is asked, and of whom: the key and the model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speakerd.config.kinds import (
    ApiKey,
    Command,
    CommandsFile,
    Languages,
    Lowered,
    Model,
    Models,
    Safety,
    ServersFile,
    TextFile,
    TokenAddress,
    Tools,
    Voice,
    Words,
)
from speakerd.config.options.area import Area, words


class TheKey(Area):
    """The key."""

    gemini_api_key: ApiKey | None = Field(
        None,
        description="The key of your Gemini project, from https://aistudio.google.com/apikey",
        json_schema_extra=words("an API key"),
    )
    token_command: Command = Field(
        "",
        description="In place of the key: a command that prints a token, such as speakerd token "
        "on the machine that has the key.",
        json_schema_extra=words("a program and its arguments; no shell reads them"),
    )
    token_url: TokenAddress | None = Field(
        None,
        description="In place of that command: an address that answers with a token.",
        json_schema_extra=words("an https URL, or an http one of this machine itself"),
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
    language: Languages = Field(
        (),
        description="The language of the conversation, or several, the first of them for spoken "
        "notices; without it, the model hears which it is.",
        json_schema_extra=words("BCP-47 codes such as en-US or de, with commas between them"),
    )
    vocabulary: Words = Field(
        (),
        description="Names and words that shall be understood right.",
        json_schema_extra=words("up to 100 words of up to 100 letters, with commas between them"),
    )
    thinking_level: Annotated[Literal["", "minimal", "low", "medium", "high"], Lowered] = Field(
        "",
        description="How much the model thinks before it answers; without it, as it likes.",
        json_schema_extra=words("minimal, low, medium or high"),
    )
    thinking_budget: int | None = Field(
        None,
        ge=-1,
        le=32768,
        description="The same in tokens, for a model that takes no level; with 0 it does not "
        "think, with -1 as much as it likes.",
        json_schema_extra=words("a whole number from -1 to 32768"),
    )
    affective_dialog: bool = Field(
        default=False,
        description="Whether the model answers to how something is said, too.",
        json_schema_extra=words("true or false"),
    )
    proactive_audio: bool = Field(
        default=False,
        description="Whether the model may be silent where it is not meant; some always may.",
        json_schema_extra=words("true or false"),
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="How free the model is in its words; without it, as it was made.",
        json_schema_extra=words("a number from 0 to 2"),
    )
    media_resolution: Annotated[Literal["", "low", "medium", "high"], Lowered] = Field(
        "",
        description="How closely the model looks at pictures.",
        json_schema_extra=words("low, medium or high"),
    )
    safety: Safety = Field(
        (),
        description="What the model's filter blocks, such as harassment=only-high; what is not "
        "named is left to the model.",
        json_schema_extra=words(
            "CATEGORY=BLOCKED with commas between them; CATEGORY is harassment, hate-speech, "
            "sexually-explicit, dangerous-content or civic-integrity; BLOCKED is low-and-above, "
            "medium-and-above, only-high or none"
        ),
    )


class TurnTaking(Area):
    """Taking turns."""

    turn_taking: Annotated[Literal["push-to-talk", "conversation"], Lowered] = Field(
        "push-to-talk",
        description="Who says where a sentence ends: the button; or the model, in a conversation "
        "that a tap opens and ends.",
    )
    conversation_silence_s: float = Field(
        15,
        ge=2,
        le=120,
        description="How long nobody says anything before such a conversation ends by itself.",
    )
    conversation_length_s: float = Field(
        300,
        ge=10,
        le=900,
        description="How long it may last; an answer is heard to its end.",
    )
    echo_cancelled: bool = Field(
        default=False,
        description="Whether the microphone does not hear the speaker, so that one can speak into "
        "an answer; otherwise it is closed while one is heard.",
        json_schema_extra=words("true or false"),
    )
    vad_start: Annotated[Literal["", "high", "low"], Lowered] = Field(
        "",
        description="How easily the model takes a sound for speech.",
        json_schema_extra=words("high or low"),
    )
    vad_end: Annotated[Literal["", "high", "low"], Lowered] = Field(
        "",
        description="How easily it takes a pause for the end of a sentence.",
        json_schema_extra=words("high or low"),
    )
    vad_padding_ms: int | None = Field(
        None,
        ge=0,
        le=2000,
        description="How much speech it needs before it counts.",
        json_schema_extra=words("a whole number of milliseconds from 0 to 2000"),
    )
    vad_silence_ms: int | None = Field(
        None,
        ge=100,
        le=10000,
        description="How long a pause ends a sentence.",
        json_schema_extra=words("a whole number of milliseconds from 100 to 10000"),
    )


class TheInstruction(Area):
    """What the model is told."""

    system_instruction: str = Field(
        "",
        description="What the model is told before every conversation.",
        json_schema_extra=words("any text; {place}, {names} and {time_zone} are replaced"),
    )
    system_instruction_file: TextFile | None = Field(
        None,
        description="A file with more of it; read at the start and at every reload.",
        json_schema_extra=words("the absolute path of a text file of at most 64 KiB"),
    )
    place: str = Field(
        "",
        description="Where the speaker is, for {place}.",
        json_schema_extra=words("any text"),
    )
    names: Words = Field(
        (),
        description="Who lives there, for {names}.",
        json_schema_extra=words("up to 100 names of up to 100 letters, with commas between them"),
    )


class WhatItMayDo(Area):
    """What the model may do."""

    google_search: bool = Field(
        default=False,
        description="Whether the model may look things up with Google Search.",
        json_schema_extra=words("true or false"),
    )
    tools: Tools = Field(
        ("volume", "timers", "clock"),
        description="What the model may do when it is asked to: turn the volume; set timers, "
        "alarms and reminders; tell the time; see to the speaker itself. Each costs tokens in "
        "every turn.",
        json_schema_extra=words("some of volume, timers, clock and speaker, or none"),
    )
    commands_file: CommandsFile | None = Field(
        None,
        description="A file of commands of your own that the model may call; read at the start and "
        "at every reload. Anybody who can be heard can have them run: docs/tools.md.",
        json_schema_extra=words("the absolute path of a JSON file of at most 64 KiB"),
    )
    mcp_servers: ServersFile | None = Field(
        None,
        description="A file that names servers of the Model Context Protocol, such as Home "
        "Assistant's, whose tools the model may use.",
        json_schema_extra=words("the absolute path of a JSON file, see docs/mcp.md"),
    )


class TheMemory(Area):
    """What the model remembers."""

    compression_trigger_tokens: int = Field(
        12000,
        ge=5000,
        le=128000,
        description="How long a conversation grows before its beginning is dropped; a minute of "
        "sound is 1500 tokens, and each turn pays for all of them.",
    )
    compression_target_tokens: int | None = Field(
        None,
        ge=1000,
        le=127000,
        description="How much of it is kept then; without it, half.",
        json_schema_extra=words("a whole number from 1000 to 127000, below the one above"),
    )
    history_turns: int = Field(
        0,
        ge=0,
        le=50,
        description="How many of the last turns the model is told of where the server has lost the "
        "conversation; they are kept as text, in memory only.",
    )
