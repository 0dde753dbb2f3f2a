"""sd_notify, to a real datagram socket."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from speakerd.service.notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def told(systemd: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(systemd.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_systemd_is_told_the_life_of_the_daemon(systemd: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.stopping()
    assert told(systemd) == ["READY=1", "STOPPING=1"]


def test_a_status_is_one_line_and_not_said_twice(systemd: socket.socket) -> None:
    notifier = Notifier()
    for text in ("idle", "idle", "lost:\nREADY=1", "idle"):
        notifier.status(text)
    assert told(systemd) == ["STATUS=idle", "STATUS=lost: READY=1", "STATUS=idle"]


def test_without_systemd_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.status("idle")
    notifier.stopping()
    assert caplog.records == []


def test_a_systemd_that_is_gone_is_noted_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone.sock"))
    notifier = Notifier()
    with caplog.at_level(logging.WARNING):
        notifier.ready()
        notifier.status("idle")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_trouble_that_passes_does_not_stop_the_signs_of_life(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more descriptors for a moment: systemd would kill a healthy daemon for it."""
    notifier = Notifier()

    def none_left(*_arguments: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("speakerd.service.notify.socket.socket", none_left)
        notifier.alive()
    notifier.alive()
    assert told(systemd) == ["WATCHDOG=1"]


def test_half_a_surrogate_pair_is_no_trouble(systemd: socket.socket) -> None:
    Notifier().status("lost: \ud800")
    assert told(systemd) == ["STATUS=lost: ?"]


def test_a_status_does_not_wait_for_a_systemd_that_reads_nothing(systemd: socket.socket) -> None:
    notifier = Notifier()
    for number in range(1000):  # more than the kernel keeps for it
        notifier.status(f"number {number}")
    kept = told(systemd)
    assert 0 < len(kept) < 1000
    notifier.status("number 999")  # left out before, so it is told now
    assert told(systemd) == ["STATUS=number 999"]


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel gives it an abstract name
        name = listening.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
        Notifier().ready()
        assert listening.recv(100) == b"READY=1"
