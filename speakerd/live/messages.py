"""What a server message says, in our words: pure, no I/O.

The SDK's message has some thirty optional fields, several of which may come together; this is
the one place that reads them. Whatever is not known is passed over.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from speakerd.audio.pcm import PLAYABLE_RATES_HZ
from speakerd.conversation.events import ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.genai import types

#: The rate of reply audio whose mime type names none, in Hz (Live API guide, "Audio formats").
REPLY_RATE_HZ = 24_000

#: What is larger is not the service's, and goes no further: what is kept on an SD card, said to
#: whoever listens, held for a tool. Handles were seen with 36 letters, connections last 10 minutes.
MAX_HANDLE_BYTES = 8 * 1024
MAX_TEXT = 10_000  # characters of one piece of transcription; the rest is cut off
MAX_NAME = 256  # characters of a tool call's name or id
MAX_CALLS = 32  # in one message
MAX_ARGS = 64 * 1024  # characters and values in the arguments of one call
MAX_ARGS_DEPTH = 32  # levels of objects and lists in them
MAX_NUMBER = 1e300  # in them; what is infinite, or no number, is none
MAX_TIME_LEFT_S = 3600.0
MAX_TOKENS = 2**31 - 1  # the wire's int32

#: The second is an old word for the first (Live API guide, "Thinking").
_AT_WORK = {"IN_PROGRESS", "REQUIRES_ACTION"}
#: Modalities that are not sound, by their price.
_TEXT, _IMAGE = frozenset({"TEXT"}), frozenset({"IMAGE", "VIDEO", "DOCUMENT"})

_VOICES = {"ACTIVITY_START": True, "ACTIVITY_END": False}

_RATE = re.compile(r"rate\s*=\s*(\d+)\b")
_SURROGATE = re.compile("[\ud800-\udfff]")
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
    goes_on: bool = False  # a part of the answer is complete, and more of it comes
    usage: Usage | None = None
    go_away_s: float | None = None
    handle: str | None = None
    voice: bool | None = None  # somebody begins to speak, or has ended; None: no news of that
    calls: tuple[ToolCall, ...] = ()
    cancelled: tuple[str, ...] = ()


def prepare() -> None:
    """Let the SDK build its message types now: it does at their first use, and that takes long.

    It warns of every enum value that it does not know, with the value: that would go to the
    journal, and Python remembers each text for ever. It reads on all the same, and so do we.
    """
    from google.genai import types

    warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai\._common")
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
    complete = bool(content and content.turn_complete)
    goes_on = complete and _goes_on(content)
    return Said(
        audio=tuple(_audio(content)) if content else (),
        heard=_text(content.input_transcription) if content else "",
        spoken=_text(content.output_transcription) if content else "",
        generation_complete=bool(content and content.generation_complete),
        interrupted=bool(content and content.interrupted),
        turn_complete=complete and not goes_on,
        goes_on=goes_on,
        usage=_usage(message.usage_metadata),
        go_away_s=_time_left_s(message.go_away),
        handle=_handle(message.session_resumption_update),
        calls=tuple(_calls(tool_call)) if tool_call else (),
        voice=_voice(message.voice_activity),
        cancelled=tuple(filter(_is_name, cancellation.ids or ())) if cancellation else (),
    )


def rate_hz(mime_type: str) -> int:
    """The sample rate an ``audio/...`` mime type names, or the default one; may be absurd."""
    match = _RATE.search(mime_type)
    return int(match[1][:9]) if match else REPLY_RATE_HZ


def _audio(content: types.LiveServerContent) -> Iterator[tuple[bytes, int]]:
    """The sound there is; what nobody could play is none, and must not count as an answer."""
    parts = content.model_turn.parts if content.model_turn else None
    for part in parts or ():
        blob = part.inline_data
        mime_type = (blob.mime_type or "").lower() if blob else ""
        if blob and blob.data and mime_type.startswith(("audio/pcm", "audio/l16")):
            rate = rate_hz(mime_type)
            if rate in PLAYABLE_RATES_HZ:
                yield blob.data, rate


def _text(transcription: types.Transcription | None) -> str:
    text = (transcription.text or "")[:MAX_TEXT] if transcription else ""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _voice(activity: types.VoiceActivity | None) -> bool | None:
    kind = activity.voice_activity_type if activity else None
    return _VOICES.get(kind.value) if kind else None


def _goes_on(content: types.LiveServerContent | None) -> bool:
    """Whether the answer goes on after this ``turnComplete`` (extended thinking)."""
    status = content.interaction_status if content else None
    return status is not None and status.value in _AT_WORK


def _usage(metadata: types.UsageMetadata | None) -> Usage | None:
    if metadata is None:
        return None
    went_in = [
        *(metadata.prompt_tokens_details or ()),
        *(metadata.tool_use_prompt_tokens_details or ()),
    ]
    return Usage(
        prompt_tokens=_count(metadata.prompt_token_count),
        response_tokens=_count(metadata.response_token_count),
        total_tokens=_count(metadata.total_token_count),
        text_in=_of(_TEXT, went_in),
        text_out=_of(_TEXT, metadata.response_tokens_details or ()),
        thought_tokens=_count(metadata.thoughts_token_count),
        image_in=_of(_IMAGE, went_in),
        tool_tokens=_count(metadata.tool_use_prompt_token_count),
    )


def _of(modalities: frozenset[str], details: Iterable[types.ModalityTokenCount]) -> int:
    """How many tokens are known to be of these modalities."""
    return sum(
        _count(each.token_count)
        for each in details
        if each.modality is not None and each.modality.value in modalities
    )


def _count(tokens: int | None) -> int:
    """What cannot be a number of tokens counts for none."""
    return tokens if tokens is not None and 0 <= tokens <= MAX_TOKENS else 0


def _time_left_s(go_away: types.LiveServerGoAway | None) -> float | None:
    """The protobuf Duration of a GoAway; one that cannot be read leaves no time at all."""
    if go_away is None:
        return None
    match = _SECONDS.fullmatch(go_away.time_left or "")
    return min(float(match[1]), MAX_TIME_LEFT_S) if match else 0.0


def _handle(update: types.LiveServerSessionResumptionUpdate | None) -> str | None:
    """A handle that can be resumed; while an answer is generated the updates are empty."""
    if update is None or not update.resumable:
        return None
    handle = update.new_handle or ""
    if not handle or not _is_unicode(handle) or len(handle.encode()) > MAX_HANDLE_BYTES:
        return None
    return handle


def _calls(tool_call: types.LiveServerToolCall) -> Iterator[ToolCall]:
    """The calls that can be answered and made; one that is neither is left to its time-out."""
    for call in (tool_call.function_calls or ())[:MAX_CALLS]:
        args = call.args or {}
        if _is_name(call.id) and _is_name(call.name) and is_sane(args):
            yield ToolCall(call.id, call.name, args)


def _is_name(text: str | None) -> TypeGuard[str]:
    return text is not None and 0 < len(text) <= MAX_NAME and _is_unicode(text)


def is_sane(args: object) -> bool:
    """Whether all of it is JSON that can be encoded again, and not too much of it."""
    left, level = MAX_ARGS, [args]
    for _ in range(MAX_ARGS_DEPTH):
        left -= sum(map(_weight, level))
        if left < 0:
            return False
        level = [part for value in level for part in _parts(value)]
        if not level:
            return True
    return False


def _weight(value: object) -> int:
    """What a value counts against MAX_ARGS, its parts apart; more, if it cannot be encoded."""
    match value:
        case str():
            fits, weight = _is_unicode(value), 1 + len(value)
        case int() | float():
            fits, weight = abs(value) <= MAX_NUMBER, 1  # and a number
        case _:
            fits, weight = True, 1
    return weight if fits else MAX_ARGS + 1


def _parts(value: object) -> Iterable[object]:
    match value:
        case dict():
            return (*value.keys(), *value.values())
        case list():
            return value
        case _:
            return ()


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which nothing can write."""
    return text.isascii() or not _SURROGATE.search(text)
