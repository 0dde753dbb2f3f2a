"""Commands of a person's own: what one prints, or one line that says why it does not.

It may be slow, hang, fail, print without end and leave children behind: that costs nobody more
than what it was to print. It runs in the loop, which waits for nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from speakerd.config.secret import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MOST_SAID_BYTES = 4096
_MOST_LETTERS = 160  # of its last line
#: No pipe holds more (pipe(7), pipe-max-size): one look at it sees all that is in it.
_PIPE_BYTES = 1024 * 1024


class CommandError(Exception):
    """It has nothing for us; the text is one line, which names it."""


class MissingError(CommandError):
    """There is no such program."""


def _kill(pid: int) -> None:
    # nothing is left of it; or it has other rights, by sudo, and the next run tells that it is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def least_environment() -> dict[str, str]:
    """What finds programs; the key and the like are none of a command's business."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


@dataclass(eq=False)
class Runner:
    """Runs ``command``, the program first; PATH finds it, no shell reads it, nothing is asked.

    A run may take ``limit_s`` and print ``most_bytes``; ``name`` is what errors call it. It gets
    ``environment``, or else ours. ``kill(pid)`` ends a group.
    """

    command: Sequence[str]
    name: str
    limit_s: float
    most_bytes: int
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    kill: Callable[[int], None] = _kill
    ending_s: float = 1.0  # what is killed has ended then, unless the kernel is stuck, in a driver
    _left: _Process | None = field(default=None, init=False, repr=False)  # could not be ended

    async def run(self) -> bytes:
        """What it prints. Raises :class:`CommandError`.

        It is gone then, with all that it has started and that is still of its group: also where
        this is cancelled. One that cannot be ended is left after a second, and no other is started
        before it has ended after all.
        """
        if self._left is not None and not self._left.ended.is_set():
            stuck = f"process {self._left.child.pid} cannot be ended; kill it as root, or reboot"
            raise CommandError(f"{self.name} hangs: {stuck}")
        process = self._start()
        try:
            async with asyncio.timeout(self.limit_s):
                await process.over.wait()
        except TimeoutError:
            late = f"{self.name} is not ready after {self.limit_s:g} s"
            raise CommandError(late) from None
        finally:
            await self._end(process)
        return self._printed_by(process)

    def _start(self) -> _Process:
        try:
            return _Process(self)
        except FileNotFoundError:
            raise MissingError(f"{self.name}: {self.command[0]} is not there") from None
        except OSError as error:
            reason = f"{self.command[0]}: {error.strerror}"
            raise CommandError(f"{self.name} cannot be started: {reason}") from None

    async def _end(self, process: _Process) -> None:
        if process.ended.is_set():
            return
        process.close()  # one of other rights, by sudo, may end of that when it prints
        process.kill()
        try:
            async with asyncio.timeout(self.ending_s):
                await process.ended.wait()
        except TimeoutError:
            self._left = process  # the next run tells of it

    def _printed_by(self, process: _Process) -> bytes:
        if len(process.printed) > self.most_bytes:
            much = f"{self.most_bytes // 1024} KiB; let it print less"
            raise CommandError(f"{self.name} prints more than {much}")
        if status := process.child.returncode:
            said = _last_line(process.said) or "it does not say why"
            raise CommandError(f"{self.name} failed ({status}): {said}")
        return bytes(process.printed)


class _Process:
    """One run, from its start on, and what it prints, as far as anybody wants to know.

    The loop hears of its end by a pidfd, and waits for no end of its pipes: what it has left
    running may hold these.
    """

    def __init__(self, runner: Runner) -> None:
        """Raises OSError where it cannot be started."""
        self.printed = bytearray()
        self.said = b""
        self.ended = asyncio.Event()
        self.over = asyncio.Event()  # it has ended, or has printed too much
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        # a group of its own: that can be ended whole, and no Ctrl-C of a terminal is for it
        self.child = subprocess.Popen(  # noqa: S603 - it is the person's own
            runner.command,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=runner.environment,
            process_group=0,
        )
        self._pipes = [pipe for pipe in (self.child.stdout, self.child.stderr) if pipe]
        try:
            self._pidfd = os.pidfd_open(self.child.pid)
        except OSError:
            with self.child:  # waits for it
                self.kill()
            raise
        self._loop.add_reader(self._pidfd, self._see_its_end)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
            self._loop.add_reader(pipe, self._hear, pipe)

    def kill(self) -> None:
        """End it and its children."""
        self._runner.kill(self.child.pid)

    def close(self) -> None:
        """Hear nothing more of it."""
        for pipe in self._pipes:
            self._loop.remove_reader(pipe)
            pipe.close()
        self._pipes.clear()

    def _hear(self, pipe: IO[bytes]) -> None:
        data = pipe.read(_PIPE_BYTES)
        if not data:  # at its end; or there is nothing, at the last look
            self._loop.remove_reader(pipe)
        elif pipe is self.child.stderr:
            self.said = (self.said + data)[-_MOST_SAID_BYTES:]
        else:
            self.printed += data
            if len(self.printed) > self._runner.most_bytes:
                self.over.set()

    def _see_its_end(self) -> None:
        self.kill()  # what it has left; before the wait, after which its number may be another's
        self.child.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        for pipe in self._pipes:
            self._hear(pipe)
        self.close()
        self.ended.set()
        self.over.set()


def _last_line(said: bytes) -> str:
    """What it said last, fit for a journal."""
    lines = said.decode(errors="replace").strip().splitlines()
    line = redact(lines[-1].strip())[-_MOST_LETTERS:] if lines else ""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
