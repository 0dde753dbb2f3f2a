"""The sound board: whether the machine is as the board's profile wants it.

Looks where speakerd-board has set one up, and where ``--board`` asks for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speakerd.audio.cards import cards
from speakerd.config import boards
from speakerd.config.boards import RECORD, BoardError
from speakerd.config.settings import VARIABLES
from speakerd.doctor.account import UNIT
from speakerd.doctor.findings import fail, ok, warn
from speakerd.doctor.machine import board as model
from speakerd.panel.lines import named
from speakerd.panel.overlays import claims

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speakerd.config.boards import Board
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_AREA = "board"
_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
_ASOUND = "etc/asound.conf"
#: Cards by their names, as an asound.conf has them: hw:CARD=NAME, hw:NAME, card "NAME".
_CARD = re.compile(r"(?:\bCARD=|hw:(?!CARD=)|\bcard\s+\"?)([A-Za-z_][\w-]*)")


def check(system: System) -> Iterator[Finding]:
    """Overlay, sound cards, pins and asound.conf."""
    installed = boards.set_up(system.root)
    name = system.board or installed
    if not name:
        if system.board is not None:
            there = ", ".join(boards.names())
            yield warn(_AREA, "no board is set up here", f"{_set_up('NAME')}; there are: {there}")
        return
    try:
        board = boards.load(name)
    except BoardError as error:
        yield fail(_AREA, str(error), f"{_set_up('NAME')}, with one of these")
        return
    yield ok(_AREA, f"{board.title} (verified: {board.verified})")
    if name != installed:
        what = f"{name} is not set up here; {installed or 'no board'} is"
        yield warn(_AREA, what, _set_up(name))
    yield from _overlay(system, board)
    yield from _rivals(system, board)
    yield from _cards(system, board)
    yield from _pins(system, board)
    yield from _asound(system, board)


CHECKS = (check,)


def _overlay(system: System, board: Board) -> Iterator[Finding]:
    if not board.overlay.lines:
        return
    path, text = _config(system)
    if path is None:
        what = f"there is no config.txt, in which the board wants {board.overlay.lines[0]}"
        yield fail(_AREA, what, "use a Raspberry Pi with Raspberry Pi OS, or load it by hand")
        return
    shown = f"/{path.relative_to(system.root)}"
    # whatever parameters a person has given it; of other models' sections it counts none
    there = {claim.setting.split(",")[0] for claim in claims(text, model(system))}
    for line in board.overlay.lines:
        if line.split(",")[0] in there:
            yield ok(_AREA, f"{line} is in {shown}")
        else:
            remedy = f"{_set_up(board.name)} && sudo reboot"
            yield fail(_AREA, f"{line} is not in {shown}", remedy)
    folder = path.with_name("overlays")
    for overlay in board.overlay.names if folder.is_dir() else ():
        if not (folder / f"{overlay}.dtbo").exists():
            what = f"there is no {overlay}.dtbo in /{folder.relative_to(system.root)}"
            yield fail(_AREA, what, board.overlay.get or "sudo apt full-upgrade && sudo reboot")


def _rivals(system: System, board: Board) -> Iterator[Finding]:
    """Overlays of other boards. Of a line for the button the button's own check tells."""
    path, text = _config(system)
    shown = f"/{path.relative_to(system.root)}" if path is not None else ""
    own = set(board.lines) - {pin for pins in board.pins.values() for pin in pins}
    for claim in claims(text, model(system)):
        overlay = claim.setting.removeprefix("dtoverlay=").split(",")[0]
        both = sorted(own & claim.pins)
        if both and claim.setting.startswith("dtoverlay=") and overlay not in board.overlay.names:
            lines = ", ".join(map(named, both))
            what = f"{claim.setting} wants {lines}, which the board uses"
            yield warn(_AREA, what, f"take that line out of {shown}, then sudo reboot")


def _cards(system: System, board: Board) -> Iterator[Finding]:
    there = [card.id for card in cards(system.root / "proc")]
    with_driver = board.overlay.lines or board.overlay.get
    for card in _wanted(system, board):
        if card in there:
            yield ok(_AREA, f"the sound card {card} is there")
        elif with_driver and card == board.cards[0]:
            remedy = board.overlay.get or "press the board onto the header, or check its wires"
            yield fail(
                _AREA, f"there is no sound card {card}", f"sudo reboot; if that is done: {remedy}"
            )
        else:
            remedy = (
                f"plug it in; if it calls itself otherwise, write that into /{_ASOUND}, and into"
                f" SPEAKERD_MIXER where that names {card}"
            )
            others = ", ".join(there) or "none"
            yield fail(_AREA, f"there is no sound card {card}; there are: {others}", remedy)


def _wanted(system: System, board: Board) -> tuple[str, ...]:
    """The board's sound cards; or those that a person names in an asound.conf of their own."""
    text = _text(system.root / _ASOUND)
    if text is None or text in {board.asound_conf, _text(system.root / RECORD / "asound.conf")}:
        return board.cards
    settings = (line.partition("#")[0] for line in text.splitlines())
    return tuple(dict.fromkeys(_CARD.findall("\n".join(settings)))) or board.cards


def _pins(system: System, board: Board) -> Iterator[Finding]:
    if system.loaded is None:
        return
    for option, pins in board.pins.items():
        now = getattr(system.loaded.settings, VARIABLES[option])
        uses = " and ".join(f"the {board.lines[pin]} at {named(pin)}" for pin in pins)
        if (now if isinstance(now, tuple) else (now,)) == pins:
            yield ok(_AREA, f"{option} is {board.env[option]}, and so has the board {uses}")
        else:
            shown = ",".join(map(str, now)) if isinstance(now, tuple) else now
            what = f"{option} is {shown or 'not set'}; the board has {uses}"
            line = f"{option}={board.env[option]} in {system.loaded.env_file}"
            yield warn(_AREA, what, f"{line}, then sudo systemctl restart {UNIT}")


def _asound(system: System, board: Board) -> Iterator[Finding]:
    text = _text(system.root / _ASOUND)
    written = _text(system.root / RECORD / "asound.conf")
    if text is None:
        what = f"there is no /{_ASOUND}: no other program can share the card"
        yield warn(_AREA, what, _set_up(board.name))
    elif text == board.asound_conf:
        yield ok(_AREA, f"/{_ASOUND} is the board's")
    elif text == written:
        what = f"/{_ASOUND} is another version's, or another board's"
        yield warn(_AREA, what, _set_up(board.name))
    elif written is None:
        yield ok(_AREA, f"/{_ASOUND} is your own")
    else:
        yield ok(_AREA, f"/{_ASOUND} was changed by you")


def _set_up(name: str) -> str:
    return f"sudo speakerd-board {name}"


def _config(system: System) -> tuple[Path | None, str]:
    """The board's config.txt, and what it says."""
    for name in _CONFIGS:
        if (text := _text(system.root / name)) is not None:
            return system.root / name, text
    return None, ""


def _text(path: Path) -> str | None:
    """What the file says; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
