"""The tables of the turn machine are total, and nothing in them is dead."""

from __future__ import annotations

from itertools import product

import pytest

from speakerd.conversation.core import Core
from speakerd.conversation.turn import IGNORED, TRANSITIONS, Action, TurnInput, TurnState
from tests.unit.story import HANDS_FREE


@pytest.mark.parametrize(("state", "event"), list(product(TurnState, TurnInput)))
def test_every_input_is_a_transition_or_ignored_for_a_reason(
    state: TurnState, event: TurnInput
) -> None:
    moves = event in TRANSITIONS[state]
    reason = IGNORED[state].get(event)
    assert moves != (reason is not None), "in exactly one of the two tables"
    assert reason is None or reason.strip()


def test_no_table_has_anything_else() -> None:
    assert set(TRANSITIONS) == set(IGNORED) == set(TurnState)


def test_every_action_is_used_and_carried_out() -> None:
    used = {action for row in TRANSITIONS.values() for _, action in row.values()}
    assert used == set(Action)
    assert Core()._dialogue._actions.keys() == set(Action)


def test_every_input_means_something_somewhere() -> None:
    assert {event for row in TRANSITIONS.values() for event in row} == set(TurnInput)


def test_every_state_is_reached_and_leads_back_to_idle() -> None:
    reached = {TurnState.IDLE}
    for _ in TurnState:
        reached |= {target for state in reached for target, _ in TRANSITIONS[state].values()}
    assert reached == set(TurnState)
    for state in TurnState:
        # From everywhere in one step: stop and shutdown are taken in every state.
        for event in (TurnInput.STOP, TurnInput.SHUTDOWN):
            assert TRANSITIONS[state][event][0] is TurnState.IDLE


def test_a_press_opens_the_gate_in_every_state_in_which_it_is_closed() -> None:
    holding = {TurnState.ARMED, TurnState.LISTENING}
    for state in set(TurnState) - holding - HANDS_FREE:
        target, _ = TRANSITIONS[state][TurnInput.PRESS]
        assert target in holding
