"""The simulator as a server: TLS WebSockets around the pure protocol.

Everything here is a thin shell: it reads frames and the clock, hands them to the core and carries
out what it gives back.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import tempfile
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from speakerd.simulator import faults
from speakerd.simulator.audio import write_wav
from speakerd.simulator.certificate import server_context
from speakerd.simulator.connection import Connection, Deafen, Hangup, Output, Reset, Send
from speakerd.simulator.faults import Moment, Phase, Plan, Script
from speakerd.simulator.machine import State
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.setup import Credential
from speakerd.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.http11 import Request, Response

    from speakerd.simulator.records import ConnectionRecord, TurnRecord

log = logging.getLogger(__name__)

T = TypeVar("T")

_PATH = re.compile(
    r"/{1,2}ws/google\.ai\.generativelanguage\.(?P<version>v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent(?P<constrained>Constrained)?"
)
#: A client's frame may be this large; ten minutes of audio in one are less.
_LARGEST_FRAME_BYTES = 32 * 1024 * 1024
_CLOSE_TIMEOUT_S = 1.0


class Simulator:
    """A Live API server on this machine, as an asynchronous context manager.

    ``turns``, ``connections`` and ``setups`` say what has happened, oldest first; ``plan`` what
    shall go wrong. What acts on "the" connection acts on the newest open one and raises
    LookupError if there is none.
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        """Raises ValueError or OSError if the reply file of ``options`` cannot be used."""
        self.options = options or SimulatorOptions()
        self._world = World(self.options, self)
        self._links: dict[int, _Link] = {}
        self._changed = asyncio.Event()
        self._server: Server | None = None
        self._directory = ""

    # --- life

    async def __aenter__(self) -> Self:
        self._directory = tempfile.mkdtemp(prefix="speakerd-simulator-")
        try:
            self._server = await serve(
                self._serve,
                self.options.host,
                self.options.port,
                ssl=server_context(self.options.host, self.certificate),
                process_request=self._process_request,
                # As the real server: no pings of its own, no compression.
                ping_interval=None,
                compression=None,
                max_size=_LARGEST_FRAME_BYTES,
                close_timeout=_CLOSE_TIMEOUT_S,
            )
        except BaseException:
            self._remove_directory()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        for link in self._links.values():
            link.leave()
        self._server.close()
        await self._server.wait_closed()
        self._remove_directory()

    def _remove_directory(self) -> None:
        shutil.rmtree(self._directory)

    # --- where it is

    @property
    def certificate(self) -> Path:
        """The certificate to trust (PEM), while the simulator runs."""
        return Path(self._directory) / "simulator-ca.pem"

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        """What to use as the base URL of the API."""
        host = "127.0.0.1" if self.options.host in {"", "0.0.0.0", "::"} else self.options.host
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The environment variables that lead google-genai (and Node.js) here."""
        return {
            "GOOGLE_GEMINI_BASE_URL": self.base_url,
            "SSL_CERT_FILE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "GEMINI_API_KEY": self.options.keys[0] if self.options.keys else "",
        }

    # --- what has happened

    @property
    def turns(self) -> list[TurnRecord]:
        """The turns, oldest first, at most ``options.keep``."""
        return self._world.turns

    @property
    def connections(self) -> list[ConnectionRecord]:
        """The connections, oldest first, at most ``options.keep``."""
        return self._world.connections

    @property
    def setups(self) -> list[dict[str, Any]]:
        """The setup messages as received, oldest first, at most ``options.keep``."""
        return self._world.setups

    @property
    def open_connections(self) -> int:
        """How many sockets are open."""
        return len(self._links)

    async def wait_for(self, condition: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Wait until ``condition()`` is true, and give what it was.

        It is looked at after everything that happens. Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            while not (value := condition()):
                self._changed.clear()
                await self._changed.wait()
            return value

    # --- what shall happen

    @property
    def script(self) -> Script:
        """What decides about faults; a :class:`Plan` unless another was set."""
        return self._world.script

    @script.setter
    def script(self, script: Script) -> None:
        self._world.script = script

    @property
    def plan(self) -> Plan:
        """The plan that faults can be added to; TypeError if ``script`` is something else."""
        if not isinstance(self._world.script, Plan):
            raise TypeError("the script is not a plan")
        return self._world.script

    def act(self, act: faults.Act) -> None:
        """Let something happen to the connection now."""
        for link in reversed(self._links.values()):
            if link.core.state is not State.CLOSED:
                link.act(act)
                return
        raise LookupError("no connection is open")

    def go_away(self, time_left_s: float = 50.0, *, closes: bool = True) -> None:
        """Announce the connection's close, and close when the time is over."""
        self.act(faults.GoAway(time_left_s, closes))

    def drop(self) -> None:
        """Reset the connection's TCP; the client sees 1006."""
        self.act(faults.Abort())

    def close(self, code: int = 1008, reason: str = "The operation was aborted.") -> None:
        """Close the connection."""
        self.act(faults.Close(code, reason))

    def inject(self, message: dict[str, Any] | bytes) -> None:
        """Send a server message of your own: a JSON object, or a frame's raw bytes."""
        self.act(faults.Inject(message))

    def be_silent(self, *, pongs: bool = True) -> None:
        """Send nothing any more on the connection; without ``pongs`` do not even read."""
        self.act(faults.Silence(pongs))

    # --- the observer of the world

    def note(self, connection: int, text: str) -> None:
        """Write one line to the log."""
        log.info("connection %d: %s", connection, text)

    def heard(self, turn: TurnRecord) -> None:
        """Keep the utterance, if there is a place for it."""
        if self.options.save_utterances is not None:
            path = self.options.save_utterances / f"utterance-{turn.number:04}.wav"
            write_wav(path, bytes(turn.utterance), turn.rate_hz)
            log.info("connection %d: turn %d: saved %s", turn.connection, turn.number, path)

    def _has_changed(self) -> None:
        self._changed.set()

    # --- serving

    def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        moment = Moment(Phase.UPGRADE, self._world.next_connection)
        for planned in self._world.script.faults(moment):
            match planned.fault:
                case faults.HttpStatus(status):
                    return websocket.respond(HTTPStatus(status), "")
                case faults.Abort():
                    websocket.transport.abort()
        if _PATH.fullmatch(urlsplit(request.path).path) is None:
            return websocket.respond(HTTPStatus.NOT_FOUND, "")
        return None

    async def _serve(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        now = time.monotonic()
        credential = _credential(websocket.request)
        record = self._world.new_connection(websocket.request.path.partition("?")[0], now)
        record.key = credential.key
        record.user_agent = websocket.request.headers.get("User-Agent", "")
        self.note(record.number, f"connected, {record.user_agent or 'an unnamed client'}")
        link = _Link(websocket, Connection(record, credential, self._world, now), self._has_changed)
        self._links[record.number] = link
        self._has_changed()
        try:
            await link.run()
        finally:
            del self._links[record.number]
            self._has_changed()


class _Link:
    """Drives one connection: frames in, outputs out, one timer."""

    def __init__(
        self, websocket: ServerConnection, core: Connection, changed: Callable[[], None]
    ) -> None:
        self.core = core
        self._websocket = websocket
        self._changed = changed
        self._work = asyncio.Event()
        self._leaving = False

    async def run(self) -> None:
        """Serve until the socket is gone."""
        writer = asyncio.create_task(self._write(), name=f"simulator {self.core.record.number}")
        try:
            async for frame in self._websocket:
                self.core.receive(frame, time.monotonic())
                self._moved()
        except ConnectionClosed:
            pass  # said by the close code below
        finally:
            code, reason = self._websocket.close_code, self._websocket.close_reason
            self.core.ended(time.monotonic(), code, reason or "")
            self._moved()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    def act(self, act: faults.Act) -> None:
        """Let something happen now."""
        self.core.act(act, time.monotonic())
        self._moved()

    def leave(self) -> None:
        """The server ends; a client that is not being read could not hear it."""
        if self._leaving:
            self._websocket.transport.abort()

    def _moved(self) -> None:
        self._work.set()
        self._changed()

    async def _write(self) -> None:
        """Carry out what the core gives, and wake it when it is time."""
        with suppress(ConnectionClosed):
            while True:
                self._work.clear()
                self.core.wake(time.monotonic())
                outputs = self.core.take()
                if outputs:
                    self._changed()
                for output in outputs:
                    await self._carry_out(output)
                await self._sleep()

    async def _sleep(self) -> None:
        deadline = self.core.deadline()
        if deadline is None:
            await self._work.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._work.wait()

    async def _carry_out(self, output: Output) -> None:
        match output:
            case Send(data):
                await self._websocket.send(data)
            case Hangup(closing):
                await self._websocket.close(closing.code, closing.reason)
            case Reset():
                self._websocket.transport.abort()
            case Deafen():
                self._leaving = True
                self._websocket.transport.pause_reading()


def _credential(request: Request) -> Credential:
    path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
    match = _PATH.fullmatch(path)
    assert match is not None
    token = request.headers.get("Authorization", "").removeprefix("Token ").strip()
    named = [
        request.headers.get("x-goog-api-key", ""),
        *query.get("key", []),
        *query.get("access_token", []),
        token,
    ]
    key = next((one for one in named if one), "")
    return Credential(key, match["version"], match["constrained"] is not None)
