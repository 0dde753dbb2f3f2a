"""A turn as a timeline that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The milestones of the ledger, in the words of the wire and of the person.
_MILESTONES = {
    "press_ms": "press: the gate opens",
    "activity_start_ms": "activityStart",
    "first_audio_sent_ms": "first audio sent",
    "released_ms": "release",
    "activity_end_ms": "activityEnd, after the tail",
    "first_reply_ms": "first reply byte",
    "first_sample_ms": "first sample played",
    "generation_complete_ms": "generationComplete",
    "turn_complete_ms": "turnComplete",
    "drained_ms": "drained: all of it was heard",
}


def lines(ledger: Mapping[str, object]) -> Iterator[str]:
    """One line for each milestone that was reached, in the order of time."""
    reached = {"press_ms": 0.0} | {
        key: value for key, value in ledger.items() if isinstance(value, int | float)
    }
    milestones = [(reached[key], text) for key, text in _MILESTONES.items() if key in reached]
    yield ""
    for at_ms, text in sorted(milestones, key=lambda milestone: milestone[0]):
        yield f"{at_ms:9.0f} ms  {text}"
