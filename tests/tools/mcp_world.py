"""Servers of the official library's, on this machine, and somebody who uses their tools."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server as OfficialServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

from speakerd.config import mcp
from speakerd.tools.mcp.server import Limits
from speakerd.tools.mcp.servers import Servers

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Mapping,
        MutableMapping,
    )

    from speakerd.tools.tool import Result, SpeakerPort, Tool

    Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

#: As the speaker's, but nobody waits.
QUICK = Limits(
    starting_s=20.0,
    listing_s=5.0,
    retry_s=0.02,
    longest_retry_s=0.1,
    withdraw_s=30.0,
    look_again_s=60.0,
    pause_s=0.01,
    renewing_s=20.0,
)
_PATIENCE_S = 30.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - others do it, and announce it nowhere
            await asyncio.sleep(0.005)


def tool(name: str, schema: Mapping[str, Any] | None = None, **more: Any) -> types.Tool:  # noqa: ANN401 - as Tool takes them
    return types.Tool(
        name=name,
        description=f"Does {name}.",
        input_schema=dict(schema or {"type": "object", "properties": {}}),
        **more,
    )


def text(said: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=said)], is_error=is_error
    )


@dataclass
class Official:
    """A server; ``answer(name, arguments)`` makes the result of a call."""

    tools: list[types.Tool] = field(default_factory=lambda: [tool("light_on")])
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)  # of each request
    page_size: int = 1000
    lists: int = 0
    refuses: int = 0  # by this HTTP status
    no_stream: bool = False  # of news that nobody has asked for
    deaf: bool = False  # to a good-bye
    good_byes: int = 0
    legacy: bool = False  # knows no protocol but those with a handshake
    hang: asyncio.Event = field(default_factory=asyncio.Event)
    answers: Mapping[str, Callable[[], types.CallToolResult]] = field(default_factory=dict)
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    sessions: set[Any] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop | None = None  # its own

    def made(self) -> OfficialServer[Any]:
        return OfficialServer(
            "official",
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_subscriptions_listen=ListenHandler(self.bus),
        )

    async def _list(
        self,
        context: Any,  # noqa: ANN401 - the library's
        params: types.PaginatedRequestParams | None,
    ) -> types.ListToolsResult:
        self.lists += 1
        self.sessions.add(context.session)
        begin = int(params.cursor) if params and params.cursor else 0
        end = begin + self.page_size
        more = str(end) if end < len(self.tools) else None
        return types.ListToolsResult(tools=self.tools[begin:end], next_cursor=more)

    async def _call(self, _context: object, params: types.CallToolRequestParams) -> Any:  # noqa: ANN401 - so too
        self.calls.append((params.name, params.arguments or {}))
        if params.name == "hang":
            try:
                await self.hang.wait()
            except asyncio.CancelledError:
                self.cancelled.append(params.name)
                raise
        made = self.answers.get(params.name)
        return made() if made is not None else text(f"{params.name} is done")

    async def change(self, tools: list[types.Tool]) -> None:
        """Have other tools, and tell of it as the protocol of the client has it."""
        self.tools = tools
        await self.tell()

    async def tell(self, times: int = 1) -> None:
        """Tell that the tools are others."""
        await self._there(self._tell(times))

    async def release(self) -> None:
        """Let the calls that hang end."""
        await self._there(self._release())

    async def _there(self, doing: Coroutine[Any, Any, None]) -> None:
        assert self.loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self.loop))

    async def _tell(self, times: int) -> None:
        for _ in range(times):
            await self.bus.publish(ToolsListChanged())
            for session in list(self.sessions) if self.legacy else ():
                await session.send_tool_list_changed()

    async def _release(self) -> None:
        self.hang.set()

    def guarded(self, app: Asgi) -> Asgi:
        async def look(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.headers.append(headers)
            if self.deaf and scope["method"] == "DELETE":
                self.good_byes += 1
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
            no_stream = self.no_stream and scope["method"] == "GET"
            status = self.refuses or (405 if no_stream else 0)
            status = status or (400 if self.legacy and "mcp-method" in headers else 0)
            if not status:
                await app(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return look


@contextlib.asynccontextmanager
async def serving(
    official: Official,
    port: int = 0,
    *,
    json_response: bool = False,
    stateless: bool = False,
    **more: Any,  # noqa: ANN401 - uvicorn's
) -> AsyncIterator[int]:
    """The port at which it listens, by streamable HTTP.

    In a thread and a loop of its own: what uvicorn leaves in one is none of ours.
    """
    app = official.made().streamable_http_app(json_response=json_response, stateless_http=stateless)
    config = uvicorn.Config(
        official.guarded(app),
        "127.0.0.1",
        port,
        log_level="critical",
        ws="none",
        timeout_graceful_shutdown=1,
        **more,
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        official.loop = asyncio.get_running_loop()
        await server.serve()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    await until(lambda: server.started or not thread.is_alive())
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await until(lambda: not thread.is_alive())
        thread.join()


class Speaker:
    """As much of a speaker as these tools know of."""

    def __init__(self) -> None:
        self.acted = 0

    def acts(self) -> None:
        self.acted += 1


class User:
    """Somebody who has the tools of some servers."""

    def __init__(self, environ: Mapping[str, str], limits: Limits) -> None:
        self.parts: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []  # in order: a part, and why it is lost or ""
        self.changes = 0
        self.speaker = Speaker()
        self.servers = Servers(
            None,
            ready=lambda part: self._tell(part, ""),
            lost=self._tell,
            gone=self._forget,
            changed=self._change,
            limits=limits,
            environ=environ,
        )

    def _tell(self, part: str, reason: str) -> None:
        self.parts[part] = reason
        self.told.append((part, reason))

    def _forget(self, part: str) -> None:
        self.parts.pop(part, None)

    def _change(self) -> None:
        self.changes += 1

    @property
    def tools(self) -> dict[str, Tool]:
        return {each.name: each for each in self.servers.tools()}

    def reload(self, **servers: Any) -> None:  # noqa: ANN401 - as they stand in the file
        self.servers.reload(mcp.parse(Path("/etc/mcp.json"), {"servers": servers}))

    async def has(self, *names: str) -> None:
        """Wait until these are the tools."""
        await until(lambda: sorted(self.tools) == sorted(names))

    async def call(self, name: str, **args: object) -> Result:
        doing = self.tools[name].do(cast("SpeakerPort", self.speaker), args)
        assert isinstance(doing, Awaitable)
        async with asyncio.timeout(_PATIENCE_S):
            return await doing


@contextlib.asynccontextmanager
async def using(
    environ: Mapping[str, str] | None = None,
    limits: Limits = QUICK,
    **servers: Any,  # noqa: ANN401 - as they stand in the file
) -> AsyncIterator[User]:
    """Somebody who has the tools of these servers."""
    user = User(environ or {}, limits)
    user.reload(**servers)
    user.servers.start()
    try:
        yield user
    finally:
        await user.servers.close()


def at(port: int, **more: object) -> dict[str, object]:
    return {"url": f"http://127.0.0.1:{port}/mcp", **more}


def script(path: Path, source: str) -> dict[str, object]:
    """A server that is a Python program."""
    path.write_text(source, encoding="utf-8")
    return {"command": [sys.executable, "-u", str(path)]}


#: Speaks as much of the protocol as it must, and imports nothing that takes its time. `answer(name,
#: id)` may be defined before; `reply(id, result)` and `send(message)` are there for it.
BY_HAND = """
import json, os, sys, time
def send(message):
    sys.stdout.write(json.dumps(message) + "\\n")
    sys.stdout.flush()
def reply(id, result):
    send({"jsonrpc": "2.0", "id": id, "result": result})
def said(text):
    return {"content": [{"type": "text", "text": text}]}
def main(answer, tools=("light_on",)):
    for line in sys.stdin:
        message = json.loads(line)
        method, id = message.get("method"), message.get("id")
        if method == "initialize":
            reply(id, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                       "serverInfo": {"name": "by hand", "version": "1"}})
        elif method == "tools/list":
            made = [{"name": name, "inputSchema": {"type": "object"}} for name in tools]
            reply(id, {"tools": made})
        elif method == "tools/call":
            answer(message["params"]["name"], id)
        elif method == "notifications/cancelled":
            answer("cancelled", None)
        elif id is not None:
            send({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "not found"}})
"""
