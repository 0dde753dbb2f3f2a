"""A server at an address: streamable HTTP, as the library speaks it, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp_types import JSONRPCRequest

from speakerd.config.mcp import header
from speakerd.tools.mcp.pace import LEAST_BYTES, MOST_BYTES, Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextvars import Context
    from types import TracebackType
    from typing import Self

    from mcp.client._transport import TransportStreams
    from mcp.shared._stream_protocols import ReadStream
    from mcp.shared.message import SessionMessage

    from speakerd.config.mcp import Server

#: No call takes so long; a stream of news that is silent for so long is not missed, see
#: :data:`~speakerd.tools.mcp.server.Limits.look_again_s`.
_SILENCE_S = 120.0
_CONNECTING_S = 10.0
#: A server may end a stream of news at once, and ask for the next one at once (``retry: 0``).
_BETWEEN_STREAMS_S = 5.0
#: It asks for nothing but whether we are there; who takes no answer has all of them wait here.
_BETWEEN_REQUESTS_S = 1.0
#: Of a stream so much is handed on at a time, which may be as many lines.
_PIECE_BYTES = 4 * 1024
#: What an answer says of itself by its status (RFC 9110), and what helps.
_REFUSALS = {
    401: "it refuses the headers (HTTP 401): is the token right?",
    403: "it refuses the headers (HTTP 403): may whoever has this token do that?",
    404: "it has nothing at this address (HTTP 404): is the path right, and its MCP server set up?",
}


@contextlib.asynccontextmanager
async def streams(
    server: Server, environ: Mapping[str, str], refused: Callable[[str, bool], None]
) -> AsyncIterator[TransportStreams]:
    """What the library reads from and writes to, while it speaks to ``server``.

    ``refused`` is called for each request that it answers by an HTTP error, with the reason, and
    whether that is that it knows nothing of the session any longer.
    Raises ConfigError where a credential is missing, or no part of a header.
    """
    headers = {name: header(name, text, environ) for name, text in server.headers}
    trust = await asyncio.to_thread(ssl.create_default_context)  # the system's; it takes time
    pace = Pace()
    next_stream_at = 0.0

    async def wait(request: httpx2.Request) -> None:
        nonlocal next_stream_at
        if request.method == "GET":
            now = asyncio.get_running_loop().time()
            begin_at = max(now, next_stream_at)
            next_stream_at = begin_at + _BETWEEN_STREAMS_S
            await asyncio.sleep(begin_at - now)

    async def look(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.RemoteProtocolError("it packs what it sends, and was asked not to")
        if response.status_code >= 400 and response.request.method == "POST":
            status = response.status_code
            # the specification, "Session Management"
            forgotten = status == 404 and "mcp-session-id" in response.request.headers
            refused(_REFUSALS.get(status, f"it answers HTTP {status}"), forgotten)
        endless = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = _Bounded(response.stream, pace, None if endless else MOST_BYTES)

    async with (
        httpx2.AsyncClient(
            headers={**headers, "Accept-Encoding": "identity"},
            verify=trust,
            timeout=httpx2.Timeout(_CONNECTING_S, read=_SILENCE_S),
            event_hooks={"request": [wait], "response": [look]},
        ) as client,
        streamable_http_client(server.url, http_client=client, max_sse_event_size=MOST_BYTES) as it,
    ):
        messages, outward = it
        yield _FewRequests(messages), outward


class _Bounded(httpx2.AsyncByteStream):
    """A body that is read at a pace, and no further than ``most_bytes``; None: it is a stream."""

    def __init__(self, body: object, pace: Pace, most_bytes: int | None) -> None:
        assert isinstance(body, httpx2.AsyncByteStream)  # noqa: S101 - the client is an async one
        self._body = body
        self._pace = pace
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for data in self._body:
            read += len(data)
            if self._most_bytes is None:
                for begin in range(0, len(data), _PIECE_BYTES):
                    piece = data[begin : begin + _PIECE_BYTES]
                    yield piece
                    # no message has fewer than two lines
                    lines = piece.count(b"\n") + piece.count(b"\r")
                    await self._pace.took(max(len(piece), lines * LEAST_BYTES // 2))
                continue
            if read > self._most_bytes:
                raise httpx2.StreamError(f"it is longer than {self._most_bytes // 1024} KiB")
            yield data
            await self._pace.took(len(data))

    async def aclose(self) -> None:
        await self._body.aclose()


class _FewRequests:
    """What a server says, with no more requests of its own than one in a while."""

    def __init__(self, messages: ReadStream[SessionMessage | Exception]) -> None:
        self._messages = messages
        self._next_at = 0.0

    @property
    def last_context(self) -> Context | None:
        """That of whoever sent the last one, as the library's own stream has it."""
        found: Context | None = getattr(self._messages, "last_context", None)
        return found

    async def receive(self) -> SessionMessage | Exception:
        while True:
            item = await self._messages.receive()
            if isinstance(item, Exception) or not isinstance(item.message, JSONRPCRequest):
                return item
            now = asyncio.get_running_loop().time()
            if now >= self._next_at:
                self._next_at = now + _BETWEEN_REQUESTS_S
                return item

    async def aclose(self) -> None:
        await self._messages.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()
