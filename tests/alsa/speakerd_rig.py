"""The whole speaker: ``speakerd run`` as its own process, on the stand-in card, and its control
socket in the hands of a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from speakerd.demo.process import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from speakerd.demo.soundcard import StandInCard

#: What a test waits for at most: this machine may be busy with something else.
PATIENCE_S = 20.0
#: What follows a sample on its way from the daemon to the recording: the card's own buffers.
TRAIL_S = 0.3
HEARD_BYTES_PER_S = 48_000
SPOKEN_BYTES_PER_S = 32_000

#: A person who is quick; the stand-in microphone is some 50 ms late, hence the tail.
QUICK = {
    "SPEAKERD_PREROLL_MS": "100",
    "SPEAKERD_MIN_PRESS_MS": "50",
    "SPEAKERD_TAIL_MS": "150",
    "SPEAKERD_PREBUFFER_MS": "40",
}
#: What every daemon of a test needs: no pins, no other server than a simulator, no espeak-ng.
BARE = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "GEMINI_API_KEY": "simulated-key",
    "SPEAKERD_PROMPTS": "false",  # what is told is an earcon, ready at once
    "GOOGLE_GEMINI_BASE_URL": "https://127.0.0.1:9",
}


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast("int", probe.getsockname()[1])


async def until(at: float) -> None:
    """Return at the time ``at`` of ``time.monotonic()``, when a sound has got so far."""
    await asyncio.sleep(at - time.monotonic())


def on(card: StandInCard) -> dict[str, str]:
    """The environment that leads a daemon to ``card``."""
    return card.environment() | {
        "SPEAKERD_CAPTURE_DEVICE": card.capture_device,
        "SPEAKERD_PLAYBACK_DEVICE": card.playback_device,
    }


def heard_from_now(card: StandInCard) -> bytes:
    """What ``card`` plays in a moment that outlasts all its buffers."""
    now = card.heard_bytes()
    card.wait_heard(now + round(TRAIL_S * HEARD_BYTES_PER_S), PATIENCE_S)
    return card.heard(now + round(TRAIL_S * HEARD_BYTES_PER_S / 2))


class Speaker:
    """A running daemon. Its events are collected from :meth:`listening` on."""

    def __init__(self, process: DaemonProcess, card: StandInCard) -> None:
        self.process = process
        self.card = card
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        reader, writer = await asyncio.open_unix_connection(self.process.socket)
        writer.write(b'{"command": "subscribe"}\n')
        assert json.loads(await reader.readline()) == {"ok": True}
        status = await self.command("status")
        self.events.append({"event": "state", "state": status["state"], "link": status["link"]})
        task = asyncio.create_task(self._listen(reader))
        try:
            yield
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            await task

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.events.append(json.loads(line))
                self._changed.set()

    # --- what a person and a program do

    async def command(self, command: str, **arguments: str) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self.process.socket)
        writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return cast("dict[str, Any]", answer)

    async def hold(self, words: bytes) -> None:
        """Hold the button, say ``words``, let go."""
        await self.command("press")
        await self.say(words)
        await self.command("release")

    async def say(self, words: bytes) -> None:
        """Say ``words`` (S16_LE mono 16 kHz); returns when they are over."""
        await until(self.card.play_into_microphone(words))

    # --- what can be waited for

    async def state(self, state: str) -> None:
        await self._wait(lambda: self._last_state().get("state") == state, f"state {state}")

    async def link(self, link: str) -> None:
        await self._wait(lambda: self._last_state().get("link") == link, f"link {link}")

    async def turn(self, count: int = 1) -> dict[str, Any]:
        """The ledger of the ``count``-th turn to end, when it has."""
        await self._wait(lambda: len(self._turns()) >= count, f"the end of turn {count}")
        return self._turns()[count - 1]

    async def heard(self, beginning: int) -> bytes:
        """What the card has played since ``beginning``, to what is being played now."""
        await asyncio.to_thread(heard_from_now, self.card)
        return self.card.heard(beginning)

    async def heard_up_to(self, position: int) -> None:
        await asyncio.to_thread(self.card.wait_heard, position, PATIENCE_S)

    def _turns(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "turn"]

    def _last_state(self) -> dict[str, Any]:
        return next(event for event in reversed(self.events) if event["event"] == "state")

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            said = self.process.last_words()
            raise AssertionError(f"no {what} in {self.events}; the log:\n{said}") from None

    # --- what it is as a process

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """End it by a signal; returns how many seconds that took."""
        began = time.monotonic()
        await asyncio.to_thread(self.process.stop, number)
        return time.monotonic() - began

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def resident_bytes(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096


@contextlib.asynccontextmanager
async def running(
    directory: Path, card: StandInCard, *environments: Mapping[str, str]
) -> AsyncIterator[Speaker]:
    """A daemon on ``card``, ready and listened to; later environments win."""
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    environment: dict[str, str] = BARE | QUICK | on(card)
    for more in environments:
        environment |= more
    process = DaemonProcess(directory, environment)
    await asyncio.to_thread(process.__enter__)
    try:
        speaker = Speaker(process, card)
        async with speaker.listening():
            yield speaker
    finally:
        await asyncio.to_thread(process.__exit__)
