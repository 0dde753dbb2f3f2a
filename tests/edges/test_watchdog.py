"""systemd's watchdog: it hears of life only while all that shall move moves."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from speakerd.service.notify import Notifier
from speakerd.service.watchdog import STALL_LIMIT_S, Watchdog, interval_s

if TYPE_CHECKING:
    import socket


def signs(systemd: socket.socket) -> int:
    """How many signs of life have come since the last time."""
    count = 0
    while True:
        try:
            assert systemd.recv(4096) == b"WATCHDOG=1"
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 5.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),  # it is meant for another one
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_how_often_is_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: float | None
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert interval_s() == wanted


def test_an_edge_that_stands_still_stops_the_signs_until_it_moves(
    systemd: socket.socket, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    stalled = {"microphone": 0.0, "speaker": STALL_LIMIT_S}
    watchdog = Watchdog(Notifier(), lambda: stalled)
    watchdog.look()
    assert signs(systemd) == 1
    stalled["microphone"] = STALL_LIMIT_S + 0.1
    watchdog.look()
    assert signs(systemd) == 1, "the whole process may have stood still"
    watchdog.look()
    watchdog.look()
    assert signs(systemd) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"], "told once"
    assert "the microphone stands still" in caplog.text
    assert capfd.readouterr().err.count("in look") == 1, "and where"
    stalled["microphone"] = 0.0
    watchdog.look()
    assert signs(systemd) == 1
    stalled["microphone"] = float("inf")
    watchdog.look()
    watchdog.look()
    assert len(caplog.records) == 2


async def test_it_looks_again_and_again(systemd: socket.socket) -> None:
    running = asyncio.create_task(Watchdog(Notifier(), dict).run(0.001))
    count = 0
    async with asyncio.timeout(5):
        while count < 5:
            await asyncio.sleep(0.001)
            count += signs(systemd)
    running.cancel()
