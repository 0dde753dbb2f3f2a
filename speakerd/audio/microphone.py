"""The microphone: one capture thread, a gate, and the pre-roll from before it opened.

While the gate is closed, sound goes round in the pre-roll ring and nowhere else; with a pre-roll
of 0 the device is closed then. (Stopping it would not do: through ALSA's ``pulse`` plugin a
dropped capture stream goes on collecting sound.) While the gate is open, sound goes into the
utterance.

Only sound is a sign of life: a device that gives nothing, or nothing but overruns, is lost after
2 s. One that has given sound for a while and fails is opened again at once, and lost when that
fails too. The pauses between the attempts grow until it has given sound for a while: that it can
be opened proves nothing.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from speakerd.audio.alsa import open_capture
from speakerd.audio.buffers import Block, PrerollRing
from speakerd.audio.level import measure
from speakerd.audio.pcm import (
    CAPTURE_RATE_HZ,
    PERIOD_MS,
    SAMPLE_BYTES,
    XrunError,
    bytes_of_ms,
    frames_of_ms,
    retry_delays_s,
    seconds_of,
)
from speakerd.conversation.events import (
    CaptureEnded,
    CaptureStarted,
    Device,
    DeviceLost,
    DeviceReady,
    Xrun,
)
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speakerd.audio.buffers import Utterance
    from speakerd.audio.level import Level
    from speakerd.audio.pcm import CapturePcm
    from speakerd.conversation.events import Event

_LOG = logging.getLogger(__name__)

_IDLE_PERIODS = 5  # how many are waited for while the gate is closed; opening it ends the wait
_LEAST_PAUSE_S = 0.002  # between two looks for the last frame of an utterance
_COVER_TIMEOUT_S = 0.5  # a device that gives nothing more must not keep a turn open
_STALL_S = 2.0  # an open device that gives nothing for so long is lost
_STEADY_S = 1.0  # a device that has given sound for so long is tried again before it is lost
_STOP_TIMEOUT_S = 1.0
_LEVEL_MS = 1000  # how much of the newest sound its level is measured on
_BACKLOG_S = 1.0  # what may come at once: ALSA's buffer
_FASTEST = 1.01  # by how much a sound card's clock may be faster than ours


class _Gate:
    """The gate while it is open: where the sound goes, and what it waits for to close."""

    def __init__(self, utterance: Utterance, not_before: float) -> None:
        self.utterance = utterance
        self.not_before = not_before
        self.started = False
        self.covering: float | None = None  # what it must have to close; None: it stays open
        self.until = 0.0  # what it may have: all that there was when it was told to close
        self.looked = False  # the device was asked since then, and had no more
        self.deadline = 0.0


class _Pace:
    """Tells real sound from a device that no clock paces, such as ``null`` or a file.

    Such a device has more at any time: it would be read without end, at the cost of a whole core
    and of all the memory that an utterance may have.
    """

    def __init__(self, now: float) -> None:
        self._ahead_s = 0.0
        self._now = now

    def is_ahead(self, now: float) -> bool:
        """Whether more has been taken than can have been captured."""
        since_s = (now - self._now) * _FASTEST
        self._ahead_s = max(-_BACKLOG_S, self._ahead_s - since_s)
        self._now = now
        return self._ahead_s > _BACKLOG_S

    def count(self, pcm: bytes) -> None:
        """``pcm`` has been taken."""
        self._ahead_s += seconds_of(len(pcm), CAPTURE_RATE_HZ)


class Microphone:
    """Captures 16 kHz S16_LE mono; see :class:`~speakerd.audio.interfaces.MicrophonePort`.

    ``post`` takes events from any thread, in their order, and does not block. ``clock`` gives
    seconds on the scale of the times in the orders. A device that is missing or fails is reported
    lost and tried again after each of ``retry_delays_s``, at once when a gate is opened.
    """

    def __init__(  # noqa: PLR0913 - seams of a test, all by name
        self,
        device: str,
        *,
        preroll_ms: int,
        post: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
        open_pcm: Callable[[str, int], CapturePcm] = open_capture,
        period_ms: int = PERIOD_MS,
        retry_delays_s: Callable[[], Iterator[float]] = retry_delays_s,
        condition: Callable[[], threading.Condition] = threading.Condition,
    ) -> None:
        self._device = device
        self._always_on = preroll_ms > 0
        self._post = post
        self._clock = clock
        self._open_pcm = open_pcm
        self._period_ms = period_ms
        self._retry_delays_s = retry_delays_s
        self._period_frames = frames_of_ms(period_ms, CAPTURE_RATE_HZ)
        self._changed = condition()  # guards all that follows
        self._ring = PrerollRing(preroll_ms / 1000)
        self._gate: _Gate | None = None
        self._captured_until = -float("inf")
        self._present: bool | None = None  # None: not known yet
        self._retry_now = False
        self._muted = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._steady = False  # it has given sound for a while since it was opened
        self._progress_at = -float("inf")  # when it was opened, or has last given sound
        self._overruns_in_a_row = 0
        self.overruns = 0
        self.captured_frames = 0

    @property
    def wanted(self) -> bool:
        """Whether it is meant to be capturing; ``captured_frames`` grows then, or it is lost."""
        listens = self._always_on or self._gate is not None
        return listens and not (self._muted or self._stopping)

    def start(self) -> None:
        """Begin to look after the device."""
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Complete what is open and let go of the device, within 1 s."""
        with self._changed:
            self._stopping = True
            self._complete()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def stalled_s(self) -> float:
        """For how long it has captured nothing although it believes that it does.

        Without the lock: a thread that is stuck in alsa-lib may have it.
        """
        if self._thread is None or self._stopping:
            return 0.0
        if not self._thread.is_alive():
            return float("inf")
        return self._clock() - self._progress_at if self._present and self.wanted else 0.0

    def open_gate(self, utterance: Utterance, not_before: float) -> None:
        """Let what is captured from ``not_before`` on into ``utterance``, pre-roll included."""
        with self._changed:
            self._complete()
            if not self.wanted:  # the device is closed, and opening it takes its time
                self._progress_at = self._clock()
            self._gate = _Gate(utterance, not_before)
            self._admit(self._gate, self._ring.take_since(not_before))
            self._retry_now = True
            self._changed.notify_all()

    def close_gate(self, turn: int, covering: float) -> None:
        """Complete the utterance when it has all that was captured until ``covering``.

        And what was captured since, until now, as far as the device gives it at once.
        """
        with self._changed:
            if self._gate is not None and self._gate.utterance.turn == turn:
                self._gate.covering = covering
                self._gate.until = max(covering, self._clock())
                self._gate.deadline = self._clock() + _COVER_TIMEOUT_S
                self._complete_if_due()
                self._changed.notify_all()

    def discard(self, turn: int) -> None:
        """Close the gate if it is open on ``turn``; the sound is thrown away."""
        with self._changed:
            if self._gate is not None and self._gate.utterance.turn == turn:
                self._gate.utterance.discard()
                self._gate = None

    def mute(self, *, on: bool) -> None:
        """Let go of the device and forget what it gave, or begin to capture again."""
        with self._changed:
            self._muted = on
            self._ring.clear()
            if on:
                self._complete()
            else:  # it is closed, and opening it takes its time
                self._progress_at = self._clock()
            self._changed.notify_all()

    def level(self) -> Level | None:
        """The level of the newest sound that is kept, up to a second of it."""
        size_bytes = bytes_of_ms(_LEVEL_MS, CAPTURE_RATE_HZ)
        with self._changed:
            source = self._ring if self._gate is None else self._gate.utterance
            newest = source.newest(size_bytes)
        return measure(newest)  # which takes its time: nobody waits for it

    # --- the gate (the lock is held)

    def _take(self, block: Block) -> None:
        """Let captured sound go where it belongs."""
        if self._muted:  # it was on its way
            return
        self.captured_frames += len(block.pcm) // SAMPLE_BYTES
        self._progress_at = self._clock()
        self._captured_until = block.end
        gate = self._gate
        if gate is None:
            self._ring.append(block)
        elif gate.covering is None or block.end <= gate.until:
            self._admit(gate, block.since(gate.not_before))
        else:
            inside = Block(block.until(gate.until), gate.until)
            self._admit(gate, inside.since(gate.not_before))
            self._ring.append(Block(block.since(gate.until), block.end))

    def _admit(self, gate: _Gate, pcm: bytes) -> None:
        if not pcm:
            return
        gate.utterance.append(pcm)
        if not gate.started:
            gate.started = True
            self._post(CaptureStarted(gate.utterance.turn))

    def _complete_if_due(self) -> None:
        gate = self._gate
        if gate is None or gate.covering is None:
            return
        enough = gate.covering if gate.looked else gate.until
        covered = self._captured_until >= enough
        if covered or self._present is False or self._clock() >= gate.deadline:
            self._complete()

    def _complete(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.utterance.finish()
            self._post(CaptureEnded(gate.utterance.turn, gate.utterance.duration_s))

    # --- the capture thread

    def _run(self) -> None:
        delays = self._retry_delays_s()
        while not self._stopping:
            self._steady = False
            reason = None
            try:
                self._capture()
            except DeviceError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a dead thread is a deaf speaker
                _LOG.exception("the capture thread failed; it goes on")
                reason = f"{self._device}: {error!r}"
            if self._steady:
                delays = self._retry_delays_s()
            elif reason is not None:
                self._lose(reason)
                self._wait_for_retry(next(delays))

    def _capture(self) -> None:
        """Open the device, capture as long as it is wanted, close it, wait until it is wanted."""
        with contextlib.closing(self._open_pcm(self._device, self._period_ms)) as pcm:
            self._found()
            opened_at = fresh_at = self._clock()
            pace = _Pace(opened_at)
            self._overruns_in_a_row = 0
            while self.wanted:
                if self._capture_some(pcm, pace):
                    fresh_at = self._clock()
                    self._steady = fresh_at - opened_at > _STEADY_S
                elif self._clock() - fresh_at > _STALL_S:
                    raise DeviceError(f"{self._device}: {self._what_it_does()}")
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self.wanted)

    def _what_it_does(self) -> str:
        if self._overruns_in_a_row:
            return f"nothing but xruns for {_STALL_S:g} s"
        return "is open and gives no sound"

    def _capture_some(self, pcm: CapturePcm, pace: _Pace) -> bool:
        """Take up to a period, or wait for one; whether there was any."""
        captured, waiting_frames = b"", 0
        closing = self._closing()  # before the device is asked
        if not pace.is_ahead(self._clock()):
            try:
                captured = pcm.read()
            except XrunError:
                self._count_overrun()
                if self._overruns_in_a_row == 1:
                    return False  # the next read starts the device again: it must not wait
        if captured:
            waiting_frames = pcm.waiting_frames()
            pace.count(captured)
            self._overruns_in_a_row = 0
        with self._changed:
            if captured:
                self._take(Block(captured, self._clock() - waiting_frames / CAPTURE_RATE_HZ))
            if closing is not None and len(captured) < self._period_frames * SAMPLE_BYTES:
                closing.looked = True  # there was no more
            self._complete_if_due()
            if waiting_frames < self._period_frames and not self._stopping:
                self._changed.wait(self._pause_s(waiting_frames))
        return bool(captured)

    def _closing(self) -> _Gate | None:
        """The gate, if it is to close."""
        with self._changed:
            gate = self._gate
            return gate if gate is not None and gate.covering is not None else None

    def _pause_s(self, waiting_frames: int) -> float:
        """For how long nobody wants what is being captured (the lock is held)."""
        gate, most_frames = self._gate, _IDLE_PERIODS * self._period_frames
        if gate is not None and gate.covering is not None:
            until_covered_s = gate.covering - self._clock()
            return min(max(_LEAST_PAUSE_S, until_covered_s), most_frames / CAPTURE_RATE_HZ)
        if gate is None:
            wanted_frames = most_frames
        elif gate.started:
            wanted_frames = min(gate.utterance.missing_bytes // SAMPLE_BYTES, most_frames)
        else:
            wanted_frames = 0
        missing_frames = max(wanted_frames, self._period_frames) - waiting_frames
        return missing_frames / CAPTURE_RATE_HZ

    def _count_overrun(self) -> None:
        self.overruns += 1
        self._overruns_in_a_row += 1
        self._post(Xrun(Device.MICROPHONE))

    def _found(self) -> None:
        with self._changed:
            self._progress_at = self._clock()
            if not self._present:
                self._present = True
                self._post(DeviceReady(Device.MICROPHONE))

    def _lose(self, reason: str) -> None:
        with self._changed:
            # Whoever has just pressed the button hears of it even if it is not new.
            if self._present is not False or self._gate is not None:
                self._present = False
                self._post(DeviceLost(Device.MICROPHONE, reason))
            self._ring.clear()
            self._retry_now = False
            self._complete_if_due()

    def _wait_for_retry(self, delay_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._retry_now, delay_s)
