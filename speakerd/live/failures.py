"""From the exceptions of the SDK, websockets and the system to a Failure: pure, no I/O."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from speakerd.errors import Failure, FailureKind, classify, classify_http

if TYPE_CHECKING:
    from google.genai.errors import APIError


#: connect(2): without a route, with a network card that is down, or where somebody on the way says
#: at once that there is no such server; the service has not seen anything of it.
_NO_WAY_OUT = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ECONNREFUSED}


def of_close(error: APIError) -> Failure:
    """Of a close frame: the SDK keeps its code in ``code`` and its text in ``details``.

    Where there was none it makes up 1006; how the connection broke is in what it has caught.
    """
    reason = error.details if isinstance(error.details, str) else error.message or ""
    return classify(error.code, _how_it_broke(error) or reason)


def _how_it_broke(error: APIError) -> str | None:
    from websockets.exceptions import ConnectionClosed

    closed = error.__context__
    if not isinstance(closed, ConnectionClosed) or closed.rcvd is not None:
        return None
    if closed.sent is not None:  # we gave it up, and nobody has answered that
        return f"given up: {closed.sent.reason}"
    if isinstance(closed.__cause__, OSError):
        return _of_the_system(closed.__cause__)
    return "the connection was cut off"


def _of_the_system(error: OSError) -> str:
    """The system's words, without its number; asyncio leaves them out of some errors."""
    text = error.strerror or str(error)
    if error.errno is not None and text.startswith("Connect call failed"):
        return f"{text}: {os.strerror(error.errno)}"
    return text or "the connection was cut off"  # in the middle of the TLS handshake


def _errors(error: OSError) -> set[int | None]:
    """The numbers of an error; of a name with several addresses, asyncio tells them in words."""
    each = re.findall(r"\[Errno (\d+)\]", str(error)) if error.errno is None else []
    return {int(number) for number in each} or {error.errno}


def _of_a_certificate(error: ssl.SSLCertVerificationError) -> str:
    """Why it is refused, and what to look at: a Pi without a network does not know the time."""
    words = error.verify_message
    if "expired" in words or "not yet valid" in words:
        remedy = "is the clock right?"
    elif "issuer" in words or "self" in words:  # unknown issuer, self-signed
        remedy = "is something between here and the server, or SSL_CERT_FILE the wrong one?"
    else:
        remedy = "is GOOGLE_GEMINI_BASE_URL right, or something between here and the server?"
    return f"the server's certificate is refused: {words}; {remedy}"


def of_connecting(error: Exception) -> Failure:
    """Of whatever a connection attempt can raise; the SDK must have been imported."""
    from google.genai.errors import APIError
    from websockets.exceptions import InvalidMessage, InvalidProxy, InvalidStatus

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
            failure = Failure(FailureKind.NETWORK, _of_a_certificate(error))
        case FileNotFoundError():
            reason = "the file of certificates is not there: see SSL_CERT_FILE"
            failure = Failure(FailureKind.NETWORK, reason)
        case socket.gaierror():
            reason = f"the server's name cannot be resolved: {error.strerror}"
            failure = Failure(FailureKind.NETWORK, reason, went_out=False)
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            reason = "the connection was cut off before the server had answered"
            failure = Failure(FailureKind.NETWORK, reason)
        case OSError():
            went_out = not _errors(error) <= _NO_WAY_OUT
            failure = Failure(FailureKind.NETWORK, _of_the_system(error), went_out=went_out)
        case _:
            failure = Failure(FailureKind.SERVER, f"{type(error).__name__}: {error}")
    return failure
