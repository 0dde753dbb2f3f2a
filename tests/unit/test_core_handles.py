"""The conversation over many connections: which handle is kept, presented and dropped."""

from __future__ import annotations

from typing import Any

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import LinkPolicy
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind, Feature
from tests.unit.story import Story

MODEL = "gemini-3.8-live"


def started(handle: str | None = None, **rules: Any) -> Story:  # noqa: ANN401 - as Story
    story = Story(policy=LinkPolicy.ALWAYS, **rules)
    story.connected(ev.SessionHandle(handle, MODEL) if handle else None)
    return story


def presented(story: Story) -> str | None:
    """The handle that the next connection presents."""
    seen = len(story.all(fx.Connect))
    while len(story.all(fx.Connect)) == seen:
        story.wait(1.0)
    handle = story.all(fx.Connect)[-1].handle
    return handle.value if handle else None


def saved(story: Story) -> list[str | None]:
    return [order.handle.value if order.handle else None for order in story.all(fx.SaveHandle)]


def lose(story: Story, kind: FailureKind, code: int | None = None) -> str | None:
    """Lose the newest connection; returns what the next one presents."""
    before = len(story.all(fx.Connect))
    story.fail(kind, code)
    if len(story.all(fx.Connect)) > before:
        handle = story.all(fx.Connect)[-1].handle
        return handle.value if handle else None
    return presented(story)


# --- kept


def test_the_handle_from_before_is_presented_after_a_restart() -> None:
    story = Story()
    story.tell(ev.Started(ev.SessionHandle("old", MODEL)))
    assert story.one(fx.Connect).handle == ev.SessionHandle("old", MODEL)


def test_the_newest_handle_is_the_conversation() -> None:
    story = started("old")
    story.issue("a")
    story.issue("b")
    assert lose(story, FailureKind.NETWORK) == "b"


def test_a_handle_that_comes_while_the_connection_is_being_closed_counts() -> None:
    story = started()
    story.issue("a")
    story.go_away(10.0)
    story.issue("b")
    story.close(None)
    assert story.one(fx.Connect).handle == ev.SessionHandle("b", MODEL)


def test_a_handle_of_a_connection_that_is_given_up_or_not_open_is_not_taken() -> None:
    story = started()
    story.issue("a")
    story.go_away(50.0)
    story.wait(story.rules.close_timeout_s)
    assert story.is_in(LinkState.CONNECTING), "its close is not waited for"
    story.issue("before the setup is accepted")
    story.open()
    story.tell(ev.HandleIssued(1, "of the one given up"))
    assert lose(story, FailureKind.NETWORK) == "a"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.NETWORK, 1006),
        (FailureKind.NETWORK, None),
        (FailureKind.TIMEOUT, None),
        (FailureKind.IDLE, 1008),
    ],
)
@pytest.mark.parametrize("opened", [True, False])
def test_network_trouble_and_idle_closes_never_drop_it(
    kind: FailureKind, code: int | None, opened: bool
) -> None:
    story = started("h")
    for _ in range(8):
        assert lose(story, kind, code) == "h"
        if opened:
            story.open()
    assert saved(story) == []


def test_our_own_closes_never_drop_it() -> None:
    story = started("h")
    for _ in range(5):
        story.wait(1.0)
        story.go_away(50.0)
        story.close(None)
        if story.got(fx.Connect) is None:
            presented(story)
        assert story.all(fx.Connect)[-1].handle == ev.SessionHandle("h", MODEL)
        story.open()


@pytest.mark.parametrize(
    "kind", [FailureKind.KEY, FailureKind.SETUP, FailureKind.QUOTA, FailureKind.SERVER]
)
def test_a_setup_refused_for_another_reason_keeps_it(kind: FailureKind) -> None:
    story = Story()
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    story.fail(kind)
    story.wait(10.0)
    if story.generation == 1:
        story.press()
    assert story.all(fx.Connect)[-1].handle == ev.SessionHandle("h", MODEL)
    assert saved(story) == []


# --- dropped


