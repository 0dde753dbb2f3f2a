"""The simulator as a server: TLS WebSockets around the pure protocol.

Everything here is a thin shell: it reads frames and the clock, hands them to a
:class:`~speakerd.simulator.connection.Connection` and carries out what that gives back.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from speakerd.simulator import faults, minting
from speakerd.simulator.audio import write_wav
from speakerd.simulator.certificate import server_context
from speakerd.simulator.connection import Connection
from speakerd.simulator.faults import Moment, Phase, Plan, Script
from speakerd.simulator.machine import State
from speakerd.simulator.minting import PostingConnection
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.setup import Credential
from speakerd.simulator.tokens import LIFE_S, START_S
from speakerd.simulator.traffic import Traffic, traffic
from speakerd.simulator.wire import ABNORMAL_CLOSURE, Deafen, Hangup, Output, Reset, Send
from speakerd.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from websockets.http11 import Request, Response

    from speakerd.simulator.records import ConnectionRecord, TurnRecord

log = logging.getLogger(__name__)

T = TypeVar("T")

_PATH = re.compile(
    r"/{1,2}ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent(Constrained)?"
)
#: A client's frame may be this large; ten minutes of audio in one are less.
_LARGEST_FRAME_BYTES = 32 * 1024 * 1024
_CLOSE_TIMEOUT_S = 1.0
_GOING_AWAY = 1001  # RFC 6455


class Simulator:
    """A Live API server on this machine, as an asynchronous context manager.

    ``turns``, ``connections`` and ``setups`` say what has happened, oldest first; ``plan`` what
    shall go wrong. What acts on "the" connection acts on the newest open one and raises
    LookupError if there is none.
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        """Raises ValueError or OSError if the reply file of ``options`` cannot be used."""
        self.options = options or SimulatorOptions()
        self.certificate = Path()
        self.port = 0
        self._world = World(self.options, self)
        self._links: dict[int, _Link] = {}
        self._changed = asyncio.Event()
        self._stack = AsyncExitStack()
        self._bugs: list[Exception] = []  # of the simulator; they are raised when it ends

    async def __aenter__(self) -> Self:
        """Raises OSError if it cannot listen there."""
        async with AsyncExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="speakerd-"))
            self.certificate = Path(directory) / "simulator-ca.pem"
            server = await stack.enter_async_context(
                serve(
                    self._serve,
                    self.options.host,
                    self.options.port,
                    ssl=server_context(self._name, self.certificate),
                    process_request=self._process_request,
                    create_connection=PostingConnection,
                    ping_interval=None,  # the real server does not ping
                    compression="deflate" if self.options.deflate else None,
                    max_size=_LARGEST_FRAME_BYTES,
                    close_timeout=_CLOSE_TIMEOUT_S,
                )
            )
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_error: object) -> None:
        for link in self._links.values():
            link.leave()
        await self._stack.aclose()
        if self._bugs:
            raise self._bugs[0]

    # --- where it is

    @property
    def _name(self) -> str:
        """The host name or address that leads here: for whom it is named, or from this machine."""
        if self.options.name:
            return self.options.name
        host = self.options.host
        with suppress(ValueError):
            if ipaddress.ip_address(host).is_unspecified:
                return "localhost"
        return host

    @property
    def base_url(self) -> str:
        """What to use as the base URL of the API."""
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"https://{name}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The environment variables that lead google-genai, of Python and Node.js, here.

        ``certificate`` (PEM) is what they trust; it exists while the simulator runs.
        """
        return {
            "GOOGLE_GEMINI_BASE_URL": self.base_url,
            "SSL_CERT_FILE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "GEMINI_API_KEY": next(iter(self.options.keys), ""),
            "no_proxy": self._name,  # whatever HTTPS_PROXY is for the rest of the world
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

    def traffic(self) -> Traffic:
        """What has gone over the newest open connection; LookupError if there is none."""
        for link in reversed(self._links.values()):
            return link.traffic()
        raise LookupError("no connection is open")

    async def wait_for(self, condition: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Wait until ``condition()`` is true, and give what it was.

        It is looked at after everything that happens here. Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            while not (value := condition()):
                self._changed.clear()
                await self._changed.wait()
            return value

    # --- what shall happen

    def mint(self, *, uses: int = 1, start_s: float = START_S, life_s: float = LIFE_S) -> str:
        """An ephemeral token of the first key, as a POST to ``v1alpha/auth_tokens`` makes them."""
        now = time.monotonic()
        return self._world.tokens.mint(
            self.options.keys[0], now, uses=uses, start_s=start_s, life_s=life_s
        )

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

    def inject(self, message: Mapping[str, Any] | bytes) -> None:
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
            self.note(turn.connection, f"turn {turn.number}: saved {path}")

    # --- serving

    def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        if isinstance(websocket, PostingConnection) and websocket.posted is not None:
            return self._posted(websocket, request, websocket.posted)
        moment = Moment(Phase.UPGRADE, self._world.next_connection)
        for planned in self._world.script.faults(moment):
            match planned.fault:
                case faults.HttpStatus(status):
                    return websocket.respond(HTTPStatus(status), "")
                case faults.Abort():
                    websocket.transport.abort()  # and the answer goes nowhere
                    return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")
        if _PATH.fullmatch(_split(request)[0]) is None:
            return websocket.respond(HTTPStatus.NOT_FOUND, "")
        return None

    def _posted(self, websocket: ServerConnection, request: Request, body: bytes) -> Response:
        if minting.PATH.fullmatch(_split(request)[0]) is None:
            return websocket.respond(HTTPStatus.NOT_FOUND, "")
        key = _credential(request).key
        clocks = (time.monotonic(), time.time())
        status, answer = minting.mint(self._world.tokens, key, self.options.keys, body, clocks)
        log.info("a token is asked for: HTTP %d", status)
        response = websocket.respond(status, json.dumps(answer))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def _serve(self, websocket: ServerConnection) -> None:
        if (request := websocket.request) is None:
            return  # cannot be after an upgrade
        now = time.monotonic()
        credential = _credential(request)
        record = self._world.new_connection(_split(request)[0], now)
        record.key = credential.key
        record.user_agent = request.headers.get("User-Agent", "an unnamed client")
        self.note(record.number, f"opened by {record.user_agent}")
        core = Connection(record, credential, self._world, now)
        self._links[record.number] = link = _Link(websocket, core, self._changed.set)
        self._changed.set()
        try:
            await link.run()
        except Exception as error:
            self._bugs.append(error)
            raise
        finally:
            del self._links[record.number]
            self._changed.set()


class _Link:
    """Drives one connection: frames in, outputs out, one timer."""

    def __init__(
        self, websocket: ServerConnection, core: Connection, changed: Callable[[], None]
    ) -> None:
        self.core = core
        self._websocket = websocket
        self._changed = changed
        self._work = asyncio.Event()
        self._deaf = False

    async def run(self) -> None:
        """Serve until the socket is gone."""
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write(), name="simulator writer")
            try:
                with suppress(ConnectionClosed):  # its code is told below
                    async for frame in self._websocket:
                        self.core.receive(frame, time.monotonic())
                        self._moved()
            finally:
                code = int(self._websocket.close_code or ABNORMAL_CLOSURE)
                reason = self._websocket.close_reason or ""
                self.core.ended(time.monotonic(), by="client", code=code, reason=reason)
                writer.cancel()

    def traffic(self) -> Traffic:
        """What has gone over it."""
        return traffic(self._websocket.transport.get_extra_info("socket"))

    def act(self, act: faults.Act) -> None:
        """Let something happen now."""
        self.core.act(act, time.monotonic())
        self._moved()

    def leave(self) -> None:
        """The server stops."""
        if self._deaf:
            self._websocket.transport.abort()  # it would not read the client's farewell
        else:
            self.act(faults.Close(_GOING_AWAY, ""))

    def _moved(self) -> None:
        self._work.set()
        self._changed()

    async def _write(self) -> None:
        """Carry out what the core gives, and wake it when it is time."""
        with suppress(ConnectionClosed):
            while True:
                self._work.clear()
                self.core.wake(time.monotonic())
                self._changed()
                for output in self.core.take():
                    await self._carry_out(output)
                await self._sleep()

    async def _sleep(self) -> None:
        """Until there is work."""
        deadline = self.core.deadline()
        with suppress(TimeoutError):
            async with asyncio.timeout(
                None if deadline is None else max(0.0, deadline - time.monotonic())
            ):
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
                self._deaf = True
                self._websocket.transport.pause_reading()


def _split(request: Request) -> tuple[str, str]:
    """Path and query; urlsplit() would take what follows two slashes for a host."""
    path, _, query = request.path.partition("?")
    return path, query


def _credential(request: Request) -> Credential:
    path, query_string = _split(request)
    query = parse_qs(query_string)
    match = _PATH.fullmatch(path)
    version, constrained = match.groups() if match is not None else ("", None)
    named = (
        request.headers.get("x-goog-api-key", ""),
        *query.get("key", []),
        *query.get("access_token", []),
        request.headers.get("Authorization", "").removeprefix("Token").strip(),
    )
    key = next((one for one in named if one), "")
    return Credential(key, version, constrained is not None)
