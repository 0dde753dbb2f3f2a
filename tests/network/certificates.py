"""The server's papers: good ones, and all the wrong ones."""

from __future__ import annotations

import datetime
import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

_LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
_LONG_AFTER = datetime.datetime(2900, 1, 1, tzinfo=datetime.UTC)


class Certificates:
    """A server's TLS context, whose certificate can be exchanged while it serves."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._trusted = trustme.CA()
        self._names: tuple[str, ...] = ("127.0.0.1", "localhost")
        self.be_good()

    def server_context(self, host: str, authority: Path) -> ssl.SSLContext:
        """As :func:`speakerd.simulator.certificate.server_context`."""
        self._names = tuple(sorted({host, *self._names}))
        self._trusted.cert_pem.write_to_path(str(authority))
        self.be_good()
        return self.context

    def be_good(self) -> None:
        """Nothing to find fault with."""
        self._show(self._trusted.issue_cert(*self._names))

    def be_of(self, name: str) -> None:
        """Good for a server of that name."""
        self._show(self._trusted.issue_cert(name))

    def be_of_another_authority(self) -> None:
        """Self-signed, as a captive portal's."""
        self._show(trustme.CA().issue_cert(*self._names))

    def be_of_another_host(self) -> None:
        """Somebody else's."""
        self.be_of("elsewhere.invalid")

    def be_expired(self) -> None:
        """What a clock decades ahead makes of every certificate."""
        self._show(self._trusted.issue_cert(*self._names, not_after=_LONG_AGO))

    def be_of_the_future(self) -> None:
        """What the clock of a Pi without a battery makes of every certificate: it is 1970."""
        self._show(self._trusted.issue_cert(*self._names, not_before=_LONG_AFTER))

    def _show(self, certificate: trustme.LeafCert) -> None:
        certificate.configure_cert(self.context)  # for the handshakes to come
