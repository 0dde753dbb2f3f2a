"""What the daemon says: to the journal with fields, to a terminal in plain lines, never a key."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING, get_args

import pytest

from speakerd.conversation.events import Usage
from speakerd.conversation.ledger import Context, Kind, Outcome, TurnRecord
from speakerd.service import journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "AIzaSyTest-key_0123456789"


pytestmark = pytest.mark.usefixtures("logging_as_before")


# --- a terminal


def test_a_terminal_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("info")
    logging.getLogger("speakerd.daemon").info("ready: %s", "hold the button")
    journal.log("turn", "turn 1: spoke", turn=1)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "INFO    ready: hold the button",
        "INFO    turn 1: spoke",
    ]


def test_a_line_that_cannot_be_made_shows_none_of_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The library would print them as they are, with the key in them."""
    journal.configure("info", secrets=[KEY])
    record = logging.LogRecord("speakerd.live", logging.WARNING, "", 1, "%d", (KEY,), None)
    (handler,) = (
        each for each in logging.getLogger().handlers if "speakerd" in type(each).__module__
    )
    handler.handle(record)
    assert capsys.readouterr().err == "a line of speakerd.live is lost: TypeError\n"


def test_a_key_that_is_cut_off_is_hidden_too(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("info", secrets=[KEY])
    logging.getLogger("speakerd").warning("Consumer api_key:%s", KEY[:-6])
    assert "AIza" not in capsys.readouterr().err


def test_a_journal_that_stderr_is_not_connected_to_is_not_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
    journal.configure("info")
    journal.log("turn", "hello")
    assert "hello" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["own debug", "own info", "library debug", "library warning", "frame warning"]),
        ("info", ["own info", "library warning", "frame warning"]),
        ("error", []),
    ],
)
def test_libraries_are_heard_from_warning_on_unless_all_is_wanted(
    capsys: pytest.CaptureFixture[str], level: str, heard: list[str]
) -> None:
    journal.configure(level)
    own, library = logging.getLogger("speakerd.daemon"), logging.getLogger("asyncio")
    frames = logging.getLogger("websockets.client")
    own.debug("own debug")
    own.info("own info")
    library.debug("library debug")
    library.warning("library warning")
    frames.debug("frame: what was said is in it")
    frames.warning("frame warning")
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().err.splitlines()] == heard


def test_configuring_again_replaces_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("info")
    journal.configure("warning", secrets=[KEY])
    logging.getLogger("speakerd").info("quiet")
    logging.getLogger("speakerd").warning("loud")
    assert capsys.readouterr().err.count("\n") == 1


# --- secrets


def say_the_key_in_every_way() -> None:
    log = logging.getLogger("websockets.client")
    log.warning("key is %s", KEY)
    log.warning("headers: %r", {"x-goog-api-key": KEY})
    try:
        json.loads(KEY)
    except ValueError as error:
        error.add_note(f"GET wss://host/?key={KEY}")
        log.exception("it failed", stack_info=True)
    journal.log("link", f"refused: {KEY}", level=logging.WARNING, reason=f"key {KEY} refused")


def test_no_secret_reaches_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("debug", secrets=[KEY, ""])
    say_the_key_in_every_way()
    text = capsys.readouterr().err
    assert KEY not in text
    assert text.count("[secret]") == 4
    assert "Traceback" in text


def test_no_secret_reaches_the_journal(under_systemd: Callable[..., list[dict[str, str]]]) -> None:
    entries = under_systemd("debug", secrets=[KEY])
    say_the_key_in_every_way()
    assert len(entries) == 4
    assert KEY not in str(entries)
    assert "Traceback" in entries[2]["MESSAGE"]
    assert entries[3]["SPEAKERD_REASON"] == "key [secret] refused"


# --- the journal


