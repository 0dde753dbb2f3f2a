"""The journal says why there is no connection, and does not fill the disk with it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from speakerd.conversation.core import Core, Status
from speakerd.errors import Failure, FailureKind
from speakerd.service.linklog import LinkLog

REFUSED = Failure(FailureKind.NETWORK, "Connection refused")
STATUS = replace(Core().status, model="m", context="resumed")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "speakerd")


def news(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


def test_a_night_without_a_network_is_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog()
    for generation in range(1, 501):
        log.closed(generation, REFUSED)
    told = news(caplog)
    assert told[0] == "no connection: Connection refused"
    assert told[1] == "no connection: Connection refused (2 times)"
    assert told[-1] == "no connection: Connection refused (256 times)"
    assert len(told) == 9
    assert len(caplog.records) == 500, "the debug level has them all"
    log.opened(501, STATUS)
    assert news(caplog)[-1] == "connected to m, context=resumed, after 501 tries"


@pytest.mark.parametrize(("failed", "after"), [(0, ""), (1, ", after 2 tries")])
def test_a_connection_that_is_made_at_once_counts_no_tries(
    caplog: pytest.LogCaptureFixture, failed: int, after: str
) -> None:
    log = LinkLog()
    for generation in range(failed):
        log.closed(generation + 1, REFUSED)
    log.opened(failed + 1, STATUS)
    assert news(caplog)[-1] == f"connected to m, context=resumed{after}"


def test_a_night_in_which_nobody_answers_is_a_few_lines_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LinkLog()
    for generation in range(1, 501):
        log.given_up(generation, Failure(FailureKind.TIMEOUT, "no answer in 10 s"))
        log.closed(generation, None)
    assert len(news(caplog)) == 9
    log.opened(501, STATUS)
    assert news(caplog)[-1].endswith("after 501 tries")


@pytest.mark.parametrize("kind", FailureKind)
def test_a_night_of_connections_that_do_not_last_is_a_few_lines_as_well(
    kind: FailureKind, caplog: pytest.LogCaptureFixture
) -> None:
    log = LinkLog()
    for generation in range(1, 501):
        log.opened(generation, STATUS)
        log.closed(generation, Failure(kind, "because", 1008))
    assert len(news(caplog)) == 18
    level = logging.INFO if kind is FailureKind.IDLE else logging.WARNING
    assert {r.levelno for r in caplog.records if "closed" in r.getMessage()} == {
        logging.DEBUG,
        level,
    }


def test_another_reason_is_news(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog()
    for generation in range(1, 4):
        log.closed(generation, REFUSED)
    log.closed(4, Failure(FailureKind.KEY, "API key not valid", 1007))
    log.given_up(5, Failure(FailureKind.TIMEOUT, "no answer in 10 s"))
    assert news(caplog)[-2:] == [
        "no connection: 1007 API key not valid",
        "connection given up: no answer in 10 s",
    ]


def test_after_a_turn_everything_is_news_again(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog()
    for generation in (1, 2, 3):
        log.opened(generation, STATUS)
        log.closed(generation, None)
    log.turn_ended()
    log.opened(4, STATUS)
    log.closed(4, None)
    assert news(caplog)[-2:] == ["connected to m, context=resumed", "connection closed"]


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
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    given_up = [(logging.WARNING, "connection given up: no answer")] if reason else []
    assert told == [*given_up, (logging.INFO, "connection closed")]


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
        "the server refuses search for m: going on without it",
        "m is asked for everything again",
    ]


def test_what_is_counted_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog()
    for generation in range(1, 1001):
        log.closed(generation, Failure(FailureKind.NETWORK, f"port {generation}"))
    assert len(news(caplog)) == 1000
    assert len(log._told) <= 100
