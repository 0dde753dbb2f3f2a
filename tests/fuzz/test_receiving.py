"""What the storms have found, one by one: a message, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.genai.live import AsyncSession
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close

from speakerd.conversation import events as ev
from speakerd.errors import FailureKind
from speakerd.live import messages
from speakerd.live.connection import TOLD_UNREADABLE, Connection, Outlets
from tests.fuzz import seeds
from tests.fuzz.wire import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

HONEST = seeds.encoded(seeds.content(turnComplete=True))


@pytest.fixture
def events() -> list[ev.Event]:
    return []


@pytest.fixture
def receiver(events: list[ev.Event]) -> Iterator[Receiver]:
    messages.prepare()
    outlets = Outlets(events.append, lambda *_: 0.0, lambda *_: None)
    receiver = Receiver(1, outlets, lambda: 0.0)
    yield receiver
    receiver.close()


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"<html>",
        b"[{}]",
        b'["toolCall"]',
        b'"serverContent"',
        b"1",
        b"null",
        b"\xff\xfe\xfa",
        b"[" * 100_000,
        b'{"futureField": {}}',
        b'{"code": 429, "message": "You exceeded your current quota"}',
        b'{"code": 1008}',
        b'{"code": 503}',
        b'{"error": {"code": 500}}',
        b'{"usageMetadata": {"promptTokenCount": ' + b"9" * 5_000 + b"}}",
        b'{"usageMetadata": {"trafficType": 7}}',
        b'{"voiceActivity": 7}',
        b'{"serverContent": []}',
        b'{"serverContent": {"interactionStatus": 7}}',
        b'{"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "A"}}]}}}',
    ],
)
def test_an_unreadable_message_costs_nothing_but_itself(
    receiver: Receiver, events: list[ev.Event], frame: bytes
) -> None:
    receiver.feed(frame)
    assert events == []
    receiver.feed(HONEST)
    assert events == [ev.TurnCompleted(1, 0)]


def test_an_unknown_word_is_read_over_without_a_warning(
    receiver: Receiver, events: list[ev.Event]
) -> None:
    content = {"turnComplete": True, "turnCompleteReason": "A_NEW_ONE", "interactionStatus": "NEW"}
    receiver.feed(json.dumps({"serverContent": content}).encode())
    assert events == [ev.TurnCompleted(1, 0)]


def test_a_flood_of_nonsense_is_counted_and_not_told_line_by_line(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(TOLD_UNREADABLE + 47):
        receiver.feed(b"nonsense %d" % number)
        receiver.feed(HONEST)
    assert len(caplog.messages) == TOLD_UNREADABLE
    receiver.close()
    assert caplog.messages[TOLD_UNREADABLE:] == [
        "passed over 47 more unreadable messages until the close"
    ]


def test_what_was_said_is_not_in_the_journal_where_it_cannot_be_read(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK quotes in its error the whole message that it has failed to read."""
    caplog.set_level(logging.DEBUG, "speakerd")
    receiver.feed(b'{"serverContent": {"inputTranscription": {"text": "my secret"}')
    receiver.feed(b'{"serverContent": {"inputTranscription": {"text": "my secret", "x": ["y"]}}}')
    assert "unreadable message" in caplog.text
    assert "my secret" not in caplog.text


class Flood:
    """A socket that always has another frame, and closes after ``count``."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def recv(self, decode: bool | None = None) -> bytes:  # noqa: ARG002 - its signature
        if not self.count:
            raise ConnectionClosedOK(Close(1000, ""), Close(1000, ""), rcvd_then_sent=True)
        self.count -= 1
        return b"nonsense"


async def test_others_have_their_turn_in_a_flood_of_nonsense() -> None:
    messages.prepare()
    outlets = Outlets(lambda _: None, lambda *_: 0.0, lambda *_: None)
    session = AsyncSession(cast("Any", SimpleNamespace(vertexai=False)), cast("Any", Flood(100)))
    receiving = asyncio.create_task(Connection(1, outlets)._receive(session))
    turns = 0
    while not receiving.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await receiving).kind is FailureKind.IDLE
    assert turns >= 100


def test_a_few_are_told_singly_and_that_is_all(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(TOLD_UNREADABLE):
        receiver.feed(b"nonsense")
    receiver.close()
    assert len(caplog.messages) == TOLD_UNREADABLE
    assert caplog.records[0].levelno == logging.WARNING


def test_the_line_about_a_message_is_short_and_printable(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.feed(b'{"code": 7, "status": "\\u001b[2J\\n' + b"x" * 1_000_000 + b'"}')
    receiver.feed(b"x" * 1_000_000)
    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert len(line) < 300
        assert line.isprintable()
