"""What the model does with timers, and what it is told: over a core, without an edge."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.events import ToolCall
from speakerd.tools.toolbox import Toolbox
from tests.unit.story import Story

if TYPE_CHECKING:
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Missed, Pending
    from speakerd.tools.tool import Result

ZONE = ZoneInfo("Europe/Berlin")
#: A Wednesday.
NOON = datetime(2026, 6, 3, 12, 0, tzinfo=ZONE)


class Speaker:
    """A core's, which is told when the clock shows noon; a minute of it has passed."""

    highest_volume = 80
    volume = 40
    unmuted_by = ""

    def __init__(self) -> None:
        self.story = Story()
        self.story.connected()
        self._ahead_s = NOON.timestamp() - self.story.now
        self.story.tell(ev.ClockRead(NOON.timestamp(), ZONE), self.story.now)

    @property
    def status(self) -> Status:
        return self.story.core.status

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.story.now + self._ahead_s, ZONE)

    def clock(self, seconds: float) -> float:
        return self.story.now + seconds

    @property
    def timers(self) -> tuple[Pending, ...]:
        return self.story.core.status.timers

    @property
    def missed(self) -> tuple[Missed, ...]:
        return self.story.core.status.missed

    def acts(self) -> None:
        raise NotImplementedError

    def ask(self, event: ev.Event) -> str | None:
        self.story.tell(event, self.story.now)
        refused = self.story.got(fx.Refused)
        return refused.reason if refused else None

    def call(self, tool: str, /, **args: Any) -> Result:  # noqa: ANN401 - as the model
        answer = Toolbox.of(["timers", "clock"]).call(ToolCall("id", tool, args), self)
        assert isinstance(answer, dict)
        return answer

    def set(self, tool: str, /, **args: Any) -> dict[str, Any]:  # noqa: ANN401 - as the model
        told = self.call(tool, **args)["set"]
        assert isinstance(told, dict)
        return told


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


def test_the_time_is_known_without_a_network(speaker: Speaker) -> None:
    assert speaker.call("get_time") == {
        "time": "12:00:00",
        "date": "2026-06-03",
        "weekday": "Wednesday",
        "time_zone": "Europe/Berlin",
    }


def test_a_timer_is_set_and_listed(speaker: Speaker) -> None:
    told = speaker.set("set_timer", seconds=300, name="eggs")
    assert told == {
        "number": 1,
        "name": "eggs",
        "kind": "timer",
        "rings_at": "Wednesday 2026-06-03 12:05:00",
        "rings_in": "0:05:00",
    }
    speaker.story.wait(60.0)
    assert speaker.call("list_timers") == {"timers": [told | {"rings_in": "0:04:00"}]}


def test_a_name_is_one_line_that_moves_no_cursor(speaker: Speaker) -> None:
    told = speaker.set("set_timer", seconds=300, name="\x1b[2Jeggs\nand\x07 tea ")
    assert told["name"] == "[2Jeggs and tea"
    assert speaker.set("change_timer", number=1, name="\x9b1mlunch\r")["name"] == "1mlunch"


@pytest.mark.parametrize("date", ["9999-12-31", "2027-12-24"])
def test_nothing_is_set_for_a_year_that_is_far_away(speaker: Speaker, date: str) -> None:
    assert speaker.call("set_alarm", time="23:59", date=date) == {
        "error": "that is more than a year ahead"
    }
    assert speaker.call("list_timers") == {"timers": []}


@pytest.mark.parametrize(
    ("args", "rings_at"),
    [
        ({"time": "12:30"}, "Wednesday 2026-06-03 12:30:00"),
        ({"time": "07:00"}, "Thursday 2026-06-04 07:00:00"),
        ({"time": "12:00"}, "Thursday 2026-06-04 12:00:00"),
        ({"time": "18:00", "date": "today"}, "Wednesday 2026-06-03 18:00:00"),
        ({"time": "07:00", "date": "tomorrow"}, "Thursday 2026-06-04 07:00:00"),
        ({"time": "07:00", "date": "2026-12-24"}, "Thursday 2026-12-24 07:00:00"),
        ({"time": "07:00", "weekdays": ["monday", "wednesday"]}, "Monday 2026-06-08 07:00:00"),
        ({"time": "13:00", "weekdays": ["wednesday"]}, "Wednesday 2026-06-03 13:00:00"),
    ],
)
def test_an_alarm_is_for_the_next_time_the_clock_shows_that(
    speaker: Speaker, args: dict[str, Any], rings_at: str
) -> None:
    told = speaker.set("set_alarm", **args)
    assert (told["kind"], told["rings_at"]) == ("alarm", rings_at)
    assert told.get("weekdays", []) == args.get("weekdays", [])


