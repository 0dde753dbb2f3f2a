"""PCM: the arithmetic of its formats, and what an open device can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPTURE_RATE_HZ = 16_000
PLAYBACK_RATE_HZ = 24_000
#: From telephone to studio. Reply audio that claims another rate is discarded, not played.
PLAYABLE_RATES_HZ = range(8_000, 192_001)
SAMPLE_BYTES = 2  # S16_LE; as all sound is mono, a frame is a sample
PERIOD_MS = 20


def frames_of_ms(duration_ms: float, rate_hz: int) -> int:
    """How many whole frames there are in ``duration_ms``."""
    return int(duration_ms * rate_hz / 1000)


def bytes_of_ms(duration_ms: float, rate_hz: int) -> int:
    """The size of ``duration_ms`` of sound, in whole frames."""
    return frames_of_ms(duration_ms, rate_hz) * SAMPLE_BYTES


def seconds_of(size_bytes: int, rate_hz: int) -> float:
    """How long ``size_bytes`` of sound last."""
    return size_bytes / SAMPLE_BYTES / rate_hz


def retry_delays_s() -> Iterator[float]:
    """How long to wait before each new attempt to open a device: 0.5 s to 30 s."""
    delay_s = 0.5
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, 30.0)


class XrunError(Exception):
    """The buffer over- or underran. The device is recovered: the next read or write works."""


class CapturePcm(Protocol):
    """An open capture device, 16 kHz. Nothing here blocks.

    Every method may raise :class:`~speakerd.errors.DeviceError`: the device is lost.
    """

    def read(self) -> bytes:
        """Take what has been captured, at most a period; empty when there is nothing yet.

        The first read starts the device. Raises :class:`XrunError` when sound was lost.
        """
        ...

    def waiting_frames(self) -> int:
        """How many captured frames wait to be read; the whole buffer after an overrun."""
        ...

    def close(self) -> None:
        """Stop and let go of the device."""
        ...


class PlaybackPcm(Protocol):
    """An open playback device. Nothing here blocks.

    Every method may raise :class:`~speakerd.errors.DeviceError`: the device is lost.
    """

    def write(self, pcm: memoryview) -> int:
        """Queue frames of ``pcm`` and return how many were taken, 0 when the buffer is full.

        The first write starts the device. Raises :class:`XrunError` when the device had run
        dry: nothing of this block was taken.
        """
        ...

    def queued_frames(self) -> int:
        """How many frames are still to be played. Raises :class:`XrunError` when it ran dry."""
        ...

    def check(self) -> None:
        """Raise when the device is known to be gone; for when there is nothing to write."""
        ...

    def drop(self) -> None:
        """Discard what is queued and stop at once; the next write starts the device again."""
        ...

    def close(self) -> None:
        """Drop, and let go of the device."""
        ...
