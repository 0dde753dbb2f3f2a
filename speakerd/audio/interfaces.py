"""What the daemon needs of a microphone and a speaker: the real ones and the fakes have it.

The core orders by effects; whoever carries them out calls these methods, all of them from the
loop's thread, none of them blocking for more than a moment. What comes of an order is posted as
an event, from any thread. Orders about a turn that is no longer there do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.buffers import Utterance
    from speakerd.audio.level import Level
    from speakerd.conversation.events import Event

    Post = Callable[[Event], None]


class MicrophonePort(Protocol):
    """Captures; posts DeviceReady, DeviceLost, CaptureStarted, CaptureEnded and Xrun."""

    def stalled_s(self) -> float:
        """For how long it has captured nothing although it believes that it does, in seconds.

        0 while it is not meant to, and while the device is known to be lost.
        """
        ...

    def start(self) -> None:
        """Begin to look after the device."""
        ...

    def stop(self) -> None:
        """Complete what is open and let go of the device, within 1 s."""
        ...

    def open_gate(self, utterance: Utterance, not_before: float) -> None:
        """Let what is captured from ``not_before`` on (a time of the clock) into ``utterance``.

        As far as the pre-roll reaches back. CaptureStarted tells that the first of it is there.
        """
        ...

    def close_gate(self, turn: int, covering: float) -> None:
        """Complete the utterance as soon as it has all that was captured until ``covering``.

        Where that is past: and all that the device has by now. CaptureEnded tells that it is
        complete: a moment after ``covering`` at the latest, with what there is if the device gives
        no more.
        """
        ...

    def discard(self, turn: int) -> None:
        """Close the gate if it is open on ``turn``; the sound is thrown away, nothing is posted."""
        ...

    def mute(self, *, on: bool) -> None:
        """Capture nothing until it is unmuted: the device is closed, and the pre-roll is gone.

        What is open is completed with what there is. Also before :meth:`start`.
        """
        ...

    def level(self) -> Level | None:
        """How loud the newest sound is, of the pre-roll or of what the gate lets in.

        None where there is none: no device, or the gate is closed and there is no pre-roll. It
        changes nothing.
        """
        ...


class SpeakerPort(Protocol):
    """Plays; posts DeviceReady, DeviceLost, Xrun, NoticeEnded and the Playback events."""

    def stalled_s(self) -> float:
        """For how long nobody has looked after the device although somebody should, in seconds.

        0 while the device is known to be lost.
        """
        ...

    def start(self) -> None:
        """Begin to look after the device."""
        ...

    def stop(self) -> None:
        """Fall silent and let go of the device, within 1 s."""
        ...

    def expect(self, turn: int) -> None:
        """Admit the reply of ``turn``, and of no other turn, from now on."""
        ...

    def feed(self, turn: int, pcm: bytes, rate_hz: int = ...) -> float:
        """Queue reply audio (S16_LE mono); audio of a turn that is not expected is discarded.

        Returns how many seconds are left to play then; 0 while the reply does not play.
        An odd byte at the end is kept for the next feed of the turn. Audio at a rate outside 8 to
        192 kHz is discarded, and so is what comes when 15 minutes of the reply are waiting.
        """
        ...

    def finish(self, turn: int) -> None:
        """Nothing more is expected: play all there is, then post PlaybackDrained.

        Audio that is fed afterwards is played all the same and drains again.
        """
        ...

    def drop(self) -> None:
        """Silence at once: reply and clips are discarded, and none is admitted until expect()."""
        ...

    def play_clip(self, pcm: bytes, rate_hz: int = ...) -> None:
        """Play an earcon, or an earlier answer, after what is queued, then post NoticeEnded.

        NoticeEnded comes for every clip that drop() does not discard, heard or not: when more than
        15 s of clips wait, the oldest of them give way.
        """
        ...
