"""The way to the API, step by step: the proxy, the name, the port, the certificate."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import certifi

from speakerd.config import checks
from speakerd.doctor.findings import fail, ok, warn
from speakerd.service.threads import DaemonThreads

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

#: The family and what connect() takes.
_Address: TypeAlias = tuple[int, tuple[str, int] | tuple[str, int, int, int]]

#: google-genai's, for a key of the Gemini API.
GOOGLE = "https://generativelanguage.googleapis.com"
_HTTPS = 443
#: A round trip that is noticed in every answer.
_SLOW_MS = 300

_CONNECT = "is the Wi-Fi connected? see: nmcli device (or: ip address), and /etc/resolv.conf"
_CLOCK = "set the clock: sudo timedatectl set-ntp true, then see: timedatectl"
_BETWEEN = (
    "something between here and the server answers for it: open any page in a browser to log in to "
    "the Wi-Fi, or let SSL_CERT_FILE name the certificates of your proxy"
)
_NAME = "correct it, in GOOGLE_GEMINI_BASE_URL or in the variable of the proxy"
#: The order in which websockets looks for a proxy of a wss: URL.
_PROXY_VARIABLES = ("wss_proxy", "socks_proxy", "https_proxy")

#: Where a proxy listens that names no port.
_PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080}

#: X509_V_ERR_... of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10


@dataclass(frozen=True, slots=True)
class Server:
    """Where to."""

    host: str
    port: int

    def __str__(self) -> str:
        return self.host if self.port == _HTTPS else f"{self.host}:{self.port}"


def check(system: System) -> Iterator[Finding]:
    """Every step to the server, until one fails."""
    library = system.loaded.library if system.loaded is not None else {}
    url = library.get("GOOGLE_GEMINI_BASE_URL", GOOGLE)
    if checks.base_url(url):
        return  # told with the configuration
    server = _server(url)
    if url != GOOGLE:
        yield ok("network", f"GOOGLE_GEMINI_BASE_URL leads to {server}, in place of Google")
    variable, proxy = proxy_of(system.environ, server)
    if proxy is None:
        yield from reach(server, library.get("SSL_CERT_FILE"))
    else:
        yield from _by_way_of(variable, proxy)


CHECKS = (check,)


def _server(url: str) -> Server:
    parts = urlsplit(url)
    return Server(parts.hostname or "", parts.port or _HTTPS)


def reach(
    server: Server,
    certificates: str | None = None,
    *,
    timeout_s: float = 5.0,
    slow_ms: float = _SLOW_MS,
) -> Iterator[Finding]:
    """Name, port and certificate of ``server``; each step may take ``timeout_s``.

    ``certificates`` is a PEM file to trust in place of those that google-genai trusts. A round
    trip of more than ``slow_ms`` is a fault.
    """
    addresses = yield from _resolve(server, timeout_s)
    if not addresses:
        return
    connection = yield from _connect(server, addresses, timeout_s, slow_ms)
    if connection is not None:
        with connection:
            yield from _shake_hands(connection, server, certificates)


# --- the name


def _resolve(server: Server, timeout_s: float) -> Generator[Finding, None, list[_Address]]:
    """The addresses of ``server``; none where that has failed."""
    looking = DaemonThreads().submit(
        socket.getaddrinfo, server.host, server.port, type=socket.SOCK_STREAM
    )
    addresses: list[_Address] = []
    try:
        found = looking.result(timeout_s)
    except TimeoutError:
        what = f"no name server has answered for {timeout_s:g} s when asked for {server.host}"
        yield fail("dns", what, _CONNECT)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            yield fail("dns", f"no name server answers when asked for {server.host}", _CONNECT)
        else:
            what = f"nobody knows the name {server.host}: {error.strerror}"
            yield fail("dns", what, _CONNECT if _is_google(server) else _NAME)
    except UnicodeError:
        yield fail("dns", f"{server.host!r} is no name of a server", _NAME)
    else:
        addresses = [(family, address) for family, _, _, _, address in found]
        if _is_blocked(server, addresses):
            what = f"the name server says that {server.host} is {addresses[0][1][0]}: a filter"
            yield fail("dns", what, f"allow {server.host} in the filter (Pi-hole, router, ...)")
            return []
        yield ok("dns", f"{server.host} is {addresses[0][1][0]}")
    return addresses


def _is_blocked(server: Server, addresses: list[_Address]) -> bool:
    """Filters answer with an address of nobody, or of this machine."""
    where = [ipaddress.ip_address(str(address[0]).split("%")[0]) for _, address in addresses]
    return _is_google(server) and all(each.is_unspecified or each.is_loopback for each in where)


def _is_google(server: Server) -> bool:
    return server.host == _server(GOOGLE).host


# --- the port


def _connect(
    server: Server, addresses: list[_Address], timeout_s: float, slow_ms: float = _SLOW_MS
) -> Generator[Finding, None, socket.socket | None]:
    """A connection to the first of ``addresses`` that takes one."""
    error: OSError | None = None
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        began = time.monotonic()
        try:
            connection.connect(address)
        except OSError as failed:
            error = failed
            connection.close()
            continue
        took_ms = (time.monotonic() - began) * 1000
        if took_ms > slow_ms:
            what = f"{server} takes {took_ms:.0f} ms for a round trip: answers come late"
            yield warn("network", what, "move closer to the Wi-Fi, or use a cable")
        else:
            yield ok("network", f"{server} answers in {took_ms:.0f} ms")
        return connection
    match error:
        case TimeoutError():
            what = f"{server} has not answered for {timeout_s:g} s"
            remedy = f"let TCP port {server.port} out of the router's firewall"
        case ConnectionRefusedError():
            what = f"{server} refuses connections"
            remedy = f"let TCP port {server.port} out of the firewall"
        case _:
            what = f"there is no way to {server}: {error.strerror if error else 'no address'}"
            remedy = _CONNECT
    if not _is_google(server):
        remedy = f"correct or start what listens there; {remedy}"
    yield fail("network", what, remedy)
    return None


# --- the certificate


def _shake_hands(
    connection: socket.socket, server: Server, certificates: str | None
) -> Iterator[Finding]:
    try:
        context = ssl.create_default_context(cafile=certificates or certifi.where())
    except OSError as error:  # of which an SSLError is one, too
        what = f"the file of certificates cannot be used: {error.strerror or error}"
        yield fail("tls", what, "correct SSL_CERT_FILE, or take it out")
        return
    began = time.monotonic()
    try:
        with context.wrap_socket(connection, server_hostname=server.host) as secured:
            version = secured.version()
    except ssl.SSLCertVerificationError as error:
        yield _of_a_certificate(server, error)
    except TimeoutError:
        what = f"{server} takes connections and says nothing"
        yield fail("tls", what, "restart the router; a firewall or a proxy may swallow it")
    except OSError as error:
        what = f"{server} does not speak TLS with us: {error.strerror or error}"
        yield fail("tls", what, _BETWEEN)
    else:
        took_ms = (time.monotonic() - began) * 1000
        yield ok("tls", f"{version}, the certificate is good, {took_ms:.0f} ms")


def _of_a_certificate(server: Server, error: ssl.SSLCertVerificationError) -> Finding:
    what = f"the certificate of {server} is refused: {error.verify_message}"
    if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
        return fail("tls", f"{what}; by the clock of this machine", _CLOCK)
    return fail("tls", what, _BETWEEN)


# --- by way of a proxy


def proxy_of(environ: Mapping[str, str], server: Server) -> tuple[str, str | None]:
    """The variable that names a proxy for ``server``, and the proxy; as websockets finds it."""
    variables = {name.lower(): (name, value) for name, value in environ.items() if value}
    # the lower case one wins, as in urllib
    variables |= {name: (name, environ[name]) for name in variables if environ.get(name)}
    _, exceptions = variables.get("no_proxy", ("", ""))
    if urllib.request.proxy_bypass(f"{server.host}:{server.port}", {"no": exceptions}):
        return "", None
    found = (variables[name] for name in _PROXY_VARIABLES if name in variables)
    return next(found, ("", None))


def _by_way_of(variable: str, proxy: str, timeout_s: float = 5.0) -> Iterator[Finding]:
    """Whether the proxy is there; what it lets through is seen when Gemini is asked."""
    try:
        parts = urlsplit(proxy)
        server = Server(parts.hostname or "", parts.port or _PROXY_PORTS[parts.scheme])
    except (ValueError, KeyError):
        server = Server("", 0)
    if not server.host:
        what = f"{variable} is not the address of a proxy"
        yield fail("proxy", what, f"{variable}=http://HOST:PORT, or unset it")
        return
    addresses = yield from _resolve(server, timeout_s)
    if addresses and (connection := (yield from _connect(server, addresses, timeout_s))):
        connection.close()
        yield ok("proxy", f"{variable} leads all by way of {server}")
