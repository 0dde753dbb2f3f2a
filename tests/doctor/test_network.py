"""The way to the API, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.doctor import network
from speakerd.doctor.network import Server
from tests.doctor.made_up import lines
from tests.network.certificates import Certificates

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.doctor.healthy import Healthy

GOOGLE = "generativelanguage.googleapis.com"
CONNECT = "is the Wi-Fi connected? see: nmcli device (or: ip address), and /etc/resolv.conf"
CLOCK = "set the clock: sudo timedatectl set-ntp true, then see: timedatectl"
BETWEEN = (
    "something between here and the server answers for it: open any page in a browser to log in to "
    "the Wi-Fi, or let SSL_CERT_FILE name the certificates of your proxy"
)


@pytest.fixture
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def authority(certificates: Certificates, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    certificates.server_context("127.0.0.1", path)
    return str(path)


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext | None) -> AsyncIterator[Server]:
    """Somebody who listens, and hangs up when it has been spoken to."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await reader.read(1)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield Server("127.0.0.1", server.sockets[0].getsockname()[1])
    await asyncio.gather(*(task for task in tasks if task is not None))


@pytest.fixture
def deaf() -> Iterator[Server]:
    """Takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Server("127.0.0.1", listening.getsockname()[1])


async def found(server: Server, certificates: str | None = None) -> list[str]:
    return await asyncio.to_thread(lambda: lines(network.reach(server, certificates)))


async def test_a_server_that_is_there(certificates: Certificates, authority: str) -> None:
    async with serving(certificates.context) as server:
        dns, port, tls = await found(server, authority)
    assert dns == "OK dns: 127.0.0.1 is 127.0.0.1"
    assert port.startswith(f"OK network: {server} answers in ")
    assert tls.startswith("OK tls: TLSv1.3, the certificate is good, ")


# --- the name


def test_a_name_that_nobody_has() -> None:
    (line,) = lines(network.reach(Server("speakerd.invalid", 443)))
    assert line.startswith("FAIL dns: ")
    assert "speakerd.invalid" in line


def test_a_name_that_is_none() -> None:
    assert lines(network.reach(Server("a" * 64, 443))) == [
        (
            f"FAIL dns: '{'a' * 64}' is no name of a server"
            " -> correct it, in GOOGLE_GEMINI_BASE_URL or in the variable of the proxy"
        )
    ]


def resolver(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], object]) -> None:
    """A name server of which only the answer is known."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answer())


def raising(error: Exception) -> Callable[[], object]:
    def answer() -> object:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            f"no name server answers when asked for {GOOGLE}",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            f"nobody knows the name {GOOGLE}: Name or service not known",
        ),
    ],
)
def test_no_network(monkeypatch: pytest.MonkeyPatch, error: Exception, what: str) -> None:
    resolver(monkeypatch, raising(error))
    assert lines(network.reach(Server(GOOGLE, 443))) == [f"FAIL dns: {what} -> {CONNECT}"]


def test_a_name_server_in_a_black_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    resolver(monkeypatch, given_up.wait)
    try:
        assert lines(network.reach(Server(GOOGLE, 443), timeout_s=0.05)) == [
            f"FAIL dns: no name server has answered for 0.05 s when asked for {GOOGLE} -> {CONNECT}"
        ]
    finally:
        given_up.set()


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])  # noqa: S104 - as filters answer
def test_a_filter_that_hides_google(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolver(monkeypatch, lambda: [(socket.AF_INET, 1, 6, "", (address, 443))])
    assert lines(network.reach(Server(GOOGLE, 443))) == [
        (
            f"FAIL dns: the name server says that {GOOGLE} is {address}: a filter"
            f" -> allow {GOOGLE} in the filter (Pi-hole, router, ...)"
        )
    ]


# --- the port


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert lines(network.reach(Server("127.0.0.1", port)))[1:] == [
        (
            f"FAIL network: 127.0.0.1:{port} refuses connections"
            f" -> correct or start what listens there; let TCP port {port} out of the firewall"
        )
    ]


def test_the_next_address_is_tried(deaf: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [("127.0.0.2", deaf.port), ("127.0.0.1", deaf.port)]
    resolver(monkeypatch, lambda: [(socket.AF_INET, 1, 6, "", each) for each in addresses])
    _, port, _ = lines(network.reach(Server("somewhere", deaf.port), timeout_s=0.2))
    assert port.startswith("OK network: somewhere")


def test_no_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    broadcast = ("255.255.255.255", 443)  # no connection leads there: Network is unreachable
    resolver(monkeypatch, lambda: [(socket.AF_INET, 1, 6, "", broadcast)])
    _, line = lines(network.reach(Server(GOOGLE, 443)))
    assert line == (
        f"FAIL network: there is no way to {GOOGLE}: Network is unreachable -> {CONNECT}"
    )


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            TimeoutError("timed out"),
            "has not answered for 5 s -> let TCP port 443 out of the router's firewall",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "refuses connections -> let TCP port 443 out of the firewall",
        ),
    ],
)
def test_a_firewall(monkeypatch: pytest.MonkeyPatch, error: OSError, fault: str) -> None:
    def connect(*_args: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "connect", connect)
    resolver(monkeypatch, lambda: [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 443))])
    assert lines(network.reach(Server(GOOGLE, 443)))[1:] == [f"FAIL network: {GOOGLE} {fault}"]


