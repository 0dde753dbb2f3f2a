"""The rules of the link: when there is a connection, when there is none, and which one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import LinkPolicy, Rules, urgent_backoff_s
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind, Feature
from tests.unit.story import Story

IDLE_CLOSE = Failure(FailureKind.IDLE, "The operation was aborted.", 1008)
NO_NETWORK = Failure(FailureKind.NETWORK, "Network is unreachable", went_out=False)


def started(policy: LinkPolicy = LinkPolicy.ON_DEMAND, **rules: Any) -> Story:  # noqa: ANN401 - as Story
    story = Story(policy=policy, **rules)
    story.connected()
    story.wait_until(10.0)
    return story


def connects_at(story: Story, seconds: float, kind: FailureKind) -> list[float]:
    """When the core connects, if every attempt fails for that reason; seconds from now."""
    begun = story.now
    while story.now < begun + seconds:
        if story.core.link_state is LinkState.CONNECTING:
            story.fail(kind)
        story.wait(0.05)
    return [at - begun for at in story.times(fx.Connect) if at >= begun]


# --- policy


def test_on_demand_connects_once_at_the_start_and_lingers() -> None:
    story = Story()
    story.tell(ev.Started())
    assert story.ordered(fx.Connect)
    story.open()
    opened_at = story.now
    story.wait_until(opened_at + story.rules.linger_s - 0.1)
    assert story.is_in(LinkState.READY)
    story.wait(0.2)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.is_in(LinkState.DOWN)
    story.wait(1000.0)
    assert len(story.all(fx.Connect)) == 1


def test_on_demand_keeps_trying_at_the_start_until_a_server_has_answered() -> None:
    story = Story()
    story.tell(ev.Started())
    assert len(connects_at(story, 120.0, FailureKind.NETWORK)) > 5
    story.wait_for(LinkState.CONNECTING)
    story.open()
    assert story.is_in(LinkState.READY)


def test_the_linger_leaves_time_for_the_handle_that_remembers_the_turn() -> None:
    story = Story(linger_s=0.5)
    story.connected()
    story.answer(story.ask())
    story.wait(story.rules.handle_grace_s - 0.1)
    assert story.all(fx.Disconnect) == []
    story.issue("h")
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)], "it lingers no longer than it has to"


def test_the_linger_begins_at_the_end_of_the_turn_and_never_ends_one() -> None:
    story = started()
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.wait(300.0)
    assert story.is_in(LinkState.READY)
    story.complete(turn)
    story.drained(turn)
    story.wait(story.rules.linger_s - 0.1)
    assert story.is_in(LinkState.READY)
    story.wait(0.2)
    assert story.ordered(fx.Disconnect)


def test_a_press_while_the_old_socket_is_being_closed_waits_for_its_end() -> None:
    story = started()
    story.wait(100.0)
    story.close(None)
    story.press()
    story.release()
    story.open()
    story.wait(story.rules.linger_s + 0.001)
    assert story.ordered(fx.Disconnect)
    story.press()
    assert story.got(fx.Connect) is None
    story.close(None)
    assert story.ordered(fx.Connect)


def test_a_socket_that_does_not_close_is_waited_for_only_so_long() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.go_away(10.0)
    assert story.ordered(fx.Disconnect)
    story.wait(story.rules.close_timeout_s - 0.02)
    assert story.got(fx.Connect) is None
    story.wait(0.02)
    assert story.ordered(fx.Connect)
    assert story.tell(ev.ConnectionClosed(1, None)) == []


@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_the_servers_idle_close_is_quiet_and_normal(policy: LinkPolicy) -> None:
    story = started(policy, linger_s=1000.0)
    story.issue("h")
    story.wait(150.0)
    story.close(IDLE_CLOSE)
    assert story.told == []
    assert story.core.status.last_error is None
    connect = story.got(fx.Connect)
    if policy is LinkPolicy.ALWAYS:
        assert connect is not None
        assert connect.handle == ev.SessionHandle("h", story.core.status.model)
    else:
        assert connect is None
        assert story.core.status.state == "idle"


def test_always_reconnects_at_once_and_never_lingers() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.wait(1000.0)
    assert story.all(fx.Disconnect) == []
    story.close()
    assert story.ordered(fx.Connect)


def test_a_connection_that_is_not_made_in_time_is_given_up() -> None:
    story = Story()
    story.tell(ev.Started())
    story.wait(story.rules.connect_timeout_s + 0.001)
    assert story.one(fx.Disconnect).failure == Failure(FailureKind.TIMEOUT, "no answer in 10 s")
    story.close(None)
    assert story.one(fx.Connect).generation == 2
    assert story.core.status.last_error == "no answer in 10 s"


def test_what_an_older_connection_says_is_not_heard() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.close()
    story.tell(ev.ConnectionOpened(1))
    assert story.is_in(LinkState.CONNECTING)
    story.tell(ev.ConnectionClosed(1, Failure(FailureKind.KEY, "late")))
    assert story.is_in(LinkState.CONNECTING)
    story.open()
    story.tell(ev.GoAwayReceived(1, 1.0))
    story.wait(10.0)
    assert story.is_in(LinkState.READY)


# --- GoAway


def test_go_away_while_idle_on_demand_closes_and_stays_down() -> None:
    story = started()
    story.go_away(50.0)
    assert story.last == [fx.Disconnect(1)]
    story.close(None)
    story.wait(1000.0)
    assert len(story.all(fx.Connect)) == 1


def test_go_away_while_idle_always_reconnects_now() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.issue("h")
    story.go_away(300.0)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.one(fx.Connect).handle == ev.SessionHandle("h", story.core.status.model)
    assert story.told == []


def test_go_away_in_a_turn_waits_for_its_end() -> None:
    story = started()
    turn = story.ask()
    story.go_away(50.0)
    story.wait(5.0)
    assert story.all(fx.Disconnect) == []
    story.answer(turn)
    kept = fx.SaveHandle(ev.SessionHandle("h", "gemini-3.8-live"))
    assert story.issue("h") == [kept, fx.Disconnect(1)]
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_go_away_leaves_time_for_the_handle_that_remembers_the_turn() -> None:
    story = started()
    turn = story.ask()
    story.go_away(50.0)
    story.answer(turn)
    story.wait(story.rules.handle_grace_s - 0.1)
    assert story.all(fx.Disconnect) == []
    story.wait(0.2)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)], "it does not come: no use in waiting"


def test_go_away_after_the_handle_has_come_is_obeyed_at_once() -> None:
    story = started()
    story.answer(story.ask())
    story.issue("h")
    assert fx.Disconnect(1) in story.go_away(50.0)


def test_go_away_on_another_connection_waits_for_no_handle_of_the_last_turn() -> None:
    story = started(LinkPolicy.ALWAYS)
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.close()
    story.drained(turn)
    story.open()
    assert story.is_in(TurnState.IDLE)
    assert fx.Disconnect(2) in story.go_away(50.0)


def test_go_away_with_no_time_for_the_handle_is_obeyed_in_time() -> None:
    story = started()
    turn = story.ask()
    story.go_away(1.0)
    story.answer(turn)
    story.wait(0.5)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]


def test_go_away_in_a_turn_has_a_deadline_of_its_own() -> None:
    story = started()
    turn = story.ask()
    story.go_away(5.0)
    said_at = story.now
    story.wait_until(said_at + 5.0 - story.rules.go_away_margin_s - 0.01)
    assert story.all(fx.Disconnect) == []
    story.wait(0.02)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.open() == [fx.Deliver(2, turn)]
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]
    assert story.told == []


def test_go_away_in_mid_utterance_loses_nothing() -> None:
    story = started()
    story.press()
    story.captured()
    story.wait(1.0)
    story.go_away(2.0)
    story.wait(1.001)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.open() == [fx.Deliver(2, 1)]


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.5, float("nan")])
def test_go_away_with_hardly_any_time_left_is_obeyed_in_time(seconds: float) -> None:
    story = started()
    story.ask()
    story.go_away(seconds)
    story.wait(0.3)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]


def test_the_earlier_of_two_deadlines_counts() -> None:
    story = started()
    story.ask()
    story.go_away(4.0)
    story.go_away(300.0)
    story.wait(2.1)
    assert story.all(fx.Disconnect) == [fx.Disconnect(1)]


def test_go_away_again_and_again_is_no_reconnect_storm() -> None:
    story = started(LinkPolicy.ALWAYS)
    begun = story.now
    while story.now < begun + 300.0:
        if story.is_in(LinkState.CONNECTING):
            story.open()
        elif story.is_in(LinkState.READY):
            story.wait(1.0)
            story.go_away(300.0)
            story.close(None)
        else:
            story.wait(0.1)
    assert 5 < len(story.all(fx.Connect)) < 20


# --- backoff


def test_the_backoff_doubles_to_its_cap_beginning_with_none() -> None:
    story = started(LinkPolicy.ALWAYS, random=1.0, max_connects_per_minute=1000)
    story.close()
    times = connects_at(story, 300.0, FailureKind.NETWORK)
    gaps = [round(after - before) for before, after in pairwise(times)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_backoff_has_jitter() -> None:
    lowest, highest = (
        connects_at(_lost(started(LinkPolicy.ALWAYS, random=random)), 100.0, FailureKind.SERVER)
        for random in (0.0, 1.0)
    )
    assert lowest[3] == pytest.approx(highest[3] * 3 / 4, abs=0.2)


def _lost(story: Story) -> Story:
    story.close()
    return story


def test_somebody_who_waits_is_not_kept_waiting_by_the_backoff() -> None:
    story = started(patience_s=50.0)
    story.close()
    story.speak()
    times = connects_at(story, 30.0, FailureKind.NETWORK)
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) <= story.rules.backoff_urgent_s + 0.2


@pytest.mark.parametrize(("lasted_s", "pause"), [(29.0, True), (31.0, False)])
def test_the_backoff_is_reset_by_a_stable_connection_not_by_an_opened_one(
    lasted_s: float, pause: bool
) -> None:
    story = started(LinkPolicy.ALWAYS)
    story.close()
    connects_at(story, 20.0, FailureKind.NETWORK)
    story.wait_for(LinkState.CONNECTING)
    story.open()
    story.wait(lasted_s)
    story.close()
    assert (story.core.link_state is LinkState.WAITING) == pause


def test_a_stable_connection_that_we_close_ourselves_resets_the_backoff_too() -> None:
    story = started()
    story.press()
    for _ in range(3):
        story.close()
        story.wait(4.0)
    story.release()
    story.open()
    story.wait(100.0)
    story.close(None)
    story.press()
    assert story.ordered(fx.Connect)
    story.close()
    assert story.ordered(fx.Connect), "the first retry comes at once"


def test_a_press_wakes_a_sleeping_backoff() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.close()
    connects_at(story, 60.0, FailureKind.NETWORK)
    story.wait_for(LinkState.CONNECTING)
    story.close()
    story.wait(2.0)
    assert story.is_in(LinkState.WAITING)
    story.press()
    assert story.ordered(fx.Connect)


@pytest.mark.parametrize(
    ("patience_s", "pause_s"), [(5.0, 3.0), (16.0, 4.0), (40.0, 10.0), (600.0, 10.0)]
)
def test_the_pause_grows_with_the_patience_within_bounds(patience_s: float, pause_s: float) -> None:
    assert urgent_backoff_s(patience_s) == pause_s


def test_the_rules_fit_together_as_they_are() -> None:
    """The daemon makes these of the patience; so do those who know no settings."""
    rules = Rules()
    assert rules.backoff_urgent_s == urgent_backoff_s(rules.patience_s)
    assert rules.resume_patience_s == rules.patience_s / 2


@pytest.mark.parametrize("patience_s", [5, 10, 20, 30, 60, 120, 600])
@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_the_network_is_looked_for_through_all_of_the_patience_and_at_the_next_press(
    random: float, patience_s: float
) -> None:
    """The limit of connections in a minute must not be used up when somebody presses again."""
    pause_s = urgent_backoff_s(patience_s)
    story = Story(random=random, patience_s=patience_s, backoff_urgent_s=pause_s)
    story.connected()
    story.close()
    story.speak()
    last = story.now + story.rules.patience_s
    while story.now < last + 3.0:
        if story.is_in(LinkState.CONNECTING):
            story.close()
        story.wait(0.05)
    assert story.told == [fx.Notice.NOT_DELIVERED]
    tried = story.times(fx.Connect)
    gaps = [after - before for before, after in pairwise([*tried[1:], last])]
    assert max(gaps) <= (pause_s if patience_s <= 20 else 0.6 * patience_s) + 0.1
    for _ in range(2):
        story.press()
        story.wait(story.rules.min_press_s)
        assert story.is_in(LinkState.CONNECTING)
        story.close()
        story.release()
        story.wait(5.0)


@pytest.mark.parametrize(
    "failure",
    [
        Failure(FailureKind.HANDLE, "Invalid session handle", 1007),
        Failure(FailureKind.MODEL, "is not found for API version", 1008),
        Failure(FailureKind.SETUP, "Thinking level", 1007, Feature.THINKING),
    ],
    ids=lambda failure: failure.kind.value,
)
def test_what_follows_from_a_press_at_once_counts_as_pressed_too(failure: Failure) -> None:
    """When the retries of the minute are used up, a press must not fail for a stale handle."""
    story = Story(models=("a", "b"), features=frozenset({Feature.THINKING}))
    story.tell(ev.Started(ev.SessionHandle("h", "a")))
    while len(story.all(fx.Connect)) < 8:
        story.close()
        story.wait_for(LinkState.CONNECTING)
    story.close()
    story.wait(1.0)
    assert story.is_in(LinkState.WAITING)
    story.press()
    story.wait(story.rules.min_press_s)
    story.close(failure)
    assert story.is_in(LinkState.CONNECTING)
    story.close(failure)
    story.wait(1.0)
    assert not story.is_in(LinkState.CONNECTING), "ten in a minute, whatever happens"


def test_taps_in_an_outage_leave_connections_for_a_sentence() -> None:
    story = Story()
    story.connected()
    story.close()
    while story.now < 14.0:
        story.tap()
        if story.is_in(LinkState.CONNECTING):
            story.close()
        story.wait(0.5)
    turn = story.speak()
    story.wait_for(LinkState.CONNECTING)
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_our_own_close_of_a_quiet_connection_does_not_count_as_trouble() -> None:
    story = Story(linger_s=5.0)
    story.connected()
    for _ in range(7):
        story.wait_for(LinkState.CLOSING)
        story.close(None)
        story.wait(10.0)
        turn = story.speak()
        story.open()
        story.sent(turn)
        story.answer(turn)
        story.issue("h")
    story.press()
    story.close()
    assert story.ordered(fx.Connect), "the first retry is at once"


def test_mashing_the_button_does_not_defeat_the_backoff() -> None:
    story = started()
    story.close()
    for _ in range(100):
        story.tap()
        if story.core.link_state is LinkState.CONNECTING:
            story.close()
        story.wait(0.2)
    assert len(story.all(fx.Connect)) <= 1 + story.rules.max_connects_per_minute
    retries = story.times(fx.Connect)[1:]
    assert min(later - at for at, later in pairwise(retries)) >= story.rules.backoff_first_s - 1e-6


def test_tries_without_a_network_use_up_nothing() -> None:
    """Somebody presses in vain, the network is back, and the server takes the dead for alive."""
    story = started()
    story.close()
    for _ in range(2):
        story.speak()
        while story.is_in(LinkState.CONNECTING) or story.is_in(LinkState.WAITING):
            if story.is_in(LinkState.CONNECTING):
                story.close(NO_NETWORK)
            story.wait(0.5)
    before = len(story.all(fx.Connect))
    assert before > story.rules.max_connects_per_minute - story.rules.connects_for_presses
    story.speak()
    for _ in range(3):
        story.fail(FailureKind.SERVER, 1011)
        story.wait(story.rules.backoff_urgent_s)
    assert len(story.all(fx.Connect)) == before + 4


def test_mashing_without_a_network_does_not_defeat_the_backoff() -> None:
    story = started()
    story.close(NO_NETWORK)
    for _ in range(100):
        story.tap()
        if story.core.link_state is LinkState.CONNECTING:
            story.close(NO_NETWORK)
        story.wait(0.2)
    retries = story.times(fx.Connect)[1:]
    assert min(later - at for at, later in pairwise(retries)) >= story.rules.backoff_first_s - 1e-6


def test_a_press_never_makes_the_next_attempt_later() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.press()
    story.close()
    story.close()
    assert story.is_in(LinkState.WAITING)
    due_at = story.now + story.rules.backoff_first_s * 3 / 4
    story.tell(ev.PressRequested())
    story.release()
    story.tell(ev.ReleaseRequested())
    story.tell(ev.PressRequested())
    story.wait(2.0)
    assert story.times(fx.Connect)[-1] == pytest.approx(due_at)


@pytest.mark.parametrize("policy", list(LinkPolicy))
@pytest.mark.parametrize("kind", list(FailureKind))
def test_never_more_than_ten_connections_a_minute(policy: LinkPolicy, kind: FailureKind) -> None:
    story = started(policy)
    story.close()
    for round_ in range(600):
        if story.core.link_state is LinkState.CONNECTING:
            if round_ % 2:
                story.open()
            story.fail(kind)
        story.tap()
        story.wait(0.3)
    times = story.times(fx.Connect)
    assert len(times) > 10
    assert all(later >= at + 60.0 for at, later in zip(times, times[10:], strict=False))


# --- refusals


@pytest.mark.parametrize(
    ("kind", "notice"),
    [
        (FailureKind.KEY, fx.Notice.KEY_REFUSED),
        (FailureKind.MODEL, fx.Notice.MODEL_GONE),
        (FailureKind.SETUP, fx.Notice.SETUP_REFUSED),
    ],
)
@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_a_refusal_is_told_at_the_start_not_retried_and_tried_again_once_by_a_press(
    policy: LinkPolicy, kind: FailureKind, notice: fx.Notice
) -> None:
    story = Story(policy=policy)
    story.tell(ev.Started())
    story.fail(kind)
    assert story.told == [notice]
    assert story.core.status.state == "error"
    assert story.core.status.last_error == f"as {kind.value}"
    story.wait(1000.0)
    assert len(story.all(fx.Connect)) == 1
    story.speak()
    assert len(story.all(fx.Connect)) == 2
    story.fail(kind)
    assert story.told == [notice, notice]
    story.wait(1000.0)
    assert len(story.all(fx.Connect)) == 2
    turn = story.speak()
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes[-1] == "answered"
    assert story.core.status.state == "idle"


def test_a_key_that_is_refused_after_the_setup_is_a_refusal_too() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.fail(FailureKind.KEY)
    assert story.is_in(LinkState.REFUSED)
    assert story.told == [fx.Notice.KEY_REFUSED]


def test_a_model_that_is_refused_after_the_setup_is_left_for_the_next() -> None:
    story = started(LinkPolicy.ALWAYS, models=("a", "b"))
    story.fail(FailureKind.MODEL)
    assert story.one(fx.Connect).model == "b"


@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_quota_waits_a_minute_or_more_and_is_told_once(policy: LinkPolicy) -> None:
    story = started(policy)
    story.fail(FailureKind.QUOTA)
    times = connects_at(story, 400.0, FailureKind.QUOTA)
    assert story.told == [fx.Notice.QUOTA_USED_UP]
    if policy is LinkPolicy.ON_DEMAND:
        assert times == []
    else:
        assert times[0] >= 60.0
        assert all(after - before >= 60.0 for before, after in pairwise(times))


def test_quota_at_the_start_is_an_answer_too() -> None:
    story = Story()
    story.tell(ev.Started())
    story.fail(FailureKind.QUOTA)
    assert story.told == [fx.Notice.QUOTA_USED_UP]
    story.wait(1000.0)
    assert len(story.all(fx.Connect)) == 1


def test_attempts_that_are_given_up_count_for_the_backoff() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.close()
    for _ in range(5):
        story.wait_for(LinkState.CLOSING)
        story.close(None)
    times = story.times(fx.Connect)
    assert times[-1] - times[-2] > story.rules.connect_timeout_s + 1.0


def test_a_press_during_the_quota_wait_tries_once_and_tells() -> None:
    story = started(LinkPolicy.ALWAYS)
    story.fail(FailureKind.QUOTA)
    story.wait(5.0)
    story.speak()
    assert len(story.all(fx.Connect)) == 2
    story.fail(FailureKind.QUOTA)
    assert story.told == [fx.Notice.QUOTA_USED_UP] * 2
    assert story.is_in(TurnState.IDLE)
    story.wait(59.0)
    assert len(story.all(fx.Connect)) == 2


def test_quota_told_before_does_not_end_a_later_turn_that_may_yet_connect() -> None:
    story = started()
    story.fail(FailureKind.QUOTA)
    story.wait(5.0)
    turn = story.speak()
    assert story.is_in(TurnState.THINKING)
    story.open()
    story.sent(turn)
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_fallback_models_are_tried_in_order_and_the_first_again_at_the_next_press() -> None:
    story = Story(models=("a", "b", "c"))
    story.tell(ev.Started())
    story.fail(FailureKind.MODEL)
    story.fail(FailureKind.MODEL)
    assert story.told == []
    story.fail(FailureKind.MODEL)
    assert story.told == [fx.Notice.MODEL_GONE]
    story.wait(10.0)
    story.press()
    assert [order.model for order in story.all(fx.Connect)] == ["a", "b", "c", "a"]


def test_the_fallback_stays_in_use() -> None:
    story = Story(models=("a", "b"))
    story.tell(ev.Started())
    story.fail(FailureKind.MODEL)
    story.open()
    assert story.core.status.model == "b"
    story.wait(100.0)
    story.close(None)
    story.press()
    assert story.one(fx.Connect).model == "b"


# --- what the status says


def test_the_status_of_the_link() -> None:
    story = Story()
    assert story.core.status.link == "down"
    story.tell(ev.Started(ev.SessionHandle("h", story.rules.models[0])))
    assert (story.core.status.link, story.core.status.context) == ("connecting", "none")
    story.open()
    assert (story.core.status.link, story.core.status.context) == ("ready", "resumed")
    assert story.core.status.reconnects == 0
    story.press()
    story.fail(FailureKind.HANDLE)
    assert (story.core.status.link, story.core.status.context) == ("connecting", "none")
    story.open()
    assert (story.core.status.link, story.core.status.context) == ("ready", "fresh")
    assert story.core.status.reconnects == 1
    assert story.core.status.last_error == "as handle"


def test_the_status_of_the_devices() -> None:
    story = Story()
    assert dict(story.core.status.devices) == {
        "microphone": "starting",
        "speaker": "starting",
        "button": "starting",
    }
    assert story.core.status.state == "idle"
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.lose(ev.Device.MICROPHONE)
    assert story.core.status.state == "error"
    assert story.core.status.last_error == "unplugged"
    assert dict(story.core.status.devices)["microphone"] == "unplugged"
    story.tell(ev.DeviceReady(ev.Device.MICROPHONE))
    assert story.core.status.state == "idle"
