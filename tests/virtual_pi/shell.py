"""Commands on the machine, by ssh over its lifeline."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

LOOK_S = 0.5  # how often a condition is looked at
_GET_S = 120.0
#: ssh's own exit code, when it is ssh that has failed
_SSH_FAILED = 255


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command."""

    code: int
    out: str
    error: str


class FailedError(Exception):
    """A command on the machine has failed."""


class Shell:
    """ssh to one user; one connection carries all that runs at a time.

    ``folder`` is for its socket: a short path, because a Unix socket's has at most 107 bytes.
    ``forward``: "HERE:THERE", a Unix socket here that leads to one on the machine.
    """

    def __init__(
        self, port: int, key: Path, folder: Path, user: str = "root", *, forward: str = ""
    ) -> None:
        self._options = [
            *("-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-F", "none"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"),
            *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=12"),
            *("-o", "ControlMaster=no", "-o", f"ControlPath={folder / user}"),
        ]
        self._forward = ("-L", forward, "-o", "StreamLocalBindUnlink=yes") if forward else ()
        self._socket = folder / user
        self._master: asyncio.subprocess.Process | None = None
        self._port = str(port)
        self._where = f"{user}@127.0.0.1"

    @property
    def interactive(self) -> list[str]:
        """The command for a shell on a person's terminal."""
        return self._ssh(options=["-t"])

    def _ssh(self, command: str = "", *, options: Sequence[str] = ()) -> list[str]:
        said = [command] if command else []
        return ["ssh", *options, *self._options, "-p", self._port, self._where, *said]

    async def ask(self, command: str, *, timeout_s: float = 60.0, given: bytes = b"") -> Result:
        """Run it, with ``given`` on its standard input. Raises TimeoutError, ConnectionError."""
        process = await asyncio.create_subprocess_exec(
            *self._ssh(command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, error = await process.communicate(given)
        except TimeoutError as late:
            raise TimeoutError(f"{command!r} takes more than {timeout_s:g} s") from late
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        code = await process.wait()
        result = Result(code, out.decode(errors="replace"), error.decode(errors="replace"))
        if code == _SSH_FAILED:
            raise ConnectionError(result.error)
        return result

    async def run(self, command: str, *, timeout_s: float = 60.0, given: bytes = b"") -> str:
        """Run it, for what it prints. Raises FailedError with all of that if it fails."""
        result = await self.ask(command, timeout_s=timeout_s, given=given)
        if result.code:
            raise FailedError(f"{command!r}: exit {result.code}\n{result.out}{result.error}")
        return result.out

    async def until(self, command: str, *, timeout_s: float = 120.0) -> str:
        """Run it again and again until it succeeds, for what it prints then. Raises FailedError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            try:
                return await self.run(command)
            except FailedError:
                if loop.time() > end:
                    raise
            await asyncio.sleep(LOOK_S)

    async def put(self, content: bytes, path: str, mode: str = "644") -> None:
        """Write a file, whole or not at all."""
        name = shlex.quote(path)
        await self.run(
            f"cat >{name}.new && chmod {mode} {name}.new && mv {name}.new {name}", given=content
        )

    async def get(self, path: str) -> bytes:
        """Read a file. Raises FailedError, TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *self._ssh(f"cat {shlex.quote(path)}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_GET_S):
            out, _ = await process.communicate()
        if process.returncode:
            raise FailedError(f"{path}: exit {process.returncode}")
        return out

    @contextlib.asynccontextmanager
    async def stream(self, command: str) -> AsyncIterator[asyncio.StreamReader]:
        """What a command prints, as it prints it; the command is ended with the context."""
        process = await asyncio.create_subprocess_exec(
            *self._ssh(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            limit=16 * 1024 * 1024,
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def up(self, *, timeout_s: float = 300.0) -> None:
        """Connect, as soon as it answers. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not await self._connected():
                await asyncio.sleep(LOOK_S)

    async def _connected(self) -> bool:
        """Whether there is a connection now; begins to make one if not."""
        if self._master is None or self._master.returncode is not None:
            # A child of ours, and not one that ssh puts into the background, where it would keep
            # the pipes of the first command open.
            self._master = await asyncio.create_subprocess_exec(
                *self._ssh(options=["-M", "-N", *self._forward]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        check = await asyncio.create_subprocess_exec(
            *self._ssh(options=["-O", "check"]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await check.wait() == 0

    async def hang_up(self) -> None:
        """End the connection, which a machine that has lost its power does not do."""
        if self._master is not None:
            with contextlib.suppress(ProcessLookupError):
                self._master.kill()
            await self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)
