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


async def failure(command: Command | Address) -> str:
    with pytest.raises(TokenError) as caught:
        await command.fetch()
    return str(caught.value)


# --- a command


async def test_a_command_prints_a_token_and_has_the_services_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_SERVICE", TOKEN)
    assert await Command(("printenv", "OF_THE_SERVICE")).fetch() == f"{TOKEN}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Command(("sh", "-c", f"echo no {TOKEN} >&2; exit 3")), " failed (3): no [secret]"),
        (Command(("/no/such/program", "token")), ": /no/such/program is not there"),
        (Command(("sleep", "1000"), 0.1), " is not ready after 0.1 s"),
        (Command(("yes", TOKEN)), " prints more than 64 KiB; let it print less"),
    ],
)
async def test_a_command_that_gives_none_is_told_with_its_option(
    command: Command, said: str
) -> None:
    assert await failure(command) == f"SPEAKERD_TOKEN_COMMAND{said}"


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
