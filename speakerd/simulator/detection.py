"""Where speech begins and ends in a stream of sound, for automatic activity detection.

Loudness alone decides, which the real server does not leave it at: it listens for a voice, and
passes a tone over. Pure, and all time is that of the sound, so that a burst is heard as it would
be in real time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from speakerd.simulator.audio import SAMPLE_BYTES, duration_s, peak, resample

#: What is loud or quiet as a whole.
FRAME_MS = 10
#: A shorter quiet does not end a sound that may become speech: between syllables.
PAUSE_MS = 100
#: What is heard of the time before the sound that became speech.
LOOK_BACK_MS = 200


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What speech is. Peaks are those of 16-bit samples, 0 to 32768."""

    start_peak: int = 500  # as loud as this may begin an utterance
    end_peak: int = 500  # quieter than this may end it
    prefix_ms: int = 150  # how long a sound lasts before it is speech
    silence_ms: int = 800  # how long it is quiet before the speech has ended


@dataclass(slots=True)
class Speech:
    """A piece of an utterance. Offsets are seconds of all sound that was fed."""

    pcm: bytearray = field(default_factory=bytearray)  # S16_LE mono, at Detector.rate_hz
    began_s: float | None = None  # if it is the first piece: where that was certain
    ended_s: float | None = None  # if it is the last one: likewise


class Detector:
    """Finds the utterances in a stream of sound; of what is none it keeps a moment.

    An utterance reaches from :data:`LOOK_BACK_MS` before its first sound to the end of the
    silence that ended it.
    """

    def __init__(self, sensitivity: Sensitivity) -> None:
        self.rate_hz = 0  # of the first sound; that of another rate is resampled
        self._sensitivity = sensitivity
        self._speaking = False
        self._sound_ms = 0  # how long there has been a sound that may become speech
        self._quiet_ms = 0
        self._rest = bytearray()  # less than a frame
        self._before = bytearray()  # the look-back, and the sound that may become speech
        self._fed_bytes = 0

    def feed(self, pcm: bytes, rate_hz: int) -> list[Speech]:
        """Hear S16_LE mono PCM, however much; the pieces of utterances in it."""
        self.rate_hz = self.rate_hz or rate_hz
        self._rest += pcm if rate_hz == self.rate_hz else resample(pcm, rate_hz, self.rate_hz)
        frame_bytes = self._bytes(FRAME_MS)
        whole = len(self._rest) - len(self._rest) % frame_bytes
        pieces: list[Speech] = []
        for start in range(0, whole, frame_bytes):
            self._hear(bytes(self._rest[start : start + frame_bytes]), pieces)
        del self._rest[:whole]
        return pieces

    def flush(self) -> list[Speech]:
        """The stream pauses: the last piece of the utterance, if there is one."""
        self._fed_bytes += len(self._rest)
        last = [Speech(self._rest, ended_s=self._offset_s)] if self._speaking else []
        self._rest = bytearray()
        self._listen()
        return last

    def _listen(self, *, speaking: bool = False) -> None:
        """Wait for speech, or for its end."""
        self._speaking = speaking
        self._sound_ms = self._quiet_ms = 0
        self._before = bytearray()

    def _hear(self, frame: bytes, pieces: list[Speech]) -> None:
        self._fed_bytes += len(frame)
        if not self._speaking:
            self._before += frame
            if self._begins(frame):
                pieces.append(Speech(self._before, began_s=self._offset_s))
                self._listen(speaking=True)
            return
        if not pieces:
            pieces.append(Speech())
        pieces[-1].pcm += frame
        if self._ends(frame):
            pieces[-1].ended_s = self._offset_s
            self._listen()

    def _begins(self, frame: bytes) -> bool:
        loud = self._is_loud(frame, self._sensitivity.start_peak)
        if self._quiet_ms >= PAUSE_MS:
            self._sound_ms = 0
        elif loud or self._sound_ms:
            self._sound_ms += FRAME_MS
        if not self._sound_ms:
            del self._before[: -self._bytes(LOOK_BACK_MS)]
        return loud and self._sound_ms >= self._sensitivity.prefix_ms

    def _ends(self, frame: bytes) -> bool:
        loud = self._is_loud(frame, self._sensitivity.end_peak)
        return not loud and self._quiet_ms >= self._sensitivity.silence_ms

    def _is_loud(self, frame: bytes, enough: int) -> bool:
        loud = peak(frame) >= enough
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        return loud

    @property
    def _offset_s(self) -> float:
        return duration_s(self._fed_bytes, self.rate_hz)

    def _bytes(self, ms: int) -> int:
        return self.rate_hz * ms // 1000 * SAMPLE_BYTES
