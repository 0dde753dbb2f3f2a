"""The floor: the least that Python can honestly spend on this, with websockets and json alone.

``python -m tests.bench.peers.floor CAPTURE_DEVICE PLAYBACK_DEVICE``. No SDK, which means the
messages by heart; no compression; one thread; nothing that wakes while nobody talks or plays.
It has none of what makes a speaker reliable: no pre-roll, no tail, no prebuffer, nothing is sent
again, and a lost connection ends it. So it is the bottom of what a turn can cost, and no rival.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import alsaaudio
from gpiozero import DigitalInputDevice
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

BUTTON_PIN = 17
SEND_RATE_HZ = 16_000
RECEIVE_RATE_HZ = 24_000
_SAMPLE_BYTES = 2
_PERIOD_S = 0.04  # of what is sent at once, and of looking whether the card takes more
_BUFFERED_PERIODS = 5  # of 40 ms
_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
_SETUP = json.dumps(
    {
        "setup": {
            "model": "models/gemini-3.8-live",
            "generationConfig": {"responseModalities": ["AUDIO"]},
            "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
        }
    }
)
_ACTIVITY_START = '{"realtimeInput":{"activityStart":{}}}'
_ACTIVITY_END = '{"realtimeInput":{"activityEnd":{}}}'
_AUDIO = '{"realtimeInput":{"audio":{"data":"%s","mimeType":"audio/pcm;rate=16000"}}}'


def connecting() -> connect:
    """A connection to the API, to be entered; it is not set up yet."""
    base_url = os.environ["GOOGLE_GEMINI_BASE_URL"].replace("https://", "wss://", 1)
    key = {"x-goog-api-key": os.environ["GEMINI_API_KEY"]}
    return connect(base_url + _PATH, additional_headers=key, compression=None)


async def set_up(connection: ClientConnection) -> None:
    """Send the setup; returns when the server has accepted it."""
    await connection.send(_SETUP)
    if "setupComplete" not in json.loads(await connection.recv(decode=False)):
        raise ConnectionError("no setupComplete")


class Floor:
    """Sends while the button is down, plays what comes."""

    def __init__(
        self, connection: ClientConnection, capture_device: str, playback_device: str
    ) -> None:
        self._connection = connection
        self._capture_device = capture_device
        self._speaker = _open(alsaaudio.PCM_PLAYBACK, playback_device, RECEIVE_RATE_HZ)
        self._reply = bytearray()  # what the card has not taken yet
        self._refilling: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._talk: asyncio.Task[None] | None = None
        self._released = asyncio.Event()

    async def run(self) -> None:
        """Talk until the connection is lost."""
        button = DigitalInputDevice(BUTTON_PIN, pull_up=True)
        button.when_activated = lambda: self._loop.call_soon_threadsafe(self._press)
        button.when_deactivated = lambda: self._loop.call_soon_threadsafe(self._released.set)
        async for frame in self._connection:
            content = json.loads(frame).get("serverContent", {})
            for part in content.get("modelTurn", {}).get("parts", ()):
                self._reply += base64.b64decode(part["inlineData"]["data"])
                if self._refilling is None:
                    self._refill()

    def _press(self) -> None:
        self._reply.clear()
        self._speaker.drop()
        self._released.clear()
        self._talk = self._loop.create_task(self._utter())

    async def _utter(self) -> None:
        """One utterance, from the press until the release."""
        await self._connection.send(_ACTIVITY_START)
        microphone = _open(alsaaudio.PCM_CAPTURE, self._capture_device, SEND_RATE_HZ)
        try:
            microphone.read()  # nothing yet, but it runs from here on
            released = False
            while not released:
                released = await self._period()
                await self._send_what_was_heard(microphone)
        finally:
            microphone.close()
        await self._connection.send(_ACTIVITY_END)

    async def _period(self) -> bool:
        """Wait for a period or the release; which of them it was."""
        try:
            await asyncio.wait_for(self._released.wait(), _PERIOD_S)
        except TimeoutError:
            return False
        return True

    async def _send_what_was_heard(self, microphone: Any) -> None:  # noqa: ANN401 - has no types
        pcm = bytearray()
        while (read := microphone.read())[0] > 0:
            pcm += read[1]
        if pcm:
            await self._connection.send(_AUDIO % base64.b64encode(pcm).decode())

    def _refill(self) -> None:
        """Give the card what it takes; again in a period, while there is more."""
        self._refilling = None
        if not self._reply:
            return
        if (frames := self._speaker.write(self._reply)) > 0:
            del self._reply[: frames * _SAMPLE_BYTES]
        if self._reply:
            self._refilling = self._loop.call_later(_PERIOD_S, self._refill)


def _open(direction: int, device: str, rate_hz: int) -> Any:  # noqa: ANN401 - alsaaudio has no types
    return alsaaudio.PCM(
        direction,
        mode=alsaaudio.PCM_NONBLOCK,
        device=device,
        rate=rate_hz,
        channels=1,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=int(rate_hz * _PERIOD_S),
        periods=_BUFFERED_PERIODS,
    )


async def main() -> None:
    """Connect, and be the floor."""
    async with connecting() as connection:
        await set_up(connection)
        await Floor(connection, *sys.argv[1:]).run()


if __name__ == "__main__":
    asyncio.run(main())
