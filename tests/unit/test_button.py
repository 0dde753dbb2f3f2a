"""The button machine on its own: edges and commands in, gestures out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation.button import Button, Gesture
from speakerd.conversation.events import Trigger
from speakerd.conversation.rules import ButtonMode, Rules

PRESS, RELEASE, TAKE_BACK = Gesture.PRESS, Gesture.RELEASE, Gesture.TAKE_BACK
BUTTON, KEYPAD = Trigger.BUTTON, Trigger.KEYPAD
DEBOUNCE_S = 0.03
RULES = Rules(debounce_s=DEBOUNCE_S)
TOGGLED = Rules(debounce_s=DEBOUNCE_S, button_mode=ButtonMode.TOGGLE)


def gestures(edges: list[tuple[float, bool]], until: float = 10.0) -> list[tuple[float, Gesture]]:
    """What comes of edges (seconds, pressed), if it is woken when it asks for it."""
    button, found = Button(RULES), []
    for at, pressed in [*edges, (until, None)]:
        while button.deadline() <= at:
            woken_at = button.deadline()
            found.append((woken_at, button.wake(woken_at)))
        if pressed is not None:
            found.append((at, button.edge(BUTTON, at, pressed=pressed)))
    return [(at, gesture) for at, gesture in found if gesture is not None]


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([(1.0, True), (2.0, False)], [(1.0, PRESS), (2.0, RELEASE)]),
        # bounce at either end
        (
            [(1.0, True), (1.004, False), (1.009, True), (2.0, False)],
            [(1.0, PRESS), (2.0, RELEASE)],
        ),
        ([(1.0, True), (2.0, False), (2.01, True), (2.02, False)], [(1.0, PRESS), (2.0, RELEASE)]),
        # shorter than the bounce: the release counts when the bounce is over
        ([(1.0, True), (1.025, False)], [(1.0, PRESS), (1.055, RELEASE)]),
        # shorter than any hand
        ([(1.0, True), (1.01, False)], [(1.0, PRESS), (1.04, TAKE_BACK)]),
        # the same level twice is one edge
        ([(1.0, True), (1.5, True), (2.0, False)], [(1.0, PRESS), (2.0, RELEASE)]),
        ([(1.0, False)], []),
        # at the very beginning of the clock
        ([(0.0, True), (0.01, False)], [(0.0, PRESS), (0.04, TAKE_BACK)]),
        # a bounce that is stretched, as by a busy machine
        (
            [(1.0, True), (1.02, False), (1.04, True), (1.065, False), (1.09, True), (2.0, False)],
            [(1.0, PRESS), (2.0, RELEASE)],
        ),
        # a line that never comes to rest is looked at all the same
        (
            [(1.0 + 0.02 * n, n % 2 == 0) for n in range(16)],
            [(1.0, PRESS), (1.15, RELEASE), (1.3, PRESS), (1.33, TAKE_BACK)],
        ),
    ],
)
def test_edges(edges: list[tuple[float, bool]], expected: list[tuple[float, Gesture]]) -> None:
    found = gestures(edges)
    assert [gesture for _, gesture in found] == [gesture for _, gesture in expected]
    assert [at for at, _ in found] == pytest.approx([at for at, _ in expected])


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans()), max_size=40))
def test_gestures_alternate_are_a_bounce_apart_and_end_at_the_real_level(
    edges: list[tuple[float, bool]],
) -> None:
    edges = sorted(edges, key=lambda edge: edge[0])
    found = gestures(edges)
    kinds = [RELEASE if gesture is TAKE_BACK else gesture for _, gesture in found]
    assert kinds == [PRESS, RELEASE] * (len(kinds) // 2) + [PRESS] * (len(kinds) % 2)
    times = [at for at, _ in found]
    assert all(later - at >= DEBOUNCE_S - 1e-9 for at, later in pairwise(times))
    assert (kinds[-1:] == [PRESS]) == (bool(edges) and edges[-1][1])


def test_gpio_and_control_hold_one_button() -> None:
    button = Button(RULES)
    assert button.edge(BUTTON, 1.0, pressed=True) is PRESS
    assert button.control(pressed=True) is None
    assert button.edge(BUTTON, 2.0, pressed=False) is None
    assert button.held
    assert button.control(pressed=False) is RELEASE


def test_control_does_not_bounce() -> None:
    button = Button(RULES)
    assert [button.control(pressed=pressed) for pressed in (True, False, True)] == [
        PRESS,
        RELEASE,
        PRESS,
    ]
    assert button.control(pressed=True) is None


def test_a_blocked_holder_gives_nothing_until_it_was_up() -> None:
    button = Button(RULES)
    button.edge(BUTTON, 1.0, pressed=True)
    button.spend(1.0)
    assert not button.held
    assert button.wake(1.1) is None
    assert button.edge(BUTTON, 2.0, pressed=False) is None
    assert button.wake(2.1) is None
    assert button.edge(BUTTON, 3.0, pressed=True) is PRESS


def test_only_who_holds_is_blocked() -> None:
    button = Button(RULES)
    button.edge(BUTTON, 1.0, pressed=True)
    button.spend(1.0)
    assert button.control(pressed=True) is PRESS
    assert button.edge(BUTTON, 2.0, pressed=False) is None
    assert button.control(pressed=False) is RELEASE


def test_held_at_start_is_blocked_and_releases_what_counted() -> None:
    button = Button(RULES)
    assert button.held_at_start(BUTTON) is None
    assert button.edge(BUTTON, 1.0, pressed=False) is None
    button.wake(1.1)
    assert button.edge(BUTTON, 2.0, pressed=True) is PRESS
    assert button.held_at_start(BUTTON) is RELEASE


def test_a_lost_button_is_released_and_begins_anew() -> None:
    button = Button(RULES)
    button.edge(BUTTON, 1.0, pressed=True)
    assert button.lost(BUTTON) is TAKE_BACK
    assert button.deadline() == float("inf")
    assert button.lost(BUTTON) is None
    assert button.edge(BUTTON, 1.01, pressed=True) is PRESS


def test_the_button_and_the_keypad_are_one_hand() -> None:
    button = Button(RULES)
    assert button.edge(BUTTON, 1.0, pressed=True) is PRESS
    assert button.edge(KEYPAD, 2.0, pressed=True) is None
    assert button.edge(BUTTON, 3.0, pressed=False) is None
    assert button.held
    assert button.edge(KEYPAD, 4.0, pressed=False) is RELEASE


def test_what_one_begins_by_a_tap_the_other_ends() -> None:
    button = Button(TOGGLED)
    assert button.edge(BUTTON, 1.0, pressed=True) is PRESS
    assert button.edge(BUTTON, 1.1, pressed=False) is None
    assert button.edge(KEYPAD, 3.0, pressed=True) is RELEASE
    assert button.edge(KEYPAD, 3.1, pressed=False) is None
    assert not button.held


def test_one_that_is_stuck_leaves_the_other() -> None:
    button = Button(RULES)
    button.held_at_start(BUTTON)
    assert button.edge(KEYPAD, 1.0, pressed=True) is PRESS
    assert button.edge(KEYPAD, 2.0, pressed=False) is RELEASE
    button.edge(KEYPAD, 3.0, pressed=True)
    button.spend(60.0)
    assert button.edge(BUTTON, 61.0, pressed=False) is None
    assert button.edge(BUTTON, 62.0, pressed=True) is PRESS


def test_one_that_is_lost_leaves_what_the_other_holds() -> None:
    button = Button(RULES)
    button.edge(BUTTON, 1.0, pressed=True)
    button.edge(KEYPAD, 2.0, pressed=True)
    button.edge(BUTTON, 3.0, pressed=False)
    assert button.lost(BUTTON) is None
    assert button.lost(KEYPAD) is TAKE_BACK


def test_each_bounces_for_itself() -> None:
    button = Button(RULES)
    button.edge(KEYPAD, 1.0, pressed=True)
    assert button.edge(KEYPAD, 1.01, pressed=False) is None
    assert button.deadline() == pytest.approx(1.04)
    assert button.wake(1.05) is TAKE_BACK
    button.reload(Rules(debounce_s=0.2))
    button.edge(KEYPAD, 2.0, pressed=True)
    assert button.edge(KEYPAD, 2.1, pressed=False) is None


def test_who_has_begun_a_sentence_by_a_tap_is_who_came_to_rest_last() -> None:
    button = Button(TOGGLED)
    button.edge(KEYPAD, 1.0, pressed=True)
    button.edge(BUTTON, 1.005, pressed=True)
    button.edge(BUTTON, 1.01, pressed=False)
    button.edge(KEYPAD, 1.02, pressed=False)
    button.wake(1.045)
    button.wake(1.06)
    assert button.lost(BUTTON) is None
    assert button.lost(KEYPAD) is TAKE_BACK


def test_one_that_is_lost_leaves_what_the_other_has_begun_by_a_tap() -> None:
    button = Button(TOGGLED)
    button.edge(KEYPAD, 1.0, pressed=True)
    button.edge(KEYPAD, 1.1, pressed=False)
    assert button.lost(BUTTON) is None
    assert button.lost(KEYPAD) is TAKE_BACK


@given(st.sampled_from(ButtonMode), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 500))))
def test_whatever_two_hands_do_an_open_contact_holds_nothing(
    mode: ButtonMode, deeds: list[tuple[int, int]]
) -> None:
    button, now = Button(Rules(debounce_s=DEBOUNCE_S, button_mode=mode)), 0.0
    down = dict.fromkeys(Trigger, False)
    for deed, wait_ms in deeds:
        now += wait_ms / 1000
        while button.deadline() <= now:
            button.wake(button.deadline())
        trigger = list(Trigger)[deed % 2]
        match deed // 2:
            case 0:
                button.spend(now)
            case 1:
                down[trigger] = False
                button.lost(trigger)
            case 2:
                down[trigger] = True
                button.held_at_start(trigger)
            case _:
                down[trigger] = not down[trigger]
                button.edge(trigger, now, pressed=down[trigger])
    for trigger in Trigger:
        button.edge(trigger, now + 1, pressed=False)
        button.wake(now + 2)
    assert not button.held or mode is not ButtonMode.HOLD
    assert not button.stops
    button.spend(now + 3)
    assert button.edge(BUTTON, now + 10, pressed=True) is PRESS
