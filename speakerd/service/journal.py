"""What the daemon says: structured fields to the journal, plain lines to anything else.

Every other room logs with :mod:`logging` as usual; :func:`log` adds fields. Under systemd
``speakerd status`` is what is, the journal is what was::

    journalctl -u speakerd SPEAKERD_EVENT=turn
    journalctl -u speakerd SPEAKERD_EVENT=turn -o json

docs/journal.md has the events and their fields.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, TextIO

from speakerd.config.secret import redact
from speakerd.conversation.events import Usage
from speakerd.conversation.ledger import Kind, Outcome
from speakerd.service.repeats import Repeats
from speakerd.service.usage import by_modality
from speakerd.service.wording import count, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from speakerd.conversation.ledger import TurnRecord

EventName = Literal[
    "start",
    "config",
    "ready",
    "device",
    "link",
    "turn",
    "transcript",
    "notice",
    "forget",
    "mute",
    "timer",
    "reload",
    "watchdog",
    "stop",
    "bug",
    "log",
    "library",
]

#: The MESSAGE_ID of each kind of event (sd-id128(3)): made once, never changed.
MESSAGE_IDS: dict[EventName, str] = {
    "start": "3a3be1aedf304cb8956b29cd0f7f173d",
    "config": "12b9d15af4204d28a90abf3c2da0e8e6",
    "ready": "0fbe4d48967a4fd3a4d8d274f7d2e335",
    "device": "2f4b26e3845b4cb6a9d4d54bb39151d0",
    "link": "e3d855c335aa4ce9b9d85bc4ca4249d5",
    "turn": "35779654656048fd83af684be4cdb331",
    "transcript": "37436b7a52b847f18441ce670239d580",
    "notice": "b94a1a430b30492cae4e404dd3b48fda",
    "forget": "c73a3792470f4c5c85598a0efc7953be",
    "mute": "a598e1f4ae8c4efe9b20cf1d61d5016b",
    "timer": "503c4c3c251a4fc38e5ea1a7a5451cdd",
    "reload": "82736212c750448fa27e6bc2906be80d",
    "watchdog": "8c3fbc1f08f449afa48b5c50f6f6ed0c",
    "stop": "6e5d004c619048a5b6994f9308b3dbfa",
    "bug": "5b71b534c1cf42b0b7e42d820908531d",  # an error with its traceback, whoever logs it
    "log": "8d3a2c02dc404257b4f8b228b56aed78",  # any other line of speakerd's
    "library": "419b204ee1a6415abd86491cf065de01",  # a line of a library's
}

_LOGGER = logging.getLogger("speakerd")
#: At the debug level it logs every frame, with what was said in it.
_TALKATIVE = logging.getLogger("websockets")
_repeats = Repeats()
#: syslog(3) priorities.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """Send the log where it belongs: the journal under systemd, else stderr.

    ``level`` is that of ``SPEAKERD_LOG_LEVEL`` and counts for speakerd; libraries are heard from
    WARNING on, or all of them at ``debug``. None of ``secrets`` gets through, whoever logs it.
    Repeated lines are counted, but at ``debug``. May be called again.
    """
    kept = list(secrets)
    if _stderr_is_journal():
        from systemd.journal import send  # noqa: PLC0415 - not needed on a terminal

        handler: logging.Handler = JournalHandler(send, kept)
        _log_what_python_prints()
    else:
        handler = _StderrHandler()
        handler.setFormatter(
            _Redacting("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S", secrets=kept)
        )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, _Redacting):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    chosen = logging.getLevelNamesMapping()[level.upper()]
    libraries = chosen if chosen == logging.DEBUG else max(chosen, logging.WARNING)
    _LOGGER.setLevel(chosen)
    root.setLevel(libraries)
    _TALKATIVE.setLevel(max(libraries, logging.INFO))
    if chosen > logging.DEBUG:
        handler.addFilter(_repeats)


def log(event: EventName, message: str, /, *, level: int = logging.INFO, **fields: object) -> None:
    """Log ``message``, a line for people, with ``event`` and ``fields`` for programs.

    In the journal they are SPEAKERD_EVENT and SPEAKERD_<FIELD>; fields that are None are left out.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    _LOGGER.log(level, "%s", message, extra={"speakerd": {"event": event, **fields}}, stacklevel=2)


def news_again() -> None:
    """Somebody was there: what has been told before may be told again."""
    _repeats.forget()


def error_prefix() -> str:
    """What makes a line printed to stderr an error in the journal, where that is what stderr is.

    For what has to be said before there is a configuration (sd-daemon(3), ``SyslogLevelPrefix=``).
    """
    return "<3>" if _stderr_is_journal() else ""


class JournalHandler(logging.Handler):
    """Sends records by ``send``, which is :func:`systemd.journal.send` or like it.

    systemd's own handler would send every attribute of the record as a field of its own, among
    them the arguments before anything has been redacted.
    """

    def __init__(self, send: Callable[..., None], secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._send = send
        self._redacting = _Redacting("%(message)s", secrets=secrets)
        self.setFormatter(self._redacting)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            fields = {
                f"SPEAKERD_{name.upper()}": self._redacting.redact(str(value))
                for name, value in _fields(record).items()
            }
            self._send(
                self.format(record),
                MESSAGE_ID=MESSAGE_IDS[_event(record)],
                PRIORITY=_priority(record.levelno),
                SYSLOG_IDENTIFIER="speakerd",
                LOGGER=record.name,
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **fields,
            )
        except Exception:  # noqa: BLE001 - the contract of logging.Handler.emit
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as the base's
        """Say that a line is lost. The base would show its arguments, before any redaction."""
        _say_lost(record)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes lines to stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as the base's
        """Say that a line is lost. The base would show its arguments, before any redaction."""
        _say_lost(record)


def _say_lost(record: logging.LogRecord) -> None:
    reason = sys.exc_info()[0]
    name = reason.__name__ if reason is not None else "?"
    with contextlib.suppress(OSError, ValueError):  # stderr is closed, or full
        sys.stderr.write(f"a line of {record.name} is lost: {name}\n")


class _Redacting(logging.Formatter):
    """Formats with nothing of ``secrets`` in it, be it in the message or in a traceback."""

    def __init__(self, line: str, clock: str | None = None, *, secrets: Sequence[str]) -> None:
        super().__init__(line, clock)
        self._secrets = secrets

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """As usual, with the count of a line that repeats itself."""
        times = _times(record)
        return super().formatMessage(record) + (f" ({times} times)" if times else "")

    def format(self, record: logging.LogRecord) -> str:
        """As usual, with the secrets gone."""
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """``text`` with the secrets gone."""
        text = redact(text, self._secrets)
        return text.encode(errors="replace").decode()  # half a surrogate pair is no text


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = {"event": _event(record), **getattr(record, "speakerd", {})}
    if times := _times(record):
        fields["times"] = times
    return fields


def _event(record: logging.LogRecord) -> EventName:
    named: EventName | None = getattr(record, "speakerd", {}).get("event")
    if named is not None:
        return named
    if record.levelno >= logging.ERROR and record.exc_info:
        return "bug"
    return "log" if record.name.split(".")[0] == "speakerd" else "library"


def _times(record: logging.LogRecord) -> int | None:
    """How often this line was said; None for the first time."""
    times: int = getattr(record, "times", 1)
    return times if times > 1 else None


def _log_what_python_prints() -> None:
    """Stderr is the journal: what is printed there line by line would be an entry for each line."""

    def thread_died(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit:  # a thread's way of ending itself
            return
        name = args.thread.name if args.thread else "?"
        reason = args.exc_value or args.exc_type()
        _LOGGER.critical("the thread %s died", name, exc_info=reason)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        what = args.err_msg or "exception ignored in"
        _LOGGER.error("%s %r", what, args.object, exc_info=args.exc_value)

    threading.excepthook = thread_died
    sys.unraisablehook = unraisable
    logging.captureWarnings(capture=True)


def _priority(level: int) -> str:
    return str(next((priority for least, priority in _PRIORITIES if level >= least), 7))


def _stderr_is_journal() -> bool:
    """Whether stderr is what systemd has connected to the journal (systemd.exec(5))."""
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or replaced by something without one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


# --- a turn


def ledger(record: TurnRecord, cost_usd: float | None = None) -> dict[str, object]:
    """The turn for programs: milestones in ms after the press, None where there was none.

    ``cost_usd`` is what it has cost, None where that is not known.
    """

    def after_press_ms(at: float | None) -> float | None:
        return None if at is None else round(1000 * (at - record.pressed_at), 1)

    usage = record.usage
    modalities = by_modality(usage or Usage())
    return {
        "turn": record.turn,
        "kind": record.kind.value,
        "outcome": record.outcome.value if record.outcome is not None else None,
        "context": record.context.value,
        "model": record.model,
        "activity_start_ms": after_press_ms(record.activity_start_at),
        "first_audio_sent_ms": after_press_ms(record.first_audio_sent_at),
        "released_ms": after_press_ms(record.released_at),
        "utterance_ended_ms": after_press_ms(record.utterance_ended_at),
        "activity_end_ms": after_press_ms(record.activity_end_at),
        "first_reply_ms": after_press_ms(record.first_reply_at),
        "first_sample_ms": after_press_ms(record.first_sample_at),
        "generation_complete_ms": after_press_ms(record.generation_complete_at),
        "turn_complete_ms": after_press_ms(record.turn_complete_at),
        "drained_ms": after_press_ms(record.drained_at),
        "utterance_s": round(record.utterance_s, 3),
        "reply_s": round(record.reply_s, 3),
        "deliveries": record.deliveries,
        "underruns": record.underruns,
        "overruns": record.overruns,
        "gaps": record.gaps,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "response_tokens": usage.response_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
        **{name: tokens if usage else None for name, tokens in modalities.items()},
        "cost_usd": cost_usd,
    }


def turn_fields(record: TurnRecord, cost_usd: float | None = None) -> dict[str, Any]:
    """The turn for :func:`log`: the ledger without what there was not."""
    turn = ledger(record, cost_usd)
    return {name: value for name, value in turn.items() if value is not None}


def turn_line(record: TurnRecord, cost_usd: float | None = None) -> str:
    """The turn for people, in one line."""
    return ledger_line(ledger(record, cost_usd))


_BEGINNINGS = {Kind.TEXT.value: "asked in writing", Kind.ANNOUNCEMENT.value: "an announcement"}
_ENDS = {
    Outcome.ANSWERED.value: "",
    Outcome.SILENT.value: "the model chose to say nothing",
    Outcome.STOPPED.value: "stopped",
    Outcome.SPOKEN_ON.value: "spoken on before an answer",
    Outcome.CUT.value: "cut off",
    Outcome.NOT_DELIVERED.value: "not delivered",
    Outcome.NO_ANSWER.value: "delivered, but not answered",
    Outcome.RESULT_LOST.value: "a tool was run, but its answer was lost",
    Outcome.EMPTY.value: "nothing was heard",
    Outcome.SHUTDOWN.value: "ended by the shutdown",
}


def ledger_line(turn: Mapping[str, object]) -> str:
    """The same from a :func:`ledger`, as the status has it.

    Latencies count from the end of the utterance: from the release and its tail.
    """
    number = {name: value for name, value in turn.items() if isinstance(value, int | float)}
    parts = [
        _BEGINNINGS.get(str(turn.get("kind")), ""),
        f"spoke {number['utterance_s']:.1f} s" if number.get("utterance_s") else "",
        _latencies(number),
        _ENDS.get(str(turn.get("outcome")), ""),
        f"reply {number['reply_s']:.1f} s" if number.get("reply_s") else "",
        f"sent {number['deliveries']} times" if number.get("deliveries", 0) > 1 else "",
        *(
            count(int(number[f"{name}s"]), name)
            for name in ("underrun", "overrun", "gap")
            if number.get(f"{name}s")
        ),
        f"{number['total_tokens']} tokens" if "total_tokens" in number else "",
        usd(number["cost_usd"]) if "cost_usd" in number else "",
        f"context={turn.get('context')}",
    ]
    return f"turn {turn.get('turn')}: {', '.join(filter(None, parts))}"


def _latencies(number: Mapping[str, float]) -> str:
    ended_ms = number.get("utterance_ended_ms", 0.0)
    after_ms = {
        name: round(number[name] - ended_ms)
        for name in ("activity_end_ms", "first_reply_ms", "first_sample_ms")
        if name in number
    }
    steps = []
    if "activity_end_ms" in after_ms:
        steps.append(f"sent +{after_ms['activity_end_ms']} ms")
    if "first_reply_ms" in after_ms:
        steps.append(f"first byte {after_ms['first_reply_ms']} ms")
    if "first_sample_ms" not in after_ms:
        return ", ".join(steps)
    answered = f"answered after {after_ms['first_sample_ms']} ms"
    return f"{answered} ({', '.join(steps)})" if steps else answered
