"""Where captured sound waits: the ring from before the press, and the utterance of a hold.

The pictures that were taken while it was spoken wait in it, too.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import threading
from typing import NamedTuple

from speakerd.audio.pcm import CAPTURE_RATE_HZ, SAMPLE_BYTES, bytes_of_ms, seconds_of

#: How much of an utterance is sent at once, unless somebody wants it sooner: the server answers
#: only when the window is closed, so that smaller chunks would be in time for nothing, and each of
#: them wakes two threads. What is left at the end is not waited for.
CHUNK_BYTES = bytes_of_ms(100, CAPTURE_RATE_HZ)

#: What the pictures of one utterance may take; a minute of one a second takes some 5 MB.
MAX_PICTURES_BYTES = 8 * 1024 * 1024


class Block(NamedTuple):
    """Captured sound (S16_LE mono 16 kHz) and the time at which its last frame was captured."""

    pcm: bytes
    end: float

    @property
    def start(self) -> float:
        """The time at which its first frame was captured."""
        return self.end - seconds_of(len(self.pcm), CAPTURE_RATE_HZ)

    def since(self, time: float) -> bytes:
        """The frames that were captured at ``time`` or later."""
        # A millionth of a frame is rounding, not sound.
        early_frames = math.ceil((time - self.start) * CAPTURE_RATE_HZ - 1e-6)
        return self.pcm[max(0, early_frames) * SAMPLE_BYTES :]

    def until(self, time: float) -> bytes:
        """The frames that were captured before ``time``."""
        late_frames = math.floor((self.end - time) * CAPTURE_RATE_HZ + 1e-6)
        return self.pcm[: max(0, len(self.pcm) - max(0, late_frames) * SAMPLE_BYTES)]


class PrerollRing:
    """The newest ``duration_s`` of captured sound, to the block; the oldest is dropped.

    It is bounded by time and by size: what a device gives faster than real time is no newer for it.
    Not thread-safe: the microphone guards it.
    """

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._max_bytes = math.ceil(duration_s * CAPTURE_RATE_HZ) * SAMPLE_BYTES
        self._size_bytes = 0
        self._blocks: collections.deque[Block] = collections.deque()

    def append(self, block: Block) -> None:
        """Keep ``block`` and forget what is older than the ring is long."""
        self._blocks.append(block)
        self._size_bytes += len(block.pcm)
        oldest = block.end - self._duration_s
        while self._blocks and (self._blocks[0].end <= oldest or self._has_enough_without_first()):
            self._size_bytes -= len(self._blocks.popleft().pcm)

    def take_since(self, time: float) -> bytes:
        """Empty the ring and return what was captured at ``time`` or later, to the frame.

        A block's time may be late (a busy machine), never early; as the sound is gapless, no
        block can have ended after the next one began, and that is where it is put.
        """
        pieces: list[bytes] = []
        latest_end = math.inf
        for block in reversed(self._blocks):
            placed = Block(block.pcm, min(block.end, latest_end))
            latest_end = placed.start
            pieces.append(placed.since(time))
        self.clear()
        return b"".join(reversed(pieces))

    def newest(self, size_bytes: int) -> bytes:
        """Up to ``size_bytes`` of what came last; it stays where it is."""
        pieces: list[bytes] = []
        missing_bytes = size_bytes
        for block in reversed(self._blocks):
            if missing_bytes <= 0:
                break
            pieces.append(block.pcm[-missing_bytes:])
            missing_bytes -= len(block.pcm)
        return b"".join(reversed(pieces))

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._size_bytes = 0

    def _has_enough_without_first(self) -> bool:
        return self._size_bytes - len(self._blocks[0].pcm) >= self._max_bytes


class _Waiter(NamedTuple):
    size_bytes: int
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event


class _Picture(NamedTuple):
    jpeg: bytes
    at_bytes: int  # how much had been captured when it came


class Utterance:
    """The sound of one hold, S16_LE mono 16 kHz, from its pre-roll to its tail, and its pictures.

    Written by the capture thread, read by any number of readers at positions of their own: after
    a reconnect it is sent again from its beginning. They want it in chunks of ``chunk_bytes``, and
    the capture thread need not look for less. Beyond ``max_bytes`` nothing more is taken:
    the beginning of a sentence is worth more than its end. Of more pictures than
    :data:`MAX_PICTURES_BYTES` the oldest are let go: the newest shows what is asked about.
    Thread-safe.
    """

    def __init__(self, turn: int, max_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.turn = turn
        self.chunk_bytes = chunk_bytes
        self._max_bytes = max_bytes - max_bytes % SAMPLE_BYTES
        self._lock = threading.Lock()
        self._pcm = bytearray()
        self._pictures: collections.deque[_Picture] = collections.deque()
        self._pictures_bytes = 0
        self._pictures_gone = 0  # how many had to be let go
        self._complete = False
        self._discarded = False
        self._waiters: list[_Waiter] = []
        self._waking = False  # a wake-up is on its way to the loop

    @property
    def size_bytes(self) -> int:
        """How much has been captured so far."""
        return len(self._pcm)

    @property
    def duration_s(self) -> float:
        """How long what has been captured so far lasts."""
        return seconds_of(len(self._pcm), CAPTURE_RATE_HZ)

    @property
    def missing_bytes(self) -> int:
        """How much has to be captured until the next chunk is whole."""
        return self.chunk_bytes - len(self._pcm) % self.chunk_bytes

    @property
    def complete(self) -> bool:
        """Whether nothing more will come."""
        return self._complete

    @property
    def discarded(self) -> bool:
        """Whether it was thrown away: nothing of it may leave any more."""
        return self._discarded

    def append(self, pcm: bytes) -> None:
        """Add whole frames; what is beyond the bound, or comes when it is complete, is dropped."""
        with self._lock:
            if not self._complete:
                self._pcm += pcm[: self._max_bytes - len(self._pcm)]
                self._notify()

    def show(self, jpeg: bytes) -> None:
        """Add a picture of now; one that comes when it is complete is dropped."""
        with self._lock:
            if self._complete:
                return
            self._pictures.append(_Picture(jpeg, len(self._pcm)))
            self._pictures_bytes += len(jpeg)
            while self._pictures_bytes > MAX_PICTURES_BYTES:
                self._pictures_bytes -= len(self._pictures.popleft().jpeg)
                self._pictures_gone += 1

    def finish(self) -> None:
        """Nothing more will come: let the readers have what there is."""
        with self._lock:
            self._complete = True
            self._notify()

    def discard(self) -> None:
        """Throw the sound and the pictures away and let the readers find nothing."""
        with self._lock:
            self._pcm = bytearray()
            self._pictures.clear()
            self._complete = self._discarded = True
            self._notify()

    def read(self, position_bytes: int, max_bytes: int) -> bytes:
        """Up to ``max_bytes`` from ``position_bytes`` on; empty where there is nothing (yet)."""
        with self._lock:
            return bytes(self._pcm[position_bytes : position_bytes + max_bytes])

    def pictures(self, seen: int, position_bytes: int) -> tuple[list[bytes], int]:
        """Those after the first ``seen`` ones that had come by ``position_bytes``.

        And how many have been seen with them. What was let go meanwhile counts as seen.
        """
        with self._lock:
            come = [each.jpeg for each in self._pictures if each.at_bytes <= position_bytes]
            new = come[max(0, seen - self._pictures_gone) :]
            return new, max(seen, self._pictures_gone + len(come))

    def newest(self, max_bytes: int) -> bytes:
        """Up to ``max_bytes`` of what was captured last."""
        with self._lock:
            return bytes(self._pcm[-max_bytes:])

    async def wait_for(self, position_bytes: int, minimum_bytes: int) -> None:
        """Return when ``minimum_bytes`` lie past ``position_bytes``, or it is complete."""
        waiter = _Waiter(
            position_bytes + minimum_bytes, asyncio.get_running_loop(), asyncio.Event()
        )
        with self._lock:
            if self._satisfies(waiter):
                return
            self._waiters.append(waiter)
        try:
            await waiter.woken.wait()
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _satisfies(self, waiter: _Waiter) -> bool:
        return self._complete or len(self._pcm) >= waiter.size_bytes

    def _notify(self) -> None:
        """Wake the loop once, and only if somebody waits for what is there now (lock held)."""
        if self._waking:
            return
        for waiter in self._waiters:
            if self._satisfies(waiter):
                # A closed loop has no readers left to wake.
                with contextlib.suppress(RuntimeError):
                    waiter.loop.call_soon_threadsafe(self._wake)
                    self._waking = True
                return

    def _wake(self) -> None:
        with self._lock:
            self._waking = False
            woken = [waiter for waiter in self._waiters if self._satisfies(waiter)]
            self._waiters = [waiter for waiter in self._waiters if waiter not in woken]
        for waiter in woken:
            waiter.woken.set()
