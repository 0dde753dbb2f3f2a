"""From the exceptions of the SDK, websockets and the system to a Failure: pure, no I/O."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from speakerd.errors import Failure, FailureKind, classify, classify_http

if TYPE_CHECKING:
    from google.genai.errors import APIError


def of_close(error: APIError) -> Failure:
    """Of a close frame: the SDK keeps its code in ``code`` and its text in ``details``."""
    reason = error.details if isinstance(error.details, str) else error.message or ""
    return classify(error.code, reason)


def of_connecting(error: Exception) -> Failure:
    """Of whatever a connection attempt can raise; the SDK must have been imported."""
    from google.genai.errors import APIError
    from websockets.exceptions import InvalidProxy, InvalidStatus

    match error:
        case APIError():
            failure = of_close(error)
        case InvalidStatus():
            failure = classify_http(error.response.status_code)
        case InvalidProxy():  # without the proxy itself: a password may be in it
            reason = f"the environment's HTTPS_PROXY (or ALL_PROXY) is no proxy: {error.msg}"
            failure = Failure(FailureKind.NETWORK, reason)
        case TimeoutError():
            failure = Failure(FailureKind.TIMEOUT, "the server did not answer in time")
        case ssl.SSLCertVerificationError():
            reason = f"{error.verify_message}; is the clock right, and SSL_CERT_FILE?"
            failure = Failure(FailureKind.NETWORK, f"the server's certificate is refused: {reason}")
        case socket.gaierror():
            reason = f"the server's name cannot be resolved: {error.strerror}"
            failure = Failure(FailureKind.NETWORK, reason)
        case OSError():
            failure = Failure(FailureKind.NETWORK, str(error) or type(error).__name__)
        case _:
            failure = Failure(FailureKind.SERVER, f"{type(error).__name__}: {error}")
    return failure
