"""Where tokens come from: real programs, and a real server with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from pydantic import SecretStr

from speakerd.live.fetching import LARGEST_BYTES, Address, Command, TokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "auth_tokens/0123456789"


def shell(script: str, limit_s: float = 30.0) -> Command:
    return Command(("sh", "-c", script), limit_s)


async def failure(command: Command | Address) -> str:
    with pytest.raises(TokenError) as caught:
        await command.fetch()
    return str(caught.value)


# --- a command


async def test_a_command_prints_a_token() -> None:
    assert await Command(("printf", "%s\n", TOKEN)).fetch() == f"{TOKEN}\n"


async def test_no_shell_reads_it() -> None:
    assert await Command(("echo", "$HOME", ";", "false", "|", "*")).fetch() == "$HOME ; false | *\n"


async def test_it_is_asked_nothing_and_has_the_services_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_SERVICE", TOKEN)
    assert await shell('cat; echo "$OF_THE_SERVICE"').fetch() == f"{TOKEN}\n"


async def test_what_it_complains_of_is_no_token() -> None:
    assert await shell(f"echo warning >&2; echo {TOKEN}").fetch() == f"{TOKEN}\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo one >&2; echo two >&2; exit 3", "failed (3): two"),
        ("echo; exit 1", "failed (1): it does not say why"),
        ("kill -9 $$", "failed (-9): it does not say why"),
        (f"echo no {TOKEN} AIzaSyTest-key_01 >&2; exit 1", "failed (1): no [secret] [secret]"),
        ("printf 'x%.0s' $(seq 500) >&2; exit 1", f"failed (1): {'x' * 160}"),
    ],
)
async def test_one_that_fails_is_told_with_its_last_words(script: str, said: str) -> None:
    assert await failure(shell(script)) == f"SPEAKERD_TOKEN_COMMAND {said}"


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
async def test_one_that_is_not_there(program: str) -> None:
    said = await failure(Command((program, "speakerd", "token")))
    assert said == f"SPEAKERD_TOKEN_COMMAND: {program}: No such file or directory"


async def test_one_that_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    said = await failure(Command((str(tmp_path / "file"),)))
    assert said.endswith("file: Permission denied")


async def test_one_that_hangs_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    said = await failure(shell(f"sleep 1000 & echo $! > {written}; wait", 0.5))
    assert said == "SPEAKERD_TOKEN_COMMAND is not ready after 0.5 s"
    await gone(int(written.read_text()))


async def test_one_that_nobody_waits_for_any_longer_is_ended(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    fetching = asyncio.create_task(shell(f"echo $$ > {written}; exec sleep 1000").fetch())
    async with asyncio.timeout(10):
        while not (written.exists() and written.read_text()):  # noqa: ASYNC110 - a program's doing
            await asyncio.sleep(0.005)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await gone(int(written.read_text()))


async def gone(pid: int) -> None:
    """Wait until the process is no more; a zombie that nobody has buried yet is none."""
    async with asyncio.timeout(10):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while True:
                with open(f"/proc/{pid}/stat") as stat:  # noqa: ASYNC230, PTH123 - memory only
                    if stat.read().rpartition(")")[2].split()[0] == "Z":
                        return
                await asyncio.sleep(0.005)


async def test_one_that_never_ends_printing_is_ended() -> None:
    said = await failure(Command(("yes", TOKEN)))
    assert said == f"SPEAKERD_TOKEN_COMMAND prints more than {LARGEST_BYTES} bytes"


async def test_one_that_leaves_something_running_is_not_waited_for() -> None:
    assert await shell(f"echo {TOKEN}; sleep 3 >/dev/null &").fetch() == f"{TOKEN}\n"


async def test_the_loop_goes_on_meanwhile() -> None:
    turns = 0
    fetching = asyncio.create_task(shell(f"sleep 0.2; echo {TOKEN}").fetch())
    while not fetching.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 10


# --- an address


class Server:
    """Answers every request with ``answer``, the whole of it."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked: list[bytes] = []
        self.hangs = False
        self.url = ""

    def gives(self, body: bytes, status: str = "200 OK", *more: str) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]
        self.answer = "\r\n".join(head).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.hangs:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    def address(self, path: str = "/token", limit_s: float = 30.0) -> Address:
        return Address(SecretStr(self.url + path), limit_s)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        made.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield made


async def test_an_address_answers_with_a_token(server: Server) -> None:
    server.gives(TOKEN.encode())
    assert await server.address("/token?for=kitchen").fetch() == TOKEN
    assert server.asked[0].startswith(b"GET /token?for=kitchen HTTP/1.1\r\n")


async def test_a_password_in_it_is_sent_and_not_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.gives(TOKEN.encode())
    server.url = server.url.replace("://", "://speaker:the-password@")
    await server.address().fetch()
    assert b"Authorization: Basic " in server.asked[0]
    assert "the-password" not in caplog.text
    assert TOKEN not in caplog.text


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.gives(b"", "302 Found", "Location: /elsewhere")
    assert await failure(server.address()) == "SPEAKERD_TOKEN_URL answers HTTP 302"
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "204 No Content"])
async def test_an_address_that_has_none(server: Server, status: str) -> None:
    server.gives(TOKEN.encode(), status)
    assert await failure(server.address()) == f"SPEAKERD_TOKEN_URL answers HTTP {status[:3]}"


async def test_an_address_that_gives_too_much(server: Server) -> None:
    server.gives(b"x" * (LARGEST_BYTES + 1))
    said = await failure(server.address())
    assert said == f"SPEAKERD_TOKEN_URL gives more than {LARGEST_BYTES} bytes"


async def test_an_address_that_does_not_answer(server: Server) -> None:
    server.hangs = True
    said = await failure(server.address(limit_s=0.5))
    assert said == "SPEAKERD_TOKEN_URL has not answered in 0.5 s"


async def test_an_address_that_talks_nonsense(server: Server) -> None:
    server.answer = b"SSH-2.0-OpenSSH_9.2\r\n"
    assert (await failure(server.address())).startswith("SPEAKERD_TOKEN_URL cannot be reached: ")


async def test_nobody_is_at_the_address(server: Server) -> None:
    server.url = "https://127.0.0.1:1"
    assert (await failure(server.address())).startswith("SPEAKERD_TOKEN_URL cannot be reached: ")


async def test_a_server_that_is_not_trusted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    said = await failure(server.address())
    assert "certificate verify failed" in said
    assert server.asked == []


def test_the_address_is_in_no_repr() -> None:
    assert "example" not in repr(Address(SecretStr("https://tokens.example")))
