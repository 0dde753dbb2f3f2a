"""What is going on, in words for people: pure, one line each, with the remedy if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.features import OPTIONS
from speakerd.config.sources import variable_of
from speakerd.conversation.budget import Budget
from speakerd.conversation.effects import Notice, TimerNews
from speakerd.conversation.events import Device
from speakerd.conversation.status import READY, STARTING
from speakerd.errors import FailureKind, Feature

if TYPE_CHECKING:
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Timer
    from speakerd.errors import Failure

_KEY = "sudo speakerd key"
_RELOAD = "then: sudo systemctl reload speakerd"
_DOCTOR = "speakerd doctor"
#: As much of somebody else's text as fits into a line of ours, in letters.
_MOST_LETTERS = 160

#: What the journal says when the person is told something by sound.
_NOTICES: dict[Notice, str] = {
    Notice.NO_REPLY: "the model chose to say nothing",
    Notice.NOT_DELIVERED: "what was said could not be delivered: no connection in time",
    Notice.NO_ANSWER: "what was said was delivered, but nothing answered it",
    Notice.ANSWER_CUT: "the answer was cut off",
    Notice.RESULT_LOST: "a tool was run, but the answer with its result was lost",
    Notice.KEY_REFUSED: f"the API key is refused: store a valid one by {_KEY}",
    Notice.MODEL_GONE: f"the model is not available: set SPEAKERD_MODEL, {_RELOAD}",
    Notice.SETUP_REFUSED: "the server refuses the settings: see the reason above",
    Notice.QUOTA_USED_UP: "the quota of the API key is used up: wait, or raise it",
    Notice.NO_MICROPHONE: "the microphone gave no sound: see SPEAKERD_CAPTURE_DEVICE",
    Notice.MUTED: "the microphone is muted: open the switch, or speakerd mute off",
    Notice.SPEAKER_LOST: "the speaker is lost: see SPEAKERD_PLAYBACK_DEVICE",
    Notice.BUDGET_NEAR: "four fifths of SPEAKERD_DAILY_BUDGET are used up",
    Notice.BUDGET_SPENT: "SPEAKERD_DAILY_BUDGET is used up: wait until midnight, or raise it",
    Notice.TIMER_MISSED: "a timer, an alarm or a reminder was missed",
}
_TIMER_NEWS: dict[TimerNews, str] = {
    TimerNews.RINGS: "rings",
    TimerNews.SILENCED: "was silenced",
    TimerNews.MISSED: "was missed: nobody has silenced it, or the speaker was off",
}

#: What to do about a connection that failed; empty where there is nothing to be done.
_REMEDIES: dict[FailureKind, str] = {
    FailureKind.NETWORK: f"it is tried again by itself; {_DOCTOR} looks for the reason",
    FailureKind.TIMEOUT: f"it is tried again by itself; {_DOCTOR} looks for the reason",
    FailureKind.IDLE: "",
    FailureKind.SERVER: "the server's trouble: it is tried again by itself",
    FailureKind.QUOTA: "wait a minute, or raise the quota of the key's project",
    FailureKind.HANDLE: "the conversation begins anew by itself",
    FailureKind.MODEL: f"set SPEAKERD_MODEL to one that is available, {_RELOAD}",
    FailureKind.KEY: f"store a valid key: {_KEY}",
    FailureKind.TOKEN: f"it is tried again by itself; {_DOCTOR} tries it as well",
    FailureKind.SETUP: f"change the setting that it names, {_RELOAD}",
}

_NOT_CONNECTED = "No connection: {reason}; what you say is kept a while, and sent if there is one"
#: Why there is no connection, for the status line. Nobody has to wait for it in order to speak.
_TROUBLES: dict[FailureKind, str] = {
    FailureKind.NETWORK: _NOT_CONNECTED,
    FailureKind.TIMEOUT: _NOT_CONNECTED,
    FailureKind.IDLE: "",
    FailureKind.SERVER: "The server has trouble: {reason}; speak all the same, it is tried again",
    FailureKind.QUOTA: "The quota of the API key is used up: wait a minute or more, or raise it",
    FailureKind.HANDLE: "{model} is not available: set SPEAKERD_MODEL ({reason})",
    FailureKind.MODEL: "{model} is not available: set SPEAKERD_MODEL ({reason})",
    FailureKind.KEY: f"The API key is refused: {_KEY}",
    FailureKind.TOKEN: _NOT_CONNECTED,
    FailureKind.SETUP: "The server refuses a setting: {reason}",
}

#: The option that says which device it is; the button's reasons name their pin.
_OPTIONS: dict[Device, str] = {
    Device.MICROPHONE: "SPEAKERD_CAPTURE_DEVICE",
    Device.SPEAKER: "SPEAKERD_PLAYBACK_DEVICE",
}
_PIN = "SPEAKERD_BUTTON_PIN"

#: What the journal says of a button that was never seen up.
HELD_AT_START = (
    "the button is down since the start and counts when it has been let go: "
    f"is it stuck, or is {_PIN} another pin?"
)

#: How the status line begins when the day's budget is used up, and nothing worse is the matter.
SPENT = "The day's budget is used up"
_UNTIL_WHEN = f"it listens again after midnight, or raise SPEAKERD_DAILY_BUDGET, {_RELOAD}"

_ACTIVITIES = {
    "listening": "Listening",
    "thinking": "Thinking",
    "speaking": "Speaking",
    "ringing": "Ringing: press the button",
}


def timer_line(timer: Timer, news: TimerNews) -> str:
    """What has become of a timer, without its name, which is private."""
    return f"{timer.kind} {timer.number} {_TIMER_NEWS[news]}"


def notice_line(notice: Notice) -> str:
    """What the person is being told."""
    return _NOTICES[notice]


def missing_line(device: Device, reason: str) -> str:
    """What the journal says of a device that is not there, or no longer."""
    option = _OPTIONS.get(device)
    return f"{device.value} missing: {reason}" + (f"; see {option}" if option else "")


def part_line(name: str, reason: str) -> str:
    """What the journal says of a part that the speaker does without."""
    return f"no {name}: {reason}"


def without_line(status: Status) -> str:
    """What the journal says when the server takes the setup only without some part of it."""
    if not status.without:
        return f"{status.model} is asked for everything again"
    asking = [variable_of(each) for part in status.without for each in OPTIONS[Feature(part)]]
    options = f" ({', '.join(asking)})" if asking else ""
    return f"the server refuses {_without(status)}{options} for {status.model}: going on without it"


def failure_remedy(kind: FailureKind) -> str:
    """What to do about a connection that failed; empty where there is nothing to be done."""
    return _REMEDIES[kind]


def error_remedy(status: Status) -> str | None:
    """What to do about the status' last error; None where there is none, or nothing to be done."""
    if status.last_error is None:
        return None
    if status.last_failure is not None:
        return failure_remedy(status.last_failure.kind) or None
    broken = (Device(name) for name, word in status.devices if word == status.last_error)
    device = next(broken, None)
    return f"see {_OPTIONS.get(device, _PIN)}, or run {_DOCTOR}" if device else None


