"""What a program costs that nobody talks to: link up and down, pre-roll on and off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from speakerd.config.settings import Settings
from tests.bench import process
from tests.bench.contenders import SPEAKERD, running
from tests.bench.report import Comparison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.contenders import Stage

_PREROLL_MS: int = Settings.model_fields["preroll_ms"].default
_SECONDS = 5  # each is one value
#: After a start, and after the link has gone down.
_SETTLED_S = 2.0
_DOWN_SOON = {"SPEAKERD_LINGER_S": "1"}
_WITHOUT_PREROLL = {"SPEAKERD_PREROLL_MS": "0"}


def idling(stage: Stage) -> Comparison:
    """Watch them doing nothing, speakerd in all four states."""
    up = process.Rows(f"link up, pre-roll {_PREROLL_MS} ms")
    for name in stage.names:
        _watch(stage, name, up)
    states: list[tuple[process.Rows, Mapping[str, str]]] = [
        (
            process.Rows(f"link down, pre-roll {_PREROLL_MS} ms", "≤ 3"),
            _DOWN_SOON,
        ),
        (process.Rows("link up, no pre-roll"), _WITHOUT_PREROLL),
        (
            process.Rows("link down, no pre-roll", wakeups_target="≤ 2"),
            _DOWN_SOON | _WITHOUT_PREROLL,
        ),
    ]
    for rows, options in states:
        _watch(stage, SPEAKERD, rows, options)
    every = [row for rows in (up, *(rows for rows, _ in states)) for row in rows.all()]
    return Comparison("Idle, per second (the others: link up)", every)


def _watch(
    stage: Stage, name: str, rows: process.Rows, options: Mapping[str, str] | None = None
) -> None:
    with running(name, stage, options) as who:
        who.wait_for_connection()
        if options is not None and _DOWN_SOON.items() <= options.items():
            who.wait_for_disconnection()
        time.sleep(_SETTLED_S)
        before = process.counters(who.pid)
        for _ in range(_SECONDS):
            time.sleep(1.0)
            now = process.counters(who.pid)
            rows.add(name, now.since(before))
            before = now
