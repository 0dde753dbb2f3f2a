"""The real daemon between the stand-in card and the simulator, and whoever holds its button."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.demo.process import DaemonProcess
from speakerd.errors import UnavailableError
from speakerd.service import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import Simulator

MIN_PRESS_MS = 250
TAIL_MS = 300
PREBUFFER_MS = 120
_OPTIONS = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "SPEAKERD_MIN_PRESS_MS": str(MIN_PRESS_MS),
    "SPEAKERD_TAIL_MS": str(TAIL_MS),
    "SPEAKERD_PREBUFFER_MS": str(PREBUFFER_MS),
    "SPEAKERD_LINGER_S": "3600",  # the link stays up, unless a scenario says otherwise
}
_EVENT_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """When a command was sent, and when it was answered (``time.monotonic()``)."""

    at: float
    answered_at: float

    @property
    def handled_at(self) -> float:
        """About when the daemon took it: in the middle, off by half a round trip at most."""
        return (self.at + self.answered_at) / 2


class Speaker:
    """A daemon that is up, and what it says of itself."""

    def __init__(self, process: DaemonProcess, events: Iterator[dict[str, Any]]) -> None:
        self.pid = process.pid
        self.ready_s = process.ready_s  # from exec to READY
        self._process = process
        self._events = events

    def command(self, name: str) -> Asked:
        """Give it a command over the control socket."""
        at = time.monotonic()
        answer = client.request(self._process.socket, {"command": name})
        answered_at = time.monotonic()
        if answer.get("ok") is not True:
            raise UnavailableError(f"{name}: {answer.get('error')}")
        return Asked(at, answered_at)

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that fulfils ``condition``; those before it are passed over."""
        for event in self._events:
            if condition(event):
                return event
        raise UnavailableError(f"the daemon has gone; it said:\n{self._process.last_words()}")

    def wait_for_link(self, state: str) -> None:
        """Return when the link is in ``state``."""
        while client.request(self._process.socket, {"command": "status"})["link"] != state:
            self.wait_for(lambda event: event.get("link") == state)

    def turn_ended(self, outcome: str) -> dict[str, Any]:
        """The ledger of the turn that ends next. Raises UnavailableError unless as expected."""
        turn = self.wait_for(lambda event: event["event"] == "turn")
        if turn["outcome"] != outcome:
            said = self._process.last_words()
            raise UnavailableError(f"a turn ended as {turn['outcome']!r}; the daemon said:\n{said}")
        return turn


@contextlib.contextmanager
def speaker(
    card: StandInCard, simulator: Simulator, options: Mapping[str, str] | None = None
) -> Iterator[Speaker]:
    """A daemon that has just become READY."""
    devices = {
        "SPEAKERD_CAPTURE_DEVICE": card.capture_device,
        "SPEAKERD_PLAYBACK_DEVICE": card.playback_device,
    }
    environment = _OPTIONS | devices | card.environment() | simulator.environment()
    with (
        tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory,
        DaemonProcess(Path(directory), environment | dict(options or {})) as process,
        client.subscribe(process.socket, timeout_s=_EVENT_TIMEOUT_S) as events,
    ):
        yield Speaker(process, events)


def noise(seconds: float, rate_hz: int) -> bytes:
    """S16_LE mono sound that is nowhere silent: every sample can be told from silence."""
    chance = random.Random(0)  # noqa: S311 - the same sound every time
    count = int(seconds * rate_hz)
    return b"".join(
        chance.randrange(1000, 8000).to_bytes(2, "little", signed=True) for _ in range(count)
    )


def sleep_until(at: float) -> None:
    """Sleep until ``at`` of ``time.monotonic()``."""
    time.sleep(max(0.0, at - time.monotonic()))
