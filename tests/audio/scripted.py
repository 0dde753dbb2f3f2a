"""Devices of a script: what the real Microphone and Speaker open instead of ALSA's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from speakerd.audio.pcm import (
    CAPTURE_RATE_HZ,
    PLAYBACK_RATE_HZ,
    SAMPLE_BYTES,
    XrunError,
    bytes_of_ms,
    frames_of_ms,
    seconds_of,
)
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.pcm import CapturePcm, PlaybackPcm


class ManualClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class CaptureScript:
    """A capture device that a test pushes sound into, at the pace of a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.missing: str | None = None  # why it cannot be opened
        self.failing: str | None = None  # why it fails while it is open
        self.overruns = 0.0  # how many reads to come say that sound was lost; may be infinite
        self.greeting = b""  # what it has captured as soon as it is open
        self.unpaced = False  # has more at any time, whatever the clock says
        self.broken = False  # raises what nobody expects
        self.opened = 0
        self.reads = 0
        self.is_open = False
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._read_dry = False
        self._failing_once = False

    def fail_once(self, reason: str) -> None:
        self._failing_once = True
        self.failing = reason

    def open(self, device: str, period_ms: int) -> CapturePcm:
        self.opened += 1
        if self.missing is not None:
            raise DeviceError(f"{device}: {self.missing}")
        self.is_open = True
        with self._lock:
            self._pending[:] = self.greeting
        return _ScriptedCapture(self, bytes_of_ms(period_ms, CAPTURE_RATE_HZ))

    def hear(self, pcm: bytes) -> None:
        """Let the time of ``pcm`` pass and, if the device is open, capture it."""
        with self._lock:
            if self.is_open:
                self._pending += pcm
                self._read_dry = False
            self.clock.time += seconds_of(len(pcm), CAPTURE_RATE_HZ)

    @property
    def everything_was_read(self) -> bool:
        with self._lock:
            return self._read_dry or not self.is_open

    def take(self, size_bytes: int) -> bytes:
        self.reads += 1
        if self.broken:
            raise ZeroDivisionError
        if self.failing is not None and not (self.greeting and self._pending):
            reason = self.failing
            if self._failing_once:
                self.failing = None
            raise DeviceError(reason)
        if self.overruns:
            self.overruns -= 1
            raise XrunError
        if self.unpaced:
            return bytes(size_bytes)
        with self._lock:
            pcm = bytes(self._pending[:size_bytes])
            del self._pending[:size_bytes]
            self._read_dry = not pcm
        return pcm

    def waiting_frames(self) -> int:
        if self.unpaced:
            return CAPTURE_RATE_HZ
        with self._lock:
            return len(self._pending) // SAMPLE_BYTES


class _ScriptedCapture:
    def __init__(self, script: CaptureScript, period_bytes: int) -> None:
        self._script = script
        self._period_bytes = period_bytes

    def read(self) -> bytes:
        return self._script.take(self._period_bytes)

    def waiting_frames(self) -> int:
        return self._script.waiting_frames()

    def close(self) -> None:
        self._script.is_open = False


class PlaybackScript:
    """A playback device that plays at the pace of a clock and remembers what was heard."""

    def __init__(self, clock: Callable[[], float], buffer_ms: int = 200) -> None:
        self.clock = clock
        self.buffer_ms = buffer_ms
        self.missing: str | None = None  # why it cannot be opened
        self.refused_rates_hz: set[int] = set()
        self.failing: str | None = None  # why it fails while it is open
        self.broken = False  # raises what nobody expects
        self.hanging = False  # takes sound and plays none
        self.dry = False  # runs dry whatever it is given
        self.swallows = (
            0.0  # how often to come it takes sound and runs dry at once; may be infinite
        )
        self.opened_rates_hz: list[int] = []
        self.heard = bytearray()
        self.calls = 0
        self.dropped_at = 0.0  # by the clock
        self.drops = 0
        self.began: list[int] = []  # how much had been heard whenever it began to run
        self._failing_once = False

    def open(self, device: str, rate_hz: int) -> PlaybackPcm:
        self.opened_rates_hz.append(rate_hz)
        if self.missing is not None:
            raise DeviceError(f"{device}: {self.missing}")
        if rate_hz in self.refused_rates_hz:
            raise DeviceError(f"{device}: does not do {rate_hz} Hz")
        return ScriptedPlayback(self, rate_hz)

    def fail_once(self, reason: str) -> None:
        self._failing_once = True
        self.failing = reason

    def check(self) -> None:
        self.calls += 1
        if self.broken:
            raise ZeroDivisionError
        if self.failing is not None:
            reason = self.failing
            if self._failing_once:
                self.failing = None
            raise DeviceError(reason)
        if self.dry:
            raise XrunError


class ScriptedPlayback:
    """One opening of a :class:`PlaybackScript`."""

    def __init__(self, script: PlaybackScript, rate_hz: int = PLAYBACK_RATE_HZ) -> None:
        self._script = script
        self._rate_hz = rate_hz
        self._buffer = bytearray()
        self._played_until: float | None = None

    def _play(self) -> None:
        """Play what the clock says; raise where a device would have run dry."""
        now = self._script.clock()
        if self._played_until is None or self._script.hanging:
            return
        frames = int((now - self._played_until) * self._rate_hz)
        dry = frames * SAMPLE_BYTES > len(self._buffer)
        self._script.heard += self._buffer[: frames * SAMPLE_BYTES]
        del self._buffer[: frames * SAMPLE_BYTES]
        self._played_until += frames / self._rate_hz
        if dry:
            self._played_until = None
            raise XrunError

    def write(self, pcm: memoryview) -> int:
        self._script.check()
        self._play()
        capacity = frames_of_ms(self._script.buffer_ms, self._rate_hz) * SAMPLE_BYTES
        taken = bytes(pcm[: capacity - len(self._buffer)])
        self._buffer += taken
        if taken and self._played_until is None:
            self._played_until = self._script.clock()
            self._script.began.append(len(self._script.heard))
        return len(taken) // SAMPLE_BYTES

    def queued_frames(self) -> int:
        self._script.check()
        if self._script.swallows:
            self._script.swallows -= 1
            self.close()
            raise XrunError
        self._play()
        return len(self._buffer) // SAMPLE_BYTES

    def check(self) -> None:
        self._script.check()

    def drop(self) -> None:
        self._script.check()
        self._script.dropped_at = self._script.clock()
        self._script.drops += 1
        self._buffer.clear()
        self._played_until = None

    def close(self) -> None:
        self._buffer.clear()
        self._played_until = None
