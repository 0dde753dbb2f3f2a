"""Figures with their spread, as one table that a person can read."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADINGS = ("median", "min", "max", "n", "direction")


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of one thing: ``values`` in ``unit``, at least one."""

    name: str
    unit: str  # empty for a count
    values: Sequence[float]
    direction: str = ""  # where it should be; empty where nobody has said

    def cells(self) -> tuple[str, ...]:
        """The columns behind the name, as the headings have them."""
        low, high = min(self.values), max(self.values)
        return (
            _number(statistics.median(self.values)),
            _number(low),
            _number(high),
            str(len(self.values)),
            self.direction,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that belong together."""

    title: str
    figures: Sequence[Figure]


def table(sections: Sequence[Section]) -> Iterator[str]:
    """The lines of the table: numbers in columns, a heading over each section."""
    labels = [_label(figure) for section in sections for figure in section.figures]
    width = max(map(len, labels))
    yield _line("", _HEADINGS, width)
    for section in sections:
        yield ""
        yield section.title
        for figure in section.figures:
            yield _line(_label(figure), figure.cells(), width)


def _label(figure: Figure) -> str:
    return f"  {figure.name}, {figure.unit}" if figure.unit else f"  {figure.name}"


def _line(label: str, cells: Sequence[str], width: int) -> str:
    *numbers, direction = cells
    columns = "".join(f"{number:>9}" for number in numbers)
    return f"{label:<{width}}{columns}   {direction}".rstrip()


def _number(value: float) -> str:
    """One digit behind the point, two where there is nothing before it; zero has no sign."""
    return f"{value:.1f}" if abs(value) >= 1 else f"{round(value, 2) + 0.0:.2f}"
