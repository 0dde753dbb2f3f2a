"""A service manager that listens."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket to which sd_notify(3) messages come; reading it does not block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        path = str(tmp_path / "notify.sock")
        listening.bind(path)
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening
