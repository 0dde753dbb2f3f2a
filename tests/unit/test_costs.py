"""What is done for each message and each chunk costs no more than it did: in counts that repeat.

Seconds are for `make bench`. What is counted here are calls of functions, Python's and C's, and
bytes allocated: the same on every machine, and nearly so on every Python.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.bench.contenders import SPEAKERD
from tests.bench.counted import WORK, Counter
from tests.bench.start import IMPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_TIMES = 20
#: So many are imported before READY, the interpreter's own included, and a few to spare.
MOST_MODULES = 560


class Calls:
    """Counts calls in this thread."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _frame: FrameType, event: str, _what: object) -> None:
        self.count += event in ("call", "c_call")


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    before = sys.getprofile()
    sys.setprofile(calls)
    yield calls
    sys.setprofile(before)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def per_piece(name: str, count: Callable[[], int]) -> float:
    """By how much ``count`` grows with each repetition of that work."""
    marks: list[int] = []
    WORK[name](Counter(_TIMES, lambda: marks.append(count())))
    _, middle, end = marks
    return (end - middle) / (2 * _TIMES)


_RECEIVED, _RECEIVED_BY_THE_SDK = (
    "  frame -> playlist, by speakerd",
    "  frame -> object, by websockets and the SDK",
)
_SENT, _SENT_BY_THE_SDK = (
    "  utterance -> frame, by speakerd",
    "  chunk -> frame, by the SDK and websockets",
)


def test_a_message_of_sound_takes_a_fraction_of_the_calls_that_the_sdk_makes(calls: Calls) -> None:
    ours = per_piece(_RECEIVED, lambda: calls.count)
    theirs = per_piece(_RECEIVED_BY_THE_SDK, lambda: calls.count)
    assert 0 < ours < theirs / 3


def test_a_chunk_of_speech_takes_little_more_than_the_sdk_takes(calls: Calls) -> None:
    ours = per_piece(_SENT, lambda: calls.count)
    theirs = per_piece(_SENT_BY_THE_SDK, lambda: calls.count)
    assert 0 < ours < 1.25 * theirs


@pytest.mark.usefixtures("traced")
def test_the_sound_of_an_answer_is_kept_once() -> None:
    kept = per_piece(_RECEIVED, lambda: tracemalloc.get_traced_memory()[0])
    assert 1920 <= kept < 1920 + 700  # with what holds it


def test_nothing_slow_is_imported_before_ready() -> None:
    slow = {"google", "websockets", "httpx2", "anyio", "mcp", "jsonschema", "numpy"}
    program = f"import sys, {IMPORTS[SPEAKERD]}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = done.stdout.split()
    assert slow.isdisjoint(modules)
    assert len(modules) < MOST_MODULES
