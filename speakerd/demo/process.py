"""The real daemon as a process of its own, as systemd would run it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

#: A cold start on a Pi Zero 2 W, with room to spare.
READY_TIMEOUT_S = 60.0
#: The daemon promises two.
STOP_TIMEOUT_S = 5.0
#: What follows the interpreter
COMMAND = ("-m", "speakerd", "run")


class DaemonProcess:
    """``speakerd run`` in ``directory``, which gets its socket, state and log.

    Entering waits for READY (unless told not to), leaving stops it by SIGTERM. The environment is
    that of the caller without its own SPEAKERD options, and with ``environment`` on top. What the
    interpreter runs is ``command``, which may be a way of its own to the same. Raises
    :class:`~speakerd.errors.UnavailableError` with the daemon's last words if it does not come up.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        *,
        command: Sequence[str] = COMMAND,
        wait: bool = True,
    ) -> None:
        self.socket = directory / "control.sock"
        self.log = directory / "daemon.log"
        self.exit_code: int | None = None
        self.began_at = 0.0  # just before its exec, of time.monotonic()
        self.ready_s = 0.0  # from exec to READY
        self.told: list[str] = []  # what it has told its service manager: READY=1, STATUS=..., ...
        self._directory = directory
        self._environment = environment
        self._command = command
        self._wait = wait
        self._heard = threading.Condition()  # guards what was told
        self._cleanup = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process' id."""
        if self._process is None:
            raise UnavailableError("the daemon has not been started")
        return self._process.pid

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._listening(self._directory / "notify.sock"))
            log = undo.enter_context(self.log.open("wb"))
            self.began_at = time.monotonic()
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                (sys.executable, *self._command),
                env=self.environment(),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            undo.callback(self.stop)
            if self._wait:
                self._wait_until_ready(self.began_at + READY_TIMEOUT_S)
            self.ready_s = time.monotonic() - self.began_at
            self._cleanup = undo.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._cleanup.close()

    def last_words(self) -> str:
        """The end of the daemon's log."""
        return self.log.read_text(errors="replace")[-2000:].strip()

    def environment(self) -> dict[str, str]:
        """What the daemon finds in its environment; commands for it work with the same."""
        theirs = {k: v for k, v in os.environ.items() if not k.startswith("SPEAKERD_")}
        env_file = self._directory / "speakerd.env"
        env_file.touch()
        return theirs | {
            "SPEAKERD_ENV_FILE": str(env_file),
            "SPEAKERD_CONTROL_SOCKET": str(self.socket),
            "SPEAKERD_STATE_DIRECTORY": str(self._directory),
            "NOTIFY_SOCKET": str(self._directory / "notify.sock"),
            **self._environment,
        }

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send signal ``number``, unless it has ended, and wait for ``exit_code``.

        That is -SIGKILL for a daemon that had to be killed in the end.
        """
        process = self._process
        if process is None or self.exit_code is not None:
            return
        process.send_signal(number)
        try:
            self.exit_code = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            self.exit_code = process.wait()

    def _wait_until_ready(self, deadline: float) -> None:
        while self._process is not None and self._process.poll() is None:
            with self._heard:
                if self._heard.wait_for(lambda: "READY=1" in self.told, 0.1):
                    return
            if time.monotonic() > deadline:
                break
        raise UnavailableError(f"the daemon did not come up; it said:\n{self.last_words()}")

    @contextlib.contextmanager
    def _listening(self, path: Path) -> Iterator[None]:
        """Be the service manager: take what is told (sd_notify(3)).

        All of it, for the kernel queues but ten datagrams, and lets the daemon wait with the next.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            listener = threading.Thread(target=self._listen, args=(manager,), name="notify socket")
            listener.start()
            try:
                yield
            finally:
                manager.shutdown(socket.SHUT_RD)  # what is queued is still received, then b""
                listener.join()
                path.unlink()

    def _listen(self, manager: socket.socket) -> None:
        while message := manager.recv(4096):
            with self._heard:
                self.told += message.decode(errors="replace").splitlines()
                self._heard.notify_all()
