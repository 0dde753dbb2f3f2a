"""The connection, what it costs, and the service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speakerd.config.kinds import (
    AbsolutePath,
    Lowered,
    OwnPrices,
    SocketPath,
)
from speakerd.config.options.area import Area, words
from speakerd.config.prices import KINDS
from speakerd.config.sources import DEFAULT_CONTROL_SOCKET


class TheConnection(Area):
    """The connection."""

    link: Annotated[Literal["on-demand", "always"], Lowered] = Field(
        "on-demand",
        description="Whether the connection is made when it is needed (and once at the start), or "
        "kept all the time.",
    )
    linger_s: float = Field(
        60,
        ge=0,
        le=3600,
        description="How long an on-demand connection is kept for a follow-up.",
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
    conversation_timeout_s: float = Field(
        0,
        ge=0,
        le=604800,
        description="How long after its last turn a conversation is forgotten; with 0 it never is.",
    )


class TheCost(Area):
    """The cost."""

    daily_budget: float = Field(
        0,
        ge=0,
        le=10_000,
        description="What a day may cost: at 80 % it says so, at 100 % it refuses to talk until "
        "midnight; with 0 nothing is refused.",
        json_schema_extra=words("a number of US dollars from 0 to 10000"),
    )
    prices: OwnPrices = Field(
        (),
        description="What a million tokens cost you, where it is not what Google's list says.",
        json_schema_extra=words(
            "audio-in=3.00 and the like, in US dollars, with commas between them; "
            f"there are {', '.join(KINDS)}"
        ),
    )


class TheService(Area):
    """The service."""

    control_socket: SocketPath = Field(
        DEFAULT_CONTROL_SOCKET,
        description="Where speakerd press, say, status and the like reach the daemon.",
        json_schema_extra=words("an absolute path of at most 107 bytes, in an existing folder"),
    )
    state_directory: AbsolutePath | None = Field(
        None,
        description="Where the conversation is kept across restarts; "
        "without it, systemd's $STATE_DIRECTORY, or nowhere.",
        json_schema_extra=words("an absolute path"),
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lowered] = Field(
        "info", description="How much goes to the journal."
    )
    log_transcripts: bool = Field(
        default=False,
        description="Whether what was said, and what was answered, goes to the journal.",
        json_schema_extra=words("true or false"),
    )
