"""The machine, as the checks see it: files below a root, commands, the daemon, a person."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from speakerd.config import Loaded


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended; ``status`` is None where it is not there or took too long."""

    status: int | None
    output: str  # stdout and stderr, stripped


class Run(Protocol):
    """Runs a command without a shell, for a few seconds at most. Never raises."""

    def __call__(self, command: Sequence[str], /) -> Ran:
        """Run ``command``."""
        ...


class DaemonPort(Protocol):
    """A daemon that answers on its control socket."""

    def request(self, message: Mapping[str, object], timeout_s: float = 5.0) -> dict[str, object]:
        """Its answer, with ``ok``. Raises UnavailableError where there is none."""
        ...

    def wait_for_press(self, timeout_s: float) -> bool:
        """Whether somebody holds the button, or taps on it, within ``timeout_s``."""
        ...


class Person(Protocol):
    """Somebody at a terminal."""

    def tell(self, text: str) -> None:
        """Ask them to do something now, in one line."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """What the checks look at.

    ``loaded`` is the configuration as the service has it, with its problems; None where not even
    that can be read, and ``unreadable`` says why. ``environ`` is the environment that it was read
    from; the service does not see what of it is only ``from_shell``. ``root`` is ``/``, but in
    tests: everything below /proc, /sys, /etc, /dev, /var is looked for there. ``daemon`` is None
    where none answers, and ``no_daemon`` says why; while one does, the sound card and the button
    are its own, and it is asked about them. ``person`` is None where nobody is there to be asked.
    ``user`` is who runs the doctor, also by way of sudo, and ``privileged`` whether as root.
    ``board`` is the profile that was asked for: empty for the one set up, None where none was.
    """

    loaded: Loaded | None
    environ: Mapping[str, str]
    root: Path
    run: Run
    daemon: DaemonPort | None = None
    person: Person | None = None
    unreadable: str = ""
    no_daemon: str = ""
    from_shell: frozenset[str] = frozenset()
    user: str = "root"
    privileged: bool = True
    board: str | None = None
    now: Callable[[], float] = time.time  # seconds since 1970
