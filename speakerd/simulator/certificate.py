"""A certificate for this machine, made anew for every simulator, with an authority of its own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


def server_context(host: str, authority: Path) -> ssl.SSLContext:
    """A server's TLS context, good for ``host`` (a name or an address) and this machine.

    The authority's certificate is written to ``authority`` (PEM): clients have to trust it.
    """
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*sorted({host, "127.0.0.1", "::1", "localhost"})).configure_cert(context)
    ca.cert_pem.write_to_path(str(authority))
    return context
