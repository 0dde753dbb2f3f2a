"""What the daemon says: structured fields to the journal, plain lines to anything else.

Every other room logs with :mod:`logging` as usual; :func:`log` adds fields. Under systemd
``speakerd status`` is what is, the journal is what was::

    journalctl -u speakerd SPEAKERD_EVENT=turn
    journalctl -u speakerd SPEAKERD_EVENT=turn -o json
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from speakerd.conversation.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from speakerd.conversation.ledger import TurnRecord

_LOGGER = logging.getLogger("speakerd")
#: A shorter secret is not looked for: it would be found in half of all words.
_SHORTEST_SECRET = 8
#: syslog(3) priorities.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """Send the log where it belongs: the journal under systemd, else stderr.

    ``level`` is that of ``SPEAKERD_LOG_LEVEL`` and counts for speakerd; libraries are heard from
    WARNING on, or all of them at ``debug``. None of ``secrets`` gets through, whoever logs it.
    May be called again.
    """
    kept = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    if _stderr_is_journal():
        from systemd.journal import send  # noqa: PLC0415 - not needed on a terminal

        handler: logging.Handler = JournalHandler(send, kept)
    else:
        handler = logging.StreamHandler()
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
    _LOGGER.setLevel(chosen)
    root.setLevel(chosen if chosen == logging.DEBUG else max(chosen, logging.WARNING))


def log(event: str, message: str, /, *, level: int = logging.INFO, **fields: object) -> None:
    """Log ``message``, a line for people, with ``event`` and ``fields`` for programs.

    In the journal they are SPEAKERD_EVENT and SPEAKERD_<FIELD>; fields that are None are left out.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    _LOGGER.log(level, "%s", message, extra={"speakerd": {"event": event, **fields}}, stacklevel=2)


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
                for name, value in getattr(record, "speakerd", {}).items()
            }
            self._send(
                self.format(record),
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


class _Redacting(logging.Formatter):
    """Formats with nothing of ``secrets`` in it, be it in the message or in a traceback."""

    def __init__(self, line: str, clock: str | None = None, *, secrets: Sequence[str]) -> None:
        super().__init__(line, clock)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """As usual, with the secrets gone."""
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """``text`` with the secrets gone."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


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


def ledger(record: TurnRecord) -> dict[str, object]:
    """The turn for programs: milestones in ms after the press, None where there was none."""

    def after_press_ms(at: float | None) -> float | None:
        return None if at is None else round(1000 * (at - record.pressed_at), 1)

    usage = record.usage
    return {
        "turn": record.turn,
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
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "response_tokens": usage.response_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
    }


def turn_fields(record: TurnRecord) -> dict[str, Any]:
    """The turn for :func:`log`: the ledger without what there was not."""
    return {name: value for name, value in ledger(record).items() if value is not None}


def turn_line(record: TurnRecord) -> str:
    """The turn for people, in one line."""
    return ledger_line(ledger(record))


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
        f"spoke {number['utterance_s']:.1f} s" if number.get("utterance_s") else "",
        _latencies(number),
        _ENDS.get(str(turn.get("outcome")), ""),
        f"reply {number['reply_s']:.1f} s" if number.get("reply_s") else "",
        f"sent {number['deliveries']} times" if number.get("deliveries", 0) > 1 else "",
        *(f"{number[name]} {name}" for name in ("underruns", "overruns") if number.get(name)),
        f"{number['total_tokens']} tokens" if "total_tokens" in number else "",
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
