"""How a simulator shall behave."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.simulator.catalogue import MODELS, Model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_KEY = "simulated-key"


class Pacing(enum.Enum):
    """How the audio of an answer is spread over time."""

    REALTIME = "realtime"  # steadily, a little faster than it plays
    BURST = "burst"  # all at once
    JITTER = "jitter"  # like REALTIME, with random gaps of up to 400 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """Everything that can be chosen. The defaults are what was seen of the real service."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one
    name: str = ""  # by which clients elsewhere reach it; "": by its host
    keys: tuple[str, ...] = (DEFAULT_KEY,)  # API keys that are accepted
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS)
    search: bool = True  # the keys have a quota for Google Search

    reply: Path | None = None  # a WAV file; None: a parrot
    heard: str = "{seconds:.1f} seconds of speech."  # the inputTranscription
    spoken: str = "You said {seconds:.1f} seconds of speech."  # the outputTranscription
    pacing: Pacing = Pacing.REALTIME
    seed: int = 0  # of everything random
    speed: float = 1.0  # divides every wait of an answer; 0: no waiting
    chunk_ms: int = 40  # reply audio in one message
    generation_rate: float = 1.25  # seconds of audio generated in a second, if paced
    transcription_delay_s: float = 0.3  # after activityEnd; 270 to 330 ms seen on 3.8
    first_audio_delay_s: float = 0.5  # after activityEnd
    #: turnComplete after generationComplete; None: when the answer would have been played.
    turn_complete_lag_s: float | None = 0.0
    late_audio_chunks: int = 0  # of an interrupted answer, after the activityStart
    #: Agree to permessage-deflate (RFC 7692) with a client that offers it.
    deflate: bool = False

    idle_timeout_s: float | None = 150.0  # without client input; None: never closes
    go_away_after_s: float | None = 540.0  # None: never
    go_away_time_left_s: float = 50.0
    #: With a picture, and without compression of its context; None: never.
    video_session_s: float | None = 120.0
    handle_validity_s: float = 7200.0  # after the session's last connection has ended
    handle_interval_s: float | None = None  # a new handle this often too, besides every turn

    save_utterances: Path | None = None  # a directory for what was heard, as WAV files
    keep: int = 200  # turns and connections remembered

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that make no sense."""
        intervals = (self.idle_timeout_s, self.handle_interval_s, self.video_session_s)
        positive = [interval for interval in intervals if interval is not None]
        positive += [self.chunk_ms, self.generation_rate, self.keep]
        # said so that nan is refused, too
        if not (all(number > 0 for number in positive) and self.speed >= 0):
            raise ValueError("speed must not be negative; the other numbers must be positive")
        if not 0 <= self.port <= 65535:
            raise ValueError("the port must be between 0 and 65535")

    def wait_s(self, seconds: float) -> float:
        """How long a wait of an answer takes at this speed."""
        return seconds / self.speed if self.speed else 0.0
