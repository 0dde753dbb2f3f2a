"""What systemd is told, by the protocol of sd_notify(3). Nothing happens where nobody listens.

By hand, because libsystemd's sd_notify() waits for as long as the service manager reads nothing,
and a status line is not worth a conversation that stands still.
"""

from __future__ import annotations

import logging
import os
import socket

_log = logging.getLogger(__name__)

#: How long a milestone (READY, STOPPING) may wait for the service manager.
_MILESTONE_TIMEOUT_S = 1.0


class Notifier:
    """Tells the service manager at ``$NOTIFY_SOCKET``, if there is one."""

    def __init__(self) -> None:
        name = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._status = ""
        self._complained = False

    def ready(self) -> None:
        """The start is over."""
        self._send("READY=1", _MILESTONE_TIMEOUT_S)

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; the same again is not sent.

        Does not wait: what a busy service manager cannot take is left out.
        """
        text = " ".join(text.split())
        if text != self._status and self._send(f"STATUS={text}", 0.0):
            self._status = text

    def alive(self) -> None:
        """A sign of life for systemd's watchdog; does not wait."""
        self._send("WATCHDOG=1", 0.0)

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1", _MILESTONE_TIMEOUT_S)

    def _send(self, state: str, timeout_s: float) -> bool:
        """Send it, waiting for ``timeout_s`` at most; whether it went out."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(timeout_s)
                sender.connect(self._address)
                sender.send(state.encode(errors="replace"))
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as error:  # it may pass: no more descriptors, systemd starting itself anew
            if not self._complained:
                _log.warning("systemd cannot be told of the state: %s", error)
            self._complained = True
            return False
        self._complained = False
        return True
