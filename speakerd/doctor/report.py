"""The report: all that a helper wants to know of a speaker, and nothing that is nobody's business.

Taken out, wherever it stands: the API key, passwords of proxies and networks, the session's
handle, what was said, the names of Wi-Fi networks, of the machine and of its users, MAC addresses.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, TextIO

from speakerd import __version__
from speakerd.config import envfile, sources
from speakerd.config.secret import LOOKS_LIKE_A_KEY, LOOKS_LIKE_A_TOKEN
from speakerd.doctor import machine, service
from speakerd.doctor.account import UNIT
from speakerd.doctor.asking import ask
from speakerd.doctor.host import CREDENTIAL_STORE
from speakerd.errors import UnavailableError
from speakerd.service.state import FILE_NAME as CONVERSATION
from speakerd.service.transcripts import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from speakerd.config import Loaded
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_LINES_OF_JOURNAL = 200
_KEYS = (*sorted(sources.SECRETS), "GOOGLE_API_KEY")

#: What is shown as the commands have it, under the command.
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("systemctl", "cat", UNIT),
    ("systemctl", "show", UNIT, f"--property={','.join(service.PROPERTIES)}"),
    ("timedatectl", "show", "-p", "NTP", "-p", "CanNTP", "-p", "NTPSynchronized"),
    ("journalctl", "-u", "speakerd", "-n", str(_LINES_OF_JOURNAL), "-o", "short-iso", "-q"),
    ("arecord", "-L"),
    ("aplay", "-L"),
)
_FILES = (
    "etc/os-release",
    "proc/asound/cards",
    "proc/asound/pcm",
    "etc/asound.conf",
    "boot/firmware/config.txt",
)

#: Names that say nothing about anybody.
_COMMON_NAMES = {"root", "pi", "speakerd", "localhost", "raspberrypi"}
_SHORTEST_SECRET = 4

#: (what it looks like, what stands there instead): what is secret by its form or its name.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (LOOKS_LIKE_A_KEY, "<key>"),
    (LOOKS_LIKE_A_TOKEN, "<token>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I), "<handle>"),
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b", re.I), "<mac>"),
    (re.compile(r"://[^/\s@]+@"), "://<login>@"),
    (
        re.compile(
            r"(?i)\b(\w*(?:api_?key|token|secret|passw(?:or)?d|psk|ssid))="
            r"[ \t]*(?:\"[^\"\n]*\"|[^\s*]\S*)"
        ),
        r"\1=<removed>",
    ),
    (
        re.compile(r"(?i)(\"[^\"]*(?:api_?key|secret|handle)[^\"]*\": *)\"[^\"]*\""),
        r'\1"<removed>"',
    ),
    (re.compile(rf"\b({'|'.join(WORDS.values())}): \".*\""), r'\1: "<removed>"'),
)


def create(path: Path, environ: Mapping[str, str] = os.environ) -> TextIO:
    """A new file for a report that only its owner may read: with sudo, who called that.

    Raises UnavailableError where it cannot be made, or is there already: it is not overwritten.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UnavailableError(f"{path} is there already: name another file") from None
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}") from None
    uid, gid = (environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
    if os.geteuid() == 0 and uid.isdigit() and gid.isdigit():
        os.fchown(descriptor, int(uid), int(gid))
    return os.fdopen(descriptor, "w", encoding="utf-8")


def text(system: System, found: Iterable[Finding]) -> str:
    """The whole report."""
    redact = functools.partial(redacted, tuple(_secrets(system)), tuple(_names(system)))
    return redact(
        "\n".join(
            f"== {heading}\n{body.strip(chr(10))}\n"
            for heading, body in _sections(system, found, redact)
        )
    )


def _sections(
    system: System, found: Iterable[Finding], redact: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    now = datetime.fromtimestamp(system.now(), UTC)
    about = (
        f"speakerd {__version__}, Python {platform.python_version()} in {sys.prefix}",
        f"{machine.board(system) or platform.machine()}, Linux {platform.release()}",
        f"{now:%Y-%m-%d %H:%M:%S} UTC",
    )
    yield "speakerd doctor", "\n".join(about)
    yield (
        "findings",
        "\n".join(
            f"{each.level:<4} {each.area}: {each.what}"
            + (f" -> {each.remedy}" if each.remedy else "")
            for each in found
        ),
    )
    yield "configuration", "\n".join(_configuration(system))
    yield "status", _status(system, redact)
    yield (
        "packages",
        "\n".join(sorted(f"{each.name} {each.version}" for each in metadata.distributions())),
    )
    for path in _FILES:
        yield f"/{path}", _read(system.root / path)
    for command in _COMMANDS:
        ran = system.run(command)
        ending = "" if ran.status == 0 else f"\n(exit status {ran.status})"
        yield " ".join(command), ran.output + ending


def _configuration(system: System) -> Iterator[str]:
    loaded = system.loaded
    if loaded is None:
        yield system.unreadable
        return
    yield f"env file {loaded.env_file}"
    yield from _options(loaded)
    for line in (*loaded.problems.values(), *loaded.warnings):
        yield f"! {line}"


def _options(loaded: Loaded) -> Iterator[str]:
    from speakerd.config.render import in_effect  # noqa: PLC0415 - imports pydantic, as loaded has

    yield from map("  ".join, in_effect(loaded))


def _status(system: System, redact: Callable[[str], str]) -> str:
    if system.daemon is None:
        return system.no_daemon
    try:
        status = ask(system.daemon, "status")
    except UnavailableError as error:
        return str(error)
    # text by text: JSON's escapes would hide where a word begins
    cleaned = {key: redact(each) if isinstance(each, str) else each for key, each in status.items()}
    return json.dumps(cleaned, indent=2, ensure_ascii=False)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    except OSError as error:
        return f"({error.strerror})"


# --- what is nobody's business


def redacted(secrets: Iterable[str], names: Iterable[tuple[str, str]], report: str) -> str:
    """``report`` without ``secrets``, and without what looks as if it were one.

    ``names`` are words, each with what stands there instead.
    """
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        if len(secret) >= _SHORTEST_SECRET:
            report = report.replace(secret, "<removed>")
    for pattern, replacement in _PATTERNS:
        report = pattern.sub(replacement, report)
    for name, replacement in names:
        report = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", replacement, report)
    return report


def _secrets(system: System) -> Iterator[str]:
    """Texts that must not be in a report, from all the places where they are kept."""
    loaded = system.loaded
    if loaded is not None:
        kept = (loaded.settings.gemini_api_key, loaded.settings.token_url)
        yield from (secret.get_secret_value() for secret in kept if secret is not None)
    for name, value in system.environ.items():
        if name in _KEYS:
            yield value.strip()
        elif name.lower().endswith("_proxy"):
            yield from re.findall(r"://[^/@:]*:([^/@]+)@", value)
    yield from _of_env_file(loaded.env_file if loaded else sources.env_file_of(system.environ))
    yield _text(system.root / CREDENTIAL_STORE / sources.CREDENTIAL).strip()
    chosen = loaded.settings.state_directory if loaded is not None else None
    state = system.root / str(chosen or machine.STATE_DIRECTORY).lstrip("/")
    yield from re.findall(r'"handle": *"([^"]+)"', _text(state / CONVERSATION))
    yield from _networks(system)


def _of_env_file(path: Path) -> Iterator[str]:
    """The keys in it, as they are written and as they are meant."""
    text = _text(path)
    for name in _KEYS:
        for written in re.findall(rf"^\s*{name}\s*=(.*)$", text, re.MULTILINE):
            yield written.strip().strip("'\"")
    with contextlib.suppress(envfile.EnvFileError):
        values = envfile.parse(text)
        yield from (values[name].strip() for name in _KEYS if name in values)


def _networks(system: System) -> Iterator[str]:
    """The names and the passwords of the Wi-Fi networks that this machine knows."""
    yield system.run(("iwgetid", "-r")).output
    networks = _listed(system.root / "etc/NetworkManager/system-connections")
    yield from (path.stem for path in networks)
    for path in (*networks, *_listed(system.root / "etc/wpa_supplicant")):
        yield from re.findall(r'\b(?:ssid|psk|password)="?([^"\n]+)', _text(path))


def _names(system: System) -> Iterator[tuple[str, str]]:
    """The machine's own name and those of its users, and what to say in their place."""
    host = _text(system.root / "etc/hostname").strip()
    people = {system.user, *(path.name for path in _listed(system.root / "home"))}
    for name, replacement in ((host, "<host>"), *((each, "<user>") for each in sorted(people))):
        if name and name not in _COMMON_NAMES:
            yield name, replacement


def _listed(directory: Path) -> Sequence[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return ()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