def test_a_slow_way(deaf: Server) -> None:
    line = lines(network.reach(deaf, timeout_s=0.1, slow_ms=0))[1]
    assert line.startswith(f"WARN network: {deaf} takes ")
    assert line.endswith(
        " ms for a round trip: answers come late -> move closer to the Wi-Fi, or use a cable"
    )


# --- the certificate


@pytest.mark.parametrize(
    ("be_wrong", "reason", "remedy"),
    [
        pytest.param(Certificates.be_of_another_authority, "local issuer", BETWEEN, id="issuer"),
        pytest.param(Certificates.be_of_another_host, "is not valid for", BETWEEN, id="host"),
        pytest.param(Certificates.be_expired, "expired; by the clock of this", CLOCK, id="expired"),
        pytest.param(Certificates.be_of_the_future, "not yet valid; by the", CLOCK, id="future"),
    ],
)
async def test_a_wrong_certificate(
    certificates: Certificates,
    authority: str,
    be_wrong: Callable[[Certificates], None],
    reason: str,
    remedy: str,
) -> None:
    be_wrong(certificates)
    async with serving(certificates.context) as server:
        _, _, line = await found(server, authority)
    assert line.startswith(f"FAIL tls: the certificate of {server} is refused: ")
    assert reason in line
    assert line.endswith(f" -> {remedy}")


async def test_a_server_that_does_not_speak_tls() -> None:
    async with serving(None) as server:
        _, _, line = await found(server)
    assert line.startswith(f"FAIL tls: {server} does not speak TLS with us: ")
    assert line.endswith(f" -> {BETWEEN}")


def test_a_server_that_says_nothing(deaf: Server) -> None:
    assert lines(network.reach(deaf, timeout_s=0.1))[2:] == [
        (
            f"FAIL tls: {deaf} takes connections and says nothing"
            " -> restart the router; a firewall or a proxy may swallow it"
        )
    ]


def test_a_file_of_certificates_that_is_none(deaf: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        line = lines(network.reach(deaf, str(tmp_path / name)))[2]
        assert line.startswith("FAIL tls: the file of certificates cannot be used: ")
        assert line.endswith(" -> correct SSL_CERT_FILE, or take it out")


# --- by way of a proxy


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("", None)),
        ({"HTTPS_PROXY": "http://p:1"}, ("HTTPS_PROXY", "http://p:1")),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:1"}, ("https_proxy", "http://q:1")),
        ({"https_proxy": "http://p:1", "wss_proxy": "http://q:1"}, ("wss_proxy", "http://q:1")),
        ({"https_proxy": "http://p:1", "no_proxy": "example.org"}, ("", None)),
        ({"https_proxy": "http://p:1", "NO_PROXY": "*"}, ("", None)),
        ({"http_proxy": "http://p:1", "https_proxy": ""}, ("", None)),
    ],
)
def test_which_proxy(environ: dict[str, str], expected: tuple[str, str | None]) -> None:
    assert network.proxy_of(environ, Server("example.org", 443)) == expected


def test_websockets_finds_the_same_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from websockets.proxy import get_proxy  # noqa: PLC0415 - slow
    from websockets.uri import parse_uri  # noqa: PLC0415 - slow

    environ: dict[str, Any] = {"HTTPS_PROXY": "http://p:1", "wss_proxy": "http://q:2"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    proxy = get_proxy(parse_uri("wss://example.org/"))
    assert network.proxy_of(environ, Server("example.org", 443))[1] == proxy


def test_a_proxy_that_is_there(machine: Healthy, deaf: Server) -> None:
    machine.shell["https_proxy"] = f"http://anna:secret@{deaf}"
    _, port, line = machine.found_by(network.check)
    assert port.startswith(f"OK network: {deaf} answers in ")
    assert line == f"OK proxy: https_proxy leads all by way of {deaf}"


def test_a_proxy_that_is_gone(machine: Healthy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    machine.shell["https_proxy"] = f"http://127.0.0.1:{port}"
    (line,) = machine.faults_by(network.check)
    assert line.startswith(f"FAIL network: 127.0.0.1:{port} refuses connections -> ")


@pytest.mark.parametrize("proxy", ["proxy:8080", "http://", "gopher://p", "http://p:port"])
def test_a_proxy_that_is_none(machine: Healthy, proxy: str) -> None:
    machine.shell["HTTPS_PROXY"] = proxy
    assert machine.found_by(network.check) == [
        (
            "FAIL proxy: HTTPS_PROXY is not the address of a proxy"
            " -> HTTPS_PROXY=http://HOST:PORT, or unset it"
        )
    ]


# --- where to


async def test_another_server_than_googles(
    machine: Healthy, certificates: Certificates, authority: str
) -> None:
    async with serving(certificates.context) as server:
        machine.env_file(f"GOOGLE_GEMINI_BASE_URL=https://{server}/\nSSL_CERT_FILE={authority}\n")
        found = await asyncio.to_thread(machine.found_by, network.check)
    assert found[0] == f"OK network: GOOGLE_GEMINI_BASE_URL leads to {server}, in place of Google"
    assert [line.split()[0] for line in found] == ["OK"] * 4


def test_an_address_that_is_none_is_told_elsewhere(machine: Healthy) -> None:
    machine.env_file("GOOGLE_GEMINI_BASE_URL=http://insecure\n")
    assert machine.found_by(network.check) == []
