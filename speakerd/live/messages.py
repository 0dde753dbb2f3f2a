"""What a server message says, in our words: pure, no I/O.

The SDK's message has some thirty optional fields, several of which may come together; this is
the one place that reads them. Whatever is not known is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.conversation.events import ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.genai import types

#: The rate of reply audio whose mime type names none, in Hz (Live API guide, "Audio formats").
REPLY_RATE_HZ = 24_000

_RATE = re.compile(r"rate\s*=\s*(\d{4,6})\b")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True)
class Said:
    """One server message. ``audio`` are the chunks of S16_LE mono PCM with their rates in Hz."""

    audio: tuple[tuple[bytes, int], ...] = ()
    heard: str = ""  # a piece of the transcription of what the person said
    spoken: str = ""  # a piece of the transcription of the answer
    generation_complete: bool = False
    interrupted: bool = False
    turn_complete: bool = False
    usage: Usage | None = None
    go_away_s: float | None = None
    handle: str | None = None
    calls: tuple[ToolCall, ...] = ()
    cancelled: tuple[str, ...] = ()


def prepare() -> None:
    """Let the SDK build its message types now: it does at their first use, and that takes long."""
    from google.genai import types

    types.LiveServerMessage.model_validate(
        {
            "server_content": {
                "model_turn": {"parts": [{"inline_data": {"data": b"", "mime_type": "audio/pcm"}}]},
                "output_transcription": {"text": ""},
            },
            "session_resumption_update": {"resumable": True},
            "usage_metadata": {"total_token_count": 0},
        }
    )
    types.LiveSendRealtimeInputParameters.model_validate(
        {"audio": types.Blob(data=b"", mime_type="audio/pcm")}
    )


def read(message: types.LiveServerMessage) -> Said:
    """Read one message of the SDK."""
    content = message.server_content
    tool_call = message.tool_call
    cancellation = message.tool_call_cancellation
    return Said(
        audio=tuple(_audio(content)) if content else (),
        heard=_text(content.input_transcription) if content else "",
        spoken=_text(content.output_transcription) if content else "",
        generation_complete=bool(content and content.generation_complete),
        interrupted=bool(content and content.interrupted),
        turn_complete=bool(content and content.turn_complete and not _goes_on(content)),
        usage=_usage(message.usage_metadata),
        go_away_s=_time_left_s(message.go_away),
        handle=_handle(message.session_resumption_update),
        calls=tuple(_calls(tool_call)) if tool_call else (),
        cancelled=tuple(cancellation.ids or ()) if cancellation else (),
    )


def rate_hz(mime_type: str) -> int:
    """The sample rate an ``audio/...`` mime type names, or the default one."""
    match = _RATE.search(mime_type)
    return int(match[1]) if match else REPLY_RATE_HZ


def _audio(content: types.LiveServerContent) -> Iterator[tuple[bytes, int]]:
    parts = content.model_turn.parts if content.model_turn else None
    for part in parts or ():
        blob = part.inline_data
        mime_type = (blob.mime_type or "").lower() if blob else ""
        if blob and blob.data and mime_type.startswith(("audio/pcm", "audio/l16")):
            yield blob.data, rate_hz(mime_type)


def _text(transcription: types.Transcription | None) -> str:
    return (transcription.text or "") if transcription else ""


def _goes_on(content: types.LiveServerContent) -> bool:
    """Whether the answer goes on after this ``turnComplete`` (extended thinking)."""
    status = content.interaction_status
    return status is not None and status.value == "IN_PROGRESS"


def _usage(metadata: types.UsageMetadata | None) -> Usage | None:
    if metadata is None:
        return None
    return Usage(
        prompt_tokens=metadata.prompt_token_count or 0,
        response_tokens=metadata.response_token_count or 0,
        total_tokens=metadata.total_token_count or 0,
    )


def _time_left_s(go_away: types.LiveServerGoAway | None) -> float | None:
    """The protobuf Duration of a GoAway; one that cannot be read leaves no time at all."""
    if go_away is None:
        return None
    match = _SECONDS.fullmatch(go_away.time_left or "")
    return float(match[1]) if match else 0.0


def _handle(update: types.LiveServerSessionResumptionUpdate | None) -> str | None:
    """A handle that can be resumed; while an answer is generated the updates are empty."""
    if update is None or not update.resumable:
        return None
    return update.new_handle or None


def _calls(tool_call: types.LiveServerToolCall) -> Iterator[ToolCall]:
    for call in tool_call.function_calls or ():
        if call.id and call.name:
            yield ToolCall(call.id, call.name, call.args or {})
