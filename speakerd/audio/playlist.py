"""What is to be played: the reply that is expected, and clips.

A reply starts when its prebuffer is full, when all of it has come, or when a clip waits behind
it. When the queue runs dry, silence follows the last sample (a sound card that runs dry plays its
old buffer again); what comes before all was heard is played at once. When all was heard the reply
has drained if it is finished, else it is starved: it goes on when the shortest prebuffer is full.
What is fed after it has drained is played too (PlaybackResumed) and drains again.

A DAC that swallows what it wakes by gets ``wake_ms`` of silence before the first sound after a
stillness. It begins when there is something to play, while the prebuffer fills; no sample is
written before both are done. A gap of the network does not stop the device within a reply, nor
does an xrun count as stillness. A DAC that pops, too, is kept awake: silence goes on for
``keep_awake_s`` after the last sound. What is dropped is silent at once all the same, but that
stops the device for a moment; where it has nothing but silence it is not stopped.
"""

from __future__ import annotations

import collections
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio.pcm import (
    PERIOD_MS,
    PLAYABLE_RATES_HZ,
    PLAYBACK_RATE_HZ,
    SAMPLE_BYTES,
    XrunError,
    bytes_of_ms,
    frames_of_ms,
    seconds_of,
)
from speakerd.audio.prebuffer import LONGEST_GAP_S, Prebuffer
from speakerd.conversation.events import (
    Device,
    NoticeEnded,
    PlaybackDrained,
    PlaybackResumed,
    PlaybackStarted,
    PlaybackStarved,
    Xrun,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.output import Output
    from speakerd.conversation.events import Event

#: How much of a reply may wait: 15 minutes, 43 MB. What comes when it is full is refused.
MAX_QUEUED_BYTES = bytes_of_ms(15 * 60_000, PLAYBACK_RATE_HZ)
#: In how many pieces at most, as each costs memory however short it is: 15 minutes of 9 ms each.
MAX_QUEUED_PIECES = 100_000
#: How much may wait in clips: 15 s. The oldest that have not begun give way to a new one, which is
#: never refused: of many notices the last is the one that is still true.
MAX_CLIPS_BYTES = bytes_of_ms(15_000, PLAYBACK_RATE_HZ)

_REFILL_S = 2 * PERIOD_MS / 1000  # how much room the device makes before it gets more
#: A reply that plays is looked after when the device is down to so much of its 200 ms, so ten times
#: a second however finely it comes, and soon enough for a machine that is busy with something else.
_LOW_MS = 100
_LONGEST_PAUSE_S = 0.1
_GAP_MS = 3 * PERIOD_MS  # silence kept queued behind the last sample while more may come
_TRAIL_MS = 100  # silence after the last sample, for what is buffered behind the device
#: Silence kept queued while a device is kept awake. ALSA's buffer has no room for more; at half of
#: it there is more, ten times a second, and an earcon waits behind it. While a reply is expected it
#: is _GAP_MS, thirty times a second, for the reply waits behind it as well.
_AWAKE_MS = 200
_SHORTEST_PAUSE_S = 0.002


@dataclass(slots=True, eq=False)
class _Sound:
    """Some sound in the queue; ``turn`` is None for a clip."""

    turn: int | None
    rate_hz: int
    pcm: memoryview
    begun: bool = False


@dataclass(slots=True)
class _Reply:
    """How far the reply of ``turn`` is."""

    turn: int
    carry: bytes = b""  # half a sample, until its other half comes
    queued_bytes: int = 0
    written_s: float = 0.0
    end: int = 0  # the output's position after its last sample
    started: bool = False
    flowing: bool = False  # past its prebuffer
    finished: bool = False
    drained: bool = False

    @property
    def silent(self) -> bool:
        """Whether its end, or that it is starved, has been reported."""
        return self.drained if self.finished else not self.flowing


class Playlist:
    """The queue, and what is reported of it to ``post``. Not thread-safe: the speaker guards it."""

    def __init__(
        self,
        prebuffer_ms: int,
        post: Callable[[Event], None],
        *,
        prebuffer_max_ms: int = 0,
        wake_ms: int = 0,
        keep_awake_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prebuffer = Prebuffer(prebuffer_ms, prebuffer_max_ms)
        self._post = post
        self._wake_ms = wake_ms
        self._keep_awake_s = keep_awake_s
        self._clock = clock
        self._sounds: collections.deque[_Sound] = collections.deque()
        self._reply: _Reply | None = None
        self._clip_ends: collections.deque[int] = collections.deque()  # the output's positions
        self._end = -math.inf  # the output's position after the last sample of anything
        self._asleep = True  # the device stands still, and what it gets first may not be heard
        self._dry_at = 0.0  # when all that the device has got will have been heard
        self._awake_from = 0  # the output's position before which there is silence only
        self.hungry = True  # more sound would change what step() does next
        self._drops = 0
        self.underruns = 0
        self.discarded_bytes = 0

    # --- orders

    def expect(self, turn: int) -> bool:
        """Admit the reply of ``turn`` and no other; whether another one was cut short by it."""
        old = self._reply
        if old is not None and old.turn == turn:
            return False
        self._let_go()
        self._reply = _Reply(turn)
        self._sounds = collections.deque(s for s in self._sounds if s.turn is None)
        return old is not None and old.flowing

    def feed(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        """Queue reply audio, without copying it; returns how many seconds are left to play then.

        0 while the reply does not play, or changes its rate: nobody knows when it will be over.

        Another turn's is discarded, and so is what the queue has no room for, or what claims a
        rate at which nobody sends speech: a device would be reopened for it, or refuse it.
        """
        reply = self._reply
        refused = rate_hz not in PLAYABLE_RATES_HZ or self._is_full(len(pcm))
        if reply is None or reply.turn != turn or refused:
            self.discarded_bytes += len(pcm)
            return 0.0
        if reply.carry:
            pcm = reply.carry + pcm
        whole_bytes = len(pcm) - len(pcm) % SAMPLE_BYTES
        reply.carry = pcm[whole_bytes:]
        if whole_bytes:
            self._sounds.append(_Sound(turn, rate_hz, memoryview(pcm)[:whole_bytes]))
            reply.queued_bytes += whole_bytes
            reply.drained = False
            self._prebuffer.fed(self._clock())
        if not reply.flowing or (self._sounds and self._sounds[0].rate_hz != rate_hz):
            return 0.0
        in_device_s = max(0.0, self._dry_at - self._clock())
        return in_device_s + seconds_of(reply.queued_bytes, rate_hz)

    def finish(self, turn: int) -> None:
        """Nothing more is expected: it drains when all there is was heard."""
        if self._reply is not None and self._reply.turn == turn:
            self._reply.finished = True
            self._reply.drained = False

    def add_clip(self, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> None:
        """Queue a clip behind all there is.

        Beyond MAX_CLIPS_BYTES the oldest that wait are dropped, and reported as ended.
        """
        whole_bytes = len(pcm) - len(pcm) % SAMPLE_BYTES
        if not whole_bytes:
            self._post(NoticeEnded(self._drops))
            return
        waiting = [sound for sound in self._sounds if sound.turn is None and not sound.begun]
        excess_bytes = sum(len(clip.pcm) for clip in waiting) + whole_bytes - MAX_CLIPS_BYTES
        for clip in waiting:
            if excess_bytes <= 0:
                break
            excess_bytes -= len(clip.pcm)
            self._sounds.remove(clip)
            self._post(NoticeEnded(self._drops))
        self._sounds.append(_Sound(None, rate_hz, memoryview(pcm)[:whole_bytes]))

    def refuse(self, pcm: bytes) -> None:
        """Count reply audio that there is no device to play on."""
        self.discarded_bytes += len(pcm)

    def drop(self) -> None:
        """Forget everything; nothing of it is reported."""
        self._drops += 1
        self._let_go()
        self._reply = None
        self._sounds.clear()
        self._clip_ends.clear()

    def _let_go(self) -> None:
        if self._reply is not None and self._reply.started:
            self._prebuffer.over()

    # --- playing

    def step(self, out: Output) -> float | None:
        """Report what was heard and give ``out`` more.

        Returns after how many seconds to come again; None: when there is something new.
        """
        try:
            out.update()
            self._report(out)
            self._fill(out)
        except XrunError:
            self._report(out)
            self._asleep = self._next(out) is None or out.written < self._awake_from
            if not self._asleep:
                self.underruns += 1
                self._post(Xrun(Device.SPEAKER))
            return 0.0
        self._dry_at = self._clock() + max(0.0, self._end - out.heard) / out.rate_hz
        comfortable_s = self._comfortable_s(out)
        self.hungry = not comfortable_s and self._next(out) is None
        return self._pause(out, comfortable_s)

    def silence(self, out: Output) -> None:
        """Let nothing more be heard of what ``out`` has been given.

        A device that is kept awake and has nothing but silence is not stopped: that might pop.
        """
        if not (self._keep_awake_s and out.running and out.heard >= self._end):
            self._stop(out)

    def other_rate_hz(self, out: Output) -> int | None:
        """The rate at which to open the device anew now, if ``out`` is not the right one."""
        if out.running or not self._is_of_another_rate(out):
            return None
        return self._sounds[0].rate_hz

    def give_up(self, out: Output | None) -> None:
        """The device of ``out`` is lost: discard all and report its end, so that turns end."""
        for sound in self._sounds:
            self.discarded_bytes += len(sound.pcm)
        clips = len(self._clip_ends) + sum(sound.turn is None for sound in self._sounds)
        self._sounds.clear()
        self._clip_ends.clear()
        for _ in range(clips):
            self._post(NoticeEnded(self._drops))
        reply = self._reply
        if reply is not None:
            if out is not None and reply.end > out.heard:
                reply.written_s -= (reply.end - out.heard) / out.rate_hz
                reply.end = out.heard
            if reply.finished or reply.started or reply.queued_bytes:
                self._drained(reply)
            reply.queued_bytes = 0
        self._asleep = True
        self._end = -math.inf

    def _next(self, out: Output) -> _Sound | None:
        """The sound that ``out`` may have now."""
        if not self._sounds or self._is_of_another_rate(out):
            return None
        sound = self._sounds[0]
        return None if self._is_held_back(sound) else sound

    def _is_of_another_rate(self, out: Output) -> bool:
        return bool(self._sounds) and self._sounds[0].rate_hz != out.rate_hz

    def _is_held_back(self, sound: _Sound) -> bool:
        reply = self._reply
        if sound.turn is None or reply is None or reply.flowing or reply.finished:
            return False
        size_ms = self._prebuffer.again_ms if reply.started else self._prebuffer.size_ms
        prebuffer_bytes = bytes_of_ms(size_ms, sound.rate_hz)
        return reply.queued_bytes < prebuffer_bytes and self._sounds[-1].turn is not None

    def _fill(self, out: Output) -> None:
        if not self._wake(out):
            return
        while (sound := self._next(out)) is not None:
            taken_bytes = out.write(sound.pcm) * SAMPLE_BYTES
            if taken_bytes and sound.turn is not None and self._reply is not None:
                self._count(self._reply, taken_bytes, out)
            if taken_bytes:
                self._end = out.written
                sound.begun = True
            if taken_bytes < len(sound.pcm):
                sound.pcm = sound.pcm[taken_bytes:]
                return
            if sound.turn is None:
                self._clip_ends.append(out.written)
            self._sounds.popleft()
        if not self._silence_follows(out):
            self._stop(out)
        elif out.queued <= frames_of_ms(self._pad_ms() / 2, out.rate_hz):  # more may come in time
            out.pad(self._pad_ms())

    def _stop(self, out: Output) -> None:
        out.drop()
        self._asleep = True

    def _wake(self, out: Output) -> bool:
        """Write silence until the device is awake; whether it is, or nothing is there to play."""
        if out.running:
            self._asleep = False
        elif self._asleep:
            self._awake_from = out.written + frames_of_ms(self._wake_ms, out.rate_hz)
        if not self._sounds or self._is_of_another_rate(out):
            return True
        missing = self._awake_from - out.written
        if missing > 0:
            chunk = min(missing, frames_of_ms(_AWAKE_MS, out.rate_hz))
            out.write(memoryview(bytes(chunk * SAMPLE_BYTES)))
        return out.written >= self._awake_from

    def _silence_follows(self, out: Output) -> bool:
        """Whether the device runs on, or is to run again, although there may be nothing to play."""
        if self._is_of_another_rate(out):
            return out.running and out.heard < self._end + frames_of_ms(_TRAIL_MS, out.rate_hz)
        if self._wake_ms and self._sounds:
            return True  # they are held back, or the device takes nothing
        if not out.running and not self._keep_awake_s:
            return False
        reply = self._reply
        within_answer = reply is not None and reply.started and not reply.finished
        silence_s = max(
            _TRAIL_MS / 1000,
            self._keep_awake_s,
            LONGEST_GAP_S if self._wake_ms and within_answer else 0.0,
        )
        return out.heard < self._end + silence_s * out.rate_hz

    def _pad_ms(self) -> int:
        if self._reply is not None and not self._reply.finished:
            return _GAP_MS
        return _AWAKE_MS if self._keep_awake_s else _TRAIL_MS

    def _count(self, reply: _Reply, taken_bytes: int, out: Output) -> None:
        reply.queued_bytes -= taken_bytes
        reply.written_s += seconds_of(taken_bytes, out.rate_hz)
        reply.end = out.written
        if not reply.flowing:
            reply.flowing = True
            self._post((PlaybackResumed if reply.started else PlaybackStarted)(reply.turn))
            reply.started = True

    def _report(self, out: Output) -> None:
        while self._clip_ends and self._clip_ends[0] <= out.heard:
            self._clip_ends.popleft()
            self._post(NoticeEnded(self._drops))
        reply = self._reply
        if reply is None or reply.silent or reply.queued_bytes or out.heard < reply.end:
            return
        if reply.finished:
            self._drained(reply)
        else:
            reply.flowing = False
            self._prebuffer.starved(self._clock())
            self._post(PlaybackStarved(reply.turn))

    def _drained(self, reply: _Reply) -> None:
        reply.flowing = False
        if not reply.drained:
            reply.drained = True
            self._post(PlaybackDrained(reply.turn, reply.written_s))

    def _comfortable_s(self, out: Output) -> float:
        """For how long the reply that plays needs nothing, whatever comes; 0: it does, or none."""
        if self._reply is None or not self._reply.flowing:
            return 0.0
        return min(max(0.0, out.queued / out.rate_hz - _LOW_MS / 1000), _LONGEST_PAUSE_S)

    def _pause(self, out: Output, comfortable_s: float) -> float | None:
        if not out.running:
            wanted = not self.hungry or self._silence_follows(out)
            return _REFILL_S if wanted else None  # a device that takes nothing is asked again
        queued_s = out.queued / out.rate_hz
        to_half_the_pad_s = queued_s - self._pad_ms() / 2000
        if self._keep_awake_s:  # perhaps for long, on a device whose buffer is shorter than the pad
            to_half_the_pad_s = max(to_half_the_pad_s, queued_s / 4)
        pause_s = to_half_the_pad_s if self.hungry else max(_REFILL_S, comfortable_s)
        reply = self._reply
        milestones = list(self._clip_ends)[:1]
        if reply is not None and not reply.silent and not reply.queued_bytes:
            milestones.append(reply.end)
        for position in milestones:
            pause_s = min(pause_s, (position - out.heard) / out.rate_hz)
        return max(_SHORTEST_PAUSE_S, pause_s)

    def _is_full(self, more_bytes: int) -> bool:
        queued_bytes = self._reply.queued_bytes if self._reply is not None else 0
        too_long = queued_bytes + more_bytes > MAX_QUEUED_BYTES
        return too_long or len(self._sounds) >= MAX_QUEUED_PIECES
