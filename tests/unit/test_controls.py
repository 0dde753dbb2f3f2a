"""The volume, the mute and the other buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.effects import Cue, Notice
from speakerd.conversation.rules import SecondButton
from speakerd.conversation.turn import TurnState
from tests.unit.story import Story

if TYPE_CHECKING:
    from speakerd.conversation.rules import Rules

Key = ev.Key
PadKey = ev.PadKey


def a_story(**rules: Any) -> Story:  # noqa: ANN401 - as Story's
    story = Story(**rules)
    for device in ev.Device:
        story.tell(ev.DeviceReady(device))
    story.tell(ev.PartReady("volume"))
    story.tell(ev.VolumeChanged(40))
    story.connected()
    story.wait(10.0)
    return story


@pytest.fixture
def story() -> Story:
    return a_story()


def down(story: Story, key: Key | PadKey) -> list[fx.Effect]:
    return story.tell(ev.KeyEdge(key, True))


def up(story: Story, key: Key | PadKey, after_s: float = 0.1) -> list[fx.Effect]:
    return story.tell(ev.KeyEdge(key, False), story.now + after_s)


def cues(story: Story) -> list[Cue]:
    return [effect.cue for effect in story.all(fx.PlayCue)]


def steps(story: Story) -> list[int]:
    return [effect.percent for effect in story.all(fx.StepVolume)]


# --- the volume


@pytest.mark.parametrize(
    ("key", "sign"),
    [
        (Key.VOLUME_UP, 1),
        (Key.VOLUME_DOWN, -1),
        (PadKey.VOLUME_UP, 1),
        (PadKey.VOLUME_DOWN, -1),
    ],
)
def test_a_volume_button_steps_at_once_and_again_while_it_is_held(
    story: Story, key: Key | PadKey, sign: int
) -> None:
    rules: Rules = story.rules
    down(story, key)
    assert steps(story) == [sign * rules.volume_step]
    story.wait(rules.repeat_after_s - 0.001)
    assert len(steps(story)) == 1
    story.wait(2 * rules.repeat_every_s + 0.002)
    assert steps(story) == [sign * rules.volume_step] * 4
    up(story, key, 0.0)
    story.wait(10.0)
    assert len(steps(story)) == 4


def test_a_volume_button_bounces_like_any_other(story: Story) -> None:
    for index in range(7):
        story.tell(ev.KeyEdge(Key.VOLUME_UP, index % 2 == 0), story.now + 0.005)
    story.wait(0.2)
    assert len(steps(story)) == 1


def test_the_knob_steps_as_far_as_it_was_turned(story: Story) -> None:
    story.tell(ev.KnobTurned(-3))
    assert story.one(fx.StepVolume).percent == -3 * story.rules.volume_step


def test_a_volume_that_was_asked_for_is_heard_and_one_that_was_not_is_only_known(
    story: Story,
) -> None:
    before = len(cues(story))
    story.tell(ev.VolumeChanged(20))
    assert story.core.status.volume == 20
    assert len(cues(story)) == before
    story.tell(ev.VolumeRequested(30))
    assert story.one(fx.SetVolume).percent == 30
    story.tell(ev.VolumeChanged(30))
    assert cues(story)[before:] == [Cue.VOLUME]


def test_a_volume_that_has_stayed_is_kept_once(story: Story) -> None:
    kept = len(story.all(fx.KeepVolume))
    for percent in (45, 50, 55):
        story.tell(ev.VolumeChanged(percent))
    story.tell(ev.VolumeChanged(55))
    assert len(story.all(fx.KeepVolume)) == kept
    story.wait(story.rules.keep_volume_s)
    assert story.one(fx.KeepVolume).percent == 55
    story.wait(100.0)
    assert len(story.all(fx.KeepVolume)) == kept + 1


def test_a_control_that_is_switched_off_is_not_remembered_as_silence(story: Story) -> None:
    story.tell(ev.VolumeChanged(60))
    story.tell(ev.VolumeChanged(60, off=True))
    assert story.core.status.volume == 0
    story.wait(10.0)
    assert story.all(fx.KeepVolume)[-1].percent == 60


@pytest.mark.parametrize(("percent", "off"), [(60, True), (0, True), (0, False)])
def test_what_it_was_before_it_was_silent_is_kept_at_once(
    story: Story, percent: int, off: bool
) -> None:
    story.tell(ev.VolumeChanged(percent, off=off))
    assert story.one(fx.KeepVolume).percent == percent
    story.wait(10.0)
    assert len(story.all(fx.KeepVolume)) == 2  # the one is of the start


def test_a_volume_is_kept_when_its_mixer_is_lost(story: Story) -> None:
    story.tell(ev.VolumeRequested(60))
    story.tell(ev.VolumeChanged(60))
    story.tell(ev.PartLost("volume", "unplugged"))
    assert story.one(fx.KeepVolume).percent == 60


def test_a_step_that_nothing_came_of_is_not_heard_when_the_mixer_is_back(story: Story) -> None:
    story.tell(ev.KnobTurned(1))
    story.tell(ev.PartLost("volume", "unplugged"))
    story.wait(3600.0)
    before = len(cues(story))
    story.tell(ev.PartReady("volume"))
    story.tell(ev.VolumeChanged(45))
    assert len(cues(story)) == before


def test_a_volume_is_kept_by_the_end_at_the_latest(story: Story) -> None:
    story.tell(ev.VolumeChanged(55))
    story.tell(ev.ShutdownRequested())
    assert story.one(fx.KeepVolume).percent == 55


@pytest.mark.parametrize(
    ("wish", "order", "later"),
    [
        (ev.VolumeRequested(30), fx.SetVolume(30), "as soon as it can be"),
        (ev.VolumeStepped(-5), fx.StepVolume(-5), "try again later"),
    ],
)
def test_without_a_mixer_whoever_asks_is_told_why_and_it_is_tried_again(
    story: Story, wish: ev.Event, order: fx.Effect, later: str
) -> None:
    story.tell(ev.PartLost("volume", "the mixer hw:Dac: no such device"))
    story.tell(wish)
    assert order in story.last
    reason = story.one(fx.Refused).reason
    assert later in reason
    assert reason.endswith("the mixer hw:Dac: no such device")
    assert story.core.status.volume is None


@pytest.mark.parametrize("turn", [ev.KeyEdge(Key.VOLUME_UP, True), ev.KnobTurned(1)])
def test_a_press_tries_a_mixer_again_and_ticks_for_nothing_that_comes_later(
    story: Story, turn: ev.Event
) -> None:
    story.tell(ev.PartLost("volume", "the mixer hw:Dac: no such device"))
    before = len(cues(story))
    story.tell(turn)
    assert story.one(fx.StepVolume).percent == story.rules.volume_step
    story.wait(0.1)
    story.tell(ev.PartReady("volume"))
    story.tell(ev.VolumeChanged(45))
    assert len(cues(story)) == before


def test_a_volume_that_is_to_be_left_alone_is(story: Story) -> None:
    story.tell(ev.PartGone("volume"))
    story.tell(ev.VolumeRequested(30))
    assert "leaves it alone" in story.one(fx.Refused).reason
    down(story, Key.VOLUME_UP)
    assert not story.all(fx.SetVolume)
    assert not steps(story)


@pytest.mark.parametrize("state", [TurnState.LISTENING, TurnState.SPEAKING])
def test_the_volume_tick_does_not_sound_into_a_sentence_or_an_answer(
    story: Story, state: TurnState
) -> None:
    story.bring_to(state)
    before = len(cues(story))
    story.tell(ev.VolumeRequested(30))
    story.tell(ev.VolumeChanged(30))
    assert len(cues(story)) == before


# --- the second button


def test_it_stops_an_answer() -> None:
    story = a_story(second_button=SecondButton.STOP)
    story.bring_to(TurnState.SPEAKING)
    down(story, Key.SECOND)
    assert story.is_in(TurnState.IDLE)
    assert story.outcomes == ["stopped"]


def test_it_forgets_the_conversation() -> None:
    story = a_story(second_button=SecondButton.FORGET)
    story.issue("handle")
    story.ask()
    story.answer(story.turn)
    story.wait(5.0)
    down(story, Key.SECOND)
    assert Cue.FORGOTTEN in cues(story)
    assert story.ordered(fx.Forgotten)
    story.close(None)
    story.press()
    assert story.one(fx.Connect).handle is None


def test_it_mutes_and_unmutes() -> None:
    story = a_story(second_button=SecondButton.MUTE)
    down(story, Key.SECOND)
    assert story.one(fx.Mute).on
    up(story, Key.SECOND)
    story.wait(0.1)
    down(story, Key.SECOND)
    assert not story.one(fx.Mute).on


def test_tapped_it_is_louder_and_held_it_is_softer() -> None:
    story = a_story(second_button=SecondButton.VOLUME)
    down(story, Key.SECOND)
    assert steps(story) == []
    up(story, Key.SECOND)
    assert steps(story) == [story.rules.volume_step]
    story.wait(1.0)
    down(story, Key.SECOND)
    story.wait(story.rules.tap_s + story.rules.repeat_every_s + 0.001)
    up(story, Key.SECOND, 0.0)
    assert steps(story) == [story.rules.volume_step] + 2 * [-story.rules.volume_step]


def test_a_button_that_is_down_when_it_is_found_was_not_pressed(story: Story) -> None:
    before = story.log
    story.tell(ev.KeyFound(Key.VOLUME_UP, True))
    story.wait(5.0)
    up(story, Key.VOLUME_UP)
    assert not [effect for effect in story.log[len(before) :] if isinstance(effect, fx.StepVolume)]
    assert dict(story.core.status.parts)["volume up"] == "ready"


def test_a_button_that_is_gone_is_not_held(story: Story) -> None:
    down(story, Key.VOLUME_UP)
    story.tell(ev.KeyLost(Key.VOLUME_UP, "busy"))
    story.wait(5.0)
    assert len(steps(story)) == 1
    assert dict(story.core.status.parts)["volume up"] == "busy"


def test_a_second_button_that_is_held_over_a_reload_does_no_more() -> None:
    story = a_story(second_button=SecondButton.VOLUME)
    down(story, Key.SECOND)
    story.tell(ev.ReloadRequested(Story(second_button=SecondButton.STOP).rules))
    story.wait(10.0)
    up(story, Key.SECOND)
    assert steps(story) == []


def test_a_button_that_is_opened_anew_is_not_held(story: Story) -> None:
    down(story, Key.VOLUME_UP)
    story.tell(ev.KeyAwaited(Key.VOLUME_UP))
    assert dict(story.core.status.parts)["volume up"] == "starting"
    story.wait(5.0)
    assert len(steps(story)) == 1


# --- the mute


def test_a_switch_that_is_not_read_yet_may_be_closed() -> None:
    story = Story()
    story.tell(ev.KeyAwaited(Key.MUTE))
    assert story.one(fx.Mute) == fx.Mute(on=True, told=False)
    story.connected()
    story.press()
    assert not story.ordered(fx.OpenGate)
    story.tell(ev.MuteRequested(on=False))
    assert "cannot be read" in story.one(fx.Refused).reason
    story.release()
    story.tell(ev.KeyFound(Key.MUTE, pressed=False))
    assert story.one(fx.Mute) == fx.Mute(on=False, told=False)
    story.wait(1.0)
    story.press()
    assert story.ordered(fx.OpenGate)


def test_a_switch_that_is_found_closed_keeps_it_muted() -> None:
    story = Story()
    story.tell(ev.KeyAwaited(Key.MUTE))
    story.tell(ev.KeyFound(Key.MUTE, pressed=True))
    assert not story.last
    assert story.core.status.muted
    up(story, Key.MUTE)
    assert story.one(fx.Mute) == fx.Mute(on=False)


def test_a_switch_that_cannot_be_read_keeps_it_muted_until_it_is_not_wanted() -> None:
    story = Story()
    story.tell(ev.KeyAwaited(Key.MUTE))
    story.tell(ev.KeyLost(Key.MUTE, "GPIO16: busy"))
    assert story.core.status.muted
    why = "GPIO16: busy; until it can be read the microphone stays off"
    assert dict(story.core.status.parts)["mute switch"] == why
    story.tell(ev.MuteRequested(on=False))
    assert story.one(fx.Refused).reason == f"the mute switch cannot be read: {why}"
    story.tell(ev.PartGone("mute switch"))
    assert not story.core.status.muted


def test_a_switch_that_is_opened_anew_is_believed_to_be_as_it_was(story: Story) -> None:
    story.tell(ev.KeyFound(Key.MUTE, pressed=False))
    story.tell(ev.KeyAwaited(Key.MUTE))
    assert not story.core.status.muted
    story.tell(ev.KeyFound(Key.MUTE, pressed=True))
    assert story.core.status.muted


def test_the_second_button_mutes_nothing_behind_the_back_of_the_switch() -> None:
    story = a_story(second_button=SecondButton.MUTE)
    down(story, Key.MUTE)
    down(story, Key.SECOND)
    assert not story.ordered(fx.KeepMute)
    up(story, Key.MUTE)
    assert not story.core.status.muted


def test_a_program_that_presses_while_it_is_muted_is_refused(story: Story) -> None:
    down(story, Key.MUTE)
    story.tell(ev.PressRequested())
    assert "muted" in story.one(fx.Refused).reason


def test_the_switch_counts_as_it_is_found(story: Story) -> None:
    story.tell(ev.KeyFound(Key.MUTE, True))
    assert story.one(fx.Mute).on
    assert story.core.status.muted
    up(story, Key.MUTE)
    assert not story.one(fx.Mute).on
    assert cues(story)[-2:] == [Cue.MUTED, Cue.UNMUTED]
    assert not story.all(fx.KeepMute), "a switch remembers by itself"


def test_a_switch_that_is_gone_is_believed_to_be_as_it_was(story: Story) -> None:
    down(story, Key.MUTE)
    story.tell(ev.KeyLost(Key.MUTE, "busy"))
    assert story.core.status.muted
    assert dict(story.core.status.parts)["mute switch"] == "busy"


def test_nothing_but_the_switch_undoes_the_switch(story: Story) -> None:
    down(story, Key.MUTE)
    story.tell(ev.MuteRequested(on=False))
    assert "switch" in story.one(fx.Refused).reason
    assert story.core.status.muted
    story.tell(ev.MuteRequested(on=None))
    assert story.core.status.muted


def test_who_mutes_by_command_finds_it_muted_after_the_switch_was_opened(story: Story) -> None:
    story.tell(ev.MuteRequested(on=True))
    assert story.one(fx.KeepMute).on
    down(story, Key.MUTE)
    up(story, Key.MUTE)
    assert story.core.status.muted
    story.tell(ev.MuteRequested(on=None))
    assert not story.one(fx.KeepMute).on
    assert not story.core.status.muted


@pytest.mark.parametrize("state", [TurnState.ARMED, TurnState.LISTENING])
def test_what_is_being_said_when_it_is_muted_stays_here(story: Story, state: TurnState) -> None:
    turn = story.bring_to(state)
    down(story, Key.MUTE)
    kinds = [type(effect) for effect in story.last]
    assert kinds.index(fx.DiscardUtterance) < kinds.index(fx.Mute)
    assert story.one(fx.DiscardUtterance).turn == turn
    assert story.is_in(TurnState.IDLE)
    story.release()
    assert story.is_in(TurnState.IDLE)


def test_what_was_said_before_it_is_muted_goes_out(story: Story) -> None:
    story.bring_to(TurnState.TAIL)
    down(story, Key.MUTE)
    kinds = [type(effect) for effect in story.last]
    assert kinds.index(fx.CloseGate) < kinds.index(fx.Mute)
    assert story.is_in(TurnState.THINKING)
    story.sent(story.turn)
    story.answer(story.turn)
    assert story.outcomes == ["answered"]


@pytest.mark.parametrize(("sent", "notice"), [(True, "no-answer"), (False, "not-delivered")])
def test_what_was_said_before_the_muted_sentence_is_not_lost_in_silence(
    story: Story, sent: bool, notice: str
) -> None:
    story.speak()
    if sent:
        story.sent(story.turn)
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.is_in(TurnState.LISTENING)
    down(story, Key.MUTE)
    assert [told.value for told in story.told] == [notice]
    assert story.outcomes[-1] == "stopped"


def test_who_presses_while_it_is_muted_is_told(story: Story) -> None:
    down(story, Key.MUTE)
    story.press()
    assert not story.ordered(fx.OpenGate)
    assert story.one(fx.Tell).notice is Notice.MUTED
    story.wait(2.0)
    story.release()
    assert story.is_in(TurnState.IDLE)
    up(story, Key.MUTE)
    story.press()
    assert story.ordered(fx.OpenGate)


def test_a_press_still_ends_an_answer_while_it_is_muted(story: Story) -> None:
    story.bring_to(TurnState.SPEAKING)
    down(story, Key.MUTE)
    assert story.is_in(TurnState.SPEAKING)
    story.press()
    assert story.ordered(fx.DropPlayback)
    assert story.is_in(TurnState.IDLE)
    assert not story.told


def test_a_press_while_it_is_muted_costs_no_answer_that_is_awaited(story: Story) -> None:
    turn = story.ask()
    down(story, Key.MUTE)
    story.press()
    assert story.told == [Notice.MUTED]
    story.release()
    story.answer(turn)
    assert story.outcomes == ["answered"]


def test_a_button_that_is_held_while_it_is_unmuted_has_to_be_pressed_again(story: Story) -> None:
    down(story, Key.MUTE)
    story.press()
    up(story, Key.MUTE)
    story.wait(1.0)
    assert story.is_in(TurnState.IDLE)
    story.release()
    story.wait(0.1)
    story.press()
    assert story.is_in(TurnState.ARMED)


# --- the cues


def test_the_start_and_a_sentence_that_is_taken_are_heard(story: Story) -> None:
    assert cues(story) == [Cue.READY]
    story.speak()
    assert cues(story) == [Cue.READY, Cue.HEARD]


@pytest.mark.parametrize("late", [ev.Device.SPEAKER, ev.Device.MICROPHONE])
def test_what_is_missing_at_the_start_is_waited_for_with_the_sound(late: ev.Device) -> None:
    story = Story()
    for device in ev.Device:
        story.tell(ev.DeviceLost(device, "no card") if device is late else ev.DeviceReady(device))
    story.connected()
    story.wait(60.0)
    assert not cues(story)
    story.tell(ev.DeviceReady(late))
    assert cues(story) == [Cue.READY]
    story.lose(late)
    story.tell(ev.DeviceReady(late))
    assert cues(story) == [Cue.READY]


def test_a_microphone_that_comes_with_the_press_is_greeted_afterwards() -> None:
    story = Story()
    for device in (ev.Device.SPEAKER, ev.Device.BUTTON):
        story.tell(ev.DeviceReady(device))
    story.connected()
    story.press()
    story.tell(ev.DeviceReady(ev.Device.MICROPHONE))
    assert not cues(story)
    story.wait(0.1)
    story.release()
    assert cues(story).count(Cue.READY) == 1


def test_that_it_thinks_is_heard_now_and_then_where_that_is_wanted() -> None:
    story = a_story(thinking_cue_s=2.0)
    turn = story.ask()
    story.wait(6.5)
    assert cues(story).count(Cue.THINKING) == 3
    story.answer(turn)
    story.wait(20.0)
    assert cues(story).count(Cue.THINKING) == 3


def test_that_it_thinks_is_not_heard_where_that_is_not_wanted(story: Story) -> None:
    story.ask()
    story.wait(14.0)
    assert Cue.THINKING not in cues(story)


def test_a_cue_that_ends_50_ms_before_a_press_is_not_in_its_preroll(story: Story) -> None:
    story.tell(ev.VolumeRequested(30))
    story.tell(ev.VolumeChanged(30))
    assert story.one(fx.PlayCue).cue is Cue.VOLUME
    (end,) = story._cues_end
    story.press(at=end + 0.05)
    guarded = end + story.rules.echo_guard_s
    assert story.one(fx.OpenGate).not_before == pytest.approx(min(story.now, guarded))


def test_a_cue_that_sounds_at_a_press_is_silenced_first(story: Story) -> None:
    story.tell(ev.VolumeRequested(30))
    story.tell(ev.VolumeChanged(30))
    story.press()
    kinds = [type(effect) for effect in story.last]
    assert kinds.index(fx.DropPlayback) < kinds.index(fx.OpenGate)
    assert story.one(fx.OpenGate).not_before == pytest.approx(story.now)


def test_a_cue_does_not_break_into_an_answer_that_has_begun_to_come(story: Story) -> None:
    turn = story.ask()
    story.reply(turn)
    before = len(cues(story))
    story.tell(ev.VolumeRequested(30))
    story.tell(ev.VolumeChanged(30))
    assert len(cues(story)) == before


def test_what_ended_before_the_speaker_was_silenced_is_not_what_sounds_now() -> None:
    """Its report was on its way as the next notice was ordered."""
    story = a_story(thinking_cue_s=2.0, max_deliveries=1)
    story.ask()
    story.wait(story.rules.reply_timeout_s + 1.0)
    assert story.told == [Notice.NO_ANSWER]
    story.tell(ev.NoticeEnded(drops=story.core._dialogue.telling.drops - 1))
    story.wait(2.0)
    story.press()
    assert story.one(fx.OpenGate).not_before == pytest.approx(story.now)


# --- a keypad


def test_the_keys_of_a_keypad_do_what_they_are_for(story: Story) -> None:
    down(story, PadKey.MUTE)
    assert story.all(fx.Mute)[-1].on
    up(story, PadKey.MUTE)
    story.wait(1.0)
    down(story, PadKey.MUTE)
    assert not story.all(fx.Mute)[-1].on
    down(story, PadKey.FORGET)
    assert story.all(fx.Forgotten)


def test_a_key_of_a_keypad_stops_an_answer(story: Story) -> None:
    story.bring_to(TurnState.SPEAKING)
    down(story, PadKey.STOP)
    assert story.all(fx.DropPlayback)


@pytest.mark.parametrize(("between_s", "down_s"), [(0.02, 0.001), (0.03, 0.016), (0.1, 0.008)])
def test_a_volume_knob_on_usb_clicks_faster_than_a_contact_may(
    story: Story, between_s: float, down_s: float
) -> None:
    for _ in range(20):
        story.wait(between_s - down_s)
        down(story, PadKey.VOLUME_UP)
        up(story, PadKey.VOLUME_UP, down_s)
    assert len(steps(story)) == 20


@pytest.mark.parametrize("gone", [ev.PartLost("keypad", "unplugged"), ev.PartGone("keypad")])
def test_a_keypad_that_is_gone_holds_nothing(story: Story, gone: ev.Event) -> None:
    down(story, PadKey.VOLUME_UP)
    story.tell(ev.ButtonEdge(True, ev.Trigger.KEYPAD))
    story.captured()
    story.wait(0.4)
    heard = len(steps(story))
    story.tell(gone)
    story.wait(story.rules.tail_s)
    assert story.is_in(TurnState.THINKING)  # what was said is said
    assert len(steps(story)) == heard
