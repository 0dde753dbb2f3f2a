"""The bare script: what a competent person writes from google-genai's documentation.

``python -m tests.bench.peers.bare CAPTURE_DEVICE PLAYBACK_DEVICE``. It is neither tuned nor
crippled, and each habit has its source:

- One task each that listens, sends, receives and plays, with queues in between, chunks of 1024
  frames, and ``asyncio.to_thread`` around what blocks: "Get started" of the Live API guide
  (ai.google.dev/gemini-api/docs/live), whose example plays and records by pyaudio.
- pyalsaaudio in place of pyaudio, with its default of four periods.
- ``automatic_activity_detection`` disabled, activity_start and activity_end: "Disable automatic
  VAD" of the guide. They go through the queue of the microphone, so that the order holds.
- A press, and ``interrupted`` of the server ("Handle interruptions"), empties the queue and lets
  the sound card drop what it has.
- gpiozero's Button with its callbacks: gpiozero's basic recipes.
- Everything else is as the SDK has it by default. A lost connection ends the script.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import alsaaudio
from google import genai
from google.genai import types
from gpiozero import Button

if TYPE_CHECKING:
    from google.genai.live import AsyncSession

MODEL = "gemini-3.8-live"
CONFIG: types.LiveConnectConfigDict = {
    "response_modalities": [types.Modality.AUDIO],
    "realtime_input_config": {"automatic_activity_detection": {"disabled": True}},
}
BUTTON_PIN = 17
SEND_RATE_HZ = 16_000
RECEIVE_RATE_HZ = 24_000
CHUNK_FRAMES = 1024


class Script:
    """The example of the guide, with a button."""

    def __init__(self, session: AsyncSession, capture_device: str, playback_device: str) -> None:
        self._session = session
        self._microphone = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE,
            device=capture_device,
            rate=SEND_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=CHUNK_FRAMES,
        )
        self._speaker = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            device=playback_device,
            rate=RECEIVE_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=CHUNK_FRAMES,
        )
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: be silent
        self._talking = False

    async def run(self) -> None:
        """Talk until the connection is lost."""
        loop = asyncio.get_running_loop()
        button = Button(BUTTON_PIN)
        button.when_pressed = lambda: loop.call_soon_threadsafe(self._pressed)
        button.when_released = lambda: loop.call_soon_threadsafe(self._released)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._send())
            tasks.create_task(self._receive())
            tasks.create_task(self._play())

    def _pressed(self) -> None:
        self._stop_playing()
        self._outgoing.put_nowait({"activity_start": types.ActivityStart()})
        self._talking = True

    def _released(self) -> None:
        self._talking = False
        self._outgoing.put_nowait({"activity_end": types.ActivityEnd()})

    def _stop_playing(self) -> None:
        while not self._incoming.empty():
            self._incoming.get_nowait()
        self._incoming.put_nowait(None)

    async def _listen(self) -> None:
        while True:
            frames, pcm = await asyncio.to_thread(self._microphone.read)
            if self._talking and frames > 0:
                blob = types.Blob(data=pcm, mime_type=f"audio/pcm;rate={SEND_RATE_HZ}")
                self._outgoing.put_nowait({"audio": blob})

    async def _send(self) -> None:
        while True:
            await self._session.send_realtime_input(**await self._outgoing.get())

    async def _receive(self) -> None:
        while True:
            async for response in self._session.receive():
                content = response.server_content
                if content is None:
                    continue
                if content.interrupted:
                    self._stop_playing()
                if content.model_turn is None:
                    continue
                for part in content.model_turn.parts or ():
                    if part.inline_data is not None and part.inline_data.data is not None:
                        self._incoming.put_nowait(part.inline_data.data)

    async def _play(self) -> None:
        while True:
            pcm = await self._incoming.get()
            if pcm is None:
                self._speaker.drop()
            else:
                await asyncio.to_thread(self._speaker.write, pcm)


async def main() -> None:
    """Connect, and run the script."""
    client = genai.Client()
    async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
        await Script(session, *sys.argv[1:]).run()


if __name__ == "__main__":
    asyncio.run(main())
