"""The other end of the control socket, for one-shot commands: synchronous, every wait bounded."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import IO, TYPE_CHECKING, cast

from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TIMEOUT_S = 5.0


def request(
    path: Path, message: Mapping[str, object], timeout_s: float = _TIMEOUT_S
) -> dict[str, object]:
    """Send one command and return its answer, ``ok`` or not.

    Raises UnavailableError where nobody answers within ``timeout_s``, or not what was agreed.
    """
    with _connected(path, timeout_s) as lines:
        return _exchange(lines, message, path)


@contextlib.contextmanager
def subscribe(
    path: Path, timeout_s: float | None = None, connect_timeout_s: float = _TIMEOUT_S
) -> Iterator[Events]:
    """The events as they happen, from now on, until the daemon hangs up.

    Use it as ``with subscribe(path) as events: for event in events: ...``. Raises
    UnavailableError where nobody answers within ``connect_timeout_s``, and in the loop where no
    event comes for ``timeout_s`` (None: for ever).
    """
    with _connected(path, connect_timeout_s) as lines:
        answer = _exchange(lines, {"command": "subscribe"}, path)
        if answer.get("ok") is not True:
            raise UnavailableError(f"the daemon on {path} refuses: {answer.get('error')}")
        lines.connection.settimeout(timeout_s)
        yield Events(lines)


class Events:
    """An iterator over what happens."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> dict[str, object]:
        event = self._lines.read()
        if event is None:
            raise StopIteration
        return event

    def hang_up(self) -> None:
        """End it; from any thread."""
        with contextlib.suppress(OSError):  # the daemon has hung up before
            self._lines.connection.shutdown(socket.SHUT_RDWR)


class _Lines:
    """A connection as JSON objects."""

    def __init__(self, connection: socket.socket, file: IO[bytes]) -> None:
        self.connection = connection
        self._file = file

    def write(self, message: Mapping[str, object]) -> None:
        """Send one object. Whoever hangs up on it may have said why: read what there is."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            try:
                self.connection.sendall(json.dumps(message).encode() + b"\n")
            except TimeoutError:
                raise self._silence() from None

    def read(self) -> dict[str, object] | None:
        """The next object; None at the end. Raises UnavailableError where it is no object."""
        try:
            line = self._file.readline()
        except TimeoutError:
            raise self._silence() from None
        except ConnectionError:
            line = b""
        if not line:
            return None
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise UnavailableError("what answers on the control socket is not speakerd")
        return cast("dict[str, object]", message)

    def _silence(self) -> UnavailableError:
        return UnavailableError(
            f"the daemon has said nothing for {self.connection.gettimeout():g} s"
        )


@contextlib.contextmanager
def _connected(path: Path, timeout_s: float) -> Iterator[_Lines]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except PermissionError:
            raise UnavailableError(
                f"{path}: permission denied; only members of the group speakerd may use it "
                "(sudo adduser YOU speakerd, then log in again)"
            ) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise UnavailableError(
                f"no daemon answers on {path}: is it running? (systemctl status speakerd)"
            ) from None
        except OSError as error:
            raise UnavailableError(f"{path}: {error.strerror or error}") from None
        with connection.makefile("rb") as file:
            yield _Lines(connection, file)


def _exchange(lines: _Lines, message: Mapping[str, object], path: Path) -> dict[str, object]:
    lines.write(message)
    answer = lines.read()
    if answer is None:
        raise UnavailableError(f"the daemon on {path} hung up without an answer")
    return answer
