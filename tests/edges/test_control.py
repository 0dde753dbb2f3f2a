"""The control socket, from both ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.errors import ConfigError, UnavailableError
from speakerd.service import client
from speakerd.service.control import LINE_LIMIT_BYTES, ControlServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

TIMEOUT_S = 10.0


class Speaker:
    """A daemon's commands: counts what it was told."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, object]] = []

    def press(self, message: Mapping[str, object]) -> Mapping[str, object]:
        self.told.append(message)
        return {"ok": True}

    def status(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        return {"ok": True, "state": "idle", "told": len(self.told)}


class Line:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self) -> dict[str, Any] | None:
        line = await asyncio.wait_for(self.reader.readline(), TIMEOUT_S)
        message: dict[str, Any] | None = json.loads(line) if line else None
        return message

    async def ask(self, data: bytes) -> dict[str, Any]:
        self.send(data + b"\n")
        answer = await self.read()
        assert answer is not None
        return answer

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
async def server(path: Path, speaker: Speaker) -> AsyncIterator[ControlServer]:
    server = ControlServer(path, {"press": speaker.press, "status": speaker.status})
    await server.start()
    yield server
    await server.close()


@contextlib.asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Line]:
    line = Line(*await asyncio.open_unix_connection(path, limit=2**20))
    try:
        yield line
    finally:
        await line.close()


@pytest.fixture
async def line(server: ControlServer, path: Path) -> AsyncIterator[Line]:
    assert server is not None
    async with connected(path) as line:
        yield line


async def test_each_line_is_answered_by_one(line: Line, speaker: Speaker) -> None:
    line.send(b'{"command": "press", "more": 1}\n{"command": "status"}\n')
    assert await line.read() == {"ok": True}
    assert await line.read() == {"ok": True, "state": "idle", "told": 1}
    assert speaker.told == [{"command": "press", "more": 1}]


async def test_a_last_line_without_an_end_counts(line: Line) -> None:
    line.send(b'{"command": "press"}')
    line.writer.write_eof()
    assert await line.read() == {"ok": True}
    assert await line.read() is None


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", "not JSON"),
        (b"press", "not JSON"),
        (b'{"command": "press"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"command": "press", "text": "\\ud800"}', "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b'["press"]', "not an object"),
        (b'"press"', "not an object"),
        (b"{}", '"command" is missing'),
        (b'{"command": 1}', "is not a string"),
        (b'{"command": ["press"]}', "is not a string"),
        (b'{"command": "dance"}', "unknown command 'dance'; known are press, status, subscribe"),
        (b'{"command": "__class__"}', "unknown command"),
    ],
)
async def test_what_cannot_be_understood_changes_nothing(
    line: Line, speaker: Speaker, sent: bytes, error: str
) -> None:
    answer = await line.ask(sent)
    assert answer["ok"] is False
    assert error in answer["error"]
    assert speaker.told == []
    assert await line.ask(b'{"command": "press"}') == {"ok": True}


async def test_a_line_too_long_is_answered_and_hung_up_on(
    line: Line, speaker: Speaker, path: Path
) -> None:
    answer = await line.ask(b" " * LINE_LIMIT_BYTES + b'{"command": "press"}')
    assert answer == {"ok": False, "error": "a line has at most 65536 bytes"}
    assert await line.read() is None
    assert speaker.told == []
    async with connected(path) as other:
        assert (await other.ask(b'{"command": "status"}'))["ok"] is True


async def test_a_client_that_hangs_up_in_mid_line_harms_nobody(
    line: Line, server: ControlServer, path: Path
) -> None:
    for _ in range(50):
        async with connected(path) as other:
            other.send(b'{"command": "sub')
    async with connected(path) as other:
        await other.ask(b'{"command": "subscribe"}')
    server.publish({"event": "state"})
    assert (await line.ask(b'{"command": "status"}'))["ok"] is True


async def test_many_clients_are_served_at_once(server: ControlServer, path: Path) -> None:
    assert server is not None
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connected(path)) for _ in range(50)]
        answers = await asyncio.gather(*(each.ask(b'{"command": "press"}') for each in lines))
        assert answers == 50 * [{"ok": True}]
        assert (await lines[0].ask(b'{"command": "status"}'))["told"] == 50


async def test_subscribers_get_every_event_between_their_answers(
    line: Line, server: ControlServer, path: Path
) -> None:
    server.publish({"event": "state", "n": 0})
    assert await line.ask(b'{"command": "subscribe"}') == {"ok": True}
    async with connected(path) as other:
        assert await other.ask(b'{"command": "status"}') == {
            "ok": True,
            "state": "idle",
            "told": 0,
        }
        server.publish({"event": "transcript", "text": "grüß dich \ud800"})
        assert await line.read() == {"event": "transcript", "text": "grüß dich ?"}
        assert await line.ask(b'{"command": "press"}') == {"ok": True}
        server.publish({"event": "state", "n": 2})
        assert await line.read() == {"event": "state", "n": 2}
        assert (await other.ask(b'{"command": "status"}'))["ok"] is True


async def test_a_subscriber_that_has_said_its_last_still_listens(
    line: Line, server: ControlServer
) -> None:
    assert await line.ask(b'{"command": "subscribe"}') == {"ok": True}
    line.writer.write_eof()
    server.publish({"event": "state"})
    assert await line.read() == {"event": "state"}


