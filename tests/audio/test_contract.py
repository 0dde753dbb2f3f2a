"""The contracts, kept by the fakes and by the real classes on devices of a script."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import pytest

from speakerd.audio.microphone import Microphone
from speakerd.audio.pcm import CAPTURE_RATE_HZ, seconds_of
from speakerd.audio.speaker import Speaker
from tests.audio.contract import EventLog, MicrophoneContract, SpeakerContract, wait_until
from tests.audio.scripted import CaptureScript, PlaybackScript
from tests.fakes.audio import FakeMicrophone, FakeSpeaker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.audio.interfaces import MicrophonePort, SpeakerPort

    # mypy holds them to the interfaces
    microphones: tuple[type[MicrophonePort], ...] = (Microphone, FakeMicrophone)
    speakers: tuple[type[SpeakerPort], ...] = (Speaker, FakeSpeaker)

E = TypeVar("E")


class FakeMicrophoneRig:
    def __init__(self, preroll_ms: int) -> None:
        self.events = EventLog()
        self.microphone = FakeMicrophone(self.events.post, preroll_ms=preroll_ms)
        self.microphone.start()
        self._time = 1000.0

    def now(self) -> float:
        return self._time

    def hear(self, pcm: bytes) -> None:
        self._time += seconds_of(len(pcm), CAPTURE_RATE_HZ)
        self.microphone.hear(pcm, self._time)


class ScriptedMicrophoneRig:
    def __init__(self, preroll_ms: int) -> None:
        self.events = EventLog()
        self.script = CaptureScript()
        self.microphone = Microphone(
            "scripted",
            preroll_ms=preroll_ms,
            post=self.events.post,
            clock=self.script.clock,
            open_pcm=self.script.open,
        )
        self.microphone.start()

    def now(self) -> float:
        return self.script.clock()

    def hear(self, pcm: bytes) -> None:
        wait_until(lambda: self.script.is_open or not self.microphone.wanted)
        self.script.hear(pcm)
        wait_until(lambda: self.script.everything_was_read)


class TestFakeMicrophone(MicrophoneContract):
    @pytest.fixture
    def rig(self) -> FakeMicrophoneRig:
        return FakeMicrophoneRig(preroll_ms=1000)

    @pytest.fixture
    def cold_rig(self) -> FakeMicrophoneRig:
        return FakeMicrophoneRig(preroll_ms=0)


class TestMicrophone(MicrophoneContract):
    @pytest.fixture
    def rig(self) -> Iterator[ScriptedMicrophoneRig]:
        rig = ScriptedMicrophoneRig(preroll_ms=1000)
        yield rig
        rig.microphone.stop()

    @pytest.fixture
    def cold_rig(self) -> Iterator[ScriptedMicrophoneRig]:
        rig = ScriptedMicrophoneRig(preroll_ms=0)
        yield rig
        rig.microphone.stop()


class FakeSpeakerRig:
    def __init__(self) -> None:
        self.events = EventLog()
        self.speaker = FakeSpeaker(self.events.post, prebuffer_ms=100)
        self.speaker.start()

    def until(self, wanted: type[E]) -> E:
        self.speaker.play()
        return self.events.wait_for(wanted)

    def heard(self) -> bytes:
        return bytes(self.speaker.sound)


class ScriptedSpeakerRig:
    def __init__(self, wake_ms: int = 0, keep_awake_s: float = 0.0) -> None:
        self.events = EventLog()
        self.script = PlaybackScript(time.monotonic)
        self.speaker = Speaker(
            "scripted",
            prebuffer_ms=100,
            prebuffer_max_ms=300,
            wake_ms=wake_ms,
            keep_awake_s=keep_awake_s,
            post=self.events.post,
            open_pcm=self.script.open,
        )
        self.speaker.start()

    def until(self, wanted: type[E]) -> E:
        return self.events.wait_for(wanted)

    def heard(self) -> bytes:
        return bytes(self.script.heard)


class TestFakeSpeaker(SpeakerContract):
    @pytest.fixture
    def speaker_rig(self) -> FakeSpeakerRig:
        return FakeSpeakerRig()


class TestSpeaker(SpeakerContract):
    @pytest.fixture(params=[(0, 0.0), (150, 0.0), (150, 3600.0)], ids=["plain", "woken", "awake"])
    def speaker_rig(self, request: pytest.FixtureRequest) -> Iterator[ScriptedSpeakerRig]:
        wake_ms, keep_awake_s = request.param
        rig = ScriptedSpeakerRig(wake_ms, keep_awake_s)
        yield rig
        rig.speaker.stop()
