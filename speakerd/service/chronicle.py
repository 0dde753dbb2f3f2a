"""What the world hears of a speaker: the journal, systemd's status line, whoever subscribes."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from speakerd import __version__
from speakerd.config import together
from speakerd.conversation import events as ev
from speakerd.conversation.effects import Notice, TimerNews
from speakerd.service import journal, transcripts, usage, wording
from speakerd.service.linklog import LinkLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from speakerd.config import Loaded
    from speakerd.conversation.ledger import TurnRecord
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Pending, Timer
    from speakerd.errors import Failure
    from speakerd.service.notify import Notifier


def starting(loaded: Loaded) -> None:
    """The first lines of a day: what starts, by which configuration, and what is odd about it."""
    settings = loaded.settings
    (tokens,) = together.token_sources(settings) or ("",)
    key_source = tokens or loaded.provenance["GEMINI_API_KEY"].value
    let_in = f"tokens from {tokens}" if tokens else f"the key from the {key_source}"
    found = "" if loaded.env_file.exists() else " (which is not there)"
    journal.log(
        "start",
        f"speakerd {__version__}: {settings.model}, microphone {settings.capture_device}, "
        f"speaker {settings.playback_device}, button GPIO{settings.button_pin}; "
        f"options from {loaded.env_file}{found}, {let_in}",
        version=__version__,
        model=settings.model,
        capture_device=settings.capture_device,
        playback_device=settings.playback_device,
        button_pin=settings.button_pin,
        env_file=loaded.env_file,
        key_source=key_source,
    )
    for warning in loaded.warnings:
        journal.log("config", warning, level=logging.WARNING)


class Chronicle:
    """Tells what happens, as it happens; called in the loop's thread only.

    ``publish`` gives an event to the subscribers of the control socket. ``tally`` counts the
    turns of the day; saving it is the caller's, for that blocks. ``log_transcripts``: what was
    said goes to the journal too. ``clock()`` is monotonic, in seconds.
    """

    def __init__(
        self,
        publish: Callable[[Mapping[str, object]], None],
        notifier: Notifier,
        *,
        tally: usage.Tally | None = None,
        log_transcripts: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._notifier = notifier
        self._tally = tally or usage.Tally(None)
        self.log_transcripts = log_transcripts
        self._clock = clock
        self._started_at = clock()
        self._erred_at = self._started_at
        self._transcripts = transcripts.Transcripts()
        self._link = LinkLog()
        self._seen: Status | None = None

    # --- the journal

    def ready(self) -> None:
        """The start is over."""
        self._notifier.ready()
        line = wording.status_line(self._seen) if self._seen is not None else "Ready"
        line = f"r{line[1:]}" if line.startswith("Ready") else f"ready, but: {line}"
        journal.log("ready", line, uptime_s=self._uptime_s())

    def stopping(self) -> None:
        """The end has begun."""
        self._notifier.stopping()
        turns = self._seen.turns if self._seen is not None else 0
        uptime_s = self._uptime_s()
        line = f"stopping after {wording.duration(uptime_s)} and {wording.count(turns, 'turn')}"
        journal.log("stop", line, uptime_s=uptime_s, turns=turns)

    def happened(self, event: ev.Event, status: Status) -> None:
        """The core has taken ``event``; ``status`` is what has become of it."""
        match event:
            case ev.DeviceReady(device):
                journal.log("device", f"{device.value} ready", device=device.value, state="ready")
            case ev.DeviceLost(device, reason):
                self._erred_at = self._clock()
                self._missing(device, wording.missing_line(device, reason), reason)
            case ev.ButtonHeldAtStart():
                self._missing(ev.Device.BUTTON, wording.HELD_AT_START, "held")
            case ev.PartReady() | ev.PartLost() | ev.KeyFound() | ev.KeyLost():
                _part(event)
            case ev.ConnectionOpened(generation, told):
                self._link.opened(generation, status, told)
            case ev.ConnectionClosed(generation, failure):
                if failure is not None and failure is status.last_failure:
                    self._erred_at = self._clock()
                self._link.closed(generation, failure)
            case ev.GoAwayReceived(generation, time_left_s):
                self._link.going_away(generation, time_left_s)
            case _:
                pass

    def given_up(self, generation: int, failure: Failure) -> None:
        """We close that connection, or stop trying to open it, for this reason."""
        self._erred_at = self._clock()
        self._link.given_up(generation, failure)

    def told(self, notice: Notice) -> None:
        """The person hears of this by sound."""
        level = logging.INFO if notice is Notice.NO_REPLY else logging.WARNING
        journal.log("notice", wording.notice_line(notice), level=level, notice=notice.value)

    def turn_ended(self, record: TurnRecord) -> None:
        """A turn is over."""
        for turn, side, text in self._transcripts.take(record.turn):
            word = transcripts.WORDS[side]
            journal.log("transcript", f'{word}: "{text}"', turn=turn, side=side)
        cost_usd = self._tally.cost_of(record)
        fields = journal.turn_fields(record, cost_usd)
        journal.log("turn", journal.turn_line(record, cost_usd), **fields)
        self._tally.add(record)
        self._publish({"event": "turn", **journal.ledger(record, cost_usd)})
        journal.news_again()

    def transcript(self, side: str, turn: int, text: str) -> None:
        """A piece of what was ``heard`` or ``spoken`` (the side)."""
        if self.log_transcripts:
            self._transcripts.add(side, turn, text)
        self._publish({"event": "transcript", "side": side, "turn": turn, "text": text})

    def reloaded(self, changed: Sequence[str], restart: Sequence[str]) -> None:
        """New settings count from now on; ``restart``: what has to wait for the next start."""
        for line in changed or ("nothing has changed",):
            journal.log("reload", f"reloaded: {line}")
        for line in restart:
            remedy = "sudo systemctl restart speakerd"
            journal.log("reload", f"needs a restart: {line} ({remedy})", level=logging.WARNING)

    def reload_refused(self, problems: Sequence[str]) -> None:
        """A reload was asked for and refused: everything stays as it is."""
        for problem in problems:
            journal.log("reload", f"not reloaded: {problem}", level=logging.WARNING)

    # --- the status

    def status(self, status: Status) -> None:
        """What is going on now; the same again is not told."""
        if status == self._seen:
            return
        self._seen = status
        self._notifier.status(wording.status_line(status))
        self._publish(
            {
                "event": "state",
                "state": status.state,
                "link": status.link,
                "muted": status.muted,
                "volume": status.volume,
            }
        )

    def as_dict(self, status: Status) -> dict[str, object]:
        """The status for programs, as docs/control-socket.md has it."""
        last = status.last_turn
        erred = status.last_error is not None
        today = self._tally.totals
        since, in_all = self._tally.in_all
        return {
            "state": status.state,
            "summary": wording.status_line(status),
            "link": status.link,
            "context": status.context,
            "model": status.model,
            "turns": status.turns,
            "reconnects": status.reconnects,
            "without": list(status.without),
            "last_error": status.last_error,
            "last_error_remedy": wording.error_remedy(status),
            "last_error_ago_s": round(self._clock() - self._erred_at, 1) if erred else None,
            **dict(status.devices),
            "parts": dict(status.parts),
            "muted": status.muted,
            "volume": status.volume,
            "timers": [_timer(each) for each in status.timers],
            "last_turn": journal.ledger(last, self._tally.cost_of(last)) if last else None,
            "today": asdict(today) | {"cost_usd": None if today.unpriced_tokens else _cents(today)},
            "in_all": asdict(in_all)
            | {"since": since.isoformat() if since else None, "cost_usd": _cents(in_all)},
            "version": __version__,
            "uptime_s": self._uptime_s(),
        }

    # --- inside

    def _uptime_s(self) -> float:
        return round(self._clock() - self._started_at, 1)

    def forgotten(self) -> None:
        """The conversation is forgotten, as somebody wished."""
        journal.log("forget", "the conversation is forgotten: the next one begins anew")

    def timer(self, timer: Timer, news: TimerNews) -> None:
        """Something has become of a timer; its name is nobody's business."""
        level = logging.WARNING if news is TimerNews.MISSED else logging.INFO
        line = wording.timer_line(timer, news)
        journal.log("timer", line, level=level, number=timer.number, state=news.value)

    def mute(self, *, on: bool) -> None:
        """The microphone is off by somebody's wish, or on again."""
        word = "muted: the microphone is off" if on else "unmuted: the microphone is on"
        journal.log("mute", word, muted=on)

    def _missing(self, device: ev.Device, line: str, reason: str) -> None:
        journal.log(
            "device",
            line,
            level=logging.WARNING,
            device=device.value,
            state="missing",
            reason=reason,
        )


def _cents(totals: usage.Totals) -> float:
    return round(totals.cost_usd, 4)


def _timer(pending: Pending) -> dict[str, object]:
    """A timer for programs."""
    timer = pending.timer
    return {
        "number": timer.number,
        "kind": timer.kind,
        "name": timer.name,
        "due_unix_s": pending.due_unix_s,
        "rings": pending.rings,
    }


def _part(event: ev.PartReady | ev.PartLost | ev.KeyFound | ev.KeyLost) -> None:
    """A part that the speaker can do without is there, or is not."""
    name = event.key.value if isinstance(event, ev.KeyFound | ev.KeyLost) else event.name
    if isinstance(event, ev.PartReady | ev.KeyFound):
        journal.log("device", f"{name} ready", device=name, state="ready")
        return
    line = wording.part_line(name, event.reason)
    fields = {"device": name, "state": "missing", "reason": event.reason}
    journal.log("device", line, level=logging.WARNING, **fields)