@pytest.mark.parametrize("opened", [True, False])
def test_a_handle_that_is_refused_for_its_own_sake_is_dropped_and_the_turn_goes_on(
    opened: bool,
) -> None:
    story = Story()
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    if opened:
        story.open()
    turn = story.speak()
    story.fail(FailureKind.HANDLE, 1007)
    assert story.one(fx.Connect).handle is None
    assert saved(story) == [None]
    story.open()
    assert story.core.status.context == "fresh"
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.SERVER, 1011),
        (FailureKind.SETUP, 1007),
        (FailureKind.IDLE, 1000),
        (FailureKind.IDLE, 1001),
    ],
)
def test_two_server_closes_soon_after_resuming_drop_it(kind: FailureKind, code: int) -> None:
    story = started("h")
    assert lose(story, kind, code) == "h"
    story.open()
    story.wait(29.0)
    assert lose(story, kind, code) is None
    assert saved(story) == [None]


def test_what_was_held_against_a_dropped_one_is_not_held_against_the_next() -> None:
    story = started("h")
    for expected in ("h", None):
        assert lose(story, FailureKind.SERVER, 1011) == expected
        story.open()
    story.issue("new")
    for expected in ("new", "new", None):
        assert lose(story, FailureKind.SERVER, 1011) == expected
        story.open()


@pytest.mark.parametrize("between", ["turn", "stable"])
def test_a_completed_turn_or_a_stable_connection_in_between_clears_it(between: str) -> None:
    story = started("h")
    assert lose(story, FailureKind.SERVER, 1011) == "h"
    story.open()
    if between == "turn":
        turn = story.ask()
        story.answer(turn)
    else:
        story.wait(31.0)
    assert lose(story, FailureKind.SERVER, 1011) == "h"
    story.open()
    assert lose(story, FailureKind.SERVER, 1011) == ("h" if between == "stable" else None)


def test_closes_of_connections_that_resumed_nothing_say_nothing_about_it() -> None:
    story = started()
    story.issue("a")
    for expected in ("a", "a", None):
        assert lose(story, FailureKind.SERVER, 1011) == expected
        story.open()


def test_a_resumed_session_that_answers_only_interrupted_is_left_behind() -> None:
    story = started("wedged")
    turn = story.ask()
    story.interrupted(turn)
    story.complete(turn)
    story.close(None)
    assert story.one(fx.Connect).handle == ev.SessionHandle("wedged", MODEL)
    story.open()
    story.sent(turn)
    story.interrupted(turn)
    story.complete(turn)
    assert story.told == [fx.Notice.NO_ANSWER]
    story.close(None)
    story.press()
    story.wait(5.0)
    assert story.all(fx.Connect)[-1].handle is None


def test_a_resumed_session_that_says_nothing_at_all_keeps_it() -> None:
    story = started("h")
    turn = story.ask()
    story.wait(story.rules.reply_timeout_s)
    story.close(None)
    story.open()
    story.sent(turn)
    story.wait(story.rules.reply_timeout_s)
    assert story.told == [fx.Notice.NO_ANSWER]
    story.close(None)
    assert presented(story) == "h"


def test_setups_refused_again_and_again_are_tried_without_it_but_it_is_kept() -> None:
    """A context that the server cannot take any more must not be the end of the speaker."""
    story = Story()
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    story.fail(FailureKind.SETUP, 1007)
    for _ in range(2):
        story.wait(10.0)
        story.press()
        story.release()
        story.wait(1.0)
        story.fail(FailureKind.SETUP, 1007)
    assert [order.handle is not None for order in story.all(fx.Connect)] == [True, True, False]
    assert saved(story) == [], "the settings may be at fault: after a restart it is tried again"
    story.wait(10.0)
    story.press()
    story.open()
    assert story.core.status.context == "fresh"
    story.issue("new")
    assert lose(story, FailureKind.NETWORK) == "new"
    story.fail(FailureKind.SETUP, 1007)
    story.release()
    story.wait(10.0)
    story.press()
    assert story.all(fx.Connect)[-1].handle == ev.SessionHandle("new", MODEL), "it is not doubted"


def test_refused_setups_with_a_resumed_connection_between_them_are_not_in_a_row() -> None:
    story = Story()
    handle = ev.SessionHandle("h", MODEL)
    story.connected(handle)
    story.fail(FailureKind.NETWORK)
    story.wait(10.0)
    for _ in range(3):
        story.press()
        assert story.one(fx.Connect).handle == handle
        story.fail(FailureKind.SETUP, 1007)
        story.release()
        story.wait(10.0)
        story.press()
        assert story.one(fx.Connect).handle == handle
        story.open()
        assert story.core.status.context == "resumed"
        story.release()
        story.fail(FailureKind.NETWORK)
        story.wait(10.0)


def test_forgetting_gives_a_connection_up_that_is_being_made() -> None:
    story = Story()
    story.tell(ev.Started(ev.SessionHandle("h", MODEL)))
    story.tell(ev.ForgetRequested())
    assert story.last[:2] == [fx.Forgotten(), fx.PlayCue(fx.Cue.FORGOTTEN)]
    assert story.last[2:] == [fx.SaveHandle(None), fx.Disconnect(1)]
    story.close(None)
    assert story.one(fx.Connect).handle is None


# --- models


def test_a_handle_is_never_presented_to_another_model() -> None:
    story = Story(models=("new", "old"))
    story.tell(ev.Started(ev.SessionHandle("h", "old")))
    assert story.one(fx.Connect).handle is None
    story.fail(FailureKind.MODEL)
    assert story.one(fx.Connect) == fx.Connect(2, "old", ev.SessionHandle("h", "old"))


def test_the_handle_of_a_new_model_replaces_the_old() -> None:
    story = Story(models=("new",), policy=LinkPolicy.ALWAYS)
    story.tell(ev.Started(ev.SessionHandle("h", "old")))
    story.open()
    assert story.core.status.context == "fresh"
    story.issue("n")
    story.close()
    assert story.one(fx.Connect).handle == ev.SessionHandle("n", "new")
    assert story.all(fx.SaveHandle) == [fx.SaveHandle(ev.SessionHandle("n", "new"))]


def test_what_was_held_against_the_handle_of_a_model_is_not_held_against_the_next_one() -> None:
    story = Story(models=("first", "second"), policy=LinkPolicy.ALWAYS)
    story.connected(ev.SessionHandle("h", "first"))
    assert lose(story, FailureKind.SERVER, 1011) == "h"
    story.fail(FailureKind.MODEL)
    story.open()
    story.issue("new")
    assert lose(story, FailureKind.NETWORK) == "new"
    story.open()
    assert lose(story, FailureKind.SERVER, 1011) == "new"


# --- forgotten


def test_forget_drops_the_conversation_everywhere() -> None:
    story = started("h")
    story.tell(ev.ForgetRequested())
    assert story.last[:2] == [fx.Forgotten(), fx.PlayCue(fx.Cue.FORGOTTEN)]
    assert story.last[2:] == [fx.SaveHandle(None), fx.Disconnect(1)]
    story.issue("late")
    story.close(None)
    assert story.one(fx.Connect).handle is None


def test_what_is_forgotten_before_the_start_is_not_presented() -> None:
    story = Story()
    story.tell(ev.ForgetRequested())
    story.tell(ev.Started(ev.SessionHandle("old", MODEL)))
    assert story.all(fx.Connect)[-1].handle is None
    assert saved(story) == [None]


def test_forget_waits_for_the_end_of_the_turn() -> None:
    story = started("h")
    turn = story.ask()
    story.tell(ev.ForgetRequested())
    assert story.last == []
    story.answer(turn)
    assert fx.SaveHandle(None) in story.last
    assert fx.Disconnect(1) in story.last


def test_forget_is_not_forgotten_by_a_shutdown() -> None:
    story = started("h")
    story.ask()
    story.tell(ev.ForgetRequested())
    story.tell(ev.ShutdownRequested())
    assert saved(story)[-1] is None


def test_a_conversation_is_forgotten_after_its_time_out_without_a_turn() -> None:
    story = started("h", conversation_timeout_s=600.0)
    story.wait(500.0)
    turn = story.ask()
    story.answer(turn)
    ended_at = story.now
    story.wait_until(ended_at + 599.0)
    assert saved(story) == []
    story.wait_until(ended_at + 600.0)
    assert saved(story) == [None]
    story.close(None)
    assert story.one(fx.Connect).handle is None


def test_a_forgotten_conversation_is_not_forgotten_again_and_again() -> None:
    story = started("h", conversation_timeout_s=600.0)
    story.wait(601.0)
    story.close(None)
    story.open()
    story.issue("fresh")
    story.wait(10_000.0)
    assert len(story.all(fx.Disconnect)) == 1


def test_a_conversation_without_a_handle_is_forgotten_too() -> None:
    story = started(conversation_timeout_s=600.0)
    turn = story.ask()
    story.answer(turn)
    story.wait(601.0)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]


def test_by_default_nothing_is_forgotten() -> None:
    story = started("h")
    story.wait(1e6)
    assert lose(story, FailureKind.NETWORK) == "h"


# --- a server that does not let go of the old connection

IN_USE = Failure(FailureKind.SERVER, "Internal error encountered.", 1011)


