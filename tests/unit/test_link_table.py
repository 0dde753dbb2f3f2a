"""The table of the link machine: nothing in it is dead, and nothing is missing."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict

from speakerd.conversation import link
from speakerd.conversation.link import TRANSITIONS, Link, LinkInput, LinkState
from speakerd.conversation.rules import LinkPolicy
from speakerd.errors import FailureKind
from tests.unit.test_core_link import started


def test_every_state_has_its_row_and_is_reached() -> None:
    assert set(TRANSITIONS) == set(LinkState)
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert reached == set(LinkState)


def test_a_connection_is_only_begun_where_there_is_none() -> None:
    """At most one socket: CONNECTING is never entered from a state that has one."""
    for state in (LinkState.CONNECTING, LinkState.READY, LinkState.CLOSING):
        assert LinkInput.CONNECT not in TRANSITIONS[state]


def test_the_methods_use_no_other_input() -> None:
    tree = ast.parse(inspect.getsource(link))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "LinkInput"
    }
    assert used == {event.name for event in LinkInput}


def test_every_transition_is_taken_somewhere() -> None:
    taken: dict[LinkState, set[LinkInput]] = defaultdict(set)

    class Watched(Link):
        def _move(self, event: LinkInput, now: float) -> None:
            taken[self.state].add(event)
            super()._move(event, now)

    for policy in LinkPolicy:
        story = started(policy)
        story.core._link.__class__ = Watched
        story.go_away(5.0)
        for kind in FailureKind:
            for opened in (True, False):
                story = started(policy)
                story.core._link.__class__ = Watched
                for _ in range(12):
                    story.tap()
                    if opened:
                        story.open()
                    story.fail(kind)
                    story.wait(0.5)
                story.press()
                story.wait(70.0)
                story.release()
                story.wait(100.0)
                story.close(None)
                story.press()
                story.wait(70.0)
                story.release()
                story.wait(70.0)
                story.close(None)
                story.wait(70.0)
    assert {state: set(row) for state, row in TRANSITIONS.items()} == dict(taken)
