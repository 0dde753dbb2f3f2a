"""What systemd is told, by sd_notify(3). Nothing happens where nobody listens."""

from __future__ import annotations

import logging
import os
import time

_log = logging.getLogger(__name__)


class Notifier:
    """Tells the service manager at ``$NOTIFY_SOCKET``, if there is one."""

    def __init__(self) -> None:
        self._listening = bool(os.environ.get("NOTIFY_SOCKET"))
        self._status = ""

    def ready(self) -> None:
        """The start, or a reload, is over."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; the same again is not sent."""
        text = " ".join(text.split())
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """The configuration is being read again; :meth:`ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._listening:
            return
        from systemd.daemon import notify  # noqa: PLC0415 - not there where there is no systemd

        try:
            notify(state)
        except OSError as error:
            self._listening = False
            _log.warning("systemd cannot be told of the state any longer: %s", error)
