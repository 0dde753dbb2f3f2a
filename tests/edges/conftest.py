"""A journal in place of stderr and a service manager that listens, for the tests of the service."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from speakerd.service import journal
from systemd import journal as systemds_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Configure = Callable[..., list[dict[str, str]]]

_LOGGERS = ("", "speakerd", "websockets")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What journal.configure changes for the whole process is undone."""
    loggers = {name: logging.getLogger(name) for name in _LOGGERS}
    levels = {name: logger.level for name, logger in loggers.items()}
    handlers = loggers[""].handlers[:]
    hooks = threading.excepthook, sys.unraisablehook
    journal.news_again()
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(capture=False)
    threading.excepthook, sys.unraisablehook = hooks
    loggers[""].handlers[:] = handlers
    for name, logger in loggers.items():
        logger.setLevel(levels[name])


def stream_of(path: Path) -> str:
    """What JOURNAL_STREAM says where stderr is ``path``."""
    stat = path.stat()
    return f"{stat.st_dev}:{stat.st_ino}"


@pytest.fixture
def under_systemd(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    logging_as_before: None,  # noqa: ARG001 - it is configured here
) -> Configure:
    """Configures with a journal in place of stderr; gives the entries systemd's library makes."""
    entries: list[dict[str, str]] = []

    def sendv(*fields: str) -> None:
        entries.append(dict(field.split("=", 1) for field in fields))

    def configure(level: str, secrets: Sequence[str] = ()) -> list[dict[str, str]]:
        monkeypatch.setattr(systemds_journal, "sendv", sendv)
        path = tmp_path / "stderr"
        with path.open("w") as stderr, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stderr)
            patch.setenv("JOURNAL_STREAM", stream_of(path))
            journal.configure(level, secrets)
        return entries

    return configure


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket to which sd_notify(3) messages come; reading it does not block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        path = str(tmp_path / "notify.sock")
        listening.bind(path)
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening
