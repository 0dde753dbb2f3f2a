"""An open playback device that knows how much of what it was given has been heard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from speakerd.audio.pcm import SAMPLE_BYTES, XrunError, frames_of_ms
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.pcm import PlaybackPcm

_STALL_S = 2.0  # a device that has sound and plays none for so long is lost
_STORM_S = 2.0  # and so is one that has done nothing but run dry for so long
_STEADY_S = 1.0  # a device that has worked for so long is worth another attempt at once
_REST_S = 0.04  # at least so long between two xruns in a row
_LONGEST_REST_S = 0.5


class Output:
    """Counts frames through a :class:`~speakerd.audio.pcm.PlaybackPcm`.

    Positions are frames since ``position``, where a device opened earlier left off. A device is
    heard no faster than its rate: sound servers take a good deal at once and call it played. A
    device that runs dry before the clock allows it rests for the difference, and for a moment when
    it does nothing else: an answer is not poured into a broken card. ``name`` is what a person
    calls it. Not thread-safe: the playback thread owns it.
    """

    def __init__(
        self,
        pcm: PlaybackPcm,
        rate_hz: int,
        clock: Callable[[], float],
        position: int = 0,
        name: str = "the playback device",
    ) -> None:
        self.rate_hz = rate_hz
        self._pcm = pcm
        self._name = name
        self._clock = clock
        self.written = position  # frames given to the device so far
        self.heard = position  # of these have been heard; as of update()
        self.queued = 0  # frames the device still has, by its own account; as of update()
        self.played = False  # the device was seen to play
        self._run_position = position
        self._run_started: float | None = None  # None: the device stands still
        self._opened_at = self._moved_at = self._counted_at = clock()  # counted: ``queued``
        self._refusing_since: float | None = None  # it stands still and takes nothing
        self._xruns = 0  # in a row: it has not been seen to play between them
        self._storm_began = self._xrun_at = self._rest_until = -math.inf

    @property
    def running(self) -> bool:
        """Whether the device is playing something."""
        return self._run_started is not None

    @property
    def steady(self) -> bool:
        """Whether the device has worked for a while since it was opened; standing by is work."""
        if self._runs_dry_again(self._clock()):
            good_until = self._storm_began
        elif self.running:
            good_until = self._moved_at
        elif self._refusing_since is not None:
            good_until = self._refusing_since
        else:
            good_until = self._clock()
        return good_until - self._opened_at > _STEADY_S

    def write(self, pcm: memoryview) -> int:
        """Give the device whole frames and return how many it has taken: 0 also while it rests.

        Raises :class:`XrunError` when it had run dry: nothing was taken, all before was heard.
        Raises :class:`~speakerd.errors.DeviceError` when it takes nothing though it is empty, or
        does nothing but run dry.
        """
        if not pcm or (not self.running and self._clock() < self._rest_until):
            return 0
        try:
            taken = self._pcm.write(pcm)
        except XrunError:
            self._ran_dry()
            raise
        if not self.running:
            self._begin_to_run(taken)
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
            self._ran_dry()
            raise
        now = self._counted_at = self._clock()
        played = int((now - self._run_started) * self.rate_hz)
        heard = min(self.written - self.queued, self._run_position + played)
        if heard > self.heard:
            self.heard = heard
            self._moved_at = now
            self.played = True
            self._xruns = 0
        elif self.heard < self.written and now - self._moved_at > _STALL_S:
            raise DeviceError(f"{self._name}: is open and plays nothing")

    def check(self) -> None:
        """Raise :class:`~speakerd.errors.DeviceError` when the device was pulled out."""
        self._pcm.check()

    def pad(self, duration_ms: float) -> None:
        """Let silence follow, so that at least ``duration_ms`` are queued."""
        missing = frames_of_ms(duration_ms, self.rate_hz) - self.queued
        if missing > 0:
            self.write(memoryview(bytes(missing * SAMPLE_BYTES)))

    def drop(self) -> None:
        """Silence at once."""
        self._refusing_since = None
        if self.running:
            self._pcm.drop()
            self._stand_still()

    def close(self) -> None:
        """Drop, and let go of the device."""
        self._pcm.close()

    def _begin_to_run(self, taken: int) -> None:
        now = self._clock()
        if taken:
            self._run_started = self._moved_at = self._counted_at = now
            self._run_position = self.written
            self._refusing_since = None
        elif self._refusing_since is None:
            self._refusing_since = now
        elif now - self._refusing_since > _STALL_S:
            raise DeviceError(f"{self._name}: is open and takes nothing")

    def _ran_dry(self) -> None:
        """Stand still, and rest if that was no fault of ours. Raises when it is a storm."""
        now = self._clock()
        unheard_s = 0.0
        if self.running:
            unheard_s = max(0.0, self.queued / self.rate_hz - (now - self._counted_at))
            self._stand_still()
        if not self._runs_dry_again(now):
            self._xruns = 0
            self._storm_began = now
        elif now - self._storm_began > _STORM_S:
            raise DeviceError(f"{self._name}: nothing but xruns for {_STORM_S:g} s") from None
        self._xruns += 1
        self._xrun_at = now
        rest_s = max(unheard_s, _REST_S if self._xruns > 1 else 0.0)
        self._rest_until = now + min(rest_s, _LONGEST_REST_S)

    def _runs_dry_again(self, now: float) -> bool:
        """Whether an xrun at ``now`` would be one in a row: it came soon, and without sound."""
        return self._xruns > 0 and now - self._xrun_at <= _STORM_S

    def _stand_still(self) -> None:
        self._run_started = None
        self._moved_at = self._clock()
        self.heard = self.written
        self.queued = 0
