"""A script with pipecat: what a competent person writes from its documentation and examples.

``python -m tests.bench.peers.with_pipecat CAPTURE_DEVICE PLAYBACK_DEVICE``, with an interpreter of
its own that has pipecat-ai. It is neither tuned nor crippled, and each habit has its source, in
the repositories pipecat and pipecat-examples of pipecat-ai, or in the package itself:

- Transport, aggregator, service, transport, aggregator; a worker and a runner; the context is
  given to the service by an LLMRunFrame at the start: getting-started/06a-voice-agent-local.py.
- GeminiLiveLLMService with the server's detection disabled, which sends activityStart and
  activityEnd for the turns of the user: realtime/realtime-gemini-live-locally-driven-turns.py.
- The button alone says when a turn starts and ends, and interrupts: push-to-talk/server/bot.py,
  whose strategies wait for a message of a client. Here the button proposes, and
  ExternalUserTurnStrategies decides (pipecat.turns.user_turn_strategies).
- 20 ms of microphone at a time, and a thread that writes what the base class hands out, 40 ms at a
  time: LocalAudioTransport, which has them from pyaudio. Here it is pyalsaaudio, with its default
  of four periods, as in the bare script.
- An interruption lets the sound card drop what it has, as in the bare script; LocalAudioTransport
  would play it.
- No limit of idle time (``idle_timeout_secs``): a speaker may be silent for longer than 5 minutes.
- Everything else is as by default: 0.5 s from before the press, the transcriptions, the log.

Two methods of the service are overridden. ``_get_history_config``, as its docstring invites to,
because there is no history: the API takes no sound before one that was announced. And the button is
opened when the service takes sound, which only ``_create_initial_response`` knows: a press
before that would end the connection, as the window was never opened that its end closes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import alsaaudio
from gpiozero import Button
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService, GeminiVADParams
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner

if TYPE_CHECKING:
    from pipecat.frames.frames import Frame, StartFrame
    from pipecat.processors.frame_processor import FrameDirection

MODEL = "models/gemini-3.8-live"
BUTTON_PIN = 17
SEND_RATE_HZ = 16_000
RECEIVE_RATE_HZ = 24_000
CAPTURE_FRAMES = SEND_RATE_HZ // 50
PLAYBACK_FRAMES = RECEIVE_RATE_HZ // 25


class Microphone(BaseInputTransport):
    """Hands on what an ALSA device captures, all the time."""

    def __init__(self, device: str) -> None:
        super().__init__(TransportParams(audio_in_enabled=True))
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE,
            device=device,
            rate=SEND_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=CAPTURE_FRAMES,
        )

    async def start(self, frame: StartFrame) -> None:
        """Begin to listen."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            frames, pcm = await asyncio.to_thread(self._pcm.read)
            if frames > 0:
                await self.push_audio_frame(
                    InputAudioRawFrame(audio=pcm, sample_rate=SEND_RATE_HZ, num_channels=1)
                )


class Speaker(BaseOutputTransport):
    """Plays through an ALSA device."""

    def __init__(self, device: str) -> None:
        super().__init__(TransportParams(audio_out_enabled=True))
        self._pcm = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            device=device,
            rate=RECEIVE_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=PLAYBACK_FRAMES,
        )
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def start(self, frame: StartFrame) -> None:
        """Be ready to play."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """As the base class, and be silent at an interruption."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self.get_event_loop().run_in_executor(self._thread, self._pcm.drop)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Play it; returns when the card has taken it."""
        await self.get_event_loop().run_in_executor(self._thread, self._write, frame.audio)
        return True

    def _write(self, pcm: bytes) -> None:
        if self._pcm.write(pcm) == -errno.EPIPE:  # the card had run dry, and has taken nothing
            self._pcm.write(pcm)


class Gemini(GeminiLiveLLMService):
    """The service, which tells when it can be spoken to."""

    def __init__(self) -> None:
        super().__init__(
            api_key=os.environ["GEMINI_API_KEY"],
            settings=GeminiLiveLLMService.Settings(model=MODEL, vad=GeminiVADParams(disabled=True)),
        )
        self.ready = asyncio.Event()

    def _get_history_config(self) -> None:
        return None

    async def _create_initial_response(self, for_reconnect: bool = False) -> None:
        await super()._create_initial_response(for_reconnect)
        if self._ready_for_realtime_input:
            self.ready.set()


async def main(capture_device: str, playback_device: str) -> None:
    """Run the pipeline until the worker ends."""
    gemini = Gemini()
    user, assistant = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies()),
    )
    pipeline = Pipeline(
        [Microphone(capture_device), user, gemini, Speaker(playback_device), assistant]
    )
    worker = PipelineWorker(pipeline, idle_timeout_secs=None)
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await worker.queue_frame(LLMRunFrame())
    running = asyncio.create_task(runner.run())

    await gemini.ready.wait()
    loop = asyncio.get_running_loop()

    def propose(frame: Frame) -> None:
        asyncio.run_coroutine_threadsafe(worker.queue_frame(frame), loop)

    button = Button(BUTTON_PIN)
    button.when_pressed = lambda: propose(ProposedUserStartedSpeakingFrame())
    button.when_released = lambda: propose(ProposedUserStoppedSpeakingFrame())
    await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
