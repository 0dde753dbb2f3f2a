"""A server at an address: streamable HTTP, as the library speaks it, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client

from speakerd.config.mcp import filled
from speakerd.tools.mcp.pace import MOST_BYTES, Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mcp.client._transport import TransportStreams

    from speakerd.config.mcp import Server

#: No call takes so long; a stream of news that is silent for so long is not missed, see
#: :data:`~speakerd.tools.mcp.server.Limits.look_again_s`.
_SILENCE_S = 120.0
_CONNECTING_S = 10.0
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
    Raises ConfigError where a credential is missing.
    """
    headers = {name: filled(text, environ) for name, text in server.headers}
    trust = await asyncio.to_thread(ssl.create_default_context)  # the system's; it takes time
    pace = Pace()

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
            event_hooks={"response": [look]},
        ) as client,
        streamable_http_client(server.url, http_client=client, max_sse_event_size=MOST_BYTES) as it,
    ):
        yield it


class _Bounded(httpx2.AsyncByteStream):
    """A body that is read at a pace, and no further than ``most_bytes``."""

    def __init__(self, body: object, pace: Pace, most_bytes: int | None) -> None:
        assert isinstance(body, httpx2.AsyncByteStream)  # noqa: S101 - the client is an async one
        self._body = body
        self._pace = pace
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for data in self._body:
            read += len(data)
            if self._most_bytes is not None and read > self._most_bytes:
                raise httpx2.StreamError(f"it is longer than {self._most_bytes // 1024} KiB")
            yield data
            await self._pace.took(len(data))

    async def aclose(self) -> None:
        await self._body.aclose()
