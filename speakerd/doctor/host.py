"""This machine as a :class:`~speakerd.doctor.system.System`: real files, commands and sockets."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd import config
from speakerd.config import sources
from speakerd.doctor.account import UNIT
from speakerd.doctor.system import Ran, System
from speakerd.errors import ConfigError, UnavailableError
from speakerd.service import client, credential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speakerd.config import Loaded
    from speakerd.doctor.system import Person, Run

#: Below the root.
CREDENTIAL_STORE = str(credential.STORE).lstrip("/")
#: What a connection reads from the environment besides our own options (websockets' get_proxy).
PROXY_VARIABLES = ("wss_proxy", "socks_proxy", "https_proxy", "all_proxy", "no_proxy")

_OURS = frozenset({sources.API_KEY, *sources.LIBRARY_VARIABLES})


def run_command(command: Sequence[str], /, timeout_s: float = 5.0) -> Ran:
    """Run ``command``, in English and for ``timeout_s`` at most."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands are the checks' own
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Ran(None, "")
    return Ran(done.returncode, done.stdout.decode(errors="replace").strip())


class SocketDaemon:
    """The daemon that listens on the control socket ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def request(self, message: Mapping[str, object], timeout_s: float = 5.0) -> dict[str, object]:
        """Its answer. Raises UnavailableError."""
        return client.request(self._path, message, timeout_s)

    def wait_for_press(self, timeout_s: float) -> bool:
        """Whether it begins to listen to somebody within ``timeout_s``. Raises UnavailableError."""
        deadline = time.monotonic() + timeout_s
        with client.subscribe(self._path, timeout_s) as events:
            try:
                for event in events:
                    if event.get("state") == "listening":
                        return True
                    if time.monotonic() >= deadline:
                        return False
            except UnavailableError:  # nothing has happened
                return False
        raise UnavailableError("the daemon has gone away")


def bare(environ: Mapping[str, str], person: Person | None = None) -> System:
    """This machine before its configuration is read, which takes a small Pi a while."""
    return System(
        loaded=None,
        environ=environ,
        root=Path("/"),
        run=run_command,
        person=person,
        user=environ.get("SUDO_USER") or _name_of(os.getuid()),
        privileged=os.geteuid() == 0,
    )


def configured(system: System) -> System:
    """The same with the service's configuration, and with the daemon if one answers."""
    environ, from_shell = as_the_service(system.environ, system.root, system.run)
    loaded, unreadable = _loaded(environ)
    daemon = SocketDaemon(config.control_socket(environ))
    try:
        daemon.request({"command": "status"})
        no_daemon = ""
    except UnavailableError as error:
        no_daemon = str(error)
    return dataclasses.replace(
        system,
        loaded=loaded,
        environ=environ,
        daemon=None if no_daemon else daemon,
        unreadable=unreadable,
        no_daemon=no_daemon,
        from_shell=from_shell,
    )


def as_the_service(
    environ: Mapping[str, str], root: Path, run: Run
) -> tuple[dict[str, str], frozenset[str]]:
    """The environment with what the service's has, and what of ours the service does not see.

    As for every command, what the shell sets wins. A credential is where systemd takes it from,
    if it may be read.
    """
    seen = dict(environ)
    shown = run(("systemctl", "show", UNIT, "--property=LoadState,Environment"))
    properties = dict(line.split("=", 1) for line in shown.output.splitlines() if "=" in line)
    from_shell: frozenset[str] = frozenset()
    if properties.get("LoadState") == "loaded":
        set_by_unit = dict(
            word.split("=", 1) for word in _words(properties.get("Environment", "")) if "=" in word
        )
        from_shell = frozenset(
            name
            for name, value in environ.items()
            if _is_ours(name) and value and set_by_unit.get(name) != value
        )
        seen = set_by_unit | seen
    store = root / CREDENTIAL_STORE
    key = store / sources.CREDENTIAL  # not the only one that may be there
    sought = key if os.path.exists(key) else store  # noqa: PTH110 - Path's raises where it may not look
    if not seen.get("CREDENTIALS_DIRECTORY") and os.access(sought, os.R_OK):
        seen["CREDENTIALS_DIRECTORY"] = str(store)
    return seen, from_shell


def _words(text: str) -> list[str]:
    """The assignments that systemctl shows; systemd 252 hides those that have a blank in them."""
    try:
        return shlex.split(text)
    except ValueError:  # it has not been quoted
        return text.split()


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(sources.PREFIX) or name.lower() in PROXY_VARIABLES


def _loaded(environ: Mapping[str, str]) -> tuple[Loaded | None, str]:
    """The configuration, or why it cannot be read."""
    try:
        return config.examine(environ), ""
    except ConfigError as error:
        return None, str(error)
    except ImportError as error:  # an installation that lacks pydantic
        return None, f"{type(error).__name__}: {error}"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
