"""Work in which nothing is left to chance, so that its instructions can be counted.

``python -m tests.bench.counted TIMES``, which :mod:`tests.bench.instructions` runs under valgrind:
each of :data:`WORK` is done some times to warm up, then TIMES times, then twice as often, with
:func:`mark` before, between and behind. Prints what was done, a line each. Nothing is on the
other side of a socket or in a sound card; what is there costs a call.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import ssl
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import trustme
from google.genai import types
from google.genai.errors import APIError
from google.genai.live import AsyncSession
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from speakerd.audio.buffers import Utterance
from speakerd.audio.microphone import Microphone
from speakerd.audio.pcm import CAPTURE_RATE_HZ, PERIOD_MS, PLAYBACK_RATE_HZ, bytes_of_ms
from speakerd.audio.speaker import Speaker
from speakerd.live import messages
from speakerd.live.access import Pass
from speakerd.live.connection import Connection, Outlets
from speakerd.live.sending import Spoken
from speakerd.live.transport import connection_class
from speakerd.simulator.messages import model_audio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google import genai

_WARM_UP = 50
_CHUNK_MS = 40
_SPOKEN_MS = 100  # the chunks of push to talk
_SPOKEN_TYPE = "audio/pcm;rate=16000"
_UNACKNOWLEDGED_S = 7.0  # of no account here
_MESSAGE = json.dumps(model_audio(os.urandom(bytes_of_ms(_CHUNK_MS, PLAYBACK_RATE_HZ)))).encode()
_FRAME = Frame(Opcode.TEXT, _MESSAGE).serialize(mask=False)
_REPLY_PCM = os.urandom(bytes_of_ms(_CHUNK_MS, PLAYBACK_RATE_HZ))
_SPOKEN_PCM = os.urandom(bytes_of_ms(_SPOKEN_MS, CAPTURE_RATE_HZ))
_PERIOD_PCM = os.urandom(bytes_of_ms(PERIOD_MS, CAPTURE_RATE_HZ))
_A_LOT_BYTES = 2**40


def mark() -> None:
    """Call what nobody else calls: valgrind is told to look at its counters there."""
    os.getsid(0)


class Counter:
    """Is called before each repetition, and marks where they begin to count."""

    def __init__(self, times: int, mark: Callable[[], object] = mark) -> None:
        self._mark = mark
        self._marks = {_WARM_UP, _WARM_UP + times, _WARM_UP + 3 * times}
        self._count = 0

    def __call__(self) -> None:
        if self._count in self._marks:
            self._marks.discard(self._count)
            self._mark()
        self._count += 1

    @property
    def done(self) -> bool:
        """Whether all has been counted."""
        return not self._marks


class _Server(asyncio.Transport):
    """The other side of a connection that stands, and no network: ``sent`` counts what it gets."""

    def __init__(self, kind: type[ClientConnection], sent: Counter | None = None) -> None:
        super().__init__({"socket": socket.socket()})
        self._sent = sent
        self._aborted = False
        protocol = ClientProtocol(parse_uri("wss://localhost"), state=State.OPEN, max_size=None)
        self._connection = kind(protocol, ping_interval=None)
        self._connection.response = Response(101, "Switching Protocols", Headers())
        self._connection.connection_made(self)

    async def talk(self, count: Counter) -> None:
        """Say the same again and again, each time when it was heard, and hang up."""
        while not count.done:
            count()
            self._connection.data_received(_FRAME)
            await asyncio.sleep(0)
        self.abort()

    def write(self, _data: object) -> None:
        if self._sent is not None:
            self._sent()
            if self._sent.done:
                self._sent = None
                asyncio.get_running_loop().call_soon(self.abort)

    def abort(self) -> None:
        if self._aborted:
            return
        self._aborted = True
        self._connection.connection_lost(None)
        self.get_extra_info("socket").close()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self._aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def session(self) -> AsyncSession:
        """The SDK's session over it."""
        api = cast("Any", SimpleNamespace(vertexai=False))
        return AsyncSession(api, self._connection, None, types.LiveServerSetupComplete())

    def client(self) -> genai.Client:
        """A client that connects to it."""

        @contextlib.asynccontextmanager
        async def connect(**_options: object) -> AsyncIterator[AsyncSession]:
            yield self.session()

        live = SimpleNamespace(connect=connect)
        return cast("genai.Client", SimpleNamespace(aio=SimpleNamespace(live=live)))


# --- a message of the server


