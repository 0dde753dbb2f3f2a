"""The journal says when a connection is made, and why there is none."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.core import Core
from speakerd.errors import Failure, FailureKind
from speakerd.service.linklog import LinkLog

if TYPE_CHECKING:
    from speakerd.conversation.status import Status

REFUSED = Failure(FailureKind.NETWORK, "Connection refused")
STATUS = replace(Core().status, model="m", context="resumed")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "speakerd")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


def fields(record: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = record.speakerd  # type: ignore[attr-defined]  # journal.log's extra
    return found


@pytest.mark.parametrize(("failed", "after"), [(0, ""), (1, ", after 2 tries")])
def test_a_connection_that_is_made_at_once_counts_no_tries(
    caplog: pytest.LogCaptureFixture, failed: int, after: str
) -> None:
    log = LinkLog()
    for generation in range(failed):
        log.closed(generation + 1, REFUSED)
    log.opened(failed + 1, STATUS)
    assert told(caplog)[-1] == f"connected to m, context=resumed{after}"


@pytest.mark.parametrize(
    ("told", "said"), [(0, ""), (1, ", with the last turn"), (5, ", with the last 5 turns")]
)
def test_a_fresh_session_that_was_told_how_it_went_before(
    caplog: pytest.LogCaptureFixture, told: int, said: str
) -> None:
    LinkLog().opened(1, replace(STATUS, context="fresh"), told)
    (record,) = caplog.records
    assert record.getMessage() == f"connected to m, context=fresh{said}"
    assert fields(record).get("told") == (told or None)


def test_what_was_given_up_counts_as_a_try(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog()
    for generation in (1, 2):
        log.given_up(generation, Failure(FailureKind.TIMEOUT, "no answer in 10 s"))
        log.closed(generation, None)
    log.opened(3, STATUS)
    assert told(caplog) == [
        *["connection given up: no answer in 10 s"] * 2,
        "connected to m, context=resumed, after 3 tries",
    ]


@pytest.mark.parametrize("kind", FailureKind)
def test_a_close_is_a_warning_unless_it_is_normal(
    kind: FailureKind, caplog: pytest.LogCaptureFixture
) -> None:
    log = LinkLog()
    log.opened(1, STATUS)
    log.closed(1, Failure(kind, "because", 1008))
    record = caplog.records[-1]
    assert record.getMessage() == "connection closed: 1008 because"
    assert record.levelno == (logging.INFO if kind is FailureKind.IDLE else logging.WARNING)
    assert fields(record) == {
        "event": "link",
        "link": "closed",
        "generation": 1,
        "kind": kind.value,
        "code": 1008,
    }


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (REFUSED, "no connection: Connection refused (speakerd doctor looks why)"),
        (
            Failure(FailureKind.TIMEOUT, "no answer"),
            "no connection: no answer (speakerd doctor looks why)",
        ),
        (
            Failure(FailureKind.KEY, "API key not valid", 1007),
            "no connection: 1007 API key not valid",
        ),
    ],
)
def test_a_connection_that_cannot_be_made_says_why_and_what_to_do(
    caplog: pytest.LogCaptureFixture, failure: Failure, line: str
) -> None:
    LinkLog().closed(1, failure)
    assert told(caplog) == [line]


@pytest.mark.parametrize("reason", [None, Failure(FailureKind.TIMEOUT, "no answer")])
def test_a_close_of_our_own_is_no_trouble_unless_there_is_a_reason_for_it(
    caplog: pytest.LogCaptureFixture, reason: Failure | None
) -> None:
    log = LinkLog()
    log.opened(1, STATUS)
    caplog.clear()
    if reason is not None:
        log.given_up(1, reason)
    log.closed(1, None)
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    given_up = [(logging.WARNING, "connection given up: no answer")] if reason else []
    assert lines == [*given_up, (logging.INFO, "connection closed")]


def without(*features: str) -> Status:
    return replace(STATUS, without=features)


def test_what_the_server_refuses_of_the_setup_is_told_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LinkLog()
    for status in (STATUS, without("search"), without("search"), STATUS):
        log.opened(1, status)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == [
        "the server refuses search (SPEAKERD_GOOGLE_SEARCH) for m: going on without it",
        "m is asked for everything again",
    ]


def test_a_goaway_is_for_the_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    LinkLog().going_away(3, 50.0)
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "the server closes the connection in 50 s"
