"""Python and the packages that speakerd needs: there, new enough, and can be imported."""

from __future__ import annotations

import importlib
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from speakerd import __version__
from speakerd.doctor.findings import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

#: pyproject.toml's requires-python.
OLDEST_PYTHON = (3, 11)

#: What is imported of each package that is built here, or that needs a library of the system's.
#: google-genai takes a small Pi seconds: the check that uses it imports it.
_IMPORTED = {
    "evdev": "evdev",
    "pyalsaaudio": "alsaaudio",
    "gpiozero": "gpiozero",
    "pydantic": "pydantic",
    "pydantic-settings": "pydantic_settings",
    "systemd-python": "systemd.journal",
    "websockets": "websockets.asyncio.client",
}
#: lgpio itself would begin to watch pins, and leave a pipe in the working directory.
_LGPIO = "_lgpio"
_OLDEST_LGPIO = "0.2.2"  # what is older on PyPI is empty
_AGAIN = "install speakerd anew: sudo make install, or sudo apt install --reinstall speakerd"


def check(_system: System) -> Iterator[Finding]:
    """Versions against what is required, and what keeps a package from being imported."""
    yield _python()
    requirements = _requirements()
    if requirements is None:
        yield warn("packages", "speakerd runs from a directory that it is not installed in", _AGAIN)
        return
    wrong = [finding for name, ranges in requirements for finding in _package(name, ranges)]
    yield from wrong
    if not wrong:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name, _ in requirements)
        yield ok("packages", versions)
    yield from _lgpio()


CHECKS = (check,)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        what = f"Python {version} is too old: {oldest} is the oldest that will do"
        return fail("python", what, "upgrade to Debian 12 or newer, then " + _AGAIN)
    return ok("python", f"Python {version}, speakerd {__version__}, {sys.prefix}")


def _requirements() -> list[tuple[str, str]] | None:
    """(package, version ranges such as ``>=3.3,<4``) of each; None where that is nowhere noted."""
    try:
        required = metadata.requires("speakerd") or []
    except metadata.PackageNotFoundError:
        return None
    found = (re.match(r"([A-Za-z0-9._-]+)\s*\(?([^;)]*)", each) for each in required)
    return [
        (match[1], match[2].strip())
        for match, each in zip(found, required, strict=True)
        if match and "extra ==" not in each
    ]


def _package(name: str, ranges: str) -> Iterator[Finding]:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        yield fail("packages", f"{name} is not installed", _AGAIN)
        return
    if not fits(version, ranges):
        yield fail("packages", f"{name} is {version}, but {ranges} is needed", _AGAIN)
    elif module := _IMPORTED.get(name):
        yield from _import(name, module)


def _import(name: str, module: str) -> Iterator[Finding]:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a package may raise anything when it is imported
        what = f"{name} cannot be imported: {type(error).__name__}: {error}"
        yield fail("packages", what, _remedy(error))


def _remedy(error: Exception) -> str:
    """What is missing is mostly a library of the system's."""
    library = re.search(r"lib(asound|systemd)\.so", str(error))
    packages = {"asound": "libasound2", "systemd": "libsystemd0"}
    return f"sudo apt install {packages[library[1]]}" if library else _AGAIN


def _lgpio() -> Iterator[Finding]:
    """Whether it loads where it is; whether it has to be there is the button's question."""
    try:
        version = metadata.version("lgpio")
    except metadata.PackageNotFoundError:
        return
    if fits(version, f">={_OLDEST_LGPIO}"):
        yield from _import("lgpio", _LGPIO)


def fits(version: str, ranges: str) -> bool:
    """Whether ``version`` is in all ``ranges``, of those that pyproject.toml uses: ``>=3.3,<4``."""
    number = _number(version)
    for each in filter(None, ranges.split(",")):
        match = re.fullmatch(r"\s*(>=|<)\s*([0-9.]+)\s*", each)
        if match is None:
            raise ValueError(f"a range that is not understood: {each}")
        bound = _number(match[2])
        if (number < bound) if match[1] == ">=" else (number >= bound):
            return False
    return True


def _number(version: str) -> tuple[int, ...]:
    """3.12.0rc1 as (3, 12), so that 3.12 is not below 3.12.0."""
    numbers = [int(digits) for digits in re.findall(r"(?:^|\.)([0-9]+)", version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
