"""What a server message says, read through the SDK's own types."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.genai import types

from speakerd.conversation.events import ToolCall, Usage
from speakerd.live.messages import REPLY_RATE_HZ, Said, rate_hz, read


def parse(message: dict[str, Any]) -> Said:
    return read(types.LiveServerMessage.model_validate(message))


def audio_part(pcm: bytes, mime_type: str = "audio/pcm;rate=24000") -> dict[str, Any]:
    data = base64.b64encode(pcm).decode()
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def content(**fields: object) -> dict[str, Any]:
    return {"serverContent": fields}


def test_an_empty_message_says_nothing() -> None:
    assert parse({}) == Said()


def test_audio_parts_come_in_their_order_with_their_rates() -> None:
    parts = [audio_part(b"\1\0"), audio_part(b"\2\0", "audio/pcm;rate=16000")]
    assert parse(content(modelTurn={"parts": parts})).audio == (
        (b"\1\0", 24_000),
        (b"\2\0", 16_000),
    )


def test_parts_that_are_not_pcm_are_passed_over() -> None:
    parts = [
        {"text": "a thought", "thought": True},
        audio_part(b"png", "image/png"),
        audio_part(b"\1\0"),
        audio_part(b"ogg", "audio/ogg"),
    ]
    assert parse(content(modelTurn={"parts": parts})).audio == ((b"\1\0", 24_000),)


@pytest.mark.parametrize(
    ("mime_type", "rate"),
    [
        ("audio/pcm", REPLY_RATE_HZ),
        ("audio/pcm;rate=48000", 48_000),
        ("audio/pcm; rate=16000; channels=1", 16_000),
        ("audio/pcm;rate=x", REPLY_RATE_HZ),
    ],
)
def test_the_mime_type_names_the_rate(mime_type: str, rate: int) -> None:
    assert rate_hz(mime_type) == rate


def test_everything_that_comes_together_is_read() -> None:
    said = parse(
        {
            "serverContent": {
                "modelTurn": {"parts": [audio_part(b"\1\0")]},
                "inputTranscription": {"text": "hello"},
                "outputTranscription": {"text": "hi"},
                "generationComplete": True,
                "turnComplete": True,
                "interrupted": True,
            },
            "usageMetadata": {
                "promptTokenCount": 3,
                "responseTokenCount": 4,
                "totalTokenCount": 7,
            },
        }
    )
    assert said == Said(
        audio=((b"\1\0", 24_000),),
        heard="hello",
        spoken="hi",
        generation_complete=True,
        interrupted=True,
        turn_complete=True,
        usage=Usage(3, 4, 7),
    )


def test_a_turn_complete_of_an_answer_in_progress_ends_only_an_utterance() -> None:
    assert not parse(content(turnComplete=True, interactionStatus="IN_PROGRESS")).turn_complete
    assert parse(content(turnComplete=True, interactionStatus="IDLE")).turn_complete


@pytest.mark.parametrize(
    ("update", "handle"),
    [
        ({"newHandle": "h", "resumable": True}, "h"),
        ({"newHandle": "h"}, None),
        ({"newHandle": "", "resumable": True}, None),
        ({}, None),
    ],
)
def test_only_a_resumable_handle_counts(update: dict[str, Any], handle: str | None) -> None:
    assert parse({"sessionResumptionUpdate": update}).handle == handle


@pytest.mark.parametrize(
    ("time_left", "seconds"), [("50s", 50.0), ("1.5s", 1.5), ("soon", 0.0), (None, 0.0)]
)
def test_go_away_says_how_long(time_left: str | None, seconds: float) -> None:
    assert parse({"goAway": {"timeLeft": time_left}}).go_away_s == seconds


def test_tool_calls_and_their_cancellation() -> None:
    call = {"id": "1", "name": "lamp", "args": {"on": True}}
    assert parse({"toolCall": {"functionCalls": [call, {"name": "no id"}]}}).calls == (
        ToolCall("1", "lamp", {"on": True}),
    )
    assert parse({"toolCallCancellation": {"ids": ["1"]}}).cancelled == ("1",)