async def test_a_subscriber_that_does_not_read_is_hung_up_on(
    line: Line, server: ControlServer, path: Path
) -> None:
    assert await line.ask(b'{"command": "subscribe"}') == {"ok": True}
    async with connected(path) as slow:
        assert await slow.ask(b'{"command": "subscribe"}') == {"ok": True}
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport
        sent = 0
        while sent < 100:
            server.publish({"event": "transcript", "n": sent, "text": "x" * 20_000})
            event = await line.read()
            assert event is not None
            assert event["n"] == sent
            sent += 1
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        events = []
        while (event := await slow.read()) is not None:
            events.append(event)
    assert events[-1] == {"event": "dropped", "error": "events were not read in time"}
    assert [event["n"] for event in events[:-1]] == list(range(len(events) - 1))
    assert 1 < len(events) < sent


async def test_closing_hangs_up_on_everybody_and_leaves_nothing(
    path: Path, speaker: Speaker
) -> None:
    server = ControlServer(path, {"press": speaker.press})
    await server.start()
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connected(path)) for _ in range(5)]
        await lines[0].ask(b'{"command": "subscribe"}')
        await lines[1].ask(b'{"command": "press"}')
        # the others may not even have been accepted
        await asyncio.wait_for(server.close(), TIMEOUT_S)
        for line in lines:
            with contextlib.suppress(ConnectionError):
                assert await line.read() is None
    assert not await asyncio.to_thread(path.exists)
    server.publish({"event": "state"})
    await server.close()


async def test_members_of_the_group_may_use_it_and_others_not(
    server: ControlServer, path: Path
) -> None:
    assert server is not None
    assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o660


async def test_a_dead_daemons_socket_is_replaced(path: Path, speaker: Speaker) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer(path, {"press": speaker.press})
    await server.start()
    async with connected(path) as line:
        assert await line.ask(b'{"command": "press"}') == {"ok": True}
    await server.close()


async def test_a_living_daemons_socket_is_not(line: Line, path: Path) -> None:
    with pytest.raises(UnavailableError, match="another speakerd is running"):
        await ControlServer(path, {}).start()
    assert (await line.ask(b'{"command": "status"}'))["ok"] is True


async def test_where_it_cannot_listen_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, reason in (
        (tmp_path / "none" / "control.sock", "there is no folder"),
        (file, "is there and is not a socket"),
        (file / "control.sock", "Not a directory"),
    ):
        with pytest.raises(ConfigError, match=reason) as caught:
            await ControlServer(path, {}).start()
        assert str(caught.value).startswith("SPEAKERD_CONTROL_SOCKET: ")
    assert file.exists()


# --- the other end


async def test_a_request_is_answered(server: ControlServer, path: Path) -> None:
    assert server is not None
    assert await asyncio.to_thread(client.request, path, {"command": "press"}) == {"ok": True}
    answer = await asyncio.to_thread(client.request, path, {"command": "dance"})
    assert answer["ok"] is False


async def test_events_can_be_followed(server: ControlServer, path: Path) -> None:
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def follow() -> list[dict[str, object]]:
        with client.subscribe(path, timeout_s=TIMEOUT_S) as events:
            loop.call_soon_threadsafe(subscribed.set)
            return list(events)

    following = asyncio.create_task(asyncio.to_thread(follow))
    await asyncio.wait_for(subscribed.wait(), TIMEOUT_S)
    for n in range(3):
        server.publish({"event": "state", "n": n})
    await server.close()
    assert await following == [{"event": "state", "n": n} for n in range(3)]


async def test_why_a_long_message_is_refused_is_heard(server: ControlServer, path: Path) -> None:
    assert server is not None
    message = {"command": "say", "text": "x" * 10 * LINE_LIMIT_BYTES}
    answer = await asyncio.to_thread(client.request, path, message)
    assert answer == {"ok": False, "error": "a line has at most 65536 bytes"}


@pytest.fixture
def stranger(path: Path) -> Iterator[socket.socket]:
    """Something else that listens there."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield listening


def answering(listening: socket.socket, answer: bytes) -> threading.Thread:
    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "hung up without an answer"),
        (b"HTTP/1.1 400\n", "not speakerd"),
        (b"[]\n", "not spea"),
    ],
)
def test_a_stranger_is_told_apart(
    stranger: socket.socket, path: Path, answer: bytes, error: str
) -> None:
    thread = answering(stranger, answer)
    with pytest.raises(UnavailableError, match=error):
        client.request(path, {"command": "status"})
    thread.join()


def test_a_daemon_that_hangs_is_not_waited_for(stranger: socket.socket, path: Path) -> None:
    assert stranger is not None
    with pytest.raises(UnavailableError, match=r"said nothing for 0\.05 s"):
        client.request(path, {"command": "status"}, timeout_s=0.05)


def test_nobody_there_is_said_with_what_to_look_at(path: Path) -> None:
    with pytest.raises(UnavailableError, match="is it running") as caught:
        client.request(path, {"command": "status"})
    assert caught.value.exit_code == 69
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(UnavailableError, match="is it running"), client.subscribe(path):
        pass


def test_who_may_use_it_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):  # the kernel refuses root nothing
        def connect(self, _address: object) -> None:
            raise PermissionError

    monkeypatch.setattr(socket, "socket", Forbidden)
    with pytest.raises(UnavailableError, match="members of the group speakerd"):
        client.request(path, {"command": "status"})
