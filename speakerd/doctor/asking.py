"""Asking a running daemon about what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.doctor.account import UNIT
from speakerd.doctor.findings import ok, warn
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


def told_of_part(daemon: DaemonPort, part: str, *, well: str, ill: str, remedy: str) -> Finding:
    """``well``, or ``ill`` with why, by the word that the daemon has for ``part``.

    The word may name a remedy itself.
    """
    try:
        parts = ask(daemon, "status").get("parts")
    except UnavailableError as error:
        return silent(part, error)
    word = str(parts.get(part)) if isinstance(parts, dict) else "not told of"
    if word == "ready":
        return ok(part, well)
    what, _, of_its_own = word.partition("; ")
    return warn(part, f"{ill}: {what}", of_its_own or remedy)


def silent(area: str, error: UnavailableError) -> Finding:
    """A daemon that was there and does not answer."""
    return warn(area, str(error), f"sudo systemctl restart {UNIT}")
