"""Asking a running daemon about what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.doctor.account import UNIT
from speakerd.doctor.findings import warn
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import DaemonPort


def ask(daemon: DaemonPort, command: str) -> dict[str, object]:
    """Its answer to ``command``. Raises UnavailableError where it has none, with its reason."""
    answer = daemon.request({"command": command})
    if answer.get("ok") is not True:
        raise UnavailableError(str(answer.get("error") or f"{command}: {answer}"))
    return answer


def told_of(daemon: DaemonPort, device: str) -> str:
    """``ready``, ``starting``, or why the daemon has no ``device`` (a key of its status).

    Raises UnavailableError.
    """
    return str(ask(daemon, "status").get(device))


def silent(area: str, error: UnavailableError) -> Finding:
    """A daemon that was there and does not answer."""
    return warn(area, str(error), f"sudo systemctl restart {UNIT}")
