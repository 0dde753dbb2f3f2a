"""The clock."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import clock

if TYPE_CHECKING:
    from tests.doctor.healthy import Healthy

SET_NTP = "sudo timedatectl set-ntp true"


@pytest.mark.parametrize("year", [1970, 2025, 2099])
def test_a_time_that_cannot_be(machine: Healthy, year: int) -> None:
    machine.now = datetime.datetime(year, 1, 2, 3, 4, tzinfo=datetime.UTC)
    assert machine.found_by(clock.check) == [
        (
            f"FAIL clock: it says {year}-01-02 03:04 UTC: "
            "with that every certificate counts as invalid"
            f" -> {SET_NTP}, or sudo date -s 'YYYY-MM-DD HH:MM'"
        )
    ]


@pytest.mark.parametrize(
    ("shown", "fault"),
    [
        (
            "CanNTP=no\nNTP=no\nNTPSynchronized=no",
            (
                "WARN clock: nothing here sets it by the network: it is wrong after a power cut"
                " -> sudo apt install systemd-timesyncd"
            ),
        ),
        (
            "CanNTP=yes\nNTP=no\nNTPSynchronized=no",
            f"WARN clock: setting it by the network is switched off -> {SET_NTP}",
        ),
        (
            "CanNTP=yes\nNTP=yes\nNTPSynchronized=no",
            (
                "WARN clock: it has not been set by the network yet"
                " -> wait a minute, then see: timedatectl timesync-status"
            ),
        ),
    ],
)
def test_a_time_that_nobody_looks_after(machine: Healthy, shown: str, fault: str) -> None:
    machine.run.outputs["timedatectl show"] = shown
    assert machine.found_by(clock.check) == [fault]


def test_a_machine_without_timedatectl(machine: Healthy) -> None:
    del machine.run.outputs["timedatectl show"]
    assert machine.found_by(clock.check) == [
        (
            f"OK clock: {machine.now:%Y-%m-%d %H:%M} UTC; "
            "whether it is synchronised cannot be found out here"
        )
    ]


def test_a_clock_that_is_right(machine: Healthy) -> None:
    assert machine.found_by(clock.check) == [
        f"OK clock: {machine.now:%Y-%m-%d %H:%M} UTC, synchronised"
    ]
