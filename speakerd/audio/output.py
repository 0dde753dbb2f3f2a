"""An open playback device that knows how much of what it was given has been heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.audio.pcm import SAMPLE_BYTES, XrunError, frames_of_ms
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.pcm import PlaybackPcm

_STALL_S = 2.0  # a device that has sound and plays none for so long is lost


class Output:
    """Counts frames through a :class:`~speakerd.audio.pcm.PlaybackPcm`.

    Positions are frames since ``position``, where a device opened earlier left off. A device is
    heard no faster than its rate: sound servers take a good deal at once and call it played. Not
    thread-safe: the playback thread owns it.
    """

    def __init__(
        self, pcm: PlaybackPcm, rate_hz: int, clock: Callable[[], float], position: int = 0
    ) -> None:
        self.rate_hz = rate_hz
        self._pcm = pcm
        self._clock = clock
        self.written = position  # frames given to the device so far
        self.heard = position  # of these have been heard; as of update()
        self.queued = 0  # frames the device still has, by its own account; as of update()
        self._opened_position = position
        self._run_position = position
        self._run_started: float | None = None  # None: the device stands still
        self._moved_at = clock()

    @property
    def running(self) -> bool:
        """Whether the device is playing something."""
        return self._run_started is not None

    @property
    def moved(self) -> bool:
        """Whether the device has played, or was given nothing that it could have played."""
        return self.heard > self._opened_position or self.written == self._opened_position

    def write(self, pcm: memoryview) -> int:
        """Give the device whole frames and return how many it has taken.

        Raises :class:`XrunError` when it had run dry: nothing was taken, all before was heard.
        Raises :class:`~speakerd.errors.DeviceError` when it takes nothing though it is empty.
        """
        try:
            taken = self._pcm.write(pcm)
        except XrunError:
            if not self.running:
                raise DeviceError("the playback device runs dry before it plays") from None
            self._stand_still()
            raise
        if not self.running:
            now = self._clock()
            if taken:
                self._run_started = self._moved_at = now
                self._run_position = self.written
            elif now - self._moved_at > _STALL_S:
                raise DeviceError("the playback device is open and takes nothing")
        self.written += taken
        self.queued += taken
        return taken

    def update(self) -> None:
        """Ask the device how far it is. Raises as :meth:`write`, and when it does not move."""
        if self._run_started is None:
            return
        try:
            self.queued = self._pcm.queued_frames()
        except XrunError:
            self._stand_still()
            raise
        now = self._clock()
        played = int((now - self._run_started) * self.rate_hz)
        heard = min(self.written - self.queued, self._run_position + played)
        if heard > self.heard:
            self.heard = heard
            self._moved_at = now
        elif self.heard < self.written and now - self._moved_at > _STALL_S:
            raise DeviceError("the playback device is open and plays nothing")

    def pad(self, duration_ms: float) -> None:
        """Let silence follow, so that at least ``duration_ms`` are queued."""
        missing = frames_of_ms(duration_ms, self.rate_hz) - self.queued
        if missing > 0:
            self.write(memoryview(bytes(missing * SAMPLE_BYTES)))

    def drop(self) -> None:
        """Silence at once."""
        if self.running:
            self._pcm.drop()
            self._stand_still()

    def close(self) -> None:
        """Drop, and let go of the device."""
        self._pcm.close()

    def _stand_still(self) -> None:
        self._run_started = None
        self._moved_at = self._clock()
        self.heard = self.written
        self.queued = 0
