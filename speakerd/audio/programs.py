"""Programs that make sound ahead of time, one after the other, out of the daemon's way.

What takes seconds of CPU is a process of its own: a thread of ours would hold Python's lock while
somebody speaks, and keep the memory it once needed.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import speakerd

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where the very modules are that run here, wherever that was found.
_MODULES = str(Path(speakerd.__file__).parents[1])
_TIMEOUT_S = 30.0  # a sentence takes 100 ms on a server's core, some seconds on a small board


class ProgramError(Exception):
    """It did not do it; the text is one line, and has the remedy if there is one."""


class StoppedError(Exception):
    """It was told to stop."""


class Programs:
    """Runs them with the lowest priority, each for ``timeout_s`` at most.

    The unit's sandbox leaves them ours, for nobody may ask for another one there.
    ``stop`` may be called from any thread, the others from one.
    """

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # guards what follows
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, name: str, command: Sequence[str], given: bytes = b"") -> bytes:
        """What ``command`` writes to its standard output when it reads ``given``.

        Raises :class:`ProgramError`, which calls it ``name``, and :class:`StoppedError`.
        """
        with self._start(name, command) as child:
            try:
                output, errors = child.communicate(given, self._timeout_s)
            except subprocess.TimeoutExpired as late:
                raise ProgramError(f"{name} is not ready after {self._timeout_s:g} s") from late
            finally:
                child.kill()  # does nothing to one that has ended
        self.check()
        if child.returncode:
            # The last line: before it, nice regrets what the sandbox does not let it.
            said = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise ProgramError(f"{name} failed ({child.returncode}): {said[-160:]}")
        return output

    def check(self) -> None:
        """Raise :class:`StoppedError` if it was told to stop."""
        if self._stopped:
            raise StoppedError

    def stop(self) -> None:
        """End what runs, and run nothing more."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # nice: there is time, and somebody may be speaking. It becomes what it starts, with the
        # same process id. A Ctrl-C in the terminal is for the daemon, which ends it then.
        pipe = subprocess.PIPE
        with self._lock:
            self.check()
            try:
                self._child = subprocess.Popen(  # noqa: S603 - a program of the system's, or ours
                    ["nice", "-n", "19", *command],  # noqa: S607 - as PATH has it
                    stdin=pipe,
                    stdout=pipe,
                    stderr=pipe,
                    env=_environment(),
                    process_group=0,
                )
            except OSError as error:
                raise ProgramError(f"{name} cannot be started: {error}") from error
            return self._child


def _environment() -> dict[str, str]:
    """What finds programs and our modules; the key and the like are none of their business."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LC_ALL": "C.UTF-8", "PYTHONPATH": _MODULES}
