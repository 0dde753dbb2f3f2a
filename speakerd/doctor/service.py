"""The service: installed, enabled, running, watched; its users, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd import __version__
from speakerd.config import sources
from speakerd.doctor.account import UNIT
from speakerd.doctor.asking import ask, silent
from speakerd.doctor.findings import fail, ok, warn
from speakerd.doctor.host import CREDENTIAL_STORE
from speakerd.errors import UnavailableError
from speakerd.service.wording import SPENT, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import DaemonPort, System

    Properties = Mapping[str, str]

SERVICE = "service"
DAEMON = "daemon"
PROPERTIES = (
    "LoadState",
    "UnitFileState",
    "NeedDaemonReload",
    "ActiveState",
    "SubState",
    "Result",
    "ExecMainStatus",
    "NRestarts",
    "WatchdogUSec",
    "ActiveEnterTimestampMonotonic",
    "User",
    "SupplementaryGroups",
)
_GROUP = "speakerd"  # may use the control socket
_RESTART = "sudo systemctl restart speakerd"
_LOG = "journalctl -u speakerd -n 50"

#: Exit codes, ours and systemd's (systemd.exec(5)), that say what is the matter.
_EXITS = {
    "78": ("the configuration cannot be used", "see what was found about it, above; then: "),
    "70": ("an internal error", f"report it with what this shows: {_LOG}; then: "),
    "216": ("a group of the unit does not exist", "sudo systemd-sysusers && "),
    "217": ("the user of the unit does not exist", "sudo systemd-sysusers && "),
    "243": ("its credentials cannot be set up", "sudo speakerd key; then: "),
}
_RESULTS = {
    "watchdog": "it hung, and the watchdog ended it",
    "start-limit-hit": "it failed too often in a short time",
    "timeout": "it did not become ready in time",
    "oom-kill": "the memory was used up",
    "signal": "a signal ended it",
    "core-dump": "it crashed",
}


def check(system: System) -> Iterator[Finding]:
    """The unit, its users, its group for people, and the daemon."""
    unit = properties(system)
    state = unit.get("LoadState", "")
    if not state:
        what = "systemd does not answer here: nothing starts speakerd by itself"
        yield warn(SERVICE, what, "install it on a machine with systemd: sudo make install")
    elif state == "not-found":
        yield warn(SERVICE, f"{UNIT} is not installed", "sudo make install")
    elif state == "masked":
        yield fail(SERVICE, f"{UNIT} is masked", "sudo systemctl unmask speakerd")
    elif state != "loaded":
        what = f"systemd cannot read {UNIT} ({state})"
        yield fail(SERVICE, what, f"systemd-analyze verify {UNIT}")
    else:
        yield from _start(unit)
        yield from _life(system, unit)
        yield from _watchdog(unit)
        yield from _accounts(system, unit)
        yield from _credential(system, unit)
    if system.daemon is not None:
        yield from _daemon(system.daemon)
    elif unit.get("ActiveState") == "active":
        yield _silent(system)


CHECKS = (check,)


def properties(system: System) -> dict[str, str]:
    """What systemd knows of the unit; empty where there is no systemd."""
    shown = system.run(("systemctl", "show", UNIT, f"--property={','.join(PROPERTIES)}"))
    if shown.status != 0:
        return {}
    return dict(line.split("=", 1) for line in shown.output.splitlines() if "=" in line)


# --- the unit


def _start(unit: Properties) -> Iterator[Finding]:
    state = unit.get("UnitFileState", "")
    if not state.startswith("enabled"):
        what = f"it does not start by itself when the machine does ({state or 'unknown'})"
        yield warn(SERVICE, what, "sudo systemctl enable speakerd")
    if unit.get("NeedDaemonReload") == "yes":
        what = "the unit has been changed, and systemd has not read it since"
        yield warn(SERVICE, what, f"sudo systemctl daemon-reload && {_RESTART}")


def _life(system: System, unit: Properties) -> Iterator[Finding]:
    restarts = unit.get("NRestarts", "0")
    times = "once" if restarts == "1" else f"{restarts} times"
    match unit.get("ActiveState"), unit.get("SubState"):
        case (("active" | "reloading"), _):
            if restarts == "0":
                yield ok(SERVICE, "installed and running, never restarted since it was started")
            else:
                what = f"running, but systemd had to start it again {times}"
                yield warn(SERVICE, what, f"see why: {_LOG} -p warning")
        case "activating", "auto-restart":
            reason, remedy = _why(system, unit)
            what = f"it ends and is started again, {times} so far: {reason}"
            yield fail(SERVICE, what, remedy)
        case "failed", _:
            reason, remedy = _why(system, unit)
            yield fail(SERVICE, f"it has failed: {reason}", remedy)
        case ("activating" | "deactivating") as state, _:
            yield warn(SERVICE, f"it is {state}", "wait, then: speakerd status")
        case _:
            yield fail(SERVICE, "it is not running", "sudo systemctl start speakerd")


def _why(system: System, unit: Properties) -> tuple[str, str]:
    """Why it has ended, and what mends it."""
    code = unit.get("ExecMainStatus", "")
    result = unit.get("Result", "")
    if result == "exit-code" and code in _EXITS:
        words, remedy = _EXITS[code]
        remedy += _RESTART
    else:
        words = _RESULTS.get(result) or f"{result or 'unknown'}, exit code {code or 'unknown'}"
        remedy = f"see why: {_LOG}; then: {_RESTART}"
    line = last_error(system)
    return (f"{words}: {line}" if line else words), remedy


def last_error(system: System) -> str:
    """The last thing that the unit's processes have written to the journal, an error if any."""
    for which in (("-u", "speakerd", "-p", "err"), (f"_SYSTEMD_UNIT={UNIT}",)):
        ran = system.run(("journalctl", *which, "-n", "1", "-o", "cat", "-q"))
        if ran.status == 0 and ran.output:
            return ran.output.splitlines()[-1]
    return ""


