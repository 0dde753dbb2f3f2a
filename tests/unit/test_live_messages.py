"""What a server message says, read through the SDK's own types."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.genai import types

from speakerd.conversation.events import ToolCall, Usage
from speakerd.live.messages import (
    MAX_ARGS,
    MAX_ARGS_DEPTH,
    MAX_CALLS,
    MAX_HANDLE_BYTES,
    MAX_NAME,
    MAX_TEXT,
    MAX_TIME_LEFT_S,
    REPLY_RATE_HZ,
    Said,
    rate_hz,
    read,
)


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


@pytest.mark.parametrize("status", ["IN_PROGRESS", "REQUIRES_ACTION"])
def test_a_turn_complete_of_an_answer_in_progress_ends_only_a_part_of_it(status: str) -> None:
    said = parse(content(turnComplete=True, interactionStatus=status))
    assert (said.turn_complete, said.goes_on) == (False, True)


@pytest.mark.parametrize(
    ("kind", "voice"),
    [("ACTIVITY_START", True), ("ACTIVITY_END", False), ("TYPE_UNSPECIFIED", None), (None, None)],
)
def test_somebody_is_heard(kind: str | None, voice: bool | None) -> None:
    assert parse({"voiceActivity": {"voiceActivityType": kind}}).voice is voice


def test_a_turn_complete_of_an_idle_model_is_the_end() -> None:
    said = parse(content(turnComplete=True, interactionStatus="IDLE"))
    assert (said.turn_complete, said.goes_on) == (True, False)


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


def resumable(handle: str) -> str | None:
    return parse({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}).handle


def test_a_handle_that_no_sd_card_should_hold_is_not_kept() -> None:
    assert resumable("h" * MAX_HANDLE_BYTES) == "h" * MAX_HANDLE_BYTES
    assert resumable("h" * (MAX_HANDLE_BYTES + 1)) is None
    assert resumable("é" * (MAX_HANDLE_BYTES // 2 + 1)) is None
    assert resumable("\ud800") is None  # nothing can write it


@pytest.mark.parametrize("rate", ["0", "1", "999999", "9" * 400])
def test_sound_at_a_rate_that_nobody_can_play_is_no_answer(rate: str) -> None:
    parts = [audio_part(b"\1\0", f"audio/pcm;rate={rate}"), audio_part(b"\2\0")]
    assert parse(content(modelTurn={"parts": parts})).audio == ((b"\2\0", 24_000),)


@pytest.mark.parametrize(
    ("time_left", "seconds"),
    [("9" * 400 + "s", MAX_TIME_LEFT_S), ("1e9s", 0.0), ("-1s", 0.0), ("nans", 0.0), ("infs", 0.0)],
)
def test_an_absurd_time_left_stays_finite(time_left: str, seconds: float) -> None:
    assert parse({"goAway": {"timeLeft": time_left}}).go_away_s == seconds


@pytest.mark.parametrize("count", [-1, 2**31, 10**30])
def test_what_cannot_be_a_number_of_tokens_counts_for_none(count: int) -> None:
    usage = {"promptTokenCount": count, "responseTokenCount": 4, "totalTokenCount": count}
    assert parse({"usageMetadata": usage}).usage == Usage(0, 4, 0)


def test_a_transcription_is_cut_and_can_be_written() -> None:
    said = parse(content(inputTranscription={"text": "z" * 1_000_000}))
    assert said.heard == "z" * MAX_TEXT
    said = parse(content(outputTranscription={"text": "a\ud800b"}))
    assert said.spoken == "a\N{REPLACEMENT CHARACTER}b"


def nested(depth: int) -> object:
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "i" * (MAX_NAME + 1)},
        {"name": "n" * (MAX_NAME + 1)},
        {"name": "\ud800"},
        {"args": {"a": "b" * MAX_ARGS}},
        {"args": {"a": [0] * MAX_ARGS}},
        {"args": nested(MAX_ARGS_DEPTH)},
        {"args": {"a": float("nan")}},
        {"args": {"a": 10**400}},
        {"args": {"a": ["\ud800"]}},
        {"args": {"\ud800": 1}},
    ],
    ids=lambda broken: f"{next(iter(broken))}-{len(str(broken))}",
)
def test_a_call_that_no_tool_should_see_is_passed_over(broken: dict[str, Any]) -> None:
    args = {"on": True, "x": [1.5, None, "é", {}]}
    good = {"id": "1", "name": "lamp", "args": args}
    calls = parse({"toolCall": {"functionCalls": [{**good, **broken}, good]}}).calls
    assert calls == (ToolCall("1", "lamp", args),)


def test_only_so_many_calls_are_taken_from_one_message() -> None:
    calls = [{"id": str(number), "name": "lamp"} for number in range(MAX_CALLS + 1)]
    assert len(parse({"toolCall": {"functionCalls": calls}}).calls) == MAX_CALLS


def test_only_what_can_be_a_call_is_cancelled() -> None:
    ids = ["", "1", "i" * (MAX_NAME + 1), "\ud800"]
    assert parse({"toolCallCancellation": {"ids": ids}}).cancelled == ("1",)


def test_text_is_told_from_sound_for_it_costs_less() -> None:
    usage = {
        "promptTokenCount": 100,
        "responseTokenCount": 50,
        "totalTokenCount": 157,
        "thoughtsTokenCount": 7,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 60},
            {"modality": "TEXT", "tokenCount": 30},
            {"modality": "TEXT", "tokenCount": 10},
            {"modality": "TEXT", "tokenCount": -5},
            {"tokenCount": 3},
        ],
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 2}],
    }
    assert parse({"usageMetadata": usage}).usage == Usage(100, 50, 157, 40, 2, 7)
