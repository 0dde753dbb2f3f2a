"""How much of a server is listened to at a time, whatever it is made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp.shared.message import SessionMessage

from speakerd.config import mcp
from speakerd.tools.mcp import pace as paces
from speakerd.tools.mcp import web
from speakerd.tools.mcp.link import Link
from speakerd.tools.mcp.pace import LEAST_BYTES, Pace
from tests.tools.mcp_world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each time that somebody has rested, which takes none here."""
    found: list[float] = []

    class Asyncio:
        get_running_loop = staticmethod(asyncio.get_running_loop)

        @staticmethod
        async def sleep(seconds: float) -> None:
            found.append(seconds)

    monkeypatch.setattr(paces, "asyncio", Asyncio)
    return found


async def test_short_messages_are_listened_to_at_a_pace_too(rests: list[float]) -> None:
    pace = Pace(10 * LEAST_BYTES)
    for _ in range(10):
        await pace.took(1)
    assert not rests
    await pace.took(1)
    assert len(rests) == 1


async def test_short_lines_of_a_stream_are_so_too(rests: list[float]) -> None:
    class Body(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"\n" * 64 * 1024

    pieces = [each async for each in web._Bounded(Body(), Pace(), None)]
    assert b"".join(pieces) == b"\n" * 64 * 1024
    assert max(map(len, pieces)) <= 4 * 1024
    assert len(rests) == len(pieces)


async def test_a_stream_that_ends_at_once_is_not_opened_at_once_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    opened: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(
            (line for line in head.splitlines() if line.startswith("content-length")), ":0"
        )
        said = (await reader.readexactly(int(length.partition(":")[2]))).decode()
        opened.append(head.partition(" ")[0])
        kind, body, status = "application/json", "", "202 Accepted"
        if head.startswith("get"):
            kind, body, status = "text/event-stream", "retry: 0\nid: 1\ndata:\n\n", "200 OK"
        elif '"initialize"' in said:
            status, body = "200 OK", INITIALIZED.replace("ID", said.partition('"id":')[2][0])
        elif "mcp-method" in head:
            status = "400 Bad Request"
        lines = (
            f"HTTP/1.1 {status}",
            f"content-type: {kind}",
            f"content-length: {len(body)}",
            "mcp-session-id: s",
            "connection: close",
        )
        writer.write("\r\n".join([*lines, "", body]).encode())
        writer.close()

    class Asyncio:
        get_running_loop = staticmethod(asyncio.get_running_loop)
        to_thread = asyncio.to_thread

        @staticmethod
        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) > 3:
                await asyncio.Event().wait()

    monkeypatch.setattr(web, "asyncio", Asyncio)
    async with await asyncio.start_server(answer, "127.0.0.1") as listening:
        port = listening.sockets[0].getsockname()[1]
        entry = mcp.Server("home", f"http://127.0.0.1:{port}/mcp")
        async with Link("home").opened(entry, {}):
            await until(lambda: len(waits) > 3)
    assert waits[0] == 0
    assert waits[3] > waits[2] > waits[1] > 0
    assert opened.count("get") == 3


async def test_a_server_that_asks_all_the_time_is_answered_now_and_then() -> None:
    ping = SessionMessage(types.JSONRPCRequest(jsonrpc="2.0", id=1, method="ping"))
    note = SessionMessage(types.JSONRPCNotification(jsonrpc="2.0", method="news"))
    said, messages = anyio.create_memory_object_stream[SessionMessage | Exception](1000)
    heard: list[SessionMessage | Exception] = [note, *[ping] * 101, note, ValueError()]
    for each in heard:
        said.send_nowait(each)
    said.close()
    async with web._FewRequests(messages) as few:
        found = [each async for each in few]
    assert found[:3] == [note, ping, note]
    assert len(found) == 4


INITIALIZED = (
    '{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},'
    '"serverInfo":{"name":"hasty","version":"1"}}}'
)
