"""Timers, alarms and reminders in simulated time: when they ring, what ends it, what is missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.light import Light, light_of
from speakerd.conversation.rules import ButtonMode
from speakerd.conversation.timer import Missed, Timer, WallClock, next_on
from speakerd.conversation.turn import TurnState
from tests.unit.story import CUE_S, HANDS_FREE, Story

moment = datetime.fromisoformat
BERLIN = ZoneInfo("Europe/Berlin")
#: A Sunday, twelve hours after clocks were put back there.
NOON = datetime(2026, 10, 25, 12, 0, tzinfo=BERLIN)
EVERY_DAY = frozenset(range(7))


class Kitchen(Story):
    """A story with a clock on the wall."""

    def __init__(self, shows: datetime = NOON, **rules: Any) -> None:  # noqa: ANN401 - as a Story
        super().__init__(**rules)
        self.given = fx.KeepTimers((), ())  # what was kept when it began
        for device in ev.Device:
            self.tell(ev.DeviceReady(device))
        self.put_clock(shows)
        self.connected()
        self.wait(1.0)

    def put_clock(self, shows: datetime) -> list[fx.Effect]:
        """Have the clock show that from now on."""
        self.ahead_s = shows.timestamp() - self.now - 0.01
        self.zone = shows.tzinfo or UTC
        return self.tell(ev.ClockRead(shows.timestamp(), self.zone))

    @property
    def shown(self) -> datetime:
        return datetime.fromtimestamp(self.now + self.ahead_s, self.zone)

    def set(self, number: int = 1, after_s: float = 0.0, **fields: Any) -> Timer:  # noqa: ANN401
        timer = Timer(number, **({"due_at": self.now + after_s} | fields))
        self.tell(ev.TimerSet(timer))
        assert not self.ordered(fx.Refused)
        return timer

    def alarm(self, at: datetime, number: int = 1, **fields: Any) -> Timer:  # noqa: ANN401
        return self.set(number, local=at.replace(tzinfo=None), **fields)

    def pass_to(self, at: datetime) -> None:
        """Let the clock on the wall come there."""
        self.wait(at.timestamp() - self.ahead_s - self.now)

    @property
    def rings(self) -> bool:
        return self.core.status.state == "ringing"

    @property
    def news(self) -> list[tuple[int, str]]:
        return [(told.timer.number, told.news.value) for told in self.all(fx.TimerTold)]

    @property
    def kept(self) -> fx.KeepTimers:
        return [self.given, *self.all(fx.KeepTimers)][-1]

    def restart(self, off_s: float = 0.0) -> Kitchen:
        """Another daemon, after so long, with what this one has kept."""
        later = Kitchen(self.shown + timedelta(seconds=off_s))
        moved = self.ahead_s - later.ahead_s
        timers = tuple(
            timer if timer.by_clock else replace(timer, due_at=timer.due_at + moved)
            for timer in self.kept.timers
        )
        later.given = fx.KeepTimers(timers, self.kept.missed)
        later.tell(ev.TimersKept(timers, self.kept.missed))
        return later


def numbers(story: Kitchen) -> list[int]:
    return [each.timer.number for each in story.core.status.timers]


@pytest.fixture
def story() -> Kitchen:
    return Kitchen()


# --- when it rings


def test_a_timer_rings_after_its_time_and_again_and_again(story: Kitchen) -> None:
    story.set(after_s=300.0, name="eggs")
    story.wait(299.9)
    assert not story.all(fx.Ring)
    story.wait(0.2)
    assert story.one(fx.Ring) == fx.Ring(("eggs",))
    story.wait(10.0)
    every_s = CUE_S + story.rules.ring_pause_s
    assert len(story.all(fx.Ring)) == 1 + int(10.1 / every_s)
    assert story.news == [(1, "rings")]
    assert story.core.status.state == "ringing"
    assert light_of(story.core.status) is Light.SPEAKING


def test_an_alarm_rings_when_the_clock_shows_its_time(story: Kitchen) -> None:
    at = NOON + timedelta(hours=9)
    story.alarm(at)
    story.pass_to(at - timedelta(seconds=1))
    assert not story.all(fx.Ring)
    story.pass_to(at + timedelta(seconds=0.1))
    assert story.rings


def test_no_network_is_needed(story: Kitchen) -> None:
    story.close(None)
    story.set(after_s=5.0)
    story.wait(5.1)
    assert story.rings
    assert not story.ordered(fx.Connect)


def test_several_that_are_due_ring_as_one(story: Kitchen) -> None:
    story.set(1, 5.0, name="eggs")
    story.set(2, 5.0)
    story.set(3, 6.0, name="tea")
    story.wait(5.1)
    assert story.all(fx.Ring)[-1].names == ("eggs",)
    story.wait(2.0)
    assert story.all(fx.Ring)[-1].names == ("eggs", "tea")
    story.press()
    assert not story.rings
    assert sorted(story.news[-3:]) == [(1, "silenced"), (2, "silenced"), (3, "silenced")]


def test_the_status_has_them_by_when_they_are_due(story: Kitchen) -> None:
    story.set(1, 500.0)
    story.alarm(NOON + timedelta(minutes=5), 2)
    story.set(3, 100.0)
    assert numbers(story) == [3, 2, 1]
    (first, second, _) = story.core.status.timers
    assert second.due_unix_s == (NOON + timedelta(minutes=5)).timestamp()
    assert first.due_unix_s == pytest.approx(story.now + story.ahead_s + 100.0, abs=0.2)
    before = story.core.status
    story.wait(20.0)
    assert story.core.status == before, "time alone is no news"


# --- what ends it


@pytest.mark.parametrize("mode", list(ButtonMode))
def test_a_press_ends_it_and_opens_no_window(mode: ButtonMode) -> None:
    story = Kitchen(button_mode=mode)
    story.set(after_s=5.0)
    story.wait(6.0)
    story.press()
    assert story.ordered(fx.DropPlayback)
    assert story.news == [(1, "rings"), (1, "silenced")]
    story.wait(3.0)
    story.release()
    story.wait(30.0)
    assert not story.all(fx.OpenGate)
    assert numbers(story) == []
    assert story.kept.timers == ()
    story.press()
    story.captured()
    story.wait(1.0)
    assert story.is_in(TurnState.LISTENING), "the next one is for talking again"


def test_the_next_press_may_come_at_once_where_the_button_is_held(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.wait(6.0)
    story.tap()
    story.press()
    assert story.ordered(fx.OpenGate)


def test_hands_free_a_tap_ends_it_and_opens_no_conversation() -> None:
    story = Kitchen()
    story.go_hands_free()
    story.set(after_s=5.0)
    story.wait(6.0)
    story.tap()
    story.wait(5.0)
    assert not story.rings
    assert story.is_in(TurnState.IDLE)
    assert not story.all(fx.OpenGate)


def test_a_press_ends_it_though_another_has_just_ended_an_answer() -> None:
    story = Kitchen(button_mode=ButtonMode.TOGGLE)
    story.tap()
    story.captured()
    story.wait(1.0)
    story.tap()
    story.wait(story.rules.tail_s)
    story.sent(story.turn)
    story.reply(story.turn)
    story.plays(story.turn)
    story.set(after_s=0.05)
    story.wait(0.1)
    story.tap()
    assert story.rings
    story.tap()
    assert not story.rings


@pytest.mark.parametrize("ends", [ev.StopRequested(), ev.PressRequested()])
def test_a_command_ends_it(story: Kitchen, ends: ev.Event) -> None:
    story.set(after_s=5.0)
    story.wait(6.0)
    story.tell(ends)
    assert not story.rings
    story.wait(30.0)
    assert not story.all(fx.OpenGate)


def test_a_press_ends_it_with_the_microphone_off(story: Kitchen) -> None:
    story.tell(ev.MuteRequested(on=True))
    story.wait(1.0)
    story.set(after_s=5.0)
    story.wait(6.0)
    story.press()
    assert not story.rings
    assert story.told == []


def test_who_cancels_what_rings_ends_it(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.wait(6.0)
    story.tell(ev.TimersCancelled((1,)))
    assert story.ordered(fx.DropPlayback)
    assert not story.rings


def test_in_the_end_it_was_missed_and_that_is_told_after_the_next_turn() -> None:
    story = Kitchen(linger_s=5000.0)
    story.set(after_s=5.0, name="eggs")
    story.wait(5.0 + story.rules.ring_s + 0.1)
    assert not story.rings
    assert story.news[-1] == (1, "missed")
    (missed,) = story.core.status.missed
    assert (missed.name, missed.reminds) == ("eggs", False)
    assert story.told == []
    turn = story.ask()
    story.reply(turn)
    story.complete(turn)
    story.drained(turn)
    assert story.told == [fx.Notice.TIMER_MISSED]
    story.tell(ev.MissedTold())
    assert story.core.status.missed == ()
    assert story.kept.missed == ()


def test_one_that_joins_in_rings_as_long_as_any_other(story: Kitchen) -> None:
    story.set(1, 5.0)
    story.set(2, 5.0 + story.rules.ring_s - 1.0)
    story.wait(5.0 + story.rules.ring_s - 0.5)
    assert story.news == [(1, "rings"), (2, "rings")]
    story.wait(story.rules.ring_s - 2.0)
    assert story.rings
    story.wait(2.0)
    assert story.news[2:] == [(1, "missed"), (2, "missed")]


def test_a_reminder_that_is_silenced_at_once_is_said_once_more(story: Kitchen) -> None:
    story.set(1, 5.0, name="call mum", reminds=True)
    story.set(2, 5.0, name="eggs")
    story.wait(4.985)
    assert story.one(fx.Ring).bell
    story.press()
    assert story.last.index(fx.Ring(("call mum",), bell=False)) > story.last.index(
        fx.DropPlayback()
    )
    story.release()
    story.wait(60.0)
    assert story.all(fx.Ring)[-1] == fx.Ring(("call mum",), bell=False)
    assert not story.rings


@pytest.mark.parametrize("after_s", [CUE_S + 0.1, CUE_S + 1.0])
def test_one_that_was_heard_is_not_said_again(story: Kitchen, after_s: float) -> None:
    story.set(1, 5.0, name="call mum", reminds=True)
    story.wait(5.0 + after_s)
    story.press()
    assert not story.rings
    assert not story.ordered(fx.Ring)


def test_what_could_not_be_heard_was_missed_whatever_is_pressed(story: Kitchen) -> None:
    story.tell(ev.DeviceLost(ev.Device.SPEAKER, "unplugged"))
    story.set(1, 5.0, name="call mum", reminds=True)
    story.wait(60.0)
    story.press()
    assert not story.rings
    assert story.news == [(1, "rings"), (1, "missed")]
    assert [each.name for each in story.core.status.missed] == ["call mum"]


def test_so_it_was_where_the_speaker_turns_out_to_be_missing(story: Kitchen) -> None:
    """As after a boot: a device is believed to be there until it has been looked for."""
    story.set(1, 5.0)
    story.wait(4.995)
    assert story.ordered(fx.Ring)
    story.tell(ev.DeviceLost(ev.Device.SPEAKER, "it is not there"))
    story.wait(1.0)
    story.press()
    assert story.news == [(1, "rings"), (1, "missed")]


def test_a_finger_that_was_down_before_does_not_end_it() -> None:
    story = Kitchen()
    story.go_hands_free()
    story.set(after_s=5.0)
    story.wait(4.9)
    story.press()
    story.wait(0.2)
    story.release()
    story.wait(1.0)
    assert story.rings, "who has not heard it has not ended it"
    assert not story.all(fx.OpenGate)
    story.tap()
    assert not story.rings


def test_a_program_that_never_lets_go_ends_each(story: Kitchen) -> None:
    for _ in range(3):
        story.set(after_s=5.0)
        story.wait(6.0)
        assert story.rings
        story.tell(ev.PressRequested())
        assert not story.rings
    assert not story.all(fx.OpenGate)


def test_an_answer_that_comes_late_into_the_ringing_ends_with_it(story: Kitchen) -> None:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.set(after_s=1.0)
    story.tell(ev.GenerationCompleted(story.generation, turn))
    story.drained(turn)
    assert story.is_in(TurnState.SETTLING)
    story.wait(2.0)
    assert story.rings
    story.tell(ev.PlaybackResumed(turn))
    assert story.is_in(TurnState.SPEAKING)
    story.press()
    assert not story.rings
    assert story.is_in(TurnState.IDLE), "nothing of it is played any longer"


def test_those_that_are_due_first_are_kept_first(story: Kitchen) -> None:
    story.set(1, 500.0)
    story.alarm(NOON + timedelta(minutes=5), 2)
    story.set(3, 100.0)
    assert [timer.number for timer in story.kept.timers] == [3, 2, 1]


# --- what it waits for


@pytest.mark.parametrize(
    "state", [state for state in TurnState if state not in {TurnState.IDLE, *HANDS_FREE}]
)
def test_it_waits_for_whoever_speaks_or_is_answered(state: TurnState) -> None:
    story = Kitchen()
    story.bring_to(state)
    story.set(after_s=0.05)
    story.wait(0.1)
    if state is TurnState.SETTLING:  # all was heard
        assert story.rings
        return
    assert not story.all(fx.Ring)
    assert not story.rings
    turn = story.turn
    for before, step in (
        (TurnState.ARMED, lambda: (story.captured(), story.wait(1.0))),
        (TurnState.LISTENING, story.release),
        (TurnState.TAIL, lambda: (story.wait(story.rules.tail_s), story.sent(turn))),
        (TurnState.THINKING, lambda: (story.reply(turn), story.plays(turn))),
    ):
        if story.is_in(before):
            step()
    assert story.is_in(TurnState.SPEAKING)
    assert not story.all(fx.Ring)
    story.complete(turn)
    story.drained(turn)
    assert story.rings


def test_a_long_answer_is_ended_for_it(story: Kitchen) -> None:
    turn = story.ask()
    story.reply(turn)
    story.plays(turn)
    story.set(after_s=1.0)
    story.wait(0.9 + story.rules.ring_patience_s)
    assert story.is_in(TurnState.SPEAKING)
    story.wait(0.2)
    assert story.rings
    assert story.outcomes == ["stopped"]


def test_a_question_never_goes_unanswered_for_it(story: Kitchen) -> None:
    story.ask()
    story.set(after_s=1.0)
    story.wait(story.rules.reply_timeout_s - 2.0)
    assert story.is_in(TurnState.THINKING)
    assert not story.rings


def test_hands_free_it_hangs_up_where_nobody_says_anything() -> None:
    story = Kitchen()
    turn = story.bring_to(TurnState.OPEN)
    story.captured()
    story.tell(ev.TranscriptReceived(story.generation, turn, heard=True))
    story.set(after_s=1.0)
    story.wait(1.1)
    assert story.is_in(TurnState.OPEN), "somebody has said something"
    story.reply(turn)
    story.plays(turn)
    story.complete(turn)
    story.drained(turn)
    assert story.rings
    assert story.is_in(TurnState.IDLE)


def test_texts_wait_for_its_end(story: Kitchen) -> None:
    story.set(after_s=1.0)
    story.wait(1.5)
    story.tell(ev.SayRequested("hello"))
    assert story.ordered(fx.Postponed)
    story.wait(5.0)
    assert story.rings
    story.press()
    story.release()
    story.wait(1.0)
    assert story.is_in(TurnState.THINKING)


def test_it_goes_on_when_a_lost_speaker_is_back(story: Kitchen) -> None:
    story.tell(ev.DeviceLost(ev.Device.SPEAKER, "unplugged"))
    story.set(after_s=5.0)
    story.wait(60.0)
    assert not story.all(fx.Ring)
    assert story.core.status.state == "ringing"
    story.tell(ev.DeviceReady(ev.Device.SPEAKER))
    story.wait(story.rules.ring_again_s)
    assert story.all(fx.Ring)


def test_the_preroll_keeps_away_from_it(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.wait(5.1)
    at = story.now
    story.press()
    story.release(story.now + 0.05)
    story.press(story.now + 0.05)
    assert story.one(fx.OpenGate).not_before >= at


# --- changing them


def test_one_is_changed_by_its_number(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.set(after_s=50.0)
    story.wait(49.0)
    assert not story.all(fx.Ring)
    story.wait(2.0)
    assert story.rings


def test_one_that_rings_is_changed_like_any_other(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.wait(6.0)
    story.set(after_s=50.0)
    assert not story.rings
    story.wait(49.0)
    assert story.news == [(1, "rings")]
    story.wait(2.0)
    assert story.rings


def test_what_cannot_be_is_refused(story: Kitchen) -> None:
    def refused(event: ev.Event) -> str:
        story.tell(event)
        return story.one(fx.Refused).reason

    assert "over" in refused(ev.TimerSet(Timer(1, due_at=story.now - 1)))
    assert "over" in refused(ev.TimerSet(Timer(1, local=moment("2026-10-25 11:59"))))
    for far in (moment("9999-12-31 23:59"), NOON.replace(tzinfo=None) + timedelta(days=370)):
        assert "year" in refused(ev.TimerSet(Timer(1, local=far)))
    assert "over" in refused(ev.TimerSet(Timer(1, local=moment("0001-01-01 00:00"))))
    assert "none" in refused(ev.TimersCancelled((1,)))
    for number in range(story.rules.max_timers):
        story.set(number + 1, 500.0)
    assert "cancel one" in refused(ev.TimerSet(Timer(99, due_at=story.now + 1)))
    story.set(1, 600.0)  # changing one adds none


def test_before_the_clock_was_read_nothing_is_set() -> None:
    story = Story()
    story.connected()
    story.tell(ev.TimerSet(Timer(1, due_at=10.0)))
    assert story.ordered(fx.Refused)
    assert story.core.status.timers == ()


# --- restarts


def test_a_restart_changes_nothing(story: Kitchen) -> None:
    story.set(1, 600.0, name="eggs")
    story.alarm(NOON + timedelta(minutes=5), 2)
    story.wait(100.0)
    later = story.restart(off_s=20.0)
    assert numbers(later) == [2, 1]
    later.pass_to(NOON + timedelta(minutes=5, seconds=0.1))
    assert later.news == [(2, "rings")]
    later.press()
    later.release()
    later.pass_to(NOON + timedelta(seconds=601.5))
    assert later.news[2:] == [(1, "rings")]


def test_what_was_due_meanwhile_rings_late(story: Kitchen) -> None:
    story.set(after_s=60.0)
    later = story.restart(off_s=600.0)
    later.wait(0.1)
    assert later.rings


def test_what_was_due_long_ago_was_missed(story: Kitchen) -> None:
    story.set(1, 60.0)
    story.alarm(NOON + timedelta(hours=1), 2, days=EVERY_DAY)
    later = story.restart(off_s=story.rules.ring_late_s + 7200.0)
    later.wait(0.1)
    assert not later.rings
    assert sorted(later.news) == [(1, "missed"), (2, "missed")]
    assert numbers(later) == [2], "and comes again tomorrow"
    again = later.restart(off_s=60.0)
    assert len(again.core.status.missed) == 2
    much_later = again.restart(off_s=100_000.0)
    assert all(each.due_unix_s > again.shown.timestamp() for each in much_later.core.status.missed)


def test_what_was_missed_is_told_after_a_restart_too(story: Kitchen) -> None:
    story.set(after_s=5.0, name="eggs")
    story.wait(5.1 + story.rules.ring_s)
    later = story.restart(off_s=60.0)
    turn = later.ask()
    later.reply(turn)
    later.complete(turn)
    later.drained(turn)
    assert later.told == [fx.Notice.TIMER_MISSED]


def test_what_rang_when_the_daemon_ended_rings_again(story: Kitchen) -> None:
    story.set(after_s=5.0)
    story.wait(10.0)
    story.tell(ev.ShutdownRequested())
    assert not story.ordered(fx.Ring)
    story.wait(1.0)
    assert story.news == [(1, "rings")]
    later = story.restart(off_s=5.0)
    later.wait(0.1)
    assert later.rings


# --- the clock on the wall


@pytest.mark.parametrize("step", [timedelta(hours=-5), timedelta(hours=5), timedelta(days=900)])
def test_a_timer_does_not_care_about_the_clock(story: Kitchen, step: timedelta) -> None:
    story.set(after_s=300.0)
    story.wait(100.0)
    story.put_clock(story.shown + step)
    story.wait(199.0)
    assert not story.all(fx.Ring)
    story.wait(2.0)
    assert story.rings


def test_what_is_kept_of_a_timer_is_renewed_when_the_clock_is_put(story: Kitchen) -> None:
    story.set(after_s=300.0)
    story.put_clock(story.shown + timedelta(hours=5))
    assert story.ordered(fx.KeepTimers)


def test_an_alarm_follows_the_clock(story: Kitchen) -> None:
    story.alarm(NOON + timedelta(hours=5))
    story.put_clock(NOON + timedelta(hours=4, minutes=59))
    story.wait(59.0)
    assert not story.all(fx.Ring)
    story.wait(2.0)
    assert story.rings


def test_a_clock_that_is_put_past_it_makes_it_ring_at_once(story: Kitchen) -> None:
    """After the boot of a machine without a clock: NTP comes later."""
    story.alarm(NOON + timedelta(minutes=50))
    story.put_clock(NOON + timedelta(hours=1))
    assert story.rings


def test_an_alarm_that_has_rung_does_not_so_again_when_the_clock_is_put_back() -> None:
    story = Kitchen()
    story.alarm(NOON + timedelta(minutes=1), days=EVERY_DAY)
    story.wait(70.0)
    assert story.rings
    story.tap()
    story.put_clock(NOON)
    story.wait(3600.0)
    assert not story.rings
    assert story.core.status.timers[0].timer.local == moment("2026-10-26 12:01")


def test_nor_where_it_is_put_back_while_it_rings() -> None:
    story = Kitchen()
    story.alarm(NOON + timedelta(minutes=1), days=EVERY_DAY)
    story.wait(70.0)
    story.put_clock(NOON)
    assert story.rings
    story.tap()
    assert story.core.status.timers[0].timer.local == moment("2026-10-26 12:01")


def test_a_clock_that_may_have_been_put_is_looked_at_now_and_then(story: Kitchen) -> None:
    story.set(1, 86400.0)
    quiet = story.core.next_deadline()
    assert quiet is None or quiet > story.now + 50.0, "a timer needs no clock"
    story.alarm(NOON + timedelta(days=1), 2)
    at = story.core.next_deadline()
    assert at is not None
    assert at <= story.now + story.rules.look_at_clock_s


def test_another_zone_is_another_time_for_an_alarm(story: Kitchen) -> None:
    story.alarm(NOON + timedelta(hours=2))  # 14:00 by the clock, wherever it hangs
    story.put_clock(story.shown.astimezone(ZoneInfo("Europe/Moscow")))  # 14:00 there
    assert story.rings


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (moment("2026-10-24 07:00"), 25),
        (moment("2026-03-28 07:00"), 23),
        (moment("2026-06-01 07:00"), 24),
    ],
)
def test_every_morning_is_at_the_same_time_though_days_are_not_as_long(
    day: datetime, hours: int
) -> None:
    shown = (day - timedelta(minutes=1)).replace(tzinfo=BERLIN)
    story = Kitchen(shown)
    story.alarm(day, days=EVERY_DAY)
    story.wait(61.0)
    assert story.rings
    story.tap()
    story.wait(hours * 3600 - 10.0)
    assert not story.rings
    story.wait(11.0)
    assert story.rings


def test_a_time_that_a_day_does_not_have_is_as_long_after_the_turn() -> None:
    story = Kitchen(datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN))
    story.set(local=moment("2026-03-29 02:30"))
    story.pass_to(datetime(2026, 3, 29, 3, 29, 59, tzinfo=BERLIN))
    assert not story.rings
    story.wait(1.5)
    assert story.rings


def test_of_a_time_that_a_day_has_twice_it_is_the_first() -> None:
    story = Kitchen(datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN))
    story.set(local=moment("2026-10-25 02:30"), days=EVERY_DAY)
    story.wait(3601.0)
    assert story.rings
    story.tap()
    story.wait(3600.0 + 60.0)
    assert not story.rings, "and not the second"


@given(
    st.frozensets(st.integers(0, 6), min_size=1),
    st.datetimes(moment("2026-01-01 00:00"), moment("2027-12-31 00:00")),
    st.datetimes(moment("2026-01-01 00:00"), moment("2027-12-31 00:00")),
)
def test_the_next_of_some_days_is_the_first_of_them(
    days: frozenset[int], local: datetime, shown: datetime
) -> None:
    at = next_on(days, local, shown)
    assert at > shown
    assert at.weekday() in days
    assert at.time() == local.time()
    before = (at - timedelta(days=back) for back in range(1, 8))
    assert not [each for each in before if each > shown and each.weekday() in days]


@given(
    st.datetimes(moment("2026-01-01 00:00"), moment("2027-12-31 00:00")),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
    st.floats(-1e9, 1e9),
)
def test_a_clock_shows_a_time_when_it_says_it_will(
    local: datetime, zone: str, ahead_s: float
) -> None:
    clock = WallClock(ahead_s, ZoneInfo(zone))
    shown = clock.local(clock.at(local))
    gap = shown - local  # where the day has no such time
    assert abs(gap) < timedelta(seconds=0.01) or timedelta(0) < gap <= timedelta(hours=1)


def test_what_was_missed_is_remembered_up_to_a_point(story: Kitchen) -> None:
    for number in range(1, 13):
        story.set(number, 1.0, name=str(number))
    story.wait(story.rules.ring_s + 2.0)
    names = [each.name for each in story.core.status.missed]
    assert names == [str(number) for number in range(5, 13)]
    assert isinstance(story.core.status.missed[0], Missed)