def _watchdog(unit: Properties) -> Iterator[Finding]:
    watchdog = unit.get("WatchdogUSec", "")
    if watchdog in {"", "0", "infinity"}:
        what = "nobody watches over it: when it hangs, it stays so"
        yield warn(SERVICE, what, f"sudo systemctl revert speakerd && {_RESTART}")
    else:
        yield ok(SERVICE, f"systemd ends and restarts it when it hangs for {watchdog}")


# --- users and groups


def _accounts(system: System, unit: Properties) -> Iterator[Finding]:
    user = unit.get("User") or "root"
    users = _names(system.root / "etc/passwd")
    groups = _names(system.root / "etc/group")
    if users and user not in users:
        yield fail(SERVICE, f"there is no user {user}", f"sudo systemd-sysusers && {_RESTART}")
    for group in (_GROUP, *unit.get("SupplementaryGroups", "").split()):
        if groups and group not in groups:
            remedy = f"sudo groupadd --system {group} && {_RESTART}"
            yield fail(SERVICE, f"there is no group {group}", remedy)
    person = system.user
    if person in {"root", user} or _GROUP not in groups:
        return
    _, gid, members, *_ = *groups[_GROUP], ""
    if person in members.split(",") or (users.get(person) or ["", "", ""])[2] == gid:
        yield ok(SERVICE, f"{person} may use it, being in the group {_GROUP}")
    else:
        what = f"{person} may not use it without sudo, not being in the group {_GROUP}"
        yield warn(SERVICE, what, f"sudo adduser {person} {_GROUP}, then log in again")


def _names(path: Path) -> dict[str, list[str]]:
    """/etc/passwd or /etc/group: the other columns by name; empty where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    rows = [line.split(":") for line in text.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) >= 4}


# --- the key


def _credential(system: System, unit: Properties) -> Iterator[Finding]:
    """systemd hands out a copy when it starts the service."""
    stored = system.root / CREDENTIAL_STORE / sources.CREDENTIAL
    try:
        changed_at = stored.stat().st_mtime
        uptime_s = float((system.root / "proc/uptime").read_text().split()[0])
        started_s = int(unit.get("ActiveEnterTimestampMonotonic", "0")) / 1e6
    except (OSError, ValueError, IndexError):
        return
    started_at = system.now() - uptime_s + started_s
    if unit.get("ActiveState") == "active" and started_s and changed_at > started_at:
        what = "another key has been stored since it was started: it still uses the old one"
        yield warn(SERVICE, what, _RESTART)


# --- the daemon


def _silent(system: System) -> Finding:
    if "permission denied" in system.no_daemon:
        return warn(DAEMON, system.no_daemon, "sudo speakerd doctor")
    return fail(DAEMON, f"the service runs, but {system.no_daemon}", _RESTART)


def _daemon(daemon: DaemonPort) -> Iterator[Finding]:
    try:
        status = ask(daemon, "status")
    except UnavailableError as error:
        yield silent(DAEMON, error)
        return
    version = status.get("version", __version__)
    if version != __version__:
        what = f"version {version} runs, but {__version__} is installed"
        yield warn(DAEMON, what, _RESTART)
    summary = str(status.get("summary") or status.get("state"))
    remedy = str(status.get("last_error_remedy") or _LOG)
    if "speakerd doctor" in remedy:  # that is who asks
        remedy = "see what is found about it, below"
    last_error = status.get("last_error")
    if summary.startswith(SPENT):  # nothing is broken
        yield warn(DAEMON, summary, "wait until midnight, or raise SPEAKERD_DAILY_BUDGET")
        return
    if status.get("state") == "error":
        yield fail(DAEMON, summary, remedy)
        return
    yield ok(DAEMON, summary)
    if last_error is not None:
        ago_s = status.get("last_error_ago_s")
        when = f" {duration(ago_s)} ago" if isinstance(ago_s, (int, float)) else ""
        yield warn(DAEMON, f"its last error was{when}: {last_error}", remedy)
