"""From exceptions to failures."""

from __future__ import annotations

import socket
import ssl

import pytest
from google.genai.errors import APIError
from websockets.datastructures import Headers
from websockets.exceptions import InvalidProxy, InvalidStatus
from websockets.http11 import Response

from speakerd.errors import Failure, FailureKind
from speakerd.live.failures import of_connecting


def close(code: int, reason: str) -> APIError:
    return APIError(code, reason)


def http(status: int) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers()))


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
        (socket.gaierror(-3, "Temporary failure in name resolution"), FailureKind.NETWORK),
        (ssl.SSLError(1, "wrong version number"), FailureKind.NETWORK),
        (ValueError("Failed to parse response: b'<html>'"), FailureKind.SERVER),
    ],
)
def test_what_a_connection_attempt_raises_is_sorted(error: Exception, kind: FailureKind) -> None:
    assert of_connecting(error).kind is kind


def test_a_close_keeps_its_code_and_text() -> None:
    failure = of_connecting(close(1008, "The operation was aborted."))
    assert failure == Failure(FailureKind.IDLE, "The operation was aborted.", 1008)
    assert str(failure) == "1008 The operation was aborted."


def test_a_refused_certificate_points_at_the_clock() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "certificate is not yet valid"
    failure = of_connecting(error)
    assert failure.kind is FailureKind.NETWORK
    assert "not yet valid" in failure.text
    assert "clock" in failure.text


def test_a_proxy_that_is_none_is_told_without_its_password() -> None:
    failure = of_connecting(InvalidProxy("user:hunter2@proxy:9", "scheme user isn't supported"))
    assert failure.kind is FailureKind.NETWORK
    assert "HTTPS_PROXY" in failure.text
    assert "hunter2" not in failure.text


def test_whatever_is_raised_is_told_in_one_line() -> None:
    assert of_connecting(OSError("first\nsecond\n")).text == "first second"
