"""espeak-ng, the program that speaks offline: one process for a sentence, one at a time.

It is told the sentence by its standard input and writes a WAV file to its standard output
(espeak-ng(1)). It is no library here, so that whatever is wrong with it is wrong somewhere else,
and it is not asked for in the loop's thread.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

#: A little slower than its 175 words a minute: nobody can ask it to say that again.
WORDS_PER_MINUTE = 155

_MISSING = "espeak-ng is not installed: failures are not told in words; sudo apt install espeak-ng"

_TIMEOUT_S = 30.0  # a sentence takes 50 ms on a server's core, a second on a small board


class EspeakError(Exception):
    """It could not speak; the text is one line, and has the remedy if there is one."""


class StoppedError(Exception):
    """It was told to stop."""


class Espeak:
    """Runs ``program``, wherever PATH has it; ``timeout_s`` for each call.

    ``stop`` may be called from any thread, the others from one.
    """

    def __init__(self, program: str = "espeak-ng", timeout_s: float = _TIMEOUT_S) -> None:
        self._program = program
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # guards what follows
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def version(self) -> str:
        """Which one it is: what it speaks may change with it. Raises as :meth:`speak`."""
        return self._run("--version").decode(errors="replace").strip()

    def speak(self, voice: str, text: str) -> bytes:
        """A WAV file of ``text``, spoken by ``voice`` (a BCP-47 code).

        Raises :class:`EspeakError`, for a voice that it does not have too, and
        :class:`StoppedError`.
        """
        rate = str(WORDS_PER_MINUTE)
        return self._run("--stdout", "--stdin", "-b", "1", "-s", rate, "-v", voice, text=text)

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

    def _run(self, *arguments: str, text: str = "") -> bytes:
        program = shutil.which(self._program)
        if program is None:
            raise EspeakError(_MISSING)
        with self._start([program, *arguments]) as child:
            try:
                output, errors = child.communicate(text.encode(), self._timeout_s)
            except subprocess.TimeoutExpired as late:
                raise EspeakError(f"espeak-ng is not ready after {self._timeout_s:g} s") from late
            finally:
                child.kill()  # does nothing to one that has ended
        self.check()
        if child.returncode:
            said = " ".join(errors.decode(errors="replace").split())[-160:]
            raise EspeakError(f"espeak-ng failed ({child.returncode}): {said}")
        return output

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        # nice: there is time, and somebody may be speaking. It becomes what it starts, with the
        # same process id. The key and the like in our environment are none of its business.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        pipe = subprocess.PIPE
        with self._lock:
            self.check()
            try:
                self._child = subprocess.Popen(  # noqa: S603 - a program of the system's own
                    ["nice", "-n", "19", *command],  # noqa: S607 - as PATH has it
                    stdin=pipe,
                    stdout=pipe,
                    stderr=pipe,
                    env=environment,
                )
            except OSError as error:
                raise EspeakError(f"espeak-ng cannot be started: {error}") from error
            return self._child
