"""``docs/faults.md``: the table for people, made from what the tests assert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.conversation.effects import Notice
from tests.faults.elsewhere import ELSEWHERE
from tests.faults.table import ROWS, Row, When

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/faults.md"
BEGIN = "<!-- made by python -m tests.faults, from the tests -->"
END = "<!-- end of what is made -->"

#: What each sound says; ``speakerd.service.wording`` has the lines for the journal.
_SOUNDS: dict[Notice, str] = {
    Notice.NO_REPLY: "a quiet sound: the model chose to say nothing",
    Notice.NOT_DELIVERED: "a sound: it could not be delivered",
    Notice.NO_ANSWER: "a sound: nothing answered",
    Notice.ANSWER_CUT: "a sound: the answer was cut",
    Notice.RESULT_LOST: "a sound: a tool was run, its result is lost",
    Notice.KEY_REFUSED: "a sound: the key is refused",
    Notice.MODEL_GONE: "a sound: the model is gone",
    Notice.SETUP_REFUSED: "a sound: the settings are refused",
    Notice.QUOTA_USED_UP: "a sound: the quota is used up",
    Notice.NO_MICROPHONE: "a sound: no microphone",
    Notice.SPEAKER_LOST: "a sound: the speaker is lost",
}


def experience(row: Row) -> str:
    """What the person experiences, from what the test of the row asserts."""
    sounds = [_SOUNDS[notice] for notice in row.told]
    match row.outcome:
        case "answered" if row.when is When.IDLE and sounds:
            parts = [*sounds, "the next sentence is answered"]
        case "answered" if row.when is When.IDLE and row.deliveries == 1:
            parts = ["nothing"]
        case "answered" if row.deliveries > 1:
            parts = ["the answer, a little later: it is asked again", *sounds]
        case "answered":
            parts = ["the answer", *sounds]
        case "cut":
            parts = ["what had come of the answer", *sounds]
        case _:
            parts = sounds
    if row.quiet and not sounds:
        parts.append("no warning in the journal")
    if without := row.status.get("without"):
        *more, last = without
        named = f"{', '.join(more)} and {last}" if more else last
        parts.append(f"the journal says: without {named}")
    return "; ".join(parts)


def table() -> str:
    """The part of the page between :data:`BEGIN` and :data:`END`, with both."""
    lines = [BEGIN]
    for when in When:
        lines += ["", f"## {when.value}", ""]
        lines += ["| fault | what a person experiences | the conversation | test |"]
        lines += ["|---|---|---|---|"]
        lines += [_line(row) for row in ROWS if row.when is when]
    for heading, entries in ELSEWHERE.items():
        lines += ["", f"## {heading}", ""]
        lines += ["| fault | phase | what a person experiences | test |", "|---|---|---|---|"]
        lines += [
            f"| {entry.fault} | {entry.phase} | {entry.experience} "
            f"| [`{entry.test}`](../{entry.file}) |"
            for entry in entries
        ]
    return "\n".join([*lines, "", END])


def _line(row: Row) -> str:
    goes_on = "begins anew" if row.anew else "goes on"
    return f"| {row.fault} | {experience(row)} | {goes_on} | `{row.id}` |"


def made_anew(page: str) -> str:
    """``page`` with its table as it should be."""
    before, rest = page.split(BEGIN)
    return before + table() + rest.split(END)[1]


def broken_links() -> Iterator[str]:
    """What the page names and nobody can run."""
    for entries in ELSEWHERE.values():
        for entry in entries:
            path = ROOT / entry.file
            if not path.exists() or f"def {entry.test}(" not in path.read_text():
                yield f"{entry.file}::{entry.test}"
