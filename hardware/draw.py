"""Draws the wiring of each board, drawings/NAME.svg, from its profile, boards/NAME.toml.

    python hardware/draw.py

A test fails when a drawing is behind its profile. The header stands on its end, pin 1 at the
top left; what is wired by hand stands to its right.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from speakerd.config import boards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from speakerd.config.boards import Board, Part

DRAWINGS = Path(__file__).with_name("drawings")

#: The 40-pin header, row by row (Raspberry Pi documentation, "GPIO and the 40-pin header").
_HEADER = (
    *("3V3", "5V", "GPIO2", "5V", "GPIO3", "GND", "GPIO4", "GPIO14", "GND", "GPIO15"),
    *("GPIO17", "GPIO18", "GPIO27", "GND", "GPIO22", "GPIO23", "3V3", "GPIO24", "GPIO10", "GND"),
    *("GPIO9", "GPIO25", "GPIO11", "GPIO8", "GND", "GPIO7", "GPIO0", "GPIO1", "GPIO5", "GND"),
    *("GPIO6", "GPIO12", "GPIO13", "GND", "GPIO19", "GPIO16", "GPIO26", "GPIO20", "GND", "GPIO21"),
)
PINS = dict(enumerate(_HEADER, start=1))

_TOP, _ROW = 96, 28  # where the first row is, and how far it is to the next
_LEFT, _RIGHT = 262, 292  # the header's two columns
_ROOM = 240  # for what is written beside a pin
_LANES, _LANE = 560, 18  # where the first wire goes up or down, and how far it is to the next
_GAP = 104  # from the last one to the parts: room for a resistor
_PART, _TERMINAL = 270, 28  # a part's width, and the height of a terminal
_FIRST = 46  # from a part's top to its first terminal
#: Wires leave the header at multiples of half a row, and meet a part halfway between those.
_BETWEEN = _TOP + _ROW // 4 - _FIRST
_SUPPLY = {"GND": "#1f2937", "3V3": "#d97706", "5V": "#dc2626"}
_SIGNALS = ("#2563eb", "#059669", "#9333ea", "#0891b2", "#be185d", "#65a30d", "#92400e")
_USED, _FREE = "#111827", "#9ca3af"


@dataclass(frozen=True, slots=True)
class End:
    """Where a wire meets a part."""

    pin: int
    part: int
    terminal: str
    through: str
    y: int


@dataclass(frozen=True, slots=True)
class Box:
    """A part as it is drawn."""

    title: str
    y: int
    height: int


def drawing(board: Board) -> str:
    """The SVG."""
    wired = [part for part in board.parts if part.wires]
    boxes, ends = _arranged(wired)
    nets: dict[int, list[End]] = defaultdict(list)
    for end in ends:
        nets[end.pin].append(end)
    lanes = _lanes(nets)
    edge = _LANES + len(lanes) * _LANE + _GAP
    width = edge + _PART + 24 if boxes else _LANES + 240
    height = max(_TOP + 20 * _ROW, *(box.y + box.height for box in boxes), 0) + 58
    body = [
        *_frame(board, width, height),
        *_wires(nets, lanes, edge),
        *_header(board, set(nets)),
        *_boxes(boxes, ends, edge),
    ]
    return "\n".join((*body, "</svg>", ""))


def _arranged(parts: Iterable[Part]) -> tuple[list[Box], list[End]]:
    """The parts one below the other, in the order of their pins; each wire with a pin."""
    free = dict(PINS)
    by_row = sorted(parts, key=_middle)
    boxes: list[Box] = []
    ends: list[End] = []
    y = _BETWEEN + _ROW
    for number, part in enumerate(by_row):
        box = Box(part.name, y, _ROW * 3 // 2 + len(part.wires) * _TERMINAL)
        for place, wire in enumerate(part.wires):
            pin = _pin(wire.to, part, free)
            at = y + _FIRST + place * _TERMINAL
            ends.append(End(pin, number, wire.terminal, wire.through, at))
        boxes.append(box)
        y += box.height + _ROW
    return boxes, ends


def _pin(place: str, part: Part, free: dict[int, str]) -> int:
    """The pin of the header for a wire: of several alike the nearest that is not taken."""
    if place not in _SUPPLY:
        return next(pin for pin, name in PINS.items() if name == place)
    alike = [pin for pin, name in free.items() if name == place]
    found = min(alike or (pin for pin, name in PINS.items() if name == place), key=_far(part))
    free.pop(found, None)
    return found


def _far(part: Part) -> Callable[[int], float]:
    return lambda pin: abs((pin - 1) // 2 - _middle(part))


def _middle(part: Part) -> float:
    """The middle row of the part's own lines."""
    names = {wire.to for wire in part.wires} - set(_SUPPLY)
    rows = [(pin - 1) // 2 for pin, name in PINS.items() if name in names]
    return sum(rows) / len(rows)


def _lanes(nets: dict[int, list[End]]) -> dict[int, int]:
    """Where each net goes up or down, so that few wires cross."""

    def rank(pin: int) -> tuple[bool, int]:
        start = _wire_y(pin)
        down = sum(end.y for end in nets[pin]) / len(nets[pin]) > start
        return (down, -start if down else start)

    return {pin: _LANES + place * _LANE for place, pin in enumerate(sorted(nets, key=rank))}


def _y(pin: int) -> int:
    return _TOP + (pin - 1) // 2 * _ROW


def _wire_y(pin: int) -> int:
    """Wires of the left column pass below the pin to their right."""
    return _y(pin) + (_ROW // 2 if pin % 2 else 0)


def _colour(pin: int) -> str:
    name = PINS[pin]
    return _SUPPLY.get(name) or _SIGNALS[int(name.removeprefix("GPIO")) % len(_SIGNALS)]


# --- what is drawn


def _frame(board: Board, width: int, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">'
    )
    yield f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    yield _text(24, 34, board.title, size=20, weight="bold")
    how = "The board is plugged on. " if board.plugged else ""
    if any(part.wires for part in board.parts):
        how += "What is wired by hand is drawn to the right. "
    yield _text(24, 58, f"{how}Pin 1 is the one at the corner of the Raspberry Pi.")
    foot = f"Verified: {board.verified}. Drawn by hardware/draw.py from boards/{board.name}.toml."
    yield _text(24, height - 20, foot, fill="#6b7280")


def _wires(nets: dict[int, list[End]], lanes: dict[int, int], edge: int) -> Iterator[str]:
    for pin, ends in nets.items():
        start, lane = _wire_y(pin), lanes[pin]
        out = f"M{_LEFT} {_y(pin)} L{_LEFT + 15} {start}" if pin % 2 else f"M{_RIGHT} {start}"
        for end in ends:
            yield _line(f"{out} H{lane} V{end.y} H{edge}", pin)
        for end in ends[1:] and ends:
            if min(each.y for each in ends) < end.y or start < end.y:
                yield f'<circle cx="{lane}" cy="{end.y}" r="4.5" fill="{_colour(pin)}"/>'


def _line(path: str, pin: int) -> str:
    """With a white edge, so that wires that cross are told apart."""
    shape = 'fill="none" stroke-linejoin="round"'
    return (
        f'<path d="{path}" {shape} stroke="#ffffff" stroke-width="7"/>'
        f'<path d="{path}" {shape} stroke="{_colour(pin)}" stroke-width="3"/>'
    )


def _header(board: Board, wired: set[int]) -> Iterator[str]:
    height = 19 * _ROW + 32
    yield (
        f'<rect x="{_LEFT - 16}" y="{_TOP - 16}" width="{_RIGHT - _LEFT + 32}" '
        f'height="{height}" rx="6" fill="none" stroke="#374151" stroke-width="2"/>'
    )
    for pin, name in PINS.items():
        x, y = _LEFT if pin % 2 else _RIGHT, _y(pin)
        number = int(name.removeprefix("GPIO")) if name.startswith("GPIO") else -1
        use = board.lines.get(number, "")
        is_used = bool(use) or pin in wired
        fill = _colour(pin) if is_used else "#e5e7eb"
        if pin == 1:
            yield f'<rect x="{x - 10}" y="{y - 10}" width="20" height="20" fill="{fill}"/>'
        else:
            yield f'<circle cx="{x}" cy="{y}" r="10" fill="{fill}"/>'
        inside = "#ffffff" if is_used else "#4b5563"
        yield _text(x, y + 4, str(pin), size=11, fill=inside, anchor="middle")
        label = f"{name}: {use}" if use else name
        if pin in wired and not pin % 2:  # it stands on its wire
            room = min(8 + sum(7 if letter.islower() else 9 for letter in label), _ROOM)
            yield f'<rect x="{_RIGHT + 20}" y="{y - 9}" width="{room}" height="18" fill="#ffffff"/>'
        at, anchor = (_LEFT - 24, "end") if pin % 2 else (_RIGHT + 24, "start")
        yield _text(at, y + 4, label, fill=_USED if is_used else _FREE, anchor=anchor)


def _boxes(boxes: list[Box], ends: list[End], edge: int) -> Iterator[str]:
    for number, box in enumerate(boxes):
        yield (
            f'<rect x="{edge}" y="{box.y}" width="{_PART}" height="{box.height}" rx="8" '
            'fill="#f9fafb" stroke="#374151" stroke-width="2"/>'
        )
        yield _text(edge + 14, box.y + 24, box.title, weight="bold")
        for end in (end for end in ends if end.part == number):
            yield f'<circle cx="{edge}" cy="{end.y}" r="5" fill="{_colour(end.pin)}"/>'
            yield _text(edge + 14, end.y + 4, end.terminal)
            where = f"{PINS[end.pin]} (pin {end.pin})"
            yield _text(edge + _PART - 12, end.y + 4, where, fill="#4b5563", anchor="end")
            if end.through:
                yield from _resistor(edge - 52, end)


def _resistor(x: int, end: End) -> Iterator[str]:
    yield (
        f'<rect x="{x - 26}" y="{end.y - 8}" width="52" height="16" rx="3" '
        f'fill="#fde68a" stroke="{_colour(end.pin)}" stroke-width="2"/>'
    )
    yield _text(x, end.y + 4, end.through, size=11, anchor="middle")


def _text(
    x: int,
    y: int,
    text: str,
    *,
    size: int = 13,
    fill: str = _USED,
    weight: str = "normal",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def main() -> None:
    """Draw them all."""
    DRAWINGS.mkdir(exist_ok=True)
    for name in boards.names():
        path = DRAWINGS / f"{name}.svg"
        path.write_text(drawing(boards.load(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
