"""Timers, alarms and reminders: they ring here, with or without a network."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from speakerd.conversation.events import MissedTold, TimersCancelled, TimerSet
from speakerd.conversation.timer import Timer, next_on, printable
from speakerd.tools.tool import Result, SpeakerPort  # noqa: TC001 - read at runtime

if TYPE_CHECKING:
    from speakerd.conversation.timer import Missed, Pending

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_Seconds = Annotated[
    int, Field(ge=1, le=31 * 86400, description="from now on; 5 minutes are 300", strict=True)
]
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
_Time = Annotated[str, Field(pattern=f"^{_TIME}$", description="HH:MM, of 24 hours, local time")]
_DATE = r"^(|today|tomorrow|[0-9]{4}-[0-9]{2}-[0-9]{2})$"
_Date = Annotated[
    str,
    Field(
        pattern=_DATE,
        description="today, tomorrow or YYYY-MM-DD; without it, the next time the clock shows that",
    ),
]
_Weekdays = Annotated[
    list[Weekday],
    Field(max_length=7, description="on each of these, again and again; without them, once"),
]
_Name = Annotated[
    str,
    Field(max_length=60, description="what it is called, or is to remind of; empty for nothing"),
    AfterValidator(printable),
]
_Reminds = Annotated[
    bool, Field(description="true: somebody wants to be reminded of what is in its name")
]
_Number = Annotated[int, Field(ge=1, description="as list_timers has it", strict=True)]


def set_timer(
    speaker: SpeakerPort, seconds: _Seconds, name: _Name = "", reminder: _Reminds = False
) -> Result:
    """Set a timer, or a reminder, that rings after a certain time."""
    timer = Timer(_free(speaker), name, reminder, due_at=speaker.clock(seconds))
    return _set(speaker, timer)


def set_alarm(
    speaker: SpeakerPort,
    time: _Time,
    date: _Date = "",
    weekdays: _Weekdays = [],  # noqa: B006 - pydantic makes a copy
    name: _Name = "",
    reminder: _Reminds = False,
) -> Result:
    """Set an alarm, or a reminder, that rings at a time of day, once or on certain weekdays."""
    local = _local(speaker, time, date, weekdays)
    if isinstance(local, str):
        return {"error": local}
    days = frozenset(map(_DAYS.index, weekdays))
    return _set(speaker, Timer(_free(speaker), name, reminder, local=local, days=days))


def change_timer(
    speaker: SpeakerPort,
    number: _Number,
    seconds: Annotated[int, Field(ge=0, le=31 * 86400, description="from now on", strict=True)] = 0,
    time: Annotated[str, Field(pattern=f"^(|{_TIME})$", description="as of set_alarm")] = "",
    date: Annotated[str, Field(pattern=_DATE, description="as of set_alarm")] = "",
    weekdays: Annotated[list[Weekday], Field(max_length=7, description="as of set_alarm")] = [],  # noqa: B006 - pydantic makes a copy
    name: Annotated[str, Field(max_length=60), AfterValidator(printable)] = "",
) -> Result:
    """Let a timer, alarm or reminder ring at another time, or have another name.

    What is not given stays as it is; weekdays go with a time.
    """
    listed = {each.timer.number: each for each in speaker.timers}
    if number not in listed:
        return {"error": f"there is no timer {number}"}
    timer = replace(listed[number].timer, name=name or listed[number].timer.name)
    if time:
        local = _local(speaker, time, date, weekdays)
        if isinstance(local, str):
            return {"error": local}
        days = frozenset(map(_DAYS.index, weekdays))
        timer = replace(timer, local=local, due_unix_s=None, days=days)
    elif seconds:
        due_at = speaker.clock(seconds)
        timer = replace(timer, due_at=due_at, local=None, due_unix_s=None, days=frozenset())
    elif date or weekdays:
        return {"error": "a date and weekdays need a time"}
    return _set(speaker, timer)


def cancel_timers(
    speaker: SpeakerPort,
    numbers: Annotated[
        list[_Number], Field(min_length=1, max_length=32, description="as list_timers has them")
    ],
) -> Result:
    """Cancel timers, alarms and reminders."""
    listed = {each.timer.number: each for each in speaker.timers}
    if reason := speaker.ask(TimersCancelled(tuple(numbers))):
        return {"error": reason}
    return {"cancelled": [_told(speaker, listed[each]) for each in numbers if each in listed]}


def list_timers(speaker: SpeakerPort) -> Result:
    """Tell which timers, alarms and reminders there are, and which were missed of late."""
    missed = [_missed(speaker, each) for each in speaker.missed]
    if missed:
        speaker.ask(MissedTold())
    listed: dict[str, object] = {"timers": [_told(speaker, each) for each in speaker.timers]}
    return {**listed, "missed": missed} if missed else listed


def _free(speaker: SpeakerPort) -> int:
    taken = {each.timer.number for each in speaker.timers}
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _local(
    speaker: SpeakerPort, time: str, date: str, weekdays: list[Weekday]
) -> dt.datetime | str:
    """When a clock on the wall shows that next; or why it does not."""
    shown = speaker.now.replace(tzinfo=None)
    at = dt.time.fromisoformat(time)
    if weekdays:
        if date:
            return "either a date or weekdays"
        days = frozenset(map(_DAYS.index, weekdays))
        return next_on(days, dt.datetime.combine(shown.date(), at), shown)
    days_ahead = {"today": 0, "tomorrow": 1}
    if not date:
        local = dt.datetime.combine(shown.date(), at)
        return local if local > shown else local + dt.timedelta(days=1)
    if date in days_ahead:
        return dt.datetime.combine(shown.date() + dt.timedelta(days=days_ahead[date]), at)
    try:
        return dt.datetime.combine(dt.date.fromisoformat(date), at)
    except ValueError:
        return f"there is no {date}"


def _set(speaker: SpeakerPort, timer: Timer) -> Result:
    if reason := speaker.ask(TimerSet(timer)):
        return {"error": reason}
    return {
        "set": _told(
            speaker, next(each for each in speaker.timers if each.timer.number == timer.number)
        )
    }


def _told(speaker: SpeakerPort, pending: Pending) -> Result:
    """One of them, for the model."""
    timer, now = pending.timer, speaker.now
    told: dict[str, object] = {"number": timer.number}
    if timer.name:
        told["name"] = timer.name
    told["kind"] = timer.kind
    due = dt.datetime.fromtimestamp(pending.due_unix_s, now.tzinfo)
    told["rings_at"] = due.strftime("%A %Y-%m-%d %H:%M:%S")
    told["rings_in"] = str(dt.timedelta(seconds=max(0, round((due - now).total_seconds()))))
    if timer.days:
        told["weekdays"] = [_DAYS[day] for day in sorted(timer.days)]
    if pending.rings:
        told["rings_now"] = True
    return told


def _missed(speaker: SpeakerPort, missed: Missed) -> Result:
    due = dt.datetime.fromtimestamp(missed.due_unix_s, speaker.now.tzinfo)
    return {"name": missed.name, "was_due_at": due.strftime("%A %Y-%m-%d %H:%M:%S")}


TOOLS = (set_timer, set_alarm, change_timer, cancel_timers, list_timers)
