"""The env file and the API key: there, readable for the right people, and understood."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING

from speakerd.config import Origin, sources
from speakerd.doctor.account import who_runs
from speakerd.doctor.findings import fail, ok, warn
from speakerd.doctor.host import CREDENTIAL_STORE
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import SecretStr

    from speakerd.config import Loaded
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

AREA = "configuration"
KEY = "key"

_RELOAD = "then: sudo systemctl reload speakerd"
_AS_ROOT = "sudo speakerd doctor"
_OUR_GROUP = "speakerd"
_STORE_KEY = "sudo speakerd key"
_BUDGET = "SPEAKERD_DAILY_BUDGET "


def check(system: System) -> Iterator[Finding]:
    """What is wrong with the configuration, line by line as `speakerd config` has it."""
    if system.loaded is None:
        path = sources.env_file_of(system.environ)
        if "permission denied" in system.unreadable:
            yield warn(AREA, f"{system.unreadable}; what follows is by the defaults", _AS_ROOT)
        else:
            yield fail(AREA, system.unreadable, f"sudoedit {path}, {_RELOAD}")
        return
    yield from _env_file(system, system.loaded)
    yield from _reload_due(system, system.loaded)
    yield from _said(system.loaded)
    yield from _shell(system)
    yield from _key(system, system.loaded)


CHECKS = (check,)


def _env_file(system: System, loaded: Loaded) -> Iterator[Finding]:
    path = loaded.env_file
    account = who_runs(system)
    try:
        status = path.stat()
    except FileNotFoundError:
        what = f"there is no {path}: every option has its default"
        owner = f" -g {_OUR_GROUP}" if account.service else ""
        remedy = f"sudo install -D -m 0640{owner} /dev/null {path}, and see `speakerd config`"
        yield warn(AREA, what, remedy)
        return
    if not stat.S_ISREG(status.st_mode):  # /dev/null, which is everybody's
        yield ok(AREA, f"{path} stands for no env file")
        return
    mode = stat.S_IMODE(status.st_mode)
    has_secret = any(loaded.provenance[name] is Origin.FILE for name in sources.SECRETS)
    give = f"sudo chown root:{_OUR_GROUP} {path} && sudo chmod 0640 {path}"
    if account.service and not (account.may(path, 0o4) and account.may(path.parent, 0o1)):
        what = f"user {account.name} may not read {path} (mode {mode:04o}): it does not start"
        yield fail(AREA, what, f"sudo chmod 0755 {path.parent} && {give}")
    elif mode & 0o007 and has_secret:
        what = f"everybody on this machine may read {path} (mode {mode:04o}), and a secret is in it"
        yield warn(AREA, what, give)
    elif mode & 0o022:
        what = f"others than root may write {path} (mode {mode:04o})"
        yield warn(AREA, what, f"sudo chmod 0640 {path}")
    else:
        yield ok(AREA, f"{path} (mode {mode:04o})")


def _reload_due(system: System, loaded: Loaded) -> Iterator[Finding]:
    """Whether the daemon lives by the file as it is now."""
    if system.daemon is None:
        return
    with contextlib.suppress(UnavailableError, OSError):  # told with the service, and above
        read = system.daemon.request({"command": "status"}).get("env_file_mtime_ns")
        if read is not None and read != loaded.env_file.stat().st_mtime_ns:
            what = f"{loaded.env_file} was changed after the daemon has read it"
            yield warn(AREA, what, "sudo speakerd reload")


def _said(loaded: Loaded) -> Iterator[Finding]:
    """What is wrong, and what does nothing."""
    for variable, problem in loaded.problems.items():
        if variable == sources.API_KEY:
            continue  # told with the key
        remedy = f"change {variable} in {place(loaded, variable)}"
        if problem.startswith(f"{variable}: "):  # it is what it names that is wrong
            remedy = "mend it there"
        for line in problem.splitlines():
            yield fail(AREA, line, f"{remedy}, {_RELOAD}")
    for warning in loaded.warnings:
        if warning.startswith(f"{sources.STATE_DIRECTORY} "):
            continue  # it is the service's user that has to write there: told with the state
        if warning.startswith(f"{sources.API_KEY} "):
            continue  # told with the key
        if warning.startswith(_BUDGET):
            yield warn(AREA, warning, f"set SPEAKERD_PRICES, {_RELOAD}")
            continue
        if " looks like a comment " in warning:
            yield warn(AREA, warning, f"mend it there, {_RELOAD}")
            continue
        lonely = " does nothing without " in warning or warning.endswith(" is not set")
        remedy = (
            "set what it needs, or take it out" if lonely else "take it out, or correct its name"
        )
        yield warn(AREA, warning, f"{remedy}, {_RELOAD}")


def place(loaded: Loaded, variable: str) -> str:
    """Where a variable is set, in words."""
    if loaded.provenance[variable] is Origin.ENVIRONMENT:
        return "the environment"
    return str(loaded.env_file)


def _shell(system: System) -> Iterator[Finding]:
    if system.from_shell:
        names = sorted(system.from_shell)
        what = f"only this shell sets {', '.join(names)}: the service does not see it"
        yield warn(AREA, what, f"unset {' '.join(names)}")


# --- the key


def _key(system: System, loaded: Loaded) -> Iterator[Finding]:
    path = system.root / CREDENTIAL_STORE / sources.CREDENTIAL
    stored = _stored(path)
    from speakerd.config.together import token_sources  # noqa: PLC0415 - wants pydantic

    if tokens := token_sources(loaded.settings):
        yield from _unused(loaded, tokens[0], path, stored)
        return
    problem = loaded.problems.get(sources.API_KEY)
    origin = loaded.provenance[sources.API_KEY]
    if problem is not None and origin is Origin.DEFAULT:
        yield _no_key(system, path, stored)
        return
    if problem is not None:
        yield fail(KEY, problem, _STORE_KEY)
        return
    yield from _mode(path)
    where = place(loaded, sources.API_KEY)
    if origin is Origin.CREDENTIAL:
        yield ok(KEY, f"there, from the credential {sources.CREDENTIAL}")
    elif stored is None:
        yield ok(KEY, f"there, from {where}; whether another one is stored, only root may see")
    elif stored not in {"", _text_of(loaded.settings.gemini_api_key)}:
        what = f"the one in {where} wins over another one in {path}"
        yield warn(KEY, what, f"take {sources.API_KEY} out of {where}")
    else:
        yield ok(KEY, f"there, from {where}")


def _unused(loaded: Loaded, tokens: str, path: Path, stored: str | None) -> Iterator[Finding]:
    """With tokens no key is needed, and none should lie about."""
    what = f"{tokens} is set: it is not used"
    if loaded.provenance[sources.API_KEY] in {Origin.ENVIRONMENT, Origin.FILE}:
        where = place(loaded, sources.API_KEY)
        yield warn(KEY, f"one is in {where}, but {what}", f"take {sources.API_KEY} out of it")
    if stored:
        yield warn(KEY, f"one is in {path}, but {what}", f"sudo rm {path}")
    elif loaded.provenance[sources.API_KEY] is Origin.DEFAULT:
        yield ok(KEY, f"none is needed: {tokens} is set")


def _text_of(key: SecretStr | None) -> str:
    return key.get_secret_value() if key is not None else ""


def _no_key(system: System, path: Path, stored: str | None) -> Finding:
    """None was found; that is no proof where only root may look."""
    if system.daemon is not None:  # which does not start without one
        if not system.privileged:
            return ok(KEY, "the speaker that runs has one; only root may read it")
        what = f"the speaker that runs has one; for the next start none is in {path}"
        return warn(KEY, what, f"{_STORE_KEY}, unless a drop-in gives one")
    if stored is not None or system.privileged:
        return fail(KEY, f"there is no {sources.API_KEY} anywhere", _STORE_KEY)
    return warn(KEY, f"whether one is in {path}, only root may see", _AS_ROOT)


def _stored(path: Path) -> str | None:
    """The stored key, empty where there is none; None where this user may not look."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError:
        return None


def _mode(path: Path) -> Iterator[Finding]:
    """Whether the stored key is kept from everybody else."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:  # there is none, or only root may see
        return
    if mode & 0o077:
        what = f"others than root may read {path} (mode {mode:04o})"
        yield warn(KEY, what, f"sudo chmod 0600 {path}")