def resisted(story: Story, seconds: float, failure: Failure = IN_USE) -> None:
    """Let every connection be refused for so long."""
    end = story.now + seconds
    while story.now < end:
        if story.is_in(LinkState.CONNECTING):
            story.close(failure)
        story.wait(0.1)


def test_a_sentence_comes_before_a_conversation_that_cannot_be_resumed() -> None:
    story = started()
    story.issue("h")
    turn = story.ask()
    story.wait(story.rules.reply_timeout_s)
    story.close(None)
    refused_at = story.now
    while story.all(fx.Connect)[-1].handle is not None or not story.is_in(LinkState.CONNECTING):
        resisted(story, 0.1)
    assert 4 <= len(story.all(fx.Connect)) <= 10
    assert story.now - refused_at >= story.rules.resume_patience_s
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_a_server_that_refuses_without_the_handle_too_is_asked_with_it_again() -> None:
    story = started()
    story.issue("h")
    story.close()
    story.press()
    story.captured()
    resisted(story, 2.5 * story.rules.resume_patience_s)
    handles = [order.handle is not None for order in story.all(fx.Connect)][1:]
    without = [index for index, presented in enumerate(handles) if not presented]
    assert without
    assert all(handles[index + 1] for index in without[:-1])
    assert saved(story)[-1] == "h", "it is not dropped"


@pytest.mark.parametrize(
    "failure",
    [
        Failure(FailureKind.NETWORK, "unreachable"),
        Failure(FailureKind.NETWORK, "the connection was cut off", 1006),
        Failure(FailureKind.TIMEOUT, "no answer"),
        Failure(FailureKind.SERVER, "the server answered HTTP 503 instead of upgrading"),
    ],
)
def test_a_network_that_is_down_for_long_costs_no_conversation(failure: Failure) -> None:
    story = started()
    story.issue("h")
    story.close()
    story.press()
    story.captured()
    resisted(story, 4 * story.rules.resume_patience_s, failure)
    assert all(order.handle is not None for order in story.all(fx.Connect)[1:])


def test_a_server_that_has_resumed_it_in_between_has_all_of_the_patience_again() -> None:
    story = started()
    story.issue("h")
    story.close()
    story.close(IN_USE)
    story.wait_for(LinkState.CONNECTING)
    story.open()
    story.wait(2 * story.rules.resume_patience_s)
    story.press()
    story.captured()
    story.wait(2 * story.rules.resume_patience_s)
    before = len(story.all(fx.Connect))
    story.close()
    resisted(story, story.rules.resume_patience_s - 1.0)
    again = story.all(fx.Connect)[before:]
    assert len(again) > 2
    assert all(order.handle is not None for order in again)


def test_a_server_in_trouble_all_night_is_asked_with_the_handle_in_the_morning() -> None:
    story = started()
    story.issue("h")
    story.close()
    resisted(story, 3600.0)
    story.press()
    resisted(story, 2.0)
    assert all(order.handle is not None for order in story.all(fx.Connect)[1:])


# --- sparingly


def test_the_handle_is_saved_at_the_end_of_a_turn_and_at_a_close_only() -> None:
    story = started()
    for index in range(50):
        story.issue(f"idle-{index}")
    assert saved(story) == []
    turn = story.ask()
    story.reply(turn)
    story.issue("asked")
    story.answer(turn)
    assert saved(story) == ["asked"]
    story.issue("later")
    story.wait(10.0)
    assert saved(story) == ["asked"]
    story.close(Failure(FailureKind.IDLE, "idle", 1008))
    assert saved(story) == ["asked", "later"]
    story.open()
    story.close()
    assert saved(story) == ["asked", "later"]


def test_the_first_handle_that_remembers_a_turn_is_saved_when_it_comes() -> None:
    """The power may go at any time, and the server issues it after the end of the turn."""
    story = started()
    story.issue("before")
    turn = story.ask()
    story.issue("was on its way as the sentence ended")
    story.answer(turn)
    assert saved(story) == []
    story.issue("after")
    assert saved(story) == ["after"]
    for index in range(50):
        story.issue(f"idle-{index}")
    assert saved(story) == ["after"]


# --- what is closed


def test_an_open_connection_that_presented_nothing_is_not_closed_for_the_handle() -> None:
    story = started()
    story.issue("h")
    assert lose(story, FailureKind.HANDLE, 1008) == "h"


def test_a_resumed_connection_that_worked_for_long_is_not_closed_for_the_handle() -> None:
    story = started("old")
    story.issue("h")
    story.wait(story.rules.stable_s)
    assert lose(story, FailureKind.HANDLE, 1008) == "h"


