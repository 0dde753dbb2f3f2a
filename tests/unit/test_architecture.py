"""The rooms and who may know whom: docs/architecture.md, held to the imports in the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import speakerd

ROOT = Path(speakerd.__file__).parent

#: For each room, the rooms it may import; itself always.
ALLOWED = {
    "errors": set(),
    "conversation": {"errors"},
    "config": {"errors"},
    "audio": {"conversation", "errors"},
    "panel": {"conversation", "errors"},
    "commands": {"config"},  # redacts as all do
    "camera": {"commands"},
    "live": {"conversation", "errors", "config", "commands", "audio"},  # audio: utterances
    "tools": {"conversation", "errors", "config", "commands"},
    "service": {"conversation", "errors", "config"},
    "simulator": {"errors"},
    "demo": {"errors", "config", "service", "simulator", "audio"},
    "doctor": {"errors", "conversation", "config", "audio", "panel", "live", "tools", "service"},
    "daemon": {
        "errors",
        "conversation",
        "config",
        "audio",
        "panel",
        "camera",
        "live",
        "tools",
        "service",
    },
    "cli": {
        "errors",
        "config",
        "daemon",
        "demo",
        "doctor",
        "live",
        "service",
        "simulator",
        "tools",
    },
    "__main__": {"cli"},
    "__init__": set(),
}

#: The libraries that a room hides from all others; one of them has two.
HIDDEN = {
    "alsaaudio": "audio",
    "evdev": "panel",
    "gpiozero": "panel",
    "google": "live",
    "httpx2": "live, tools",
    "mcp": "tools",
    "mcp_types": "tools",
    "systemd": "service",
    "trustme": "simulator",
    "pydantic_settings": "config",
}

#: What the core must not know of: clocks, I/O, concurrency, logging.
IMPURE = {"asyncio", "logging", "os", "pathlib", "socket", "threading", "time", "io"}
#: What looks at the clock, of a library that calculates with times.
LOOKS = {"now", "today", "utcnow"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every module imported anywhere in the file, also for types only, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides which room it is from"
            assert node.module is not None
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    room = room_of(path)
    known = {name.split(".")[1] for name in imports_of(path) if name.startswith("speakerd.")}
    rooms = {name for name in known if name in ALLOWED}
    assert rooms <= ALLOWED[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_is_hidden_in_one_room(path: Path) -> None:
    room = room_of(path)
    libraries = {name.split(".")[0] for name in imports_of(path)}
    assert {
        library for library in libraries & set(HIDDEN) if room not in HIDDEN[library].split(", ")
    } == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conversation").glob("*.py")), ids=lambda path: path.name
)
def test_the_core_is_pure(path: Path) -> None:
    assert {name.split(".")[0] for name in imports_of(path)} & IMPURE == set()
    looks = (
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in {"datetime", "date"}
    )
    assert not LOOKS.intersection(looks)