@pytest.mark.parametrize(
    ("name", "args", "why"),
    [
        ("set_alarm", {"time": "7 pm"}, "time: "),
        ("set_alarm", {"time": "24:00"}, "time: "),
        ("set_alarm", {"time": "07:00", "date": "2026-02-30"}, "there is no 2026-02-30"),
        ("set_alarm", {"time": "07:00", "date": "today"}, "that time is over"),
        ("set_alarm", {"time": "07:00", "date": "2020-01-01"}, "that time is over"),
        ("set_alarm", {"time": "07:00", "weekdays": ["someday"]}, "weekdays.0: "),
        ("set_alarm", {"time": "07:00", "weekdays": ["monday"], "date": "today"}, "either a date"),
        ("set_timer", {"seconds": 0}, "seconds: "),
        ("set_timer", {"seconds": "300"}, "seconds: "),
        ("set_timer", {"seconds": 10**9}, "seconds: "),
        ("set_timer", {"seconds": 5, "name": "x" * 61}, "name: "),
        ("change_timer", {"number": 7, "seconds": 5}, "there is no timer 7"),
        ("cancel_timers", {"numbers": [7]}, "there is none of that number"),
        ("cancel_timers", {"numbers": []}, "numbers: "),
    ],
)
def test_what_cannot_be_is_an_error_that_says_why(
    speaker: Speaker, name: str, args: dict[str, Any], why: str
) -> None:
    answer = speaker.call(name, **args)
    assert str(answer["error"]).startswith(why)
    assert speaker.timers == ()


def test_a_reminder_is_one_that_is_there_for_its_name(speaker: Speaker) -> None:
    told = speaker.set("set_timer", seconds=60, name="call mum", reminder=True)
    assert speaker.timers[0].timer.reminds
    assert told["kind"] == "reminder"
    assert speaker.call("list_timers") == {"timers": [told]}


def test_one_is_changed_and_keeps_what_is_not_named(speaker: Speaker) -> None:
    speaker.set("set_timer", seconds=60, name="eggs")
    assert speaker.set("change_timer", number=1, seconds=120)["rings_in"] == "0:02:00"
    told = speaker.set("change_timer", number=1, time="18:00", weekdays=["friday"])
    assert told["rings_at"] == "Friday 2026-06-05 18:00:00"
    assert told["name"] == "eggs"
    told = speaker.set("change_timer", number=1, name="hard eggs")
    assert (told["rings_at"], told["weekdays"]) == ("Friday 2026-06-05 18:00:00", ["friday"])
    assert "error" in speaker.call("change_timer", number=1, date="tomorrow")
    assert speaker.set("change_timer", number=1, seconds=60)["kind"] == "timer"


def test_some_are_cancelled_and_their_numbers_are_free(speaker: Speaker) -> None:
    for seconds in (60, 120, 180):
        speaker.set("set_timer", seconds=seconds)
    answer = speaker.call("cancel_timers", numbers=[1, 3, 9])
    assert [each["number"] for each in answer["cancelled"]] == [1, 3]  # type: ignore[attr-defined] # a list
    assert speaker.set("set_timer", seconds=5)["number"] == 1


def test_what_was_missed_is_told_once(speaker: Speaker) -> None:
    speaker.set("set_timer", seconds=60, name="eggs")
    speaker.story.wait(60.0 + speaker.story.rules.ring_s + 1.0)
    assert speaker.call("list_timers") == {
        "timers": [],
        "missed": [{"name": "eggs", "was_due_at": "Wednesday 2026-06-03 12:01:00"}],
    }
    assert speaker.call("list_timers") == {"timers": []}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_ARGS = st.fixed_dictionaries(
    {},
    optional={
        "seconds": st.integers(-5, 10**7) | _JSON,
        "time": st.from_regex(r"^[0-3]\d:[0-7]\d$") | _JSON,
        "date": st.from_regex(r"^\d{4}-[01]\d-[0-4]\d$") | st.just("tomorrow") | _JSON,
        "weekdays": st.lists(st.sampled_from(["monday", "sunday"])) | _JSON,
        "name": st.text() | _JSON,
        "number": st.integers(-1, 5) | _JSON,
        "numbers": st.lists(st.integers(-1, 5)) | _JSON,
        "reminder": st.booleans() | _JSON,
    },
)
_NAMES = ["set_timer", "set_alarm", "change_timer", "cancel_timers", "list_timers"]


@settings(max_examples=40)  # each with a core of its own
@given(st.lists(st.tuples(st.sampled_from(_NAMES), _ARGS), max_size=8))
def test_whatever_the_model_says_it_gets_an_answer(calls: list[tuple[str, dict[str, Any]]]) -> None:
    speaker = Speaker()
    for name, args in calls:
        speaker.call(name, **args)
    for each in speaker.timers:
        assert each.due_unix_s > NOON.timestamp()
        assert each.due_unix_s < NOON.timestamp() + timedelta(days=3_000_000).total_seconds()


def test_digits_are_those_of_a_clock(speaker: Speaker) -> None:
    zero = "\N{ARABIC-INDIC DIGIT ZERO}"
    assert "error" in speaker.call("set_alarm", time=f"07:0{zero}")
    assert "error" in speaker.call("set_alarm", time="07:00", date=f"2026-12-2{zero}")


def test_all_that_can_be_set_can_be_listed(speaker: Speaker) -> None:
    speaker.set("set_alarm", time="07:00", weekdays=["monday", "tuesday", "friday"], name="ж" * 60)
    listed = speaker.call("list_timers")
    size_bytes = len(json.dumps(listed, ensure_ascii=False).encode())
    assert size_bytes * speaker.story.rules.max_timers < 16 * 1024