def test_a_handle_that_remembers_what_will_be_said_again_is_not_taken() -> None:
    story = started()
    story.issue("before")
    story.ask()
    story.wait(story.rules.reply_timeout_s)
    story.issue("with the question")
    story.close(None)
    assert presented(story) == "before"


def test_a_handle_that_comes_while_an_idle_connection_is_closed_is_taken() -> None:
    story = started()
    story.issue("before")
    story.answer(story.ask())
    story.go_away(0.0)
    story.wait(1.0)
    story.issue("after")
    story.close(None)
    assert presented(story) == "after"


def test_the_handle_of_the_last_turn_is_taken_while_the_next_one_is_spoken() -> None:
    """GoAway closes in mid-utterance, and the server's last word is what remembers turn 1."""
    story = started()
    story.issue("before")
    story.answer(story.ask())
    story.go_away(2.0)
    story.press()
    story.captured()
    story.wait(1.5)
    assert story.is_in(LinkState.CLOSING)
    story.issue("after")
    story.close(None)
    assert story.all(fx.Connect)[-1].handle == ev.SessionHandle("after", MODEL)


def test_go_away_waits_for_a_handle_that_was_issued_after_the_answer() -> None:
    story = started()
    turn = story.ask()
    story.go_away(50.0)
    story.issue("was on its way as the sentence ended")
    story.answer(turn)
    assert not story.ordered(fx.Disconnect)
    story.issue("after")
    story.close(None)
    assert presented(story) == "after"


def test_what_is_not_found_without_a_handle_is_the_model() -> None:
    story = Story(models=("a", "b"))
    story.tell(ev.Started(ev.SessionHandle("of b", "b")))
    story.fail(FailureKind.HANDLE, 1008)
    connect = story.one(fx.Connect)
    assert (connect.model, connect.handle) == ("b", ev.SessionHandle("of b", "b"))
    story.fail(FailureKind.HANDLE, 1008)
    story.fail(FailureKind.HANDLE, 1008)
    assert story.told == [fx.Notice.MODEL_GONE]


def test_a_server_that_is_unavailable_for_long_costs_no_conversation() -> None:
    story = started()
    story.issue("h")
    story.close()
    story.press()
    story.captured()
    unavailable = Failure(FailureKind.SERVER, "The service is currently unavailable.", 1011)
    resisted(story, 4 * story.rules.resume_patience_s, unavailable)
    assert all(order.handle is not None for order in story.all(fx.Connect)[1:])


def test_what_is_refused_of_the_setup_speaks_not_against_the_handle() -> None:
    story = Story(policy=LinkPolicy.ALWAYS, features=frozenset(Feature))
    story.connected(ev.SessionHandle("h", MODEL))
    for feature in (Feature.THINKING, Feature.VOICE):
        story.close(Failure(FailureKind.SETUP, "not supported", 1007, feature))
        assert story.one(fx.Connect).handle is not None
        story.open()


def test_a_conversation_that_was_gone_on_without_does_not_come_back() -> None:
    story = started()
    story.issue("h")
    story.close()
    turn = story.speak()
    while story.all(fx.Connect)[-1].handle is not None or not story.is_in(LinkState.CONNECTING):
        resisted(story, 0.1)
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert lose(story, FailureKind.NETWORK) is None


def test_a_session_that_answers_nothing_any_more_is_left() -> None:
    story = Story()
    story.connected(ev.SessionHandle("h", MODEL))
    for _ in range(3):
        turn = story.speak()
        while story.is_in(TurnState.THINKING):
            if story.is_in(LinkState.CONNECTING):
                story.open()
                story.sent(turn)
            if story.is_in(LinkState.CLOSING):
                story.close(None)
            story.wait(0.1)
        story.close(None)
        story.wait(60.0)
    assert set(story.outcomes) <= {"no-answer", "not-delivered"}
    assert story.all(fx.Connect)[0].handle is not None
    assert story.all(fx.Connect)[-1].handle is None
    assert None not in saved(story), "it is not dropped"


@pytest.mark.parametrize("kind", [FailureKind.KEY, FailureKind.MODEL])
def test_the_newest_handle_is_saved_when_the_link_gives_up(kind: FailureKind) -> None:
    story = started()
    story.issue("h")
    story.fail(kind)
    assert story.is_in(LinkState.REFUSED)
    assert saved(story) == ["h"]
