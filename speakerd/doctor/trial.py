"""Trying a microphone and a speaker out, by the code with which the daemon uses them.

Whatever needs alsa-lib is imported when it is called: where that is missing, the doctor says so.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio.level import Level, Verdict
from speakerd.audio.pcm import CAPTURE_RATE_HZ
from speakerd.conversation.events import DeviceLost, NoticeEnded
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speakerd.audio.controls import Control
    from speakerd.audio.pcm import CapturePcm, PlaybackPcm
    from speakerd.conversation.events import Event

#: How much of the newest sound is measured at a time.
_WINDOW_MS = 500
#: What comes before it: a microphone that wakes up may thump.
_WAKING_S = 0.5
_PATIENCE_S = 6.0
_POLL_S = 0.1
#: From what says least to what says most: of several moments the loudest is the one that counts.
_TELLING = (Verdict.SILENT, Verdict.QUIET, Verdict.FINE, Verdict.CLIPPED)


@dataclass(frozen=True, slots=True)
class Use:
    """What a device is used for: how it is called, and the option that names it."""

    area: str
    option: str
    capture: bool


MICROPHONE = Use("microphone", "SPEAKERD_CAPTURE_DEVICE", capture=True)
SPEAKER = Use("speaker", "SPEAKERD_PLAYBACK_DEVICE", capture=False)


@dataclass(frozen=True, slots=True)
class Alsa:
    """What the checks need of alsa-lib, and how long they listen."""

    open_capture: Callable[[str, int], CapturePcm]
    open_playback: Callable[[str, int], PlaybackPcm]
    named_pcms: Callable[[bool], list[str]]  # of capture, or else of playback
    controls: Callable[[str], list[Control]]
    listen_s: float = 0.5  # to whatever the room has to say
    speak_s: float = 4.0  # to a person who was asked to speak


def real_alsa() -> Alsa:
    """alsa-lib itself. Raises ImportError where it, or pyalsaaudio, is missing."""
    from speakerd.audio import alsa, mixer  # noqa: PLC0415 - may be missing

    return Alsa(
        alsa.open_capture,
        alsa.open_playback,
        lambda capture: alsa.named_pcms(capture=capture),
        mixer.read_controls,
    )


class Listening:
    """A microphone of our own, as a context: listens from its beginning to its end."""

    def __init__(self, device: str, alsa: Alsa) -> None:
        from speakerd.audio.microphone import Microphone  # noqa: PLC0415 - needs alsa-lib

        self._device = device
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._microphone = Microphone(
            device, preroll_ms=_WINDOW_MS, post=self._events.put, open_pcm=alsa.open_capture
        )

    def __enter__(self) -> Listening:
        """Wait until it gives sound. Raises DeviceError where it does not."""
        self._microphone.start()
        try:
            self._wake()
        except BaseException:
            self._microphone.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._microphone.stop()

    @property
    def overruns(self) -> int:
        """How often sound was lost."""
        return self._microphone.overruns

    def level(self) -> Level | None:
        """How loud it is now. Raises DeviceError where the device is lost."""
        for event in _taken(self._events):
            if isinstance(event, DeviceLost):
                raise DeviceError(event.reason)
        return self._microphone.level()

    def _wake(self) -> None:
        wanted_frames = (_WAKING_S + _WINDOW_MS / 1000) * CAPTURE_RATE_HZ
        deadline = time.monotonic() + _PATIENCE_S
        while self._microphone.captured_frames < wanted_frames:
            self.level()
            if time.monotonic() > deadline:
                got_s = self._microphone.captured_frames / CAPTURE_RATE_HZ
                raise DeviceError(
                    f"{self._device}: gave {got_s:.1f} s of sound in {_PATIENCE_S:g} s"
                )
            time.sleep(_POLL_S / 10)


def loudest(level: Callable[[], Level | None], for_s: float) -> Level | None:
    """What ``level`` says at the most telling moment of the next ``for_s``; it may raise."""
    deadline = time.monotonic() + for_s
    found: Level | None = None
    while True:
        now = level()
        if now is not None and (found is None or _telling(now) > _telling(found)):
            found = now
        if time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_S)


def play(device: str, alsa: Alsa, clip: bytes, *, wake_ms: int = 0) -> int:
    """Play ``clip`` (24 kHz) to its end; returns how often the device ran dry.

    ``wake_ms`` of silence come first. Raises DeviceError where it cannot be played.
    """
    from speakerd.audio.speaker import Speaker  # noqa: PLC0415 - needs alsa-lib

    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    speaker = Speaker(
        device, prebuffer_ms=0, wake_ms=wake_ms, post=events.put, open_pcm=alsa.open_playback
    )
    speaker.start()
    try:
        speaker.play_clip(clip)
        deadline = time.monotonic() + _PATIENCE_S + wake_ms / 1000
        while time.monotonic() < deadline:
            for event in _taken(events):
                if isinstance(event, DeviceLost):
                    raise DeviceError(event.reason)
                if isinstance(event, NoticeEnded):
                    return speaker.underruns
            time.sleep(_POLL_S / 10)
    finally:
        speaker.stop()
    raise DeviceError(f"{device}: took the sound and does not play it")


def _telling(level: Level) -> tuple[int, float]:
    return _TELLING.index(level.verdict), level.peak_dbfs


def _taken(events: queue.SimpleQueue[Event]) -> Iterator[Event]:
    while not events.empty():
        yield events.get()
