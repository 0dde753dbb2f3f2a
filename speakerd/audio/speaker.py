"""The speaker: one thread that plays a playlist on an ALSA device.

The thread never blocks in alsa-lib: it fills the device's buffer, works out when there will be
something to do and sleeps until then, so that drop() takes effect within milliseconds. When there
is nothing to play it sleeps until it is called, and looks now and then whether the device has been
pulled out: who asks for the status must not be told that it is there.

An underrun is the machine's fault, not the server's: the rest plays on at once. A device that has
worked for a while and fails is opened again at once, at the cost of what its buffer held; only when
that fails too it is lost, the queue is discarded and reported as drained. The pauses between the
attempts grow until the device has played for a while: that it can be opened proves nothing.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from speakerd.audio import heap
from speakerd.audio.alsa import open_playback
from speakerd.audio.output import Output
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, retry_delays_s
from speakerd.audio.playlist import Playlist
from speakerd.conversation.events import Device, DeviceLost, DeviceReady
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speakerd.audio.pcm import PlaybackPcm
    from speakerd.conversation.events import Event

_LOG = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 1.0
_IDLE_CHECK_S = 5.0


class Speaker:
    """Plays S16_LE mono; see :class:`~speakerd.audio.interfaces.SpeakerPort`.

    ``post`` takes events from any thread, in their order, and does not block. A device that is
    missing or fails is tried again after each of ``retry_delays_s``, at once when there will be
    something to play. What is fed while it is lost is discarded. While nothing plays the device is
    looked at every ``idle_check_s``, and what long replies took in memory is given back then.

    ``prebuffer_ms`` of a reply are queued before it plays, up to ``prebuffer_max_ms`` (where that
    is more) when the network is uneven: see :mod:`speakerd.audio.prebuffer`. Before the first sound
    after a stillness come ``wake_ms`` of silence, after the last one ``keep_awake_s``.
    """

    def __init__(  # noqa: PLR0913 - options of a person and seams of a test, all by name
        self,
        device: str,
        *,
        prebuffer_ms: int,
        post: Callable[[Event], None],
        prebuffer_max_ms: int = 0,
        wake_ms: int = 0,
        keep_awake_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        open_pcm: Callable[[str, int], PlaybackPcm] = open_playback,
        retry_delays_s: Callable[[], Iterator[float]] = retry_delays_s,
        idle_check_s: float = _IDLE_CHECK_S,
        give_back: Callable[[], None] = heap.give_back,
    ) -> None:
        self._device = device
        self._post = post
        self._clock = clock
        self._open_pcm = open_pcm
        self._retry_delays_s = retry_delays_s
        self._idle_check_s = idle_check_s
        self._give_back = give_back
        self._changed = threading.Condition()  # guards all that follows
        self._playlist = Playlist(
            prebuffer_ms,
            post,
            prebuffer_max_ms=prebuffer_max_ms,
            wake_ms=wake_ms,
            keep_awake_s=keep_awake_s,
            clock=clock,
        )
        self._rate_hz = PLAYBACK_RATE_HZ
        self._position = 0  # of the output, kept from one opening of the device to the next
        self._fed_bytes = 0  # of replies, since memory was given back
        self._drop_wanted = False
        self._poked = False  # there is something to do before the pause is over
        self._present: bool | None = None  # None: not known yet
        self._stopping = False
        self._due_at = float("inf")  # when the thread will have been here again
        self._thread: threading.Thread | None = None

    @property
    def underruns(self) -> int:
        """How often the device ran dry in the middle of something."""
        return self._playlist.underruns

    @property
    def discarded_bytes(self) -> int:
        """How much reply audio was not admitted: stale, absurd, too much, or no device there."""
        return self._playlist.discarded_bytes

    def start(self) -> None:
        """Begin to look after the device."""
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fall silent and let go of the device, within 1 s."""
        with self._changed:
            self._stopping = True
            self._poke()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def stalled_s(self) -> float:
        """For how long nobody has looked after the device although somebody should.

        Without the lock: a thread that is stuck in alsa-lib may have it.
        """
        if self._thread is None or self._stopping:
            return 0.0
        if not self._thread.is_alive():
            return float("inf")
        return max(0.0, self._clock() - self._due_at) if self._present else 0.0

    def expect(self, turn: int) -> None:
        """Admit the reply of ``turn`` and no other; what is left of another is dropped."""
        with self._changed:
            self._drop_wanted |= self._playlist.expect(turn)
            if self._drop_wanted or self._present is False:
                self._poke()

    def feed(self, turn: int, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> float:
        """Queue reply audio; ALSA plays it at ``rate_hz``, whatever the card does.

        Returns how many seconds are left to play then, 0 while the reply does not play.
        """
        with self._changed:
            if self._present is False:
                self._playlist.refuse(pcm)
                return 0.0
            lasts_s = self._playlist.feed(turn, pcm, rate_hz)
            self._fed_bytes += len(pcm)
            if self._playlist.hungry:
                self._poke()
            return lasts_s

    def finish(self, turn: int) -> None:
        """Nothing more is expected: play all there is, then post PlaybackDrained."""
        with self._changed:
            self._playlist.finish(turn)
            if self._present is False:
                self._playlist.give_up(None)
            else:
                self._poke()

    def drop(self) -> None:
        """Silence at once; nothing plays until expect() or play_clip()."""
        with self._changed:
            self._playlist.drop()
            self._drop_wanted = True
            self._poke()

    def play_clip(self, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> None:
        """Play an earcon, or what else there is, after what is queued; then post NoticeEnded."""
        with self._changed:
            self._playlist.add_clip(pcm, rate_hz)
            self._poke()

    # --- the playback thread

    def _run(self) -> None:
        delays = self._retry_delays_s()
        while not self._stopping:
            out: Output | None = None
            try:
                out = self._open()
                with contextlib.closing(out):
                    self._play(out)
            except DeviceError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a dead thread is a dumb speaker
                _LOG.exception("the playback thread failed; it goes on")
                reason = f"{self._device}: {error!r}"
            else:
                continue
            if out is not None and out.steady:
                if out.played:
                    delays = self._retry_delays_s()
                continue
            self._lose(reason, out)
            self._wait_for_retry(next(delays))

    def _open(self) -> Output:
        pcm = self._open_pcm(self._device, self._rate_hz)
        out = Output(pcm, self._rate_hz, self._clock, self._position, self._device)
        with self._changed:
            if not self._present:
                self._present = True
                self._post(DeviceReady(Device.SPEAKER))
        return out

    def _play(self, out: Output) -> None:
        """Play until the end, or until the device has to be opened at another rate."""
        try:
            while True:
                with self._changed:
                    if self._stopping:
                        return
                    self._poked = False
                    self._due_at = self._clock()
                    if self._drop_wanted:
                        self._drop_wanted = False
                        self._playlist.silence(out)
                    pause_s = self._playlist.step(out)
                    rate_hz = self._playlist.other_rate_hz(out)
                    if rate_hz is not None:
                        self._rate_hz = rate_hz
                        return
                    wait_s = self._idle_check_s if pause_s is None else pause_s
                    self._due_at = self._clock() + wait_s
                    if pause_s is not None:
                        self._changed.wait_for(lambda: self._poked, pause_s)
                    elif not self._changed.wait_for(lambda: self._poked, self._idle_check_s):
                        out.check()
                        if self._fed_bytes >= heap.WORTHWHILE_BYTES:
                            self._fed_bytes = 0
                            self._give_back()
        finally:
            self._position = out.written

    def _lose(self, reason: str, out: Output | None) -> None:
        with self._changed:
            if self._present is not False:
                self._present = False
                self._post(DeviceLost(Device.SPEAKER, reason))
            self._drop_wanted = self._poked = False
            self._due_at = float("inf")
            self._rate_hz = PLAYBACK_RATE_HZ
            self._playlist.give_up(out)

    def _wait_for_retry(self, delay_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._poked or self._stopping, delay_s)

    def _poke(self) -> None:
        self._poked = True
        self._changed.notify_all()
