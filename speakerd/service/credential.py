"""The API key as a systemd credential: stored once, handed over at every start of the service.

``LoadCredential=gemini-api-key`` without a path looks in /etc/credstore (systemd.exec(5)).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from speakerd.config.sources import CREDENTIAL
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STORE = Path("/etc/credstore")
UNIT = "speakerd.service"
#: The service has 5 s to stop, and its start 90 s at the utmost.
_TIMEOUT_S = 100.0


class Run(Protocol):
    """Runs a command to its end; returns its exit status and what it said."""

    def __call__(self, command: Sequence[str], /) -> tuple[int, str]:
        """Run ``command``. Raises OSError where there is no such command."""
        ...


def store(key: str, directory: Path) -> Path:
    """Keep ``key`` in ``directory`` for systemd; returns the file, which has mode 0600.

    Raises UnavailableError where that is not possible.
    """
    path = directory / CREDENTIAL
    new = directory / f".{CREDENTIAL}.new"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)  # it may hold a part of the key
        raise UnavailableError(f"{path}: {error.strerror}") from None
    return path


def with_stored(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """``environ`` as the service has it, as far as this user may see: with the stored key."""
    seen = dict(environ)
    if not seen.get("CREDENTIALS_DIRECTORY") and os.access(directory / CREDENTIAL, os.R_OK):
        seen["CREDENTIALS_DIRECTORY"] = str(directory)
    return seen


def is_hidden(directory: Path) -> bool:
    """Whether this user may not see what is stored."""
    return directory.is_dir() and not os.access(directory, os.X_OK)


def restart(run: Run | None = None) -> str:
    """Have the service read it; returns what has become of that, in words.

    Raises UnavailableError where the service is there and does not come up.
    """
    run = run or _run
    try:
        status, loaded = run(("systemctl", "show", "--property=LoadState", "--value", UNIT))
        if status != 0:
            return "systemd is not running here: the service will find it when it starts"
        if loaded.strip() != "loaded":
            return "the service is not installed yet: it will find it when it starts"
        status, said = run(("systemctl", "restart", UNIT))
    except subprocess.TimeoutExpired:
        raise UnavailableError("the key is stored, but systemd does not answer") from None
    except OSError:
        return "systemd is not here: the service will find it when it starts"
    if status != 0:
        raise UnavailableError(f"the key is stored, but the service does not start: {said.strip()}")
    return "the service has been started with it"


def _run(command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - what it runs is written above
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout
