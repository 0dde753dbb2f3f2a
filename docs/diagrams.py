"""Draws the diagrams and tables of state-machines.md from the machines themselves.

    python docs/diagrams.py

rewrites what stands between the markers ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` of the
page; everything else there is written by hand. A test fails when the page is behind the code.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.conversation import button, link, turn
from speakerd.conversation.rules import Rules

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterable, Mapping

PAGE = Path(__file__).with_name("state-machines.md")

#: Taken in every state, always back to idle: drawn, they would hide everything else.
EVERYWHERE = {turn.TurnInput.STOP, turn.TurnInput.SHUTDOWN}


def diagram(first: enum.Enum, arrows: Iterable[tuple[enum.Enum, enum.Enum, str]]) -> str:
    """A Mermaid state diagram; arrows between the same two states share one line."""
    labels: dict[tuple[enum.Enum, enum.Enum], list[str]] = {}
    for source, target, label in arrows:
        labels.setdefault((source, target), []).append(label)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.name}"]
    lines += [
        f"    {source.name} --> {target.name}: {'<br/>'.join(texts)}"
        for (source, target), texts in labels.items()
    ]
    return "\n".join([*lines, "```"])


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def turn_diagram() -> str:
    """The turn machine, without what every state does alike."""
    return diagram(
        turn.TurnState.IDLE,
        (
            (state, target, event.value)
            for state, row in turn.TRANSITIONS.items()
            for event, (target, _) in row.items()
            if event not in EVERYWHERE
        ),
    )


def turn_table() -> str:
    """Every transition of the turn machine, with what is done on the way."""
    return table(
        ("in", "on", "go to", "and"),
        (
            (state.name, event.value, target.name, action.value)
            for state, row in turn.TRANSITIONS.items()
            for event, (target, action) in row.items()
        ),
    )


def ignored_table() -> str:
    """Every input that is nothing, by state and reason."""

    def by_reason(row: Mapping[turn.TurnInput, str]) -> Mapping[str, list[str]]:
        reasons: dict[str, list[str]] = {}
        for event, reason in row.items():
            reasons.setdefault(reason, []).append(event.value)
        return reasons

    return table(
        ("in", "nothing comes of", "because"),
        (
            (state.name, ", ".join(events), reason)
            for state, row in turn.IGNORED.items()
            for reason, events in by_reason(row).items()
        ),
    )


def meanings(kind: type[enum.Enum]) -> str:
    """The members of an enumeration with the comments that explain them in the source."""
    comments = _comments(kind)
    return table(
        (re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower().split()[-1], "means"),
        ((member.name, comments.get(member.name) or str(member.value)) for member in kind),
    )


def button_table() -> str:
    """What a finger means in each mode."""
    return table(
        ("mode", "in", "on", "go to", "and mean"),
        (
            (mode.value, phase.value, touch.value, target.value, gesture.value if gesture else "")
            for mode, rows in button.MODES.items()
            for (phase, touch), (target, gesture) in rows.items()
        ),
    )


def link_diagram() -> str:
    """The link machine."""
    return diagram(
        link.LinkState.DOWN,
        (
            (state, target, event.value)
            for state, row in link.TRANSITIONS.items()
            for event, target in row.items()
        ),
    )


def rules_table() -> str:
    """Every time-out and limit, with its default."""
    comments = _comments(Rules)
    numbers = [field for field in fields(Rules) if isinstance(field.default, int | float)]
    return table(
        ("rule", "default", "what it is"),
        ((f"`{field.name}`", f"{field.default:g}", comments[field.name]) for field in numbers),
    )


def _comments(kind: type) -> dict[str, str]:
    """The comments at the end of a class's lines, by the name that each line defines."""
    found = re.findall(r"^    (\w+)[^=\n]*= [^#\n]+# (.+)$", inspect.getsource(kind), re.MULTILINE)
    return dict(found)


BLOCKS = {
    "turn diagram": turn_diagram,
    "turn states": lambda: meanings(turn.TurnState),
    "turn table": turn_table,
    "ignored table": ignored_table,
    "button phases": lambda: meanings(button.Phase),
    "button table": button_table,
    "link diagram": link_diagram,
    "link states": lambda: meanings(link.LinkState),
    "rules table": rules_table,
}


def render(page: str) -> str:
    """The page with every block drawn anew; raises KeyError for a block that nobody draws."""

    def draw(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- begin {name} -->\n\n{BLOCKS[name]()}\n\n<!-- end {name} -->"

    block = r"<!-- begin (?P<name>[\w ]+) -->.*?<!-- end (?P=name) -->"
    return re.sub(block, draw, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