def _decrypt(count: Counter) -> None:
    """A TLS record with it, and writing that, which is about the same."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("localhost").configure_cert(theirs)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(down, up, server_hostname="localhost")
    server = theirs.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    while not count.done:
        count()
        server.write(_MESSAGE)
        client.read(len(_MESSAGE))


def _read_json(count: Counter) -> None:
    while not count.done:
        count()
        message = json.loads(_MESSAGE)
        blob = message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
        base64.b64decode(blob["data"])


def _receive_by_the_sdk(count: Counter) -> None:
    async def receive() -> None:
        server = _Server(ClientConnection)
        talking = asyncio.create_task(server.talk(count))
        with contextlib.suppress(APIError):  # it is closed in the end
            async for _ in server.session().receive():
                pass
        await talking

    asyncio.run(receive())


def _receive(count: Counter) -> None:
    """All that speakerd does, until the playlist has it."""
    speaker = Speaker("none", prebuffer_ms=0, post=_ignore)
    speaker.expect(1)

    async def receive() -> None:
        server = _Server(connection_class(_UNACKNOWLEDGED_S))
        talking = asyncio.create_task(server.talk(count))
        await _connect(server, lambda _turn, *what: speaker.feed(1, *what))
        await talking

    asyncio.run(receive())


# --- a chunk of speech


def _write_json(count: Counter) -> None:
    while not count.done:
        count()
        blob = {"data": base64.b64encode(_SPOKEN_PCM).decode(), "mime_type": _SPOKEN_TYPE}
        json.dumps({"realtime_input": {"audio": blob}})


def _send_by_the_sdk(count: Counter) -> None:
    async def send() -> None:
        session = _Server(ClientConnection, sent=count).session()
        with contextlib.suppress(ConnectionClosed):
            while True:
                blob = types.Blob(data=_SPOKEN_PCM, mime_type=_SPOKEN_TYPE)
                await session.send_realtime_input(audio=blob)
                await asyncio.sleep(0)

    asyncio.run(send())


def _send(count: Counter) -> None:
    """All that speakerd does: a backlog, sent as fast as it goes."""
    utterance = Utterance(1, _A_LOT_BYTES, len(_SPOKEN_PCM))
    utterance.append(_SPOKEN_PCM * 10_000)

    async def send() -> None:
        server = _Server(connection_class(_UNACKNOWLEDGED_S), sent=count)
        await _connect(server, lambda *_sound: 0.0, Spoken(1, utterance))

    asyncio.run(send())


async def _connect(server: _Server, play: Callable[..., float], *items: Spoken) -> None:
    async def access() -> Pass:
        return Pass(server.client())

    connection = Connection(1, Outlets(_ignore, play, _ignore))
    for item in items:
        connection.send(item)
    await connection.run(access, "any", types.LiveConnectConfig)


def _ignore(*_what: object, **_named: object) -> None:
    pass


# --- the threads, each waking for what it does


class _Clock:
    """Goes on when a device has been asked, so that a thread never has to wait for long."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Device:
    """Captures a period whenever it is read, and has played a refill whenever it is asked."""

    def __init__(self, count: Counter, clock: _Clock) -> None:
        self.done = threading.Event()
        self._count = count
        self._clock = clock
        self._queued_frames = 0

    def _pass(self, duration_ms: int) -> None:
        self._clock.now += duration_ms / 1000
        if not self._count.done:
            self._count()
        if self._count.done:
            self.done.set()

    def read(self) -> bytes:
        self._pass(PERIOD_MS)
        return _PERIOD_PCM

    def waiting_frames(self) -> int:
        return len(_PERIOD_PCM) // 2 - 1  # the next one is due at once

    def write(self, pcm: memoryview) -> int:
        taken = min(len(pcm) // 2, PLAYBACK_RATE_HZ // 5 - self._queued_frames)
        self._queued_frames += taken
        return taken

    def queued_frames(self) -> int:
        self._pass(_CHUNK_MS)
        self._queued_frames -= min(self._queued_frames, PLAYBACK_RATE_HZ * _CHUNK_MS // 1000)
        return self._queued_frames

    def check(self) -> None:
        pass

    def drop(self) -> None:
        self._queued_frames = 0

    def close(self) -> None:
        pass


def _capture(count: Counter) -> None:
    clock = _Clock()
    device = _Device(count, clock)
    microphone = Microphone(
        "none", preroll_ms=300, post=_ignore, clock=clock, open_pcm=lambda *_what: device
    )
    microphone.open_gate(Utterance(1, _A_LOT_BYTES), 0.0)
    microphone.start()
    device.done.wait()
    microphone.stop()


def _play(count: Counter) -> None:
    clock = _Clock()
    device = _Device(count, clock)
    speaker = Speaker(
        "none", prebuffer_ms=0, post=_ignore, clock=clock, open_pcm=lambda *_what: device
    )
    speaker.expect(1)
    for _ in range(10_000):
        speaker.feed(1, _REPLY_PCM)
    speaker.start()
    device.done.wait()
    speaker.stop()


#: What is done, by what it is called in the table.
WORK: dict[str, Callable[[Counter], None]] = {
    f"a message with {_CHUNK_MS} ms of reply: TLS, both sides": _decrypt,
    "  JSON and base64 alone": _read_json,
    "  frame -> object, by websockets and the SDK": _receive_by_the_sdk,
    "  frame -> playlist, by speakerd": _receive,
    f"a chunk of {_SPOKEN_MS} ms of speech: base64 and JSON alone": _write_json,
    "  chunk -> frame, by the SDK and websockets": _send_by_the_sdk,
    "  utterance -> frame, by speakerd": _send,
    f"the microphone's thread: a period of {PERIOD_MS} ms": _capture,
    f"the speaker's thread: a step of {_CHUNK_MS} ms": _play,
}


def main() -> None:
    """Do all of it."""
    messages.prepare()
    times = int(sys.argv[1])
    for name, work in WORK.items():
        work(Counter(times))
        print(name)


if __name__ == "__main__":
    main()
