"""What the options point at: a server's address, a file of certificates, a directory.

Each function takes the value and says in words what is wrong with it; empty where nothing is.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


#: Google's have 39, and other tokens some hundred.
_LONGEST_KEY = 1000


def no_key(text: str) -> str:
    """What keeps ``text`` from being an API key; does not quote it."""
    if len(text) > _LONGEST_KEY:
        return f"is longer than {_LONGEST_KEY} letters"
    if text.isascii() and text.isprintable() and not set(text) & set(" '\""):
        return ""
    return "holds a blank, a quote or another character that no key has; copy it again"


def base_url(text: str) -> str:
    """What keeps ``text`` from being the address of a server."""
    allowed = "allowed: https://host or https://host:port"
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # a port or an IPv6 address that is none
        return f"{error}; {allowed}"
    return "" if usable else allowed


def no_token_url(text: str) -> str:
    """What keeps ``text`` from being an address of tokens; does not quote it.

    Whoever reads a token on its way can use it, and whoever forges one hears what is said: without
    TLS it must not leave the machine.
    """
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:  # a port or an IPv6 address that is none
        return "is no URL"
    if not (text.isascii() and text.isprintable()) or " " in text or not host:
        return "is no URL"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host)):
        return ""
    return "does not begin with https://"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def certificates(text: str) -> str:
    """What keeps the file ``text`` from being certificates to trust."""
    import ssl  # noqa: PLC0415 - slow to import, and seldom asked for

    allowed = "allowed: a readable PEM file of certificates"
    try:
        ssl.create_default_context(cafile=text)
    except ssl.SSLError:
        return f"which holds no certificates; {allowed}"
    except OSError as error:
        return f"{error.strerror}; {allowed}"
    return ""


#: The library variables that can be checked before the library reads them.
LIBRARY_CHECKS = {"GOOGLE_GEMINI_BASE_URL": base_url, "SSL_CERT_FILE": certificates}


def no_directory(path: Path) -> str:
    """What makes it impossible that ``path`` is a directory, now or later."""
    try:
        is_one = stat.S_ISDIR(path.stat().st_mode)
    except NotADirectoryError:
        is_one = False
    except OSError:
        return ""
    return "" if is_one else "which is not a directory"


def unwritable(path: Path) -> str:
    """What keeps this user from writing files in the directory ``path``."""
    if os.access(path, os.W_OK | os.X_OK):
        return ""
    try:
        path.stat()
    except FileNotFoundError:
        return "which is not there"
    except OSError as error:
        return f"which cannot be used ({error.strerror})"
    return "which cannot be written"
