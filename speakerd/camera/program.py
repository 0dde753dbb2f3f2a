"""The camera's command: one run of it is one picture, or one line that says why there is none.

It may be slow, hang, fail, print anything and leave children behind: it costs nobody more than
that picture. It runs in the loop, which waits for nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What a picture may take. One that is 768 pixels wide, as the Live API recommends them, takes a
#: tenth of it; and what is said next waits behind it on the line.
MAX_BYTES = 1024 * 1024
#: A camera that wakes takes a second or two, on a small board three.
TIMEOUT_S = 10.0
#: What is killed has ended after that, unless the kernel itself is stuck in the camera's driver.
_ENDING_S = 1.0
_MOST_SAID_BYTES = 4096
_MOST_LETTERS = 160  # of its last line
_STDOUT = 1
#: How a JPEG begins and ends: SOI with the next marker's first byte, and EOI (ITU-T T.81, B.1).
_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"


class CameraError(Exception):
    """There is no picture; the text is one line, with the remedy where there is one."""


class Program:
    """``command``, the program first; each run may take ``timeout_s``. ``kill(pid)`` ends a group.

    One runs at a time, and it is gone when :meth:`picture` returns, with all that it has started:
    also where that is cancelled.
    """

    def __init__(
        self,
        command: Sequence[str],
        timeout_s: float = TIMEOUT_S,
        *,
        kill: Callable[[int], None] | None = None,
        ending_s: float = _ENDING_S,
    ) -> None:
        self.name = PurePath(command[0]).name
        self._command = command
        self._timeout_s = timeout_s
        self._kill = kill or _kill
        self._ending_s = ending_s
        self._turn = asyncio.Lock()  # whose run it is
        self._last: _Run | None = None

    async def picture(self) -> bytes:
        """A JPEG of at most :data:`MAX_BYTES`. Raises :class:`CameraError`."""
        async with self._turn:
            if self._last is not None and not self._last.exited.is_set():
                raise CameraError(f"{self.name} hangs in its driver, and cannot be ended; reboot")
            run, transport = await self._start()
            try:
                async with asyncio.timeout(self._timeout_s):
                    await run.over.wait()
            except TimeoutError:
                late = f"{self.name} has no picture after {self._timeout_s:g} s"
                raise CameraError(late) from None
            finally:
                await self._end(run)
        return self._checked(run, transport.get_returncode())

    async def _start(self) -> tuple[_Run, asyncio.SubprocessTransport]:
        try:
            # a group of its own: that can be ended whole, and no Ctrl-C of a terminal is for it
            transport, run = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Run(self._kill),
                *self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                process_group=0,
            )
        except FileNotFoundError:
            raise CameraError(missing(self.name)) from None
        except OSError as error:
            raise CameraError(f"{self.name} cannot be started: {error.strerror}") from None
        self._last = run
        return run, transport

    async def _end(self, run: _Run) -> None:
        """See to it that nothing of it is left."""
        run.kill()
        try:
            async with asyncio.timeout(self._ending_s):
                await run.exited.wait()
        except TimeoutError:
            return  # the next one is told of it; closing now would race with its end
        run.close()

    def _checked(self, run: _Run, status: int | None) -> bytes:
        if len(run.picture) > MAX_BYTES:
            much = f"{self.name} prints more than {MAX_BYTES // 1024} KiB; let it make it smaller"
            raise CameraError(much)
        if status:
            said = _last_line(run.said)
            raise CameraError(f"{self.name} failed ({status}){said and f': {said}'}")
        if not run.picture:
            raise CameraError(f"{self.name} prints nothing; it has to write to its standard output")
        end = run.picture.rfind(_END)  # some cameras fill up what follows
        if not run.picture.startswith(_BEGIN) or end < 0:
            raise CameraError(f"what {self.name} prints is no JPEG, or not all of one")
        return bytes(run.picture[: end + len(_END)])


class _Run(asyncio.SubprocessProtocol):
    """What one process prints, as far as anybody wants to know."""

    def __init__(self, kill: Callable[[int], None]) -> None:
        self._kill = kill
        self._transport: asyncio.SubprocessTransport | None = None
        self.picture = bytearray()
        self.said = b""
        self.exited = asyncio.Event()
        self.over = asyncio.Event()  # it has exited, and all that it printed has come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != _STDOUT:
            self.said = (self.said + data)[-_MOST_SAID_BYTES:]
        elif len(self.picture) <= MAX_BYTES:
            self.picture += data
        if len(self.picture) > MAX_BYTES:
            self.kill()

    def process_exited(self) -> None:
        self.exited.set()
        self.kill()  # its children, which may have its pipes

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.over.set()
        self.close()

    def kill(self) -> None:
        """End it and its children."""
        if self._transport is not None:
            self._kill(self._transport.get_pid())

    def close(self) -> None:
        """Close its pipes: what has left the group may still have them open."""
        if self._transport is not None:
            self._transport.close()


def missing(name: str) -> str:
    """What is said of a program that is not there."""
    return f"{name} is not there; install it, or set SPEAKERD_CAMERA_COMMAND to another one"


def _kill(pid: int) -> None:
    # all of it has ended; or it has other rights, by sudo, and the next one is told that it is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _last_line(said: bytes) -> str:
    """What it said last, fit for a journal."""
    lines = said.decode(errors="replace").strip().splitlines()
    line = lines[-1][-_MOST_LETTERS:] if lines else ""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )


def _environment() -> dict[str, str]:
    """What finds programs; the key and the like are none of its business."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
