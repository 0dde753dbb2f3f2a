"""From exceptions to failures."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from google.genai.errors import APIError
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
)
from websockets.frames import Close
from websockets.http11 import Response

from speakerd.errors import Failure, FailureKind
from speakerd.live.failures import of_connecting


def close(code: int, reason: str) -> APIError:
    return APIError(code, reason)


def http(status: int) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers()))


def no_answer(cause: Exception) -> InvalidMessage:
    """What websockets makes of an upgrade that is not answered by HTTP."""
    error = InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = cause
    return error


def broken(cause: Exception | None, given_up: Close | None = None) -> APIError:
    """What the SDK makes of a connection that ended without the server's close frame."""
    closed = ConnectionClosedError(None, given_up)
    closed.__cause__ = cause
    error = APIError(1006, "abnormal closure [internal]")
    error.__context__ = closed
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (close(1007, "API key not valid. Please pass a valid API key."), FailureKind.KEY),
        (close(1007, "Invalid session handle"), FailureKind.HANDLE),
        (close(1011, "Internal error encountered."), FailureKind.SERVER),
        (close(1006, "abnormal closure [internal]"), FailureKind.NETWORK),
        (http(403), FailureKind.KEY),
        (http(404), FailureKind.MODEL),
        (http(429), FailureKind.QUOTA),
        (http(503), FailureKind.SERVER),
        (TimeoutError("timed out during opening handshake"), FailureKind.TIMEOUT),
        (ConnectionRefusedError(111, "Connect call failed"), FailureKind.NETWORK),
        (no_answer(EOFError("connection closed")), FailureKind.NETWORK),
        (no_answer(ValueError("invalid HTTP status line: hello")), FailureKind.SERVER),
        (socket.gaierror(-3, "Temporary failure in name resolution"), FailureKind.NETWORK),
        (ssl.SSLError(1, "wrong version number"), FailureKind.NETWORK),
        (ValueError("Failed to parse response: b'<html>'"), FailureKind.SERVER),
    ],
)
def test_what_a_connection_attempt_raises_is_sorted(error: Exception, kind: FailureKind) -> None:
    assert of_connecting(error).kind is kind


@pytest.mark.parametrize(
    ("error", "went_out"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), False),
        (OSError(errno.ENETDOWN, "Network is down"), False),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), False),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), True),
        (OSError("Multiple exceptions: [Errno 111] Connect, [Errno 101] Network"), False),
        (OSError("Multiple exceptions: [Errno 111] Connect, [Errno 110] timed out"), True),
        (OSError("nobody knows"), True),
        (TimeoutError(), True),
        (close(1011, "Internal error encountered."), True),
    ],
)
def test_whether_the_server_has_seen_anything_of_it(error: Exception, went_out: bool) -> None:
    assert of_connecting(error).went_out is went_out


def test_a_close_keeps_its_code_and_text() -> None:
    failure = of_connecting(close(1008, "The operation was aborted."))
    assert failure == Failure(FailureKind.IDLE, "The operation was aborted.", 1008)
    assert str(failure) == "1008 The operation was aborted."


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("certificate is not yet valid", "clock"),
        ("certificate has expired", "clock"),
        ("unable to get local issuer certificate", "SSL_CERT_FILE"),
        ("self-signed certificate", "SSL_CERT_FILE"),
        ("certificate is not valid for 'x'", "GOOGLE_GEMINI_BASE_URL"),
    ],
)
def test_a_refused_certificate_points_at_what_is_wrong(words: str, remedy: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = words
    failure = of_connecting(error)
    assert failure.kind is FailureKind.NETWORK
    assert words in failure.text
    hints = ("clock", "SSL_CERT_FILE", "GOOGLE_GEMINI_BASE_URL")
    assert [hint for hint in hints if hint in failure.text] == [remedy]


def test_a_close_frame_that_came_says_why_whatever_we_have_answered() -> None:
    given = Close(1011, "Internal error encountered.")
    error = close(given.code, given.reason)
    error.__context__ = ConnectionClosedError(given, Close(1011, ""), rcvd_then_sent=True)
    assert of_connecting(error) == Failure(FailureKind.SERVER, given.reason, 1011)


def test_a_proxy_that_is_none_is_told_without_its_password() -> None:
    failure = of_connecting(InvalidProxy("user:hunter2@proxy:9", "scheme user isn't supported"))
    assert failure.kind is FailureKind.NETWORK
    assert "HTTPS_PROXY" in failure.text
    assert "hunter2" not in failure.text


def test_whatever_is_raised_is_told_in_one_line() -> None:
    assert of_connecting(OSError("first\nsecond\n")).text == "first second"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (broken(TimeoutError(110, "nothing arrives")), "nothing arrives"),
        (broken(ConnectionResetError(104, "Connection reset by peer")), "Connection reset by peer"),
        (
            broken(TimeoutError(), Close(1011, "keepalive ping timeout")),
            "given up: keepalive ping timeout",
        ),
        (broken(None), "the connection was cut off"),
    ],
)
def test_a_connection_that_broke_says_how_though_the_sdk_hides_it(
    error: APIError, text: str
) -> None:
    assert of_connecting(error) == Failure(FailureKind.NETWORK, text, 1006)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 443)"),
            "Connect call failed ('192.0.2.1', 443): Connection refused",
        ),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (OSError("Connect call failed"), "Connect call failed"),
        (ConnectionResetError(), "the connection was cut off"),
        (no_answer(EOFError()), "the connection was cut off before the server had answered"),
    ],
)
def test_the_systems_words_are_told_without_its_numbers(error: Exception, text: str) -> None:
    assert of_connecting(error).text == text