def test_the_journal_gets_fields(under_systemd: Callable[..., list[dict[str, str]]]) -> None:
    entries = under_systemd("info")
    journal.log("link", "closed", level=logging.WARNING, code=None, kind="network", after_s=1.5)
    (entry,) = entries
    assert entry.pop("CODE_LINE").isdigit()
    assert entry == {
        "MESSAGE": "closed",
        "MESSAGE_ID": journal.MESSAGE_IDS["link"],
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "speakerd",
        "LOGGER": "speakerd",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_the_journal_gets_fields",
        "SPEAKERD_EVENT": "link",
        "SPEAKERD_KIND": "network",
        "SPEAKERD_AFTER_S": "1.5",
    }


@pytest.mark.parametrize(
    ("level", "priority"),
    [("DEBUG", "7"), ("INFO", "6"), ("WARNING", "4"), ("ERROR", "3"), ("CRITICAL", "2")],
)
def test_levels_become_priorities(
    under_systemd: Callable[..., list[dict[str, str]]], level: str, priority: str
) -> None:
    entries = under_systemd("debug")
    logging.getLogger("speakerd.audio").log(logging.getLevelNamesMapping()[level], "hello")
    assert [(entry["PRIORITY"], entry["LOGGER"]) for entry in entries] == [
        (priority, "speakerd.audio")
    ]


@pytest.mark.parametrize(
    ("logger", "with_traceback", "event"),
    [
        ("speakerd", False, "log"),
        ("speakerd.audio.speaker", False, "log"),
        ("asyncio", False, "library"),
        ("speakerd", True, "bug"),
        ("asyncio", True, "bug"),
    ],
)
def test_every_line_has_an_event_and_its_id(
    under_systemd: Callable[..., list[dict[str, str]]],
    logger: str,
    with_traceback: bool,
    event: journal.EventName,
) -> None:
    entries = under_systemd("info")
    error = OSError("broken") if with_traceback else None
    logging.getLogger(logger).error("something", exc_info=error)
    (entry,) = entries
    assert entry["SPEAKERD_EVENT"] == event
    assert entry["MESSAGE_ID"] == journal.MESSAGE_IDS[event]


def test_the_ids_are_128_bits_and_no_two_are_the_same() -> None:
    ids = list(journal.MESSAGE_IDS.values())
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert len(set(ids)) == len(ids) == len(get_args(journal.EventName))


def test_a_traceback_is_one_entry(under_systemd: Callable[..., list[dict[str, str]]]) -> None:
    entries = under_systemd("info")
    try:
        json.loads("[\n")
    except ValueError:
        logging.getLogger("speakerd").critical("internal error", exc_info=True)
    (entry,) = entries
    assert entry["PRIORITY"] == "2"
    lines = entry["MESSAGE"].splitlines()
    assert lines[:2] == ["internal error", "Traceback (most recent call last):"]
    assert lines[-1].startswith("json.decoder.JSONDecodeError: ")


