"""New settings: applied between two turns, and what the link makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import LinkPolicy, Rules
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind, Feature
from tests.unit.story import Story

MODEL = Rules().models[0]
HANDLE = ev.SessionHandle("old", MODEL)


def reload(story: Story, *, setup: bool = False, **rules: object) -> list[fx.Effect]:
    """Ask for a reload of these rules."""
    new = replace(story.rules, **rules)  # type: ignore[arg-type] # each field has a type of its own
    return story.tell(ev.ReloadRequested(new, setup))


def devices(story: Story) -> dict[str, str]:
    return dict(story.core.status.devices)


@pytest.mark.parametrize("state", [state for state in TurnState if state is not TurnState.IDLE])
def test_a_turn_ends_by_the_settings_it_began_with(state: TurnState) -> None:
    story = Story()
    story.connected()
    turn = story.bring_to(state)
    assert fx.ApplySettings() not in reload(story, setup=True, tail_s=3.0)
    assert not story.ordered(fx.Disconnect)
    story.tell(ev.StopRequested())
    story.release()
    story.wait(story.rules.settle_s)
    assert story.is_in(TurnState.IDLE)
    assert len(story.all(fx.ApplySettings)) == 1
    assert story.turn == turn


def test_while_idle_it_is_applied_at_once_and_before_anything_else() -> None:
    story = Story(policy=LinkPolicy.ALWAYS)
    story.connected(HANDLE)
    story.wait(60.0)
    effects = reload(story, setup=True)
    assert [type(effect) for effect in effects] == [fx.ApplySettings, fx.Disconnect]
    story.close(None)
    assert story.one(fx.Connect).handle == HANDLE, "the conversation goes on"


def test_the_newest_of_two_counts() -> None:
    story = Story()
    story.connected()
    story.bring_to(TurnState.LISTENING)
    reload(story, models=("a",))
    reload(story, models=("b",))
    story.tell(ev.StopRequested())
    story.release()
    story.wait(5.0)
    assert len(story.all(fx.ApplySettings)) == 1
    assert story.core.status.model == "b"


def test_every_machine_lives_by_the_new_rules() -> None:
    story = Story()
    story.connected()
    reload(story, min_press_s=1.0, debounce_s=0.5, linger_s=5.0)
    story.rules = replace(story.rules, min_press_s=1.0, debounce_s=0.5)
    story.press()
    story.wait(0.9)
    assert story.is_in(TurnState.ARMED)
    story.wait(0.2)
    assert story.is_in(TurnState.LISTENING)
    story.release()
    story.press(story.now + 0.2)
    assert story.is_in(TurnState.TAIL), "it still bounces"
    story.tell(ev.StopRequested())
    story.release(story.now + 1.0)
    story.wait(6.0)
    assert story.ordered(fx.Disconnect), "it lingers for 5 s"


def test_what_does_not_concern_the_connection_leaves_it_alone() -> None:
    story = Story()
    story.connected()
    reload(story, linger_s=100.0)
    story.wait(99.0)
    assert not story.all(fx.Disconnect)


def test_a_link_that_shall_always_be_there_is_made() -> None:
    story = Story()
    story.connected()
    story.wait(100.0)
    story.close(None)
    assert story.is_in(LinkState.DOWN)
    reload(story, policy=LinkPolicy.ALWAYS)
    assert story.ordered(fx.Connect)


def test_another_setup_is_tried_at_once_also_on_demand() -> None:
    """So that what the server says to it shows now, and not at the next press."""
    story = Story()
    story.connected()
    story.wait(100.0)
    story.close(None)
    reload(story, setup=True)
    assert story.one(fx.Connect).without == frozenset()


def test_an_open_connection_waits_for_the_handle_that_remembers_the_last_turn() -> None:
    story = Story()
    story.connected()
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.generated(turn)
    story.complete(turn)
    story.drained(turn)
    assert story.is_in(TurnState.IDLE)
    reload(story, setup=True)
    assert not story.ordered(fx.Disconnect)
    story.issue("new")
    assert story.ordered(fx.Disconnect)
    story.close(None)
    handle = story.one(fx.Connect).handle
    assert handle is not None
    assert handle.value == "new"


def test_a_press_before_it_is_renewed_is_not_disturbed() -> None:
    story = Story()
    story.connected()
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.generated(turn)
    story.complete(turn)
    story.drained(turn)
    reload(story, setup=True)
    story.press()
    story.wait(30.0)
    assert not story.all(fx.Disconnect)


def test_another_model_is_another_conversation() -> None:
    story = Story()
    story.connected(HANDLE)
    story.wait(5.0)
    effects = reload(story, models=("another",))
    assert fx.SaveHandle(None) in effects
    story.close(None)
    connect = story.one(fx.Connect)
    assert (connect.model, connect.handle) == ("another", None)


def test_another_fallback_keeps_the_conversation() -> None:
    story = Story()
    story.connected(HANDLE)
    story.wait(5.0)
    reload(story, models=(MODEL, "another"))
    story.close(None)
    assert story.one(fx.Connect).handle == HANDLE


@pytest.mark.parametrize("kind", [FailureKind.KEY, FailureKind.MODEL, FailureKind.SETUP])
def test_what_was_refused_is_asked_again(kind: FailureKind) -> None:
    story = Story()
    story.tell(ev.Started(None))
    story.fail(kind)
    assert story.is_in(LinkState.REFUSED)
    assert story.core.status.state == "error"
    reload(story)
    assert story.ordered(fx.Connect)
    story.open()
    assert story.core.status.state != "error" or "starting" in devices(story).values()


def test_a_quota_that_waits_is_asked_again_with_another_key() -> None:
    story = Story()
    story.tell(ev.Started(None))
    story.fail(FailureKind.QUOTA, 1011)
    story.press()  # somebody wants it
    assert story.is_in(LinkState.WAITING)
    story.release()
    story.wait(1.0)
    reload(story, setup=True)
    assert story.ordered(fx.Connect)


def test_what_the_server_refused_of_the_old_setup_is_asked_for_in_the_new_one() -> None:
    story = Story(features=frozenset(Feature))
    story.tell(ev.Started(None))
    story.close(Failure(FailureKind.SETUP, "no search here", 1007, Feature.SEARCH))
    assert story.all(fx.Connect)[-1].without == {Feature.SEARCH}
    story.open()
    story.wait(5.0)
    reload(story, setup=True)
    story.close(None)
    assert story.one(fx.Connect).without == frozenset()


def test_a_connection_that_is_being_made_is_made_anew() -> None:
    story = Story()
    story.tell(ev.Started(None))
    reload(story, setup=True)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    assert story.ordered(fx.Connect)


def test_before_the_start_it_counts_for_the_first_connection() -> None:
    story = Story()
    assert reload(story, setup=True, models=("another",)) == [fx.ApplySettings()]
    story.tell(ev.Started(HANDLE))
    connect = story.one(fx.Connect)
    assert (connect.model, connect.handle) == ("another", None)


def test_reloading_again_and_again_is_no_storm() -> None:
    story = Story()
    story.tell(ev.Started(None))
    for _ in range(100):
        reload(story, setup=True)
        story.close(None)
        story.wait(0.1)
    assert len(story.all(fx.Connect)) <= story.rules.max_connects_per_minute


def test_devices_that_are_opened_anew_are_starting() -> None:
    story = Story()
    story.connected()
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.tell(ev.ReloadRequested(story.rules, reopened=frozenset({ev.Device.SPEAKER})))
    assert devices(story) == {"microphone": "ready", "speaker": "starting", "button": "ready"}


def test_a_button_that_is_opened_anew_is_not_held() -> None:
    """Held beyond the longest utterance, and then replaced: the other one begins anew."""
    story = Story(max_utterance_s=1.0)
    story.connected()
    story.press()
    story.wait(1.1)
    story.tell(ev.StopRequested())
    story.tell(ev.ReloadRequested(story.rules, reopened=frozenset({ev.Device.BUTTON})))
    before = story.turn
    story.press()
    assert story.turn == before + 1


def test_what_the_person_is_being_told_is_heard_to_its_end() -> None:
    """By the speaker that is going to be replaced."""
    story = Story()
    story.tell(ev.Started(None))
    story.fail(FailureKind.KEY)
    assert story.told == [fx.Notice.KEY_REFUSED]
    story.tell(ev.ReloadRequested(story.rules, reopened=frozenset({ev.Device.SPEAKER})))
    assert not story.all(fx.ApplySettings)
    story.tell(ev.NoticeEnded())
    assert story.ordered(fx.ApplySettings)


def test_on_a_fallback_model_the_handle_that_is_owed_is_that_models() -> None:
    story = Story(models=("first", "fallback"))
    story.tell(ev.Started(None))
    story.fail(FailureKind.MODEL)
    story.open()
    turn = story.ask()
    reload(story, setup=True)
    story.answer(turn)
    story.issue("new")
    assert story.all(fx.SaveHandle)[-1].handle == ev.SessionHandle("new", "fallback")
    story.close(None)
    assert story.all(fx.Connect)[-1].model == "first"
    story.fail(FailureKind.MODEL)
    connect = story.all(fx.Connect)[-1]
    assert (connect.model, connect.handle) == ("fallback", ev.SessionHandle("new", "fallback"))


def test_a_fallback_model_that_becomes_the_model_keeps_its_conversation() -> None:
    story = Story(models=("first", "fallback"))
    story.tell(ev.Started(ev.SessionHandle("old", "fallback")))
    story.fail(FailureKind.MODEL)
    story.open()
    story.wait(5.0)
    reload(story, models=("fallback",))
    story.close(None)
    connect = story.all(fx.Connect)[-1]
    assert (connect.model, connect.handle) == ("fallback", ev.SessionHandle("old", "fallback"))


def test_a_turn_on_the_old_connection_is_booked_on_the_old_model() -> None:
    story = Story(models=("old",))
    story.connected()
    turn = story.ask()
    reload(story, models=("new",))
    story.answer(turn)
    assert story.is_in(LinkState.READY), "it waits for a handle"
    assert story.core.status.model == "old"
    turn = story.ask()
    story.answer(turn)
    assert story.all(fx.TurnEnded)[-1].record.model == "old"
    story.wait(5.0)
    story.close(None)
    story.wait(1.0)
    assert story.core.status.model == "new"


def test_what_is_asked_for_counts_before_the_start_too() -> None:
    story = Story()
    reload(story, features=frozenset({Feature.SEARCH}))
    story.tell(ev.Started(None))
    story.close(Failure(FailureKind.SETUP, "no search here", 1007, Feature.SEARCH))
    assert story.all(fx.Connect)[-1].without == {Feature.SEARCH}


def test_after_the_shutdown_nothing_is_reloaded() -> None:
    story = Story()
    story.connected()
    story.tell(ev.ShutdownRequested())
    assert reload(story, setup=True, models=("another",)) == []


@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_other_tools_are_offered_by_a_new_connection_when_nobody_is_disturbed(
    policy: LinkPolicy,
) -> None:
    story = Story(policy=policy)
    story.connected(HANDLE)
    turn = story.bring_to(TurnState.THINKING)
    story.tell(ev.ToolsChanged(offered=True))
    story.wait(1.0)
    assert not story.ordered(fx.Disconnect)
    story.reply(turn)
    story.complete(turn)
    story.drained(turn)
    story.wait(story.rules.handle_grace_s)
    assert story.ordered(fx.Disconnect)
    story.close(None)
    if policy is LinkPolicy.ON_DEMAND:
        story.press()
    assert story.all(fx.Connect)[-1].handle is not None, "the conversation goes on"


def test_where_there_is_no_connection_other_tools_make_none() -> None:
    story = Story()
    story.connected(HANDLE)
    story.wait(story.rules.linger_s)
    story.close(None)
    assert story.core.link_state is LinkState.DOWN
    story.tell(ev.ToolsChanged(offered=True))
    story.wait(100.0)
    assert len(story.all(fx.Connect)) == 1


def test_tools_that_were_refused_are_offered_again_when_there_are_others() -> None:
    story = Story(features=frozenset({Feature.TOOLS}))
    story.tell(ev.Started())
    story.close(Failure(FailureKind.SETUP, "no function", 1007, feature=Feature.TOOLS))
    assert story.one(fx.Connect).without == {Feature.TOOLS}
    story.open()
    story.tell(ev.ToolsChanged(offered=True))
    story.wait(story.rules.handle_grace_s)
    story.close(None)
    story.press()
    assert story.all(fx.Connect)[-1].without == frozenset()


def test_a_reload_that_waits_offers_what_there_is_by_then() -> None:
    story = Story(policy=LinkPolicy.ALWAYS)
    story.connected(HANDLE)
    story.bring_to(TurnState.LISTENING)
    reload(story, tail_s=3.0)
    story.tell(ev.ToolsChanged(offered=True))
    story.tell(ev.StopRequested())
    assert story.ordered(fx.ApplySettings)
    assert story.core._rules.features == {Feature.TOOLS}
    assert story.core._rules.tail_s == 3.0
