"""Writes what README.md says of each board, from its profile, boards/NAME.toml.

    python hardware/page.py

rewrites what stands between the markers ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. A test
fails when the page is behind the profiles.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from speakerd.config import boards

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speakerd.config.boards import Board, Quirk

PAGE = Path(__file__).with_name("README.md")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def choice() -> str:
    """All boards, to choose from."""
    head = ("board", "`BOARD=`", "button", "LED", "its overlay is", "verified")
    return table(head, (_row(boards.load(name)) for name in boards.names()))


def _row(board: Board) -> Iterator[str]:
    wired = {part.name for part in board.parts if part.wires}
    yield f"[{board.title}](#{_anchor(board.title)})"
    yield f"`{board.name}`"
    yield "you wire one" if "Push button" in wired else "on it"
    if "LED" in wired:
        yield "you wire one, if you like"
    else:
        yield "on it" if "SPEAKERD_LED_PINS" in board.env else "on it, and stays dark"
    yield _overlay(board)
    yield board.verified


def _overlay(board: Board) -> str:
    if not board.overlay.lines:
        return "in its EEPROM; **its driver is in no kernel**" if board.overlay.get else "none"
    return "**not in Raspberry Pi OS**" if board.overlay.get else "in the firmware"


def details() -> str:
    """Each board: parts, wiring, what is written where, what one has to know."""
    return "\n\n".join("\n\n".join(_board(boards.load(name))) for name in boards.names())


def _board(board: Board) -> Iterator[str]:
    yield f"### {board.title}"
    yield f"`sudo make install BOARD={board.name}`. Verified: {board.verified}."
    rows = ((part.name, str(part.count), part.note) for part in board.parts)
    yield table(("part", "pieces", ""), rows)
    yield f"![The header and what is wired to it](drawings/{board.name}.svg)"
    yield "\n".join(_written(board))
    yield "\n".join(f"- {quirk.what} {_source(quirk)}" for quirk in board.quirks)


def _written(board: Board) -> Iterator[str]:
    lines = ", ".join(f"`{line}`" for line in board.overlay.lines) or "nothing"
    source = board.overlay.source
    where = f" ([reference]({source}))" if source.startswith("https:") else ""
    yield f"config.txt: {lines}{where}. Sound cards: {', '.join(f'`{x}`' for x in board.cards)}."
    if board.overlay.get:
        yield f"**To be done by hand**: {board.overlay.get}."
    options = (f"`{name}={value}`" for name, value in board.env.items())
    yield f"Options: {', '.join(options)}."


def _source(quirk: Quirk) -> str:
    known = quirk.source.startswith("https:")
    return f"([source]({quirk.source}))" if known else "(no source was found)"


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


BLOCKS = {"choice": choice, "details": details}


def render(page: str) -> str:
    """The page with its blocks made anew. Raises ValueError where a marker is missing."""
    for name, block in BLOCKS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, begun, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            raise ValueError(f"the page has no {begin!r} with {end!r} after it: put them back")
        page = f"{before}{begin}\n\n{block()}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
