"""The control socket: JSON lines on a Unix socket, one object a line, each answered by one.

    {"command": "press"}    {"ok": true}
    {"command": "dance"}    {"ok": false, "error": "unknown command 'dance'; known are ..."}

After ``subscribe`` has been answered, events come on the same connection as they happen, between
the answers to further commands: an event has the key ``event``, an answer has ``ok``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import stat
from typing import TYPE_CHECKING

from speakerd.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    Message = Mapping[str, object]
    Command = Callable[[Message], Message | Awaitable[Message]]

#: The longest line, without its end; a longer one is refused and its sender hung up on.
LINE_LIMIT_BYTES = 64 * 1024
#: What may wait in this process for one subscriber; the kernel's buffer comes on top.
_BACKLOG_LIMIT_BYTES = 256 * 1024
_PROBE_TIMEOUT_S = 1.0


class ControlServer:
    """Serves ``commands`` on a Unix socket at ``path``.

    A command is called in the loop's thread with the whole message, and returns the answer: an
    object with ``ok``, and with ``error`` where that is False. It must not block; where the answer
    takes its time it is something to be awaited, and cancelled by :meth:`close`.
    """

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._closing = False
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._subscribers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. The mode is 0660, the folder has to be there, a dead daemon's socket is replaced.

        Raises ConfigError where that is impossible, and UnavailableError where another speakerd
        answers.
        """
        self._closing = False
        self._server = await asyncio.start_unix_server(
            self._serve, sock=_bind(self._path), limit=LINE_LIMIT_BYTES
        )

    async def close(self) -> None:
        """Stop listening, hang up on everybody, and remove the socket."""
        if self._server is None:
            return
        self._closing = True
        self._server.close()
        self._path.unlink(missing_ok=True)
        for client in self._clients:
            client.transport.abort()
        serving = [task for task in self._clients.values() if task is not None]
        for task in serving:  # one may wait for an answer that nobody gives any more
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def publish(self, event: Message) -> None:
        """Tell every subscriber; whoever does not read what came before is hung up on."""
        if not self._subscribers:
            return
        line = _line(event)
        for client in list(self._subscribers):
            if client.transport.get_write_buffer_size() <= _BACKLOG_LIMIT_BYTES:
                client.write(line)
                continue
            self._subscribers.discard(client)
            client.write(_line({"event": "dropped", "error": "events were not read in time"}))
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._clients[client] = asyncio.current_task()
        if self._closing:
            client.transport.abort()
        try:
            with contextlib.suppress(ConnectionError):  # the client has hung up
                await self._converse(reader, client)
        except asyncio.CancelledError:
            if not self._closing:
                raise
        finally:
            self._subscribers.discard(client)
            client.close()
            with contextlib.suppress(ConnectionError):
                await client.wait_closed()
            del self._clients[client]

    async def _converse(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # where the line ends is not known
                client.write(_refusal(f"a line has at most {LINE_LIMIT_BYTES} bytes"))
                return
            if not line and client in self._subscribers:  # it will say nothing more, but listens
                await client.wait_closed()
            if not line or client.is_closing():
                return
            client.write(await self._answer(line, client))
            await client.drain()

    async def _answer(self, line: bytes, client: asyncio.StreamWriter) -> bytes:
        try:
            message = json.loads(line)
            json.dumps(message, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            return _refusal("this is not JSON: a line is one object")
        if not isinstance(message, dict):
            return _refusal('this is not an object, such as {"command": "status"}')
        command = message.get("command")
        if not isinstance(command, str):
            return _refusal('"command" is missing, or is not a string')
        if command == "subscribe":
            self._subscribers.add(client)
            return _line({"ok": True})
        if command not in self._commands:
            known = ", ".join(sorted([*self._commands, "subscribe"]))
            return _refusal(f"unknown command {command[:40]!r}; known are {known}")
        answer = self._commands[command](message)
        return _line(await answer if inspect.isawaitable(answer) else answer)


def _line(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _refusal(error: str) -> bytes:
    return _line({"ok": False, "error": error})


def _bind(path: Path) -> socket.socket:
    """A socket bound to ``path``, not listening yet."""
    _remove_stale(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o660)  # nobody could connect yet: it does not listen
    except FileNotFoundError:
        bound.close()
        raise ConfigError(
            f"SPEAKERD_CONTROL_SOCKET: there is no folder {path.parent}; /run/speakerd is made by "
            "systemd for its service: elsewhere name a socket in a folder of your own"
        ) from None
    except OSError as error:
        bound.close()
        raise ConfigError(f"SPEAKERD_CONTROL_SOCKET: {path}: {error.strerror or error}") from None
    return bound


def _remove_stale(path: Path) -> None:
    """Remove what a dead daemon has left at ``path``."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"SPEAKERD_CONTROL_SOCKET: {path} is there and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_TIMEOUT_S)
            probe.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return
    except OSError as error:
        raise ConfigError(f"SPEAKERD_CONTROL_SOCKET: {path}: {error.strerror or error}") from None
    raise UnavailableError(  # it may end: systemd tries again
        f"another speakerd is running, it answers on {path}: "
        "stop it, or give this one another SPEAKERD_CONTROL_SOCKET and SPEAKERD_STATE_DIRECTORY"
    )
