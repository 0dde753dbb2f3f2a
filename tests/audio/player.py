"""A playlist without its thread: it plays on a device of a script, at a clock that a test turns."""

from __future__ import annotations

from speakerd.audio.output import Output
from speakerd.audio.pcm import PLAYBACK_RATE_HZ
from speakerd.audio.playlist import Playlist
from tests.audio.contract import EventLog
from tests.audio.scripted import ManualClock, PlaybackScript, ScriptedPlayback


class Player:
    """A playlist on a scripted device, with a clock instead of a thread."""

    def __init__(
        self,
        prebuffer_ms: int = 100,
        *,
        prebuffer_max_ms: int = 0,
        wake_ms: int = 0,
        keep_awake_s: float = 0.0,
    ) -> None:
        self.clock = ManualClock()
        self.script = PlaybackScript(self.clock)
        self.events = EventLog()
        self.playlist = Playlist(
            prebuffer_ms,
            self.events.post,
            prebuffer_max_ms=prebuffer_max_ms,
            wake_ms=wake_ms,
            keep_awake_s=keep_awake_s,
            clock=self.clock,
        )
        self.out = self.open(PLAYBACK_RATE_HZ)
        self.steps = 0
        self._again_at: float | None = None

    def open(self, rate_hz: int, position: int = 0) -> Output:
        return Output(ScriptedPlayback(self.script, rate_hz), rate_hz, self.clock, position)

    def poke(self) -> None:
        self._again_at = self.clock()

    def run(self, duration_s: float) -> None:
        """Let time pass, as the thread does: sleep as long as the playlist says."""
        end = self.clock() + duration_s
        while self._again_at is not None and self._again_at <= end:
            self.clock.time = max(self.clock.time, self._again_at)
            pause_s = self.playlist.step(self.out)
            self.steps += 1
            self._again_at = None if pause_s is None else self.clock() + pause_s
        self.clock.time = end

    def feed(self, pcm: bytes, turn: int = 1, rate_hz: int = PLAYBACK_RATE_HZ) -> float:
        lasts_s = self.playlist.feed(turn, pcm, rate_hz)
        if self.playlist.hungry:
            self.poke()
        return lasts_s

    def clip(self, pcm: bytes) -> None:
        self.playlist.add_clip(pcm)
        self.poke()

    def drop(self) -> None:
        """As the speaker does."""
        self.playlist.drop()
        self.playlist.silence(self.out)
        self.poke()

    def finish(self, turn: int = 1) -> None:
        self.playlist.finish(turn)
        self.poke()

    @property
    def said(self) -> list[str]:
        return [type(event).__name__.removeprefix("Playback") for event in self.events.all]

    @property
    def heard(self) -> bytes:
        return bytes(self.script.heard)


def without_zeros(sound: bytes) -> bytes:
    """Sound that can be told from silence, byte for byte."""
    return sound.replace(b"\0", b"\1")