def count(number: int, thing: str) -> str:
    """So many of them: 1 turn, 2 turns."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def usd(cost: float) -> str:
    """A small sum for people: 0.0041 USD, 0.42 USD."""
    return f"{cost:.4f} USD" if cost < 0.1 else f"{cost:.2f} USD"


def duration(seconds: float) -> str:
    """A time span for people, in the two largest units that count: 3 h 12 min."""
    left = int(seconds)
    parts: list[str] = []
    for unit, unit_s in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, unit_s)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


# --- the line for systemctl status


def status_line(status: Status) -> str:
    """What is going on, the most important thing first; for ``systemctl status`` and others."""
    activity = _ACTIVITIES.get(status.state)
    if activity is not None:
        return _while_active(activity, status)
    troubles = [*_missing(status)]
    if status.trouble is not None:
        troubles.append(_without_connection(status, status.trouble))
    if status.budget is Budget.SPENT:
        troubles.append(f"{SPENT}: {_UNTIL_WHEN}")
    troubles = [trouble for trouble in troubles if trouble]
    if troubles:
        others = ", ".join(map(_in_brief, troubles[1:]))
        return f"{troubles[0]}. Also: {others}" if others else troubles[0]
    starting = [name for name, word in status.devices if word == STARTING]
    if starting:
        return f"Starting: waiting for the {' and the '.join(starting)}"
    without = f" (without {_without(status)}: the server refuses it)" if status.without else ""
    if status.muted:
        return f"Muted: the microphone is off until it is unmuted{without}"
    return f"Ready: {'tap' if status.tapped else 'hold'} the button and speak{without}"


def _while_active(activity: str, status: Status) -> str:
    if status.state == "thinking" and status.trouble is not None:
        reason = _short(str(status.trouble))
        kept = "what you said is kept, and sent as soon as there is one"
        return f"Waiting for a connection: {reason}; {kept}"
    broken = [name for name, word in status.devices if word not in {READY, STARTING}]
    return f"{activity} ({', '.join(broken)} missing)" if broken else activity


def _missing(status: Status) -> list[str]:
    found = []
    for name, reason in status.devices:
        if reason in {READY, STARTING}:
            continue
        option = _OPTIONS.get(Device(name))
        remedy = f" ({option})" if option else "; until it is back: speakerd press"
        found.append(f"No {name}: {_short(reason)}{remedy}")
    return found


def _without_connection(status: Status, trouble: Failure) -> str:
    words = _TROUBLES[trouble.kind]
    return words.format(reason=_short(str(trouble)), model=status.model)


def _in_brief(trouble: str) -> str:
    """What it is, without the reason and the remedy."""
    what = trouble.split(":", maxsplit=1)[0]
    return f"{what[0].lower()}{what[1:]}" if what.startswith(("No ", "The ")) else what


def _without(status: Status) -> str:
    *more, last = status.without
    return f"{', '.join(more)} and {last}" if more else last


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
