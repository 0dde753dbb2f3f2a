"""The contracts, kept by the real classes on real alsa-lib."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

import pytest

from speakerd.audio.microphone import Microphone
from speakerd.audio.speaker import Speaker
from tests.audio.contract import EventLog, MicrophoneContract, SpeakerContract, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

E = TypeVar("E")


class AlsaMicrophoneRig:
    def __init__(self, card: StandInCard, preroll_ms: int) -> None:
        self._card = card
        self.events = EventLog()
        self.microphone = Microphone(
            card.capture_device, preroll_ms=preroll_ms, post=self.events.post
        )
        self.microphone.start()
        if self.microphone.wanted:
            wait_until(lambda: self.microphone.captured_frames > 0)

    def now(self) -> float:
        return time.monotonic()

    def hear(self, pcm: bytes) -> None:
        over_at = self._card.play_into_microphone(pcm)
        threading.Event().wait(over_at - time.monotonic())  # as long as the sound lasts


class AlsaSpeakerRig:
    def __init__(self, card: StandInCard, wake_ms: int, keep_awake_s: float) -> None:
        self._card = card
        self._beginning = card.heard_bytes()
        self.events = EventLog()
        self.speaker = Speaker(
            card.playback_device,
            prebuffer_ms=100,
            wake_ms=wake_ms,
            keep_awake_s=keep_awake_s,
            post=self.events.post,
        )
        self.speaker.start()

    def until(self, wanted: type[E]) -> E:
        return self.events.wait_for(wanted)

    def heard(self) -> bytes:
        """All that was played, and the next moments: the recording lags behind the device."""
        self._card.wait_heard(self._card.heard_bytes() + 12_000)
        return self._card.heard(self._beginning)


class TestMicrophone(MicrophoneContract):
    @pytest.fixture
    def rig(self, card: StandInCard) -> Iterator[AlsaMicrophoneRig]:
        rig = AlsaMicrophoneRig(card, preroll_ms=1000)
        yield rig
        rig.microphone.stop()

    @pytest.fixture
    def cold_rig(self, card: StandInCard) -> Iterator[AlsaMicrophoneRig]:
        rig = AlsaMicrophoneRig(card, preroll_ms=0)
        yield rig
        rig.microphone.stop()


class TestSpeaker(SpeakerContract):
    @pytest.fixture(params=[(0, 0.0), (150, 3600.0)], ids=["plain", "awake"])
    def speaker_rig(
        self, card: StandInCard, request: pytest.FixtureRequest
    ) -> Iterator[AlsaSpeakerRig]:
        wake_ms, keep_awake_s = request.param
        rig = AlsaSpeakerRig(card, wake_ms, keep_awake_s)
        yield rig
        rig.speaker.stop()