def test_a_thread_that_dies_is_one_entry(
    under_systemd: Callable[..., list[dict[str, str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    entries = under_systemd("info")

    def die(error: type[BaseException]) -> None:
        raise error("of old age")

    for error in (RuntimeError, SystemExit):  # the second is a thread's way of ending itself
        thread = threading.Thread(target=die, args=(error,), name="worker")
        thread.start()
        thread.join()
    (entry,) = entries
    assert entry["SPEAKERD_EVENT"] == "bug"
    assert entry["MESSAGE"].startswith("the thread worker died\nTraceback ")
    assert entry["MESSAGE"].endswith("RuntimeError: of old age")
    assert capfd.readouterr().err == ""


def test_what_python_cannot_raise_is_one_entry(
    under_systemd: Callable[..., list[dict[str, str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    entries = under_systemd("info")

    class Fragile:
        def __del__(self) -> None:
            raise OSError("too late")

    Fragile()
    gc.collect()
    (entry,) = entries
    assert entry["SPEAKERD_EVENT"] == "bug"
    assert "OSError: too late" in entry["MESSAGE"]
    assert capfd.readouterr().err == ""


def test_a_librarys_warning_is_one_entry(
    under_systemd: Callable[..., list[dict[str, str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    entries = under_systemd("info")
    warnings.simplefilter("always")
    warnings.warn("this is old", DeprecationWarning, stacklevel=1)
    (entry,) = entries
    assert (entry["SPEAKERD_EVENT"], entry["LOGGER"]) == ("library", "py.warnings")
    assert "DeprecationWarning: this is old" in entry["MESSAGE"]
    assert capfd.readouterr().err == ""


# --- what repeats itself


def test_repeated_lines_are_counted(under_systemd: Callable[..., list[dict[str, str]]]) -> None:
    entries = under_systemd("info")
    for _ in range(1000):
        journal.log("device", "microphone missing", level=logging.WARNING)
    told = [(entry["MESSAGE"], entry.get("SPEAKERD_TIMES")) for entry in entries]
    assert told[:3] == [
        ("microphone missing", None),
        ("microphone missing (2 times)", "2"),
        ("microphone missing (4 times)", "4"),
    ]
    assert told[-1] == ("microphone missing (512 times)", "512")
    assert len(told) == 10


def test_when_somebody_was_there_it_is_news_again(
    under_systemd: Callable[..., list[dict[str, str]]],
) -> None:
    entries = under_systemd("info")
    for _ in range(3):
        journal.log("device", "microphone missing")
    journal.news_again()
    journal.log("device", "microphone missing")
    assert entries[-1]["MESSAGE"] == "microphone missing"


def test_the_debug_level_has_them_all(
    under_systemd: Callable[..., list[dict[str, str]]],
) -> None:
    entries = under_systemd("debug")
    for _ in range(10):
        journal.log("device", "microphone missing")
    assert [entry["MESSAGE"] for entry in entries] == ["microphone missing"] * 10


def test_a_terminal_gets_the_count_too(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("info")
    for _ in range(2):
        journal.log("device", "microphone missing")
    assert capsys.readouterr().err.endswith("INFO    microphone missing (2 times)\n")


@pytest.mark.parametrize(("connected", "prefix"), [(True, "<3>"), (False, "")])
def test_a_plain_line_can_be_an_error_in_the_journal(
    connected: bool, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stderr").open("w") as stderr:
        stat = os.fstat(stderr.fileno())
        monkeypatch.setattr(sys, "stderr", stderr)
        number = stat.st_ino if connected else stat.st_ino + 1
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{number}")
        assert journal.error_prefix() == prefix


def test_without_systemds_stream_its_library_is_not_imported() -> None:
    program = (
        "import sys; from speakerd.service import journal, notify; journal.configure('info');"
        "notify.Notifier().ready(); sys.exit('systemd' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- a turn


def answered() -> TurnRecord:
    """A turn whose times are easy to read: pressed at 100 s, released after two seconds."""
    return TurnRecord(
        12,
        "gemini-3.8-live",
        pressed_at=100.0,
        activity_start_at=100.253,
        first_audio_sent_at=100.254,
        released_at=102.0,
        utterance_ended_at=102.3,
        activity_end_at=102.303,
        first_reply_at=102.91,
        first_sample_at=102.94,
        generation_complete_at=104.0,
        turn_complete_at=106.2,
        drained_at=106.34,
        utterance_s=2.1,
        reply_s=3.4,
        deliveries=1,
        usage=Usage(700, 112, 812, text_in=60, thought_tokens=33),
        context=Context.RESUMED,
        outcome=Outcome.ANSWERED,
    )


def unanswered(outcome: Outcome) -> TurnRecord:
    return TurnRecord(
        3,
        "gemini-3.8-live",
        pressed_at=100.0,
        released_at=101.0,
        utterance_ended_at=101.3,
        activity_end_at=101.304,
        utterance_s=1.6,
        deliveries=2,
        outcome=outcome,
    )


def test_an_answered_turn_is_one_readable_line() -> None:
    assert journal.turn_line(answered(), 0.00412) == (
        "turn 12: spoke 2.1 s, answered after 640 ms (sent +3 ms, first byte 610 ms), "
        "reply 3.4 s, 812 tokens, 0.0041 USD, context=resumed"
    )


def test_trouble_is_in_the_line() -> None:
    record = answered()
    record.outcome = Outcome.CUT
    record.deliveries, record.underruns, record.overruns, record.usage = 2, 3, 1, None
    record.gaps = 2
    assert journal.turn_line(record) == (
        "turn 12: spoke 2.1 s, answered after 640 ms (sent +3 ms, first byte 610 ms), cut off, "
        "reply 3.4 s, sent 2 times, 3 underruns, 1 overrun, 2 gaps, context=resumed"
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words(outcome: Outcome) -> None:
    words = {
        Outcome.ANSWERED: "",
        Outcome.SILENT: ", the model chose to say nothing",
        Outcome.STOPPED: ", stopped",
        Outcome.SPOKEN_ON: ", spoken on before an answer",
        Outcome.CUT: ", cut off",
        Outcome.NOT_DELIVERED: ", not delivered",
        Outcome.NO_ANSWER: ", delivered, but not answered",
        Outcome.RESULT_LOST: ", a tool was run, but its answer was lost",
        Outcome.EMPTY: ", nothing was heard",
        Outcome.SHUTDOWN: ", ended by the shutdown",
    }
    assert journal.turn_line(unanswered(outcome)) == (
        f"turn 3: spoke 1.6 s, sent +4 ms{words[outcome]}, sent 2 times, context=none"
    )


def test_a_turn_of_text_has_no_speech() -> None:
    record = answered()
    record.utterance_s = 0.0
    record.kind = Kind.TEXT
    said = journal.turn_line(record)
    assert said.startswith("turn 12: asked in writing, answered after 640 ms ")
    record.kind = Kind.ANNOUNCEMENT
    assert journal.turn_line(record).startswith("turn 12: an announcement, answered after 640 ms ")


def test_a_turn_that_has_just_begun_has_a_line_too() -> None:
    assert journal.turn_line(TurnRecord(1, "m", pressed_at=5.0)) == "turn 1: context=none"


def test_the_ledger_counts_from_the_press() -> None:
    assert journal.ledger(answered(), 0.0041) == {
        "turn": 12,
        "kind": "speech",
        "outcome": "answered",
        "context": "resumed",
        "model": "gemini-3.8-live",
        "activity_start_ms": 253.0,
        "first_audio_sent_ms": 254.0,
        "released_ms": 2000.0,
        "utterance_ended_ms": 2300.0,
        "activity_end_ms": 2303.0,
        "first_reply_ms": 2910.0,
        "first_sample_ms": 2940.0,
        "generation_complete_ms": 4000.0,
        "turn_complete_ms": 6200.0,
        "drained_ms": 6340.0,
        "utterance_s": 2.1,
        "reply_s": 3.4,
        "deliveries": 1,
        "underruns": 0,
        "overruns": 0,
        "gaps": 0,
        "prompt_tokens": 700,
        "response_tokens": 112,
        "total_tokens": 812,
        "audio_in_tokens": 640,
        "text_in_tokens": 60,
        "image_in_tokens": 0,
        "audio_out_tokens": 112,
        "text_out_tokens": 0,
        "thought_tokens": 33,
        "tool_tokens": 0,
        "cost_usd": 0.0041,
    }


def test_the_ledger_has_every_key_whatever_happened_and_the_fields_only_what_did() -> None:
    begun = TurnRecord(1, "m", pressed_at=5.0)
    ledger = journal.ledger(begun)
    assert ledger.keys() == journal.ledger(answered()).keys()
    assert ledger["first_reply_ms"] is None
    assert "first_reply_ms" not in journal.turn_fields(begun)
    assert journal.turn_fields(answered(), 0.1) == journal.ledger(answered(), 0.1)


def test_a_turn_reaches_the_journal_as_fields(
    under_systemd: Callable[..., list[dict[str, str]]],
) -> None:
    entries = under_systemd("info")
    record = answered()
    journal.log("turn", journal.turn_line(record), **journal.turn_fields(record))
    (entry,) = entries
    assert entry["SPEAKERD_TURN"] == "12"
    assert entry["SPEAKERD_FIRST_SAMPLE_MS"] == "2940.0"
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) for name in entry)
