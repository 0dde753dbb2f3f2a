"""One connection to one server: its tools, and calls of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import mcp_types as types
from mcp.client.client import Client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from speakerd import __version__
from speakerd.tools.mcp import child, web
from speakerd.tools.mcp.library import ForgottenError
from speakerd.tools.mcp.offers import Listed
from speakerd.tools.mcp.results import result_of
from speakerd.tools.mcp.words import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from mcp.client.session import IncomingMessage

    from speakerd.config.mcp import Server
    from speakerd.tools.tool import Result

#: Nobody needs more pages than this many, nor more tools; of a server without end no more is read.
_MOST_PAGES = 32
_MOST_LISTED = 512
#: How long a server may take to say what it is and what it has; and to do something.
_ANSWER_S = 10.0
_CALL_S = 60.0
_ANSWERS: Final = TypeAdapter[types.CallToolResult | types.InputRequiredResult](
    types.CallToolResult | types.InputRequiredResult
)


class Link:
    """A connection that is there, until ``over`` says why it is none any longer.

    ``news`` is set when it is over, and when the server says that its tools are other ones.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = ""
        self.trouble = ""  # the last thing that was wrong, if anything was
        self.news = asyncio.Event()
        self.ended = asyncio.Event()
        self._client: Client | None = None
        self._forgotten = False

    def end(self, reason: str) -> None:
        """It is of no use any longer."""
        self.over = self.over or reason
        self.ended.set()
        self.news.set()

    def refused(self, reason: str, forgotten: bool) -> None:
        """The server did not like a request, or has forgotten who asks."""
        self.trouble = reason
        self._forgotten |= forgotten

    async def heard(self, message: IncomingMessage) -> None:
        """The server says something that nobody has asked for."""
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self.news.set()

    async def tools(self) -> list[Listed]:
        """What it offers. Raises what goes wrong."""
        session = self._connected.session
        cursor: str | None = None
        found: list[Listed] = []
        for _ in range(_MOST_PAGES):
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            # aside: what it has made of its schemas may take its time
            found += await asyncio.to_thread(_listed, page.tools[: _MOST_LISTED - len(found)])
            cursor = page.next_cursor
            if not cursor or len(found) >= _MOST_LISTED:
                break
        return found

    async def call(self, tool: str, args: Mapping[str, object]) -> Result:
        """What became of it, an ``error`` if nothing did; whoever cancels this cancels it there.

        Raises ForgottenError.
        """
        params = types.CallToolRequestParams(name=tool, arguments=dict(args))
        try:
            params.model_dump_json()
        except ValueError:  # the library would fail over it, and the connection with it
            return {"error": "nothing was done: an argument has half a letter in it"}
        try:
            # not by call_tool(), which holds the answer against a schema of the server's own: an
            # expression in there may keep this thread busy for as long as the server likes
            answer = await self._connected.session.send_request(
                types.CallToolRequest(params=params),
                _ANSWERS,
                request_read_timeout_seconds=_CALL_S,  # whoever calls is not so patient
            )
        except MCPError as error:
            if self._forgotten:
                raise ForgottenError from None
            why = self.over or one_line(error.message)
            return {"error": f"the server {self.name} did not do it, or does not say so: {why}"}
        except ValidationError:
            return {"error": f"the server {self.name} answers by what is no answer"}
        if isinstance(answer, types.InputRequiredResult):
            return {"error": f"the server {self.name} wants to know more, which nobody can tell it"}
        return result_of(answer)

    @contextlib.asynccontextmanager
    async def opened(self, server: Server, environ: Mapping[str, str]) -> AsyncIterator[Link]:
        """Itself, while it is open. Raises whatever goes wrong, in a group or not."""
        if server.command:
            streams = child.streams(server, environ, self.end)
        else:
            streams = web.streams(server, environ, self.refused)
        about_us = types.Implementation(name="speakerd", version=__version__)
        async with (
            Client(
                streams,
                message_handler=self.heard,
                client_info=about_us,
                read_timeout_seconds=_ANSWER_S,
                cache=None,
            ) as client,
            contextlib.AsyncExitStack() as stack,
        ):
            self._client = client
            self.trouble = ""
            await self._listen(stack)
            yield self

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        """Hear of changes also where they have to be asked for, from protocol 2026-07-28 on."""
        with contextlib.suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
            # its events come to `heard`, too
            await stack.enter_async_context(self._connected.listen(tools_list_changed=True))

    @property
    def _connected(self) -> Client:
        if self._client is None:
            raise RuntimeError("it is not open")
        return self._client


def _listed(tools: Iterable[types.Tool]) -> list[Listed]:
    return [
        Listed.of(
            tool.name,
            tool.description or tool.title or "",
            tool.input_schema,
            reads_only=bool(tool.annotations and tool.annotations.read_only_hint),
        )
        for tool in tools
    ]
