"""A microphone and a speaker without devices.

They satisfy the ports of ``speakerd.audio.interfaces``; time passes in them only when a test says
so.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from speakerd.audio.buffers import Block, PrerollRing, Utterance
from speakerd.audio.level import measure
from speakerd.audio.pcm import (
    CAPTURE_RATE_HZ,
    PLAYABLE_RATES_HZ,
    PLAYBACK_RATE_HZ,
    SAMPLE_BYTES,
    bytes_of_ms,
    seconds_of,
)
from speakerd.conversation.events import (
    CaptureEnded,
    CaptureStarted,
    Device,
    DeviceLost,
    DeviceReady,
    Event,
    NoticeEnded,
    PlaybackDrained,
    PlaybackResumed,
    PlaybackStarted,
    PlaybackStarved,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from speakerd.audio.level import Level

    Post = Callable[[Event], None]


class FakeMicrophone:
    """Hears what a test pushes into it with :meth:`hear`, at the times the test gives."""

    def __init__(self, post: Post, *, preroll_ms: int = 300) -> None:
        self._post = post
        self._ring = PrerollRing(preroll_ms / 1000)
        self._utterance: Utterance | None = None
        self._not_before = 0.0
        self._covering: float | None = None
        self._heard_until = -float("inf")
        self._present = False
        self.muted = False

    def start(self) -> None:
        self.find()

    def stop(self) -> None:
        self._complete()

    def mute(self, *, on: bool) -> None:
        self.muted = on
        if on:
            self._complete()
            self._ring.clear()

    def open_gate(self, utterance: Utterance, not_before: float) -> None:
        self._complete()
        self._utterance, self._not_before, self._covering = utterance, not_before, None
        self._admit(self._ring.take_since(not_before))

    def close_gate(self, turn: int, covering: float) -> None:
        if self._utterance is not None and self._utterance.turn == turn:
            self._covering = covering
            if self._heard_until >= covering or not self._present:
                self._complete()

    def discard(self, turn: int) -> None:
        if self._utterance is not None and self._utterance.turn == turn:
            self._utterance.discard()
            self._utterance = None

    def stalled_s(self) -> float:
        return 0.0

    def level(self) -> Level | None:
        source = self._ring if self._utterance is None else self._utterance
        return measure(source.newest(bytes_of_ms(1000, CAPTURE_RATE_HZ)))

    # --- what a test does to it

    @property
    def open_on(self) -> int | None:
        """The turn whose gate is open."""
        return self._utterance.turn if self._utterance is not None else None

    def hear(self, pcm: bytes, end: float) -> None:
        """Capture ``pcm``, whose last frame was captured at the time ``end``."""
        if self.muted:
            return
        block = Block(pcm, end)
        self._heard_until = end
        if self._utterance is None:
            self._ring.append(block)
            return
        if self._covering is not None and end > self._covering:
            self._ring.append(Block(block.since(self._covering), end))
            block = Block(block.until(self._covering), self._covering)
        self._admit(block.since(self._not_before))
        if self._covering is not None and end >= self._covering:
            self._complete()

    def give_no_more(self) -> None:
        """Let the bounded wait for the end of the tail be over."""
        if self._covering is not None:
            self._complete()

    def lose(self, reason: str) -> None:
        """Unplug it."""
        self._present = False
        self._ring.clear()
        self._post(DeviceLost(Device.MICROPHONE, reason))
        self.give_no_more()

    def find(self) -> None:
        """Plug it in."""
        self._present = True
        self._post(DeviceReady(Device.MICROPHONE))

    def _admit(self, pcm: bytes) -> None:
        if pcm and self._utterance is not None:
            if not self._utterance.size_bytes:
                self._post(CaptureStarted(self._utterance.turn))
            self._utterance.append(pcm)

    def _complete(self) -> None:
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.finish()
            self._post(CaptureEnded(utterance.turn, utterance.duration_s))


class FakeSpeaker:
    """Plays when a test lets time pass with :meth:`play`; ``instant``: as soon as it may.

    ``heard`` has what was played of each turn, ``clips`` the clips, ``sound`` all of it in its
    order. All rates that can be played are counted as 24 kHz. Clips that are among ``cues`` are
    kept apart. Whoever feeds it is told of ``ahead_s`` more to play than there is.
    """

    def __init__(
        self,
        post: Post,
        *,
        prebuffer_ms: int = 120,
        instant: bool = False,
        cues: Container[bytes] = (),
        ahead_s: float = 0.0,
    ) -> None:
        self._post = post
        self._cues = cues
        self._ahead_s = ahead_s
        self._prebuffer_bytes = bytes_of_ms(prebuffer_ms, PLAYBACK_RATE_HZ)
        self._instant = instant
        self._expected: int | None = None
        self._queue = bytearray()
        self._started = self._flowing = self._finished = self._drained = False
        self._pending_clips: collections.deque[bytes] = collections.deque()
        self._present = False
        self.heard: dict[int, bytearray] = {}
        self.clips: list[bytes] = []
        self.cues: list[bytes] = []
        self.sound = bytearray()
        self.discarded_bytes = 0
        self.drops = 0

    def start(self) -> None:
        self.find()

    def stop(self) -> None:
        self._reset(None)

    def stalled_s(self) -> float:
        return 0.0

    def expect(self, turn: int) -> None:
        if turn != self._expected:
            self._reset(turn)

    def feed(self, turn: int, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> float:
        absurd = rate_hz not in PLAYABLE_RATES_HZ
        if turn != self._expected or not self._present or absurd:
            self.discarded_bytes += len(pcm)
            return 0.0
        self._queue += pcm
        self._drained = False
        self._play_if_instant()
        queued_s = seconds_of(len(self._queue), PLAYBACK_RATE_HZ) if self._flowing else 0.0
        return self._ahead_s + queued_s

    def finish(self, turn: int) -> None:
        if turn == self._expected:
            self._finished, self._drained = True, False
            if not self._queue and (not self._flowing or not self._present):
                self._report_end()
            self._play_if_instant()

    def drop(self) -> None:
        self.drops += 1
        self._pending_clips.clear()
        self._reset(None)

    def play_clip(self, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> None:
        del rate_hz  # as in feed()
        self._pending_clips.append(pcm)
        if self._instant or not self._present:
            self.play()

    # --- what a test does to it

    @property
    def playing(self) -> bool:
        """Whether something of a reply or a clip would be heard if time passed."""
        return bool(self._pending_clips) or self._may_play()

    def play(self, duration_s: float = float("inf")) -> None:
        """Let time pass: the reply is heard, as far as it has come, then the clips are."""
        if self._may_play():
            frames = min(duration_s * PLAYBACK_RATE_HZ, len(self._queue) // SAMPLE_BYTES)
            size = int(frames) * SAMPLE_BYTES
            self._hear(bytes(self._queue[:size]))
            del self._queue[:size]
        if len(self._queue) < SAMPLE_BYTES:
            self._report_end()
            while self._pending_clips:
                clip = self._pending_clips.popleft()
                if clip in self._cues:
                    self.cues.append(clip)
                else:
                    self.clips.append(clip)
                    self.sound += clip
                self._post(NoticeEnded(self.drops))

    def lose(self, reason: str) -> None:
        """Unplug it: what is queued is never heard, and the reply is reported as drained."""
        self._present = False
        self._post(DeviceLost(Device.SPEAKER, reason))
        self.discarded_bytes += len(self._queue)
        had_audio = self._started or bool(self._queue)
        self._queue.clear()
        if had_audio and self._expected is not None:
            self._finished = True
            self._report_end()
        while self._pending_clips:
            self._pending_clips.popleft()
            self._post(NoticeEnded(self.drops))

    def find(self) -> None:
        """Plug it in."""
        self._present = True
        self._post(DeviceReady(Device.SPEAKER))

    def _reset(self, turn: int | None) -> None:
        self._expected = turn
        self._queue.clear()
        self._started = self._flowing = self._finished = self._drained = False

    def _may_play(self) -> bool:
        ready = self._flowing or self._finished or len(self._queue) >= self._prebuffer_bytes
        return self._present and ready and len(self._queue) >= SAMPLE_BYTES

    def _play_if_instant(self) -> None:
        if self._instant and self._finished:
            self.play()

    def _hear(self, pcm: bytes) -> None:
        if self._expected is None or not pcm:
            return
        if not self._flowing:
            event = PlaybackResumed if self._started else PlaybackStarted
            self._post(event(self._expected))
        self._started = self._flowing = True
        self.heard.setdefault(self._expected, bytearray()).extend(pcm)
        self.sound += pcm

    def _report_end(self) -> None:
        if self._expected is None:
            return
        if self._finished and not self._drained:
            self._drained = True
            played = len(self.heard.get(self._expected, b""))
            self._post(PlaybackDrained(self._expected, seconds_of(played, PLAYBACK_RATE_HZ)))
        elif self._flowing and not self._finished:
            self._post(PlaybackStarved(self._expected))
        self._flowing = False
