"""Figures with their spread, as tables that a person can read."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEADINGS = ("median", "min", "max", "n", "target")
_ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of one thing: ``values`` in ``unit``, at least one."""

    name: str
    unit: str  # empty for a count
    values: Sequence[float]
    target: str = ""  # where it should be; empty where nobody has said

    def cells(self) -> tuple[str, ...]:
        """The columns behind the name, as the headings have them."""
        return (*_spread(self.values), str(len(self.values)), self.target)


@dataclass(frozen=True, slots=True)
class Row:
    """The same thing, measured of several programs: their values in ``unit``, by their names."""

    name: str
    unit: str = "ms"  # empty for a count
    target: str = ""  # for the first of the programs
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, program: str, value: float) -> None:
        """One value more of ``program``."""
        self.values.setdefault(program, []).append(value)

    def cells(self, programs: Sequence[str]) -> tuple[str, ...]:
        """The columns behind the name: as the headings of :func:`comparison` have them."""
        first, reference, *others = (self.values.get(name, ()) for name in programs)
        medians = (_median(one) for one in (reference, *others))
        return (
            *_spread(first),
            *medians,
            _ratio(first, reference),
            str(self._least()),
            self.target,
        )

    def _least(self) -> int:
        return min((len(values) for values in self.values.values()), default=0)


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that belong together."""

    title: str
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows that belong together."""

    title: str
    rows: Sequence[Row]


def table(sections: Sequence[Section]) -> Iterator[str]:
    """The lines of the table: numbers in columns, a heading over each section."""
    parts = {
        one.title: [(_label(figure), figure.cells()) for figure in one.figures] for one in sections
    }
    return _lines(parts, _HEADINGS)


def comparison(sections: Sequence[Comparison], programs: Sequence[str]) -> Iterator[str]:
    """The lines of the table of ``programs``: the first with its spread, the others' medians.

    The ratio is of the first's median to the second's. ``n``: the fewest values of any.
    """
    first, reference, *others = programs
    headings = (first, "min", "max", reference, *others, "ratio", "n", "target")
    parts = {
        one.title: [(_label(row), row.cells(programs)) for row in one.rows] for one in sections
    }
    return _lines(parts, headings)


def saved(heading: Sequence[str], compared: Sequence[Comparison], own: Sequence[Section]) -> str:
    """All that was measured, each value of it, as JSON."""
    whole = {
        "heading": heading,
        "compared": [asdict(one) for one in compared],
        "own": [asdict(one) for one in own],
    }
    return json.dumps(whole, indent=1) + "\n"


def _lines(
    parts: Mapping[str, Sequence[tuple[str, Sequence[str]]]], headings: Sequence[str]
) -> Iterator[str]:
    width = max(len(label) for rows in parts.values() for label, _ in rows)
    yield _line("", headings, width)
    for title, rows in parts.items():
        yield ""
        yield title
        for label, cells in rows:
            yield _line(label, cells, width)


def _label(one: Figure | Row) -> str:
    return f"  {one.name}, {one.unit}" if one.unit else f"  {one.name}"


def _line(label: str, cells: Sequence[str], width: int) -> str:
    *numbers, target = cells
    columns = "".join(f"{number:>9}" for number in numbers)
    return f"{label:<{width}}{columns}   {target}".rstrip()


def _spread(values: Sequence[float]) -> tuple[str, str, str]:
    if not values:
        return (_ABSENT,) * 3
    return _median(values), _number(min(values)), _number(max(values))


def _median(values: Sequence[float]) -> str:
    return _number(statistics.median(values)) if values else _ABSENT


def _ratio(first: Sequence[float], reference: Sequence[float]) -> str:
    """Of the medians; empty where one is missing or, by what was subtracted, negative."""
    if not (first and reference):
        return ""
    ours, theirs = statistics.median(first), statistics.median(reference)
    return f"{ours / theirs:.2f}" if ours >= 0 and theirs > 0 else ""


def _number(value: float) -> str:
    """One digit behind the point, two where there is nothing before it; zero has no sign."""
    return f"{value:.1f}" if abs(value) >= 1 else f"{round(value, 2) + 0.0:.2f}"
