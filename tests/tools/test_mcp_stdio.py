"""Servers that are commands: the official library's own, and some that behave badly."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from speakerd.config import mcp
from speakerd.tools.mcp import child
from tests.tools.mcp_world import BY_HAND, QUICK, script, until, using

OFFICIAL = """
import anyio, mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def tools(context, params):
    return types.ListToolsResult(tools=[types.Tool(name="greet", input_schema={"type": "object"})])

async def call(context, params):
    said = types.TextContent(type="text", text=f"{params.name} {params.arguments}")
    return types.CallToolResult(content=[said])

async def main():
    server = Server("official", on_list_tools=tools, on_call_tool=call)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

anyio.run(main)
"""


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_the_official_library_is_understood(tmp_path: Path) -> None:
    async with using(files=script(tmp_path / "server.py", OFFICIAL)) as user:
        await user.has("greet")
        assert await user.call("greet", who="Ada") == {"result": "greet {'who': 'Ada'}"}
        assert user.parts == {"mcp files": ""}


async def test_garbage_between_the_messages_does_not_matter(tmp_path: Path) -> None:
    source = f"""{BY_HAND}
print("Welcome to the server!")
print("x" * 100_000)
sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\n[[[[\\n" + b"[" * 50_000 + b"\\n{{}}\\n")
def answer(name, id):
    print("working on it")
    reply(id, said(name))
main(answer)
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("light_on")
        assert await user.call("light_on") == {"result": "light_on"}


async def test_it_gets_no_secrets_but_those_that_are_for_it(tmp_path: Path) -> None:
    source = f"""{BY_HAND}
main(lambda name, id: reply(id, said(json.dumps(dict(os.environ)))))
"""
    (tmp_path / "token").write_text("a-token\n", encoding="utf-8")
    environ = {
        "PATH": "/usr/bin",
        "GEMINI_API_KEY": "AIza-secret",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    own = {"TOKEN": "{credential:token}", "ROOT": "/srv"}
    entry = {**script(tmp_path / "server.py", source), "environment": own}
    async with using(environ, files=entry) as user:
        await user.has("light_on")
        result = (await user.call("light_on"))["result"]
    assert '"TOKEN": "a-token"' in str(result)
    assert '"ROOT": "/srv"' in str(result)
    assert '"PATH": "/usr/bin"' in str(result)
    assert "AIza" not in str(result)
    assert "CREDENTIALS_DIRECTORY" not in str(result)


async def test_a_program_that_is_not_there_is_told_once() -> None:
    async with using(files={"command": ["/nowhere/server"]}) as user:
        await until(lambda: user.parts)
        assert user.parts == {"mcp files": "/nowhere/server: No such file or directory"}


async def test_one_that_ends_says_why_and_is_begun_anew(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    source = f"""{BY_HAND}
if not os.path.exists({str(begun)!r}):
    open({str(begun)!r}, "w").close()
    sys.exit("Error: no such folder")
main(lambda name, id: reply(id, said(name)))
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("light_on")
        (_, why), ready = user.told
        assert why.endswith("has ended (1): Error: no such folder")
        assert ready == ("mcp files", "")


async def test_one_that_is_killed_in_a_call_says_so_and_is_begun_anew(tmp_path: Path) -> None:
    source = f"""{BY_HAND}
def answer(name, id):
    if name == "die":
        os.kill(os.getpid(), 9)
    reply(id, said(name))
main(answer, ("die", "light_on"))
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("die", "light_on")
        answer = await user.call("die")
        assert str(answer["error"]).startswith("the server files did not do it, or does not say so")
        await until(lambda: user.told[-1][1] == "" and len(user.told) == 3)
        assert await user.call("light_on") == {"result": "light_on"}


async def test_a_line_without_end_is_not_listened_to(tmp_path: Path) -> None:
    source = f"""{BY_HAND}
def answer(name, id):
    reply(id, said("x" * 10_000_000 if name == "much" else name))
main(answer, ("much", "light_on"))
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("much", "light_on")
        answer = await user.call("much")
        assert "sends more than 1024 KiB at once" in str(answer["error"])
        await until(lambda: len(user.told) == 3)
        assert "sends more than 1024 KiB at once" in user.told[1][1]
        assert await user.call("light_on") == {"result": "light_on"}


async def test_output_without_end_costs_nobody_anything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = f"""{BY_HAND}
import threading
def noise(stream):
    while True:
        stream.write("x" * 1000 + "\\n")
for stream in (sys.stdout, sys.stderr):
    threading.Thread(target=noise, args=(stream,), daemon=True).start()
main(lambda name, id: reply(id, said(name)))
"""
    caplog.set_level(logging.DEBUG, "speakerd")
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("light_on")
        assert await user.call("light_on") == {"result": "light_on"}
        own = [line for line in caplog.messages if line.endswith("...")]
        assert 0 < len(own) < 50


async def test_a_call_that_is_cancelled_is_cancelled_there(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = f"""{BY_HAND}
def answer(name, id):
    if name == "cancelled":
        open({str(told)!r}, "w").close()
    elif name != "hang":
        reply(id, said(name))
main(answer, ("hang", "light_on"))
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("hang", "light_on")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await user.call("hang")
        await until(told.exists)
        assert await user.call("light_on") == {"result": "light_on"}


@pytest.mark.parametrize("stubborn", [False, True])
async def test_nothing_of_it_is_left_behind(tmp_path: Path, stubborn: bool) -> None:
    pids = tmp_path / "pids"
    source = f"""{BY_HAND}
import signal, subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
main(lambda name, id: None)
while {stubborn}:
    time.sleep(600)
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("light_on")
        found = [int(pid) for pid in pids.read_text(encoding="utf-8").split()]
        assert all(map(runs, found))
    await until(lambda: not any(map(runs, found)))


async def test_one_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    entry = script(tmp_path / "server.py", "import time\ntime.sleep(600)\n")
    async with using(limits=replace(QUICK, starting_s=0.3), files=entry) as user:
        await until(lambda: user.parts)
        assert user.parts["mcp files"] == f"{sys.executable}: it does not answer"


async def test_one_that_ends_leaves_nothing(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    source = f"""{BY_HAND}
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pids)!r}, "a").write(f"{{os.getpid()}} {{child.pid}}\\n")
main(lambda name, id: None)
"""
    async with using(files=script(tmp_path / "server.py", source)) as user:
        await user.has("light_on")
        server, child = map(int, pids.read_text(encoding="utf-8").split())
        os.kill(server, signal.SIGKILL)
        await until(lambda: not runs(child))
        await until(lambda: len(user.told) == 3)


async def test_one_that_is_left_in_a_hurry_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_ENDING_S", 30.0)
    mark = tmp_path / "left"
    source = (
        "import os, pathlib, sys, time\nsys.stdin.read()\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(1000)\n"
    )
    command = script(tmp_path / "server.py", source)["command"]
    assert isinstance(command, list)
    server = mcp.Server("stubborn", command=tuple(command))

    async def use() -> None:
        async with child.streams(server, {}, lambda _reason: None):
            opened.set()
            await asyncio.Event().wait()

    opened = asyncio.Event()
    using_it = asyncio.create_task(use())
    await opened.wait()
    using_it.cancel()
    await until(lambda: mark.exists() and mark.read_text())
    using_it.cancel()
    await asyncio.wait({using_it})
    with pytest.raises(ChildProcessError):  # nobody has to look after it any longer
        os.waitpid(int(mark.read_text()), os.WNOHANG)  # noqa: ASYNC222 - it does not wait
