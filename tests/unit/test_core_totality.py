"""The core takes everything: each event in each state, in any order of the clock."""

from __future__ import annotations

import typing
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from speakerd.conversation import events as ev
from speakerd.conversation.budget import Budget
from speakerd.conversation.core import Core
from speakerd.conversation.rules import Rules
from speakerd.conversation.timer import Missed, Timer
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind
from tests.unit.story import Story

KINDS: tuple[type[Any], ...] = typing.get_args(ev.Event)


#: What is told of keys with a GPIO line only.
HAVE_LINES = (ev.KeyFound, ev.KeyAwaited, ev.KeyLost)


def samples(kind: type[Any], turn: int, generation: int) -> list[Any]:
    """Events of a kind: about this turn and connection, older ones and ones that never were."""
    values: dict[str, list[Any]] = {
        "handle": ["h"] if kind is ev.HandleIssued else [None, ev.SessionHandle("h", "other")],
        "pressed": [True, False],
        "text": ["hello", ""],
        "read_out": [False, True],
        "heard": [True, False],
        "speaks": [True, False],
        "device": list(ev.Device),
        "key": list(ev.Key) if kind in HAVE_LINES else [*ev.Key, *ev.PadKey],
        "trigger": list(ev.Trigger),
        "name": ["volume", "keypad", "light"],
        "steps": [1, -3],
        "percent": [0, 40, 100],
        "on": [True, False, None],
        "off": [False, True],
        "mute": [False, True],
        "drops": [None, 0, 7],
        "reason": ["unplugged"],
        "turn": [turn, turn - 1, turn + 1],
        "duration_s": [0.0, 1.5],
        "left": list(Budget),
        "offered": [True, False],
        "unix_s": [1e9, 0.0],
        "zone": [UTC],
        "timer": [Timer(1, due_at=1e9), Timer(2, local=datetime.fromisoformat("2001-09-09 01:50"))],
        "timers": [(), (Timer(1, due_at=0.0), Timer(7, due_unix_s=1e9))],
        "missed": [(), (Missed("tea", False, 1e9),)],
        "numbers": [(1,), (9, 9), ()],
        "generation": [generation, generation - 1, generation + 1],
        "told": [0, 3],
        "failure": [None, *(Failure(each, "x", 1011) for each in FailureKind)],
        "time_left_s": [0.0, -5.0, float("nan"), float("inf"), 50.0],
        "usage": [ev.Usage()],
        "calls": [(), (ev.ToolCall("c", "lamp"),)],
        "blocking": [True, False],
        "silent": [False, True],
        "call_id": ["c", "never called"],
        "call_ids": [(), ("c",)],
        "rules": [Rules(), Rules(models=("another",))],
        "setup": [False, True],
        "reopened": [frozenset(), frozenset(ev.Device)],
    }
    names = [part.name for part in fields(kind)]
    plain = {name: values[name][0] for name in names}
    return [kind(**{**plain, name: value}) for name in names for value in values[name]] or [kind()]


def test_every_event_has_a_handler_and_every_handler_an_event() -> None:
    assert set(Core._HANDLERS) == set(KINDS)


@pytest.mark.parametrize("state", list(TurnState))
@pytest.mark.parametrize("kind", KINDS)
def test_no_event_raises_in_any_state(kind: type[Any], state: TurnState) -> None:
    for number in range(len(samples(kind, 1, 1))):
        story = Story()
        story.connected()
        turn = story.bring_to(state)
        event = samples(kind, turn, story.generation)[number]
        story.tell(event)
        story.tell(event)
        story.release()
        for edge in (False, True):
            story.tell(ev.ButtonEdge(edge))
            story.wait(300.0)
        story.tell(ev.ButtonEdge(False))
        story.close(None)


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_raises_before_the_start_or_after_the_end(kind: type[Any]) -> None:
    for event in samples(kind, 0, 0):
        story = Story()
        story.tell(event)
        story.tell(ev.ShutdownRequested())
        story.tell(event)
        story.wait(1000.0)
        assert story.core.next_deadline() is None


def test_a_clock_that_goes_back_a_little_counts_as_standing_still() -> None:
    story = Story()
    story.connected()
    story.press(at=10.0)
    story.core.handle(ev.CaptureStarted(1), 9.9)
    assert story.core.wake(10.0 + story.rules.min_press_s - 0.001) == []
    assert story.core.wake(10.0 + story.rules.min_press_s) != []


def test_a_process_that_was_asleep_catches_up_in_order() -> None:
    """What was due long ago is done first, then the event is taken."""
    story = Story()
    story.connected()
    story.press(at=10.0)
    story.captured()
    effects = story.core.handle(ev.ButtonEdge(False), 500.0)
    assert story.is_in(TurnState.TAIL), "it was held too long, then released"
    assert [type(effect).__name__ for effect in effects][:2] == ["ExpectReply", "Deliver"]
    deadline = story.core.next_deadline()
    assert deadline is not None
    assert deadline > 500.0
