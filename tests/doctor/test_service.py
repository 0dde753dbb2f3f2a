"""The service: what systemd knows of it, its users, and what the daemon says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import speakerd
from speakerd.doctor import service
from tests.doctor.healthy import STARTED_S, UPTIME_S

if TYPE_CHECKING:
    from tests.doctor.healthy import Healthy

RESTART = "sudo systemctl restart speakerd"
LOG = "journalctl -u speakerd -n 50"


def test_all_is_well(machine: Healthy) -> None:
    assert machine.found_by(service.check) == [
        "OK service: installed and running, never restarted since it was started",
        "OK service: systemd ends and restarts it when it hangs for 20s",
        "OK service: anna may use it, being in the group speakerd",
        "OK daemon: Ready: hold the button and speak",
    ]


# --- the unit

FAILED = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}


@pytest.mark.parametrize(
    ("unit", "fault"),
    [
        (
            {"LoadState": "not-found"},
            "WARN service: speakerd.service is not installed -> sudo make install",
        ),
        (
            {"LoadState": "masked"},
            "FAIL service: speakerd.service is masked -> sudo systemctl unmask speakerd",
        ),
        (
            {"LoadState": "bad-setting"},
            (
                "FAIL service: systemd cannot read speakerd.service (bad-setting)"
                " -> systemd-analyze verify speakerd.service"
            ),
        ),
        (
            {"UnitFileState": "disabled"},
            (
                "WARN service: it does not start by itself when the machine does (disabled)"
                " -> sudo systemctl enable speakerd"
            ),
        ),
        (
            {"NeedDaemonReload": "yes"},
            (
                "WARN service: the unit has been changed, and systemd has not read it since"
                f" -> sudo systemctl daemon-reload && {RESTART}"
            ),
        ),
        (
            {"NRestarts": "7"},
            (
                "WARN service: running, but systemd had to start it again 7 times"
                f" -> see why: {LOG} -p warning"
            ),
        ),
        (
            {"NRestarts": "1"},
            (
                "WARN service: running, but systemd had to start it again once"
                f" -> see why: {LOG} -p warning"
            ),
        ),
        (
            {"ActiveState": "inactive", "SubState": "dead"},
            "FAIL service: it is not running -> sudo systemctl start speakerd",
        ),
        (
            {"ActiveState": "activating", "SubState": "start"},
            "WARN service: it is activating -> wait, then: speakerd status",
        ),
        (
            {
                "ActiveState": "activating",
                "SubState": "auto-restart",
                "Result": "watchdog",
                "NRestarts": "12",
            },
            (
                "FAIL service: it ends and is started again, 12 times so far: "
                "it hung, and the watchdog ended it: the last words"
                f" -> see why: {LOG}; then: {RESTART}"
            ),
        ),
        (
            FAILED | {"ExecMainStatus": "78"},
            (
                "FAIL service: it has failed: the configuration cannot be used: the last words"
                f" -> see what was found about it, above; then: {RESTART}"
            ),
        ),
        (
            FAILED | {"ExecMainStatus": "70"},
            (
                "FAIL service: it has failed: an internal error: the last words"
                f" -> report it with what this shows: {LOG}; then: {RESTART}"
            ),
        ),
        (
            FAILED | {"ExecMainStatus": "243"},
            (
                "FAIL service: it has failed: its credentials cannot be set up: the last words"
                f" -> sudo speakerd key; then: {RESTART}"
            ),
        ),
        (
            FAILED | {"ExecMainStatus": "216"},
            (
                "FAIL service: it has failed: a group of the unit does not exist: the last words"
                f" -> sudo systemd-sysusers && {RESTART}"
            ),
        ),
        (
            FAILED | {"ExecMainStatus": "3"},
            (
                "FAIL service: it has failed: exit-code, exit code 3: the last words"
                f" -> see why: {LOG}; then: {RESTART}"
            ),
        ),
        (
            FAILED | {"Result": "start-limit-hit"},
            (
                "FAIL service: it has failed: it failed too often in a short time: the last words"
                f" -> see why: {LOG}; then: {RESTART}"
            ),
        ),
    ],
)
def test_what_systemd_says(machine: Healthy, unit: dict[str, str], fault: str) -> None:
    machine.unit |= unit
    machine.run.outputs["journalctl -u speakerd -p err"] = "a first one\nthe last words"
    if machine.unit["ActiveState"] != "active":
        machine.is_silent("no daemon answers")
    assert machine.faults_by(service.check) == [fault]


def test_a_journal_without_errors_has_other_last_words(machine: Healthy) -> None:
    machine.unit |= FAILED | {"ExecMainStatus": "78"}
    machine.is_silent("no daemon answers")
    machine.run.outputs["journalctl -u speakerd -p err"] = ""
    machine.run.outputs["journalctl _SYSTEMD_UNIT=speakerd.service"] = "speakerd: it is so"
    (found,) = machine.faults_by(service.check)
    assert "the configuration cannot be used: speakerd: it is so -> " in found


def test_a_journal_that_may_not_be_read(machine: Healthy) -> None:
    machine.unit |= FAILED | {"ExecMainStatus": "78"}
    machine.is_silent("no daemon answers")
    (found,) = machine.faults_by(service.check)
    assert "the configuration cannot be used -> " in found


def test_a_machine_without_systemd(machine: Healthy) -> None:
    machine.is_silent("no daemon answers")
    system = machine.system()
    del machine.run.outputs["systemctl show speakerd.service"]
    (found,) = service.check(system)
    assert found.what == "systemd does not answer here: nothing starts speakerd by itself"


@pytest.mark.parametrize("watchdog", ["0", "infinity", ""])
def test_a_service_that_nobody_watches(machine: Healthy, watchdog: str) -> None:
    machine.unit["WatchdogUSec"] = watchdog
    assert machine.faults_by(service.check) == [
        (
            "WARN service: nobody watches over it: when it hangs, it stays so"
            f" -> sudo systemctl revert speakerd && {RESTART}"
        )
    ]


# --- users and groups


def test_a_user_that_does_not_exist(machine: Healthy) -> None:
    machine.write("etc/passwd", "root:x:0:0::/root:\nanna:x:1000:1000:::\n")
    assert machine.faults_by(service.check) == [
        f"FAIL service: there is no user speakerd -> sudo systemd-sysusers && {RESTART}"
    ]


def test_groups_that_do_not_exist(machine: Healthy) -> None:
    machine.write("etc/group", "root:x:0:\naudio:x:29:\n")
    assert machine.faults_by(service.check) == [
        f"FAIL service: there is no group {group} -> sudo groupadd --system {group} && {RESTART}"
        for group in ("speakerd", "gpio")
    ]


def test_somebody_who_may_not_use_it(machine: Healthy) -> None:
    machine.user = "clara"
    assert machine.faults_by(service.check) == [
        (
            "WARN service: clara may not use it without sudo, not being in the group speakerd"
            " -> sudo adduser clara speakerd, then log in again"
        )
    ]


@pytest.mark.parametrize("user", ["root", "speakerd"])
def test_some_may_always_use_it(machine: Healthy, user: str) -> None:
    machine.user = user
    assert not any(user in line for line in machine.found_by(service.check))


def test_whose_own_group_it_is_may_use_it(machine: Healthy) -> None:
    machine.user = "clara"
    passwd = (machine.root / "etc/passwd").read_text()
    machine.write("etc/passwd", f"{passwd}clara:x:1001:990:::\n")
    assert machine.faults_by(service.check) == []


def test_users_that_are_not_in_files_are_not_missed(machine: Healthy) -> None:
    for name in ("passwd", "group"):
        (machine.root / "etc" / name).unlink()
    assert machine.faults_by(service.check) == []


# --- the key


def test_no_key_and_an_uptime_that_nobody_tells(machine: Healthy) -> None:
    stored = machine.store_key("a-new-key")
    os.utime(stored)
    (machine.root / "proc/uptime").unlink()
    assert machine.faults_by(service.check) == []


def test_a_key_that_is_newer_than_the_service(machine: Healthy) -> None:
    stored = machine.store_key("a-new-key")
    started_at = machine.now.timestamp() - UPTIME_S + STARTED_S
    os.utime(stored, (started_at + 5, started_at + 5))
    assert machine.faults_by(service.check) == [
        (
            "WARN service: another key has been stored since it was started: "
            "it still uses the old one"
            f" -> {RESTART}"
        )
    ]
    os.utime(stored, (started_at - 5, started_at - 5))
    assert machine.faults_by(service.check) == []


# --- the daemon


def test_a_daemon_that_does_not_answer(machine: Healthy) -> None:
    machine.is_silent("no daemon answers on /run/speakerd/control.sock: is it running?")
    assert machine.faults_by(service.check) == [
        (
            "FAIL daemon: the service runs, but no daemon answers on /run/speakerd/control.sock: "
            f"is it running? -> {RESTART}"
        )
    ]


def test_a_daemon_that_may_not_be_asked(machine: Healthy) -> None:
    machine.is_silent("/run/speakerd/control.sock: permission denied; only members may")
    assert machine.faults_by(service.check) == [
        (
            "WARN daemon: /run/speakerd/control.sock: permission denied; only members may"
            " -> sudo speakerd doctor"
        )
    ]


def test_a_daemon_that_falls_silent(machine: Healthy) -> None:
    assert machine.daemon is not None
    machine.daemon.gone = True
    assert machine.faults_by(service.check) == [
        f"WARN daemon: the daemon has said nothing for 5 s -> {RESTART}.service"
    ]


def test_a_daemon_of_another_version(machine: Healthy) -> None:
    machine.says({"version": "0.0.7"})
    assert machine.faults_by(service.check) == [
        f"WARN daemon: version 0.0.7 runs, but {speakerd.__version__} is installed -> {RESTART}"
    ]


def test_a_daemon_with_a_device_missing(machine: Healthy) -> None:
    machine.says(
        {
            "state": "error",
            "summary": "No microphone: plughw:CARD=Gone: No such device",
            "last_error": "plughw:CARD=Gone: No such device",
            "last_error_remedy": "see SPEAKERD_CAPTURE_DEVICE, or run speakerd doctor",
        }
    )
    assert machine.faults_by(service.check) == [
        (
            "FAIL daemon: No microphone: plughw:CARD=Gone: No such device"
            " -> see what is found about it, below"
        )
    ]


def test_a_budget_that_is_used_up_is_no_fault(machine: Healthy) -> None:
    summary = "The day's budget is used up: it listens again after midnight"
    machine.says({"state": "error", "summary": summary})
    (found,) = machine.faults_by(service.check)
    assert found == (
        f"WARN daemon: {summary} -> wait until midnight, or raise SPEAKERD_DAILY_BUDGET"
    )


def test_a_daemon_that_had_an_error(machine: Healthy) -> None:
    machine.says(
        {"last_error": "1011 Internal error", "last_error_remedy": None, "last_error_ago_s": 200.0}
    )
    assert machine.found_by(service.check)[-2:] == [
        "OK daemon: Ready: hold the button and speak",
        f"WARN daemon: its last error was 3 min 20 s ago: 1011 Internal error -> {LOG}",
    ]
