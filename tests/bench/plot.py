"""Draws what the bench has saved: ``python -m tests.bench.plot RESULTS.json PLOT.svg``.

Each value is a dot and each median a bar, so that the spread is seen and not only told. A row has
an axis of its own, from 0 (or the least value, below it) to the greatest. Rows that only one
program has, or that are 0 for all, are left to the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tests.bench.contenders import FRAMEWORKS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COLOURS = dict(
    zip(
        (*NAMES, *FRAMEWORKS),
        ("#0b6bcb", "#c2410c", "#6b7280", "#7e22ce", "#0f766e"),
        strict=True,
    )
)
_WIDTH, _MARGIN = 900, 20
_AXIS_FROM, _AXIS_TO = 480, 800
_LINE, _GAP, _TITLE = 13, 12, 30  # the height of a program, between rows, of a section's title
_STYLE = "text{font:12px system-ui,sans-serif;fill:#1f2937}.title{font-weight:600;font-size:14px}"


def drawn(results: Mapping[str, Any]) -> str:
    """The plot as an SVG document, of what :func:`tests.bench.report.saved` gives."""
    body: list[str] = []
    y = _MARGIN
    for heading in results["heading"]:
        body.append(_text(_MARGIN, y + 12, heading))
        y += 18
    rows = [row for section in results["compared"] for row in section["rows"]]
    body += _legend(
        y + 12, [name for name in _COLOURS if any(name in row["values"] for row in rows)]
    )
    y += 18
    for section in results["compared"]:
        rows = [row for row in section["rows"] if _is_worth_a_look(row)]
        if not rows:
            continue
        y += _TITLE
        body.append(_text(_MARGIN, y, section["title"], "title"))
        y += _GAP
        for row in rows:
            body += _row(row, y)
            y += _LINE * len(row["values"]) + _GAP
    size = f'width="{_WIDTH}" height="{y + _MARGIN}" viewBox="0 0 {_WIDTH} {y + _MARGIN}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
        *body,
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def _is_worth_a_look(row: Mapping[str, Any]) -> bool:
    """Whether there is something to compare, and somebody has something of it."""
    return len(row["values"]) > 1 and any(map(any, row["values"].values()))


def _legend(y: float, names: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(names):
        x = _MARGIN + 100 * place
        yield f'<circle cx="{x + 4}" cy="{y - 4}" r="4" fill="{_COLOURS[name]}"/>'
        yield _text(x + 14, y, name)


def _row(row: Mapping[str, Any], top: float) -> Iterator[str]:
    values: Mapping[str, Sequence[float]] = row["values"]
    everything = [value for one in values.values() for value in one]
    low, high = min(0.0, *everything), max(0.0, *everything)
    scale = (_AXIS_TO - _AXIS_FROM) / ((high - low) or 1.0)
    height = _LINE * len(values)
    zero = _AXIS_FROM - low * scale
    yield _text(_MARGIN, top + height / 2 + 4, f"{row['name']}, {row['unit']}".rstrip(", "))
    yield f'<path d="M{zero:.1f} {top}v{height}" stroke="#9ca3af"/>'
    for place, name in enumerate(one for one in _COLOURS if one in values):
        y = top + _LINE * (place + 0.5)
        colour, median = _COLOURS[name], statistics.median(values[name])
        x, end = sorted((zero, zero + median * scale))
        bar = f'x="{x:.1f}" y="{y - 4}" width="{end - x:.1f}" height="8"'
        yield f'<rect {bar} fill="{colour}" fill-opacity="0.35"/>'
        for value in values[name]:
            at = f'cx="{zero + value * scale:.1f}" cy="{y}"'
            yield f'<circle {at} r="2" fill="{colour}" fill-opacity="0.6"/>'
        yield _text(_AXIS_TO + 16, y + 4, f"{median:.3g}")


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{name}>{escape(text)}</text>'


def main() -> int:
    """Draw it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot", description=__doc__)
    parser.add_argument("results", type=Path, help="what --save has written")
    parser.add_argument("plot", type=Path, help="the SVG to write")
    args = parser.parse_args()
    args.plot.write_text(drawn(json.loads(args.results.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
