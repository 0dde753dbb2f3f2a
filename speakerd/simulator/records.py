"""What the simulator remembers of its connections and turns, for tests and for people."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from speakerd.simulator.audio import NATIVE_RATE_HZ, REPLY_RATE_HZ, duration_s


class Outcome(enum.Enum):
    """How far a turn has come."""

    OPEN = "open"  # its window is open, or its answer under way
    COMPLETE = "complete"  # turnComplete was sent
    INTERRUPTED = "interrupted"  # by the client
    UNANSWERED = "unanswered"  # a fault swallowed the answer, or its end
    LOST = "lost"  # the connection ended first


class Picture(NamedTuple):
    """A picture that the client sent."""

    data: bytes
    mime_type: str
    after_bytes: int  # of the utterance


class Chunk(NamedTuple):
    """A piece of an answer that was sent."""

    at: float
    size_bytes: int


class Tokens(NamedTuple):
    """The size of something that was said or shown, by what it is."""

    audio: int = 0
    text: int = 0
    image: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Both."""
        return Tokens(*map(sum, zip(self, other, strict=True)))


@dataclass(slots=True, eq=False)
class TurnRecord:
    """One turn. Times are the server's clock (``time.monotonic`` in :class:`Simulator`)."""

    number: int  # from 1, over all connections
    connection: int  # the number of its connection
    kind: str  # "speech", "text" or "tool" (the follow-up of a non-blocking call)
    #: The turns the model remembered when this one began; 0 is the history that it was told.
    context: tuple[int, ...] = ()
    text: str = ""  # of a text turn
    utterance: bytearray = field(default_factory=bytearray)  # S16_LE mono, inside the window only
    rate_hz: int = NATIVE_RATE_HZ  # of the utterance
    chunk_bytes: list[int] = field(default_factory=list)  # the size of each chunk heard
    chunk_at: list[float] = field(default_factory=list)  # and when it came
    pictures: list[Picture] = field(default_factory=list)  # seen while it was heard
    activity_start_at: float | None = None
    first_audio_at: float | None = None
    activity_end_at: float | None = None  # for a text turn: when the text came
    reply: bytearray = field(default_factory=bytearray)  # 24 kHz S16_LE mono, as sent
    reply_chunks: list[Chunk] = field(default_factory=list)  # as it was sent
    first_reply_at: float | None = None
    completed_at: float | None = None
    tool_responses: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome = Outcome.OPEN

    @property
    def utterance_s(self) -> float:
        """How long the person spoke."""
        return duration_s(len(self.utterance), self.rate_hz)

    @property
    def reply_s(self) -> float:
        """How much reply audio was sent."""
        return duration_s(len(self.reply), REPLY_RATE_HZ)


@dataclass(slots=True, eq=False)
class ConnectionRecord:
    """One connection, from its upgrade to its end."""

    number: int  # from 1
    path: str
    opened_at: float
    key: str = field(default="", repr=False)
    user_agent: str = ""
    setup: dict[str, Any] | None = None  # as received
    resumed_handle: str | None = None
    ready: bool = False  # setupComplete was sent
    ready_at: float | None = None
    handles: list[str] = field(default_factory=list)  # issued, newest last
    history: list[tuple[str, str]] = field(default_factory=list)  # told: role and text of each turn
    received: Counter[str] = field(default_factory=Counter)  # messages by kind
    discarded_chunks: int = 0  # audio outside a window
    discarded_bytes: int = 0
    discarded_pictures: int = 0  # outside an utterance, too
    closed_at: float | None = None
    close_code: int | None = None
    close_reason: str = ""
    closed_by: str = ""  # "server" or "client"
