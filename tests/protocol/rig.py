"""The real daemon in this process: real core, SDK and sockets, with fakes for the sound devices."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from speakerd.audio import earcons
from speakerd.config.settings import Settings
from speakerd.conversation.core import Core
from speakerd.conversation.effects import Cue
from speakerd.conversation.events import ButtonEdge, Device, DeviceReady, Event
from speakerd.daemon import Daemon
from speakerd.daemon.devices import Makers
from speakerd.daemon.translate import rules_of
from speakerd.live.transport import Timeouts
from speakerd.simulator.options import DEFAULT_KEY
from speakerd.tools.commands import NamedCommands
from speakerd.tools.configured import toolbox_of
from tests.fakes.audio import FakeMicrophone, FakeSpeaker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from speakerd.config import Loaded
    from speakerd.conversation.rules import Rules

    Post = Callable[[Event], None]

SPEECH = bytes(range(1, 251)) * 128  # 1 s of S16_LE mono at 16 kHz
#: No waiting for the person: what these would wait for is proved in the tests of the core.
QUICK: dict[str, Any] = {"min_press_ms": 0, "tail_ms": 0, "preroll_ms": 0}


#: They are heard again and again, and seldom what a test is about.
#: That of nothing heard is that of nothing answered, too, and counts as the latter.
CUES = frozenset(earcons.render(cue) for cue in Cue if cue is not Cue.NOTHING)


def nothing(_settings: Settings, _post: Post) -> None:
    """A part that the speaker does without."""


class FakeButton:
    """A button that a test presses."""

    def __init__(self, post: Callable[[Event], None]) -> None:
        self._post = post

    def start(self) -> None:
        self._post(DeviceReady(Device.BUTTON))

    def stop(self) -> None:
        """Nothing is held."""

    def edge(self, *, pressed: bool) -> None:
        self._post(ButtonEdge(pressed))


class Rig:
    """A running daemon, its devices, and its control socket.

    Its speaker plays at once; ``instant=False``: when it is told to. ``ahead_s`` is as of a
    :class:`FakeSpeaker`.
    """

    microphone: FakeMicrophone
    speaker: FakeSpeaker
    button: FakeButton

    def __init__(self, directory: Path, **options: Any) -> None:  # noqa: ANN401 - any setting
        self._directory = directory
        devices_timeout_s = options.pop("devices_timeout_s", 5.0)
        rules = options.pop("rules", {})  # what no setting changes, such as time-outs
        timeouts = options.pop("timeouts", {})  # of the sockets
        self._playing = {
            "instant": options.pop("instant", True),
            "ahead_s": options.pop("ahead_s", 0.0),
        }
        tools = options.pop("tools_of_its_own", ())
        self.settings = Settings(
            gemini_api_key=SecretStr(key) if (key := options.pop("key", DEFAULT_KEY)) else None,
            control_socket=directory / "control.sock",
            state_directory=options.pop("state_directory", directory),
            **(QUICK | options),
        )
        self.events: list[dict[str, Any]] = []
        offered = toolbox_of(self.settings, NamedCommands(), tools).declarations()
        lived = dataclasses.replace(rules_of(self.settings, offered), **rules)
        self.daemon = Daemon(
            self.settings,
            devices=self._makers(),
            devices_timeout_s=devices_timeout_s,
            core=self._make_core(lived),
            timeouts=Timeouts(**{"connect_s": lived.connect_timeout_s} | timeouts),
            reading=self._reading(self.settings),
            tools=tools,
        )
        self._changed = asyncio.Event()
        self._hung_up = asyncio.Event()

    def _reading(self, _settings: Settings) -> tuple[Loaded, Callable[[], Loaded]] | None:
        return None  # there is no file to be read again

    def _makers(self) -> Makers:
        return Makers(
            self._make_microphone,
            self._make_speaker,
            self._make_button,
            light=nothing,
            keys=nothing,
            knob=nothing,
            volume=nothing,
            voice=nothing,
        )

    def _make_core(self, rules: Rules) -> Core:
        return Core(rules)

    def _make_microphone(self, _settings: Settings, post: Post) -> FakeMicrophone:
        self.microphone = FakeMicrophone(post, preroll_ms=0)
        return self.microphone

    def _make_speaker(self, _settings: Settings, post: Post) -> FakeSpeaker:
        self.speaker = FakeSpeaker(post, cues=CUES, **self._playing)
        return self.speaker

    def _make_button(self, _settings: Settings, post: Post) -> FakeButton:
        self.button = FakeButton(post)
        return self.button

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The daemon serves, and its events are listened to."""
        serving = asyncio.create_task(self.daemon.serve())
        while not self.settings.control_socket.exists():
            await asyncio.sleep(0)
            if serving.done():
                await serving
        reader, writer = await asyncio.open_unix_connection(self.settings.control_socket)
        writer.write(b'{"command": "subscribe"}\n')
        assert json.loads(await reader.readline()) == {"ok": True}
        listening = asyncio.create_task(self._listen(reader))
        try:
            yield
        finally:
            self.daemon.stop()
            try:
                async with asyncio.timeout(5):
                    await asyncio.gather(listening, serving)
            finally:
                writer.close()
                await writer.wait_closed()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionResetError):
            while line := await reader.readline():
                self.events.append(json.loads(line))
                self._changed.set()
        self._hung_up.set()

    # --- what a person and a program do

    async def command(self, command: str, **arguments: object) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self.settings.control_socket)
        try:
            writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
            return cast("dict[str, Any]", json.loads(await reader.readline()))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def say_aloud(self, pcm: bytes = SPEECH) -> None:
        """Hold the button, say ``pcm``, let go."""
        self.button.edge(pressed=True)
        await self.state("listening")
        self.hear(pcm)
        self.button.edge(pressed=False)

    def hear(self, pcm: bytes = SPEECH) -> None:
        """Let the microphone hear ``pcm``, from now on."""
        self.microphone.hear(pcm, time.monotonic() + len(pcm) / 32_000)

    # --- what can be waited for

    async def state(self, state: str) -> None:
        await self._wait(lambda: self._last("state").get("state") == state)

    async def link(self, link: str) -> None:
        await self._wait(lambda: self._last("state").get("link") == link)

    async def turn(self, count: int = 1) -> dict[str, Any]:
        """The ledger of the ``count``-th turn, when it is over."""
        await self._wait(lambda: len(self._all("turn")) >= count)
        return self._all("turn")[count - 1]

    async def ended(self) -> None:
        """Wait until the daemon has ended by itself."""
        async with asyncio.timeout(10):
            await self._hung_up.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        await self._wait(condition)

    async def until_heard(self, condition: Callable[[], bool]) -> None:
        """Wait for what the speaker plays, which is no event."""
        async with asyncio.timeout(10):
            while not condition():
                await self.command("status")

    async def until_written(self, path: Path, text: str) -> None:
        """Wait until the file has ``text`` in it; it is written in another thread."""

        def written() -> bool:
            return path.exists() and text in path.read_text()

        async with asyncio.timeout(10):
            while not written():  # noqa: ASYNC110 - it is nowhere announced
                await asyncio.sleep(0.005)

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The ledgers of all turns that are over."""
        return self._all("turn")

    @property
    def states(self) -> list[str]:
        """Every state that was told of, in their order."""
        return [event["state"] for event in self._all("state")]

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    def _last(self, kind: str) -> dict[str, Any]:
        return next(iter(reversed(self._all(kind))), {})

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
