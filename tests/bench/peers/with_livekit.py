"""A script with livekit-agents: what a competent person writes from its documentation.

``python -m tests.bench.peers.with_livekit CAPTURE_DEVICE PLAYBACK_DEVICE``, with an interpreter of
its own that has livekit-agents. It is neither tuned nor crippled, and each habit has its source, in
LiveKit's documentation (docs.livekit.io/agents) or in the package itself:

- ``turn_detection="manual"``; a press interrupts, clears the user's turn and enables the input, a
  release disables it and commits the turn: "Manual turn control" of "Turn detection and
  interruptions", whose example is push to talk.
- The realtime model with the server's detection disabled (``realtime_input_config``): "Turn
  detection" of the Gemini Live API plugin. It sends activityStart when it is interrupted, and to
  commit, activityEnd and an empty clientContent: the second interrupts the answer to the first,
  and is answered. So the answer is one of the next turn.
- No voice activity detector (``vad=None``; by default there is one), as the button says it all.
- An AudioInput and an AudioOutput without a room, as the console mode has them
  (livekit.agents.cli): frames are dropped while the input is disabled, and the first 0.3 s of an
  answer are gathered before it begins. There it is sounddevice, in blocks of 100 ms, and echo
  cancellation; here it is pyalsaaudio, with its default of four periods, as in the bare script.
- 50 ms of microphone at a time, as from a room (``room_io.AudioInputOptions``), but at the 16 kHz
  that the plugin would resample them to.
- An interruption lets the sound card drop what it has, as in the bare script.
- Everything else is as by default: the transcriptions, the time limits.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time

import alsaaudio
from google.genai import types
from gpiozero import Button
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice import io
from livekit.plugins import google

MODEL = "gemini-3.8-live"
INSTRUCTIONS = "You are a helpful voice assistant."
BUTTON_PIN = 17
SEND_RATE_HZ = 16_000
RECEIVE_RATE_HZ = 24_000
CAPTURE_FRAMES = SEND_RATE_HZ // 20
PLAYBACK_FRAMES = RECEIVE_RATE_HZ // 25
PREBUFFER_S = 0.3


class Microphone(io.AudioInput):
    """What an ALSA device captures while the input is enabled."""

    def __init__(self, device: str) -> None:
        super().__init__(label="microphone")
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE,
            device=device,
            rate=SEND_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=CAPTURE_FRAMES,
        )
        self._attached = True

    async def __anext__(self) -> rtc.AudioFrame:
        while True:
            frames, pcm = await asyncio.to_thread(self._pcm.read)
            if self._attached and frames > 0:
                return rtc.AudioFrame(pcm, SEND_RATE_HZ, 1, frames)

    def on_attached(self) -> None:
        """The input is enabled."""
        self._attached = True

    def on_detached(self) -> None:
        """It is disabled."""
        self._attached = False


class Speaker(io.AudioOutput):
    """Plays through an ALSA device, one segment (an answer) after another."""

    def __init__(self, device: str) -> None:
        super().__init__(
            label="speaker",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=RECEIVE_RATE_HZ,
        )
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            device=device,
            rate=RECEIVE_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=PLAYBACK_FRAMES,
        )
        #: Empty: the segment is over. None: be silent.
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._enough = asyncio.Event()  # of the segment has come to begin with it
        self._pushed_s = 0.0  # of the segment
        self._played_s = 0.0
        self._interrupted = False
        self._playing = asyncio.create_task(self._play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take more of the segment."""
        await super().capture_frame(frame)
        self._queue.put_nowait(bytes(frame.data))
        self._pushed_s += frame.duration
        if self._pushed_s >= PREBUFFER_S:
            self._enough.set()

    def flush(self) -> None:
        """The segment is complete."""
        super().flush()
        if self._pushed_s:
            self._queue.put_nowait(b"")
            self._enough.set()

    def clear_buffer(self) -> None:
        """Play no more of it."""
        if not self._pushed_s:
            return
        complete = False
        while not self._queue.empty():
            complete |= self._queue.get_nowait() == b""
        self._queue.put_nowait(None)
        if complete:
            self._queue.put_nowait(b"")
        self._interrupted = True
        self._enough.set()

    async def _play(self) -> None:
        while True:
            await self._enough.wait()
            pcm = await self._queue.get()
            if pcm is None:
                self._pcm.drop()
            elif pcm:
                if not self._played_s:
                    self.on_playback_started(created_at=time.time())
                await asyncio.to_thread(self._write, pcm)
                self._played_s += len(pcm) / 2 / RECEIVE_RATE_HZ
            else:
                self._end_segment()

    def _write(self, pcm: bytes) -> None:
        if self._pcm.write(pcm) == -errno.EPIPE:  # the card had run dry, and has taken nothing
            self._pcm.write(pcm)

    def _end_segment(self) -> None:
        self.on_playback_finished(playback_position=self._played_s, interrupted=self._interrupted)
        self._pushed_s = self._played_s = 0.0
        self._interrupted = False
        self._enough.clear()


async def main(capture_device: str, playback_device: str) -> None:
    """Run the session until it is killed."""
    detection = types.AutomaticActivityDetection(disabled=True)
    session = AgentSession(
        turn_handling={"turn_detection": "manual"},
        vad=None,
        llm=google.realtime.RealtimeModel(
            model=MODEL,
            api_key=os.environ["GEMINI_API_KEY"],
            realtime_input_config=types.RealtimeInputConfig(automatic_activity_detection=detection),
        ),
    )
    session.input.audio = Microphone(capture_device)
    session.output.audio = Speaker(playback_device)
    session.input.set_audio_enabled(False)
    await session.start(Agent(instructions=INSTRUCTIONS))
    loop = asyncio.get_running_loop()

    def press() -> None:
        session.interrupt()
        session.clear_user_turn()
        session.input.set_audio_enabled(True)

    def release() -> None:
        session.input.set_audio_enabled(False)
        session.commit_user_turn()

    button = Button(BUTTON_PIN)
    button.when_pressed = lambda: loop.call_soon_threadsafe(press)
    button.when_released = lambda: loop.call_soon_threadsafe(release)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
