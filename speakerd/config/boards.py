"""Profiles of sound boards: all that a machine needs for one, as data.

Each is a file NAME.toml, in hardware/boards of the sources and in share/speakerd/boards of an
installation. Knows the standard library only, for those who have nothing else yet.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTALLED = Path(sys.prefix, "share/speakerd/boards")
_SOURCES = Path(__file__).parents[2] / "hardware/boards"
#: What speakerd-board (systemd/board.py) keeps of what it has done, below the root.
RECORD = "etc/speakerd/board"


class BoardError(ValueError):
    """What is wrong with a profile, or that there is none of that name."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """What one has to know; ``source`` is the address of who says so, or says that nobody does."""

    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Wire:
    """From a part's ``terminal`` to GPIO17, 3V3, 5V or GND, ``through`` what stands between."""

    terminal: str
    to: str
    through: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the bill of materials; it is wired by hand where it has ``wires``."""

    name: str
    count: int
    note: str
    wires: tuple[Wire, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """``lines`` of config.txt, and the ``source`` of what they name.

    Where Raspberry Pi's own firmware does not have that, ``get`` says how to come by it.
    """

    lines: tuple[str, ...]
    source: str
    get: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The overlays, without their parameters."""
        loads = (line.partition("=") for line in self.lines)
        return tuple(value.split(",")[0] for what, _, value in loads if what == "dtoverlay")


@dataclass(frozen=True, slots=True)
class Board:
    """A profile.

    ``plugged`` onto the header, or wired by hand. ``lines``: what each GPIO (BCM number) serves
    for. ``cards``: the names ALSA gives the sound cards. ``env``: the options it wants.
    """

    name: str
    title: str
    verified: str
    plugged: bool
    overlay: Overlay
    cards: tuple[str, ...]
    lines: Mapping[int, str]
    env: Mapping[str, str]
    parts: tuple[Part, ...]
    quirks: tuple[Quirk, ...]
    asound: str

    @property
    def pins(self) -> dict[str, tuple[int, ...]]:
        """The options that name GPIOs, with those that they name."""
        return {
            option: tuple(int(pin) for pin in value.split(","))
            for option, value in self.env.items()
            if option.endswith(("_PIN", "_PINS"))
        }

    @property
    def asound_conf(self) -> str:
        """The text of its /etc/asound.conf."""
        return (
            f"# For {self.title}.\n"
            "# Written by speakerd-board, and replaced by it for as long as nobody changes it.\n\n"
            f"{self.asound}"
        )


def folder() -> Path:
    """Where the profiles are."""
    return _INSTALLED if _INSTALLED.is_dir() else _SOURCES


def names() -> list[str]:
    """All there are."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str) -> Board:
    """The profile ``name``. Raises BoardError."""
    if name not in names():
        raise BoardError(f"there is no board {name}; there are: {', '.join(names())}")
    return parse(name, (folder() / f"{name}.toml").read_text(encoding="utf-8"))


def set_up(root: Path) -> str:
    """The name of the board that is set up on the machine below ``root``; empty: none is."""
    try:
        return (root / RECORD / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def hearing(device: str, root: Path) -> str:
    """The ALSA PCM ``device`` for capture, by its card where that is known.

    ``default`` may be two cards; its mixer is that of the one that plays. The one that hears is the
    last card of the board that is set up below ``root``.
    """
    name = set_up(root)
    if device != "default" or name not in names():
        return device
    return f"hw:CARD={load(name).cards[-1]}"


def parse(name: str, text: str) -> Board:
    """The profile that ``text`` is. Raises BoardError."""
    try:
        return _board(name, tomllib.loads(text))
    except KeyError as error:
        raise BoardError(f"{name}: {error} is missing") from None
    except (TypeError, ValueError) as error:  # what is there and unknown, or is no TOML
        raise BoardError(f"{name}: {error}") from None


def _board(name: str, data: dict[str, Any]) -> Board:
    overlay = data.pop("overlay")
    lines = {int(pin): str(use) for pin, use in data.pop("lines").items()}
    return Board(
        name=name,
        overlay=Overlay(lines=tuple(overlay.pop("lines")), **overlay),
        cards=tuple(data.pop("cards")),
        lines=dict(sorted(lines.items())),
        env={option: str(value) for option, value in data.pop("env").items()},
        parts=tuple(_part(part) for part in data.pop("parts")),
        quirks=tuple(Quirk(**quirk) for quirk in data.pop("quirks")),
        **data,
    )


def _part(data: dict[str, Any]) -> Part:
    wires = tuple(Wire(**wire) for wire in data.pop("wires", ()))
    return Part(count=data.pop("count", 1), note=data.pop("note", ""), wires=wires, **data)
