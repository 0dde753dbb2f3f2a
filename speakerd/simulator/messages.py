"""The messages: inputs out of a client's frame, and the server's answers as JSON objects."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from speakerd.simulator.audio import NATIVE_RATE_HZ, REPLY_RATE_HZ
from speakerd.simulator.catalogue import BAD_ARGUMENT, MEDIA_CHUNKS, Refused
from speakerd.simulator.machine import Input
from speakerd.simulator.protojson import read
from speakerd.simulator.records import Tokens
from speakerd.simulator.schema import CLIENT_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.simulator.records import TurnRecord

#: The Live API counts 25 tokens for a second of audio, either way.
TOKENS_PER_S = 25
#: ... and so many for a picture, at the usual resolution (Gemini API guide, "Tokens").
TOKENS_PER_PICTURE = 258
#: What it thinks of any turn; gemini-3.8-live was seen with 71 and 136, which are in no sum.
THOUGHT_TOKENS = 100
#: Rates that are taken; the documentation names 16 kHz and "other rates".
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8_000, 48_000

_INPUTS = {
    "setup": Input.SETUP,
    "client_content": Input.CONTENT,
    "tool_response": Input.TOOL_RESPONSE,
    "context_update": Input.CONTEXT_UPDATE,
}
#: In the order in which they are taken when one message has several.
_REALTIME_INPUTS = {
    "activity_start": Input.ACTIVITY_START,
    "audio": Input.AUDIO,
    "video": Input.VIDEO,
    "text": Input.TEXT,
    "activity_end": Input.ACTIVITY_END,
    "audio_stream_end": Input.STREAM_END,
}


def inputs(message: Mapping[str, object], *, media_chunks: bool) -> list[tuple[Input, Any]]:
    """What a client's message asks for, each with its value in snake_case names.

    ``media_chunks``: whether the model takes the deprecated ``mediaChunks``, of which only the
    first counts. Raises :class:`Refused`.
    """
    fields = read(CLIENT_MESSAGE, message, "")
    if len(fields) != 1:
        raise Refused(BAD_ARGUMENT)
    [(kind, value)] = fields.items()
    if kind != "realtime_input":
        return [(_INPUTS[kind], value)]
    if "media_chunks" in value:
        if not media_chunks:
            raise Refused(MEDIA_CHUNKS)
        for chunk in value["media_chunks"][:1]:
            is_audio = chunk.get("mime_type", "").startswith("audio/")
            value = {"audio" if is_audio else "video": chunk} | value
    return [
        (input_, value[name])
        for name, input_ in _REALTIME_INPUTS.items()
        if name in value and value[name] is not False  # a false audioStreamEnd says nothing
    ]


def audio(blob: Mapping[str, Any]) -> tuple[bytes, int]:
    """The PCM of an audio blob and its rate: 16 kHz if none is given.

    Raises :class:`Refused` for anything but ``audio/pcm``.
    """
    kind, *parameters = (part.strip() for part in blob.get("mime_type", "").lower().split(";"))
    rates = [part.removeprefix("rate=") for part in parameters if part.startswith("rate=")]
    rate = rates[0] if rates else str(NATIVE_RATE_HZ)
    if kind != "audio/pcm" or not rate.isdecimal():
        raise Refused(BAD_ARGUMENT)
    if not LOWEST_RATE_HZ <= int(rate) <= HIGHEST_RATE_HZ:
        raise Refused(BAD_ARGUMENT)
    return blob.get("data", b""), int(rate)


def picture(blob: Mapping[str, Any]) -> tuple[bytes, str]:
    """A picture and its mime type. Raises :class:`Refused` for anything but an image."""
    mime_type, data = blob.get("mime_type", "").lower(), blob.get("data", b"")
    if not mime_type.startswith("image/") or not data:
        raise Refused(BAD_ARGUMENT)
    return data, mime_type


def contents(value: Mapping[str, Any], *, strict: bool = False) -> list[tuple[str, str]]:
    """The turns of a clientContent: the role of each, and its text.

    Raises :class:`Refused` for one without a role; ``strict``: or without anything in it.
    """
    turns = [
        (turn.get("role", ""), " ".join(part.get("text", "") for part in turn.get("parts", [])))
        for turn in value.get("turns", [])
    ]
    for role, text in turns:
        if role not in {"user", "model"} or (strict and not text.strip()):
            raise Refused(BAD_ARGUMENT)
    return turns


def model_audio(pcm: bytes) -> dict[str, Any]:
    """A chunk of reply audio."""
    blob = {
        "mimeType": f"audio/pcm;rate={REPLY_RATE_HZ}",
        "data": base64.b64encode(pcm).decode(),
    }
    return {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}], "role": "model"}}}


def transcription(side: str, text: str) -> dict[str, Any]:
    """A piece of what was heard (``input``) or is spoken (``output``)."""
    return {"serverContent": {f"{side}Transcription": {"text": text}}}


def voice_activity(kind: str, offset_s: float) -> dict[str, Any]:
    """Speech has begun or ended (``ACTIVITY_START``, ``ACTIVITY_END``), so far into all audio."""
    ms = round(1000 * offset_s)
    # As protobuf's JSON writes a duration: three digits of a second, or none.
    offset = f"{ms / 1000:.3f}s" if ms % 1000 else f"{ms // 1000}s"
    return {"voiceActivity": {"type": kind, "audioOffset": offset}}


def turn_complete(turn: TurnRecord, context: Tokens) -> dict[str, Any]:
    """turnComplete; of a turn with audio with its usage, in which the whole context counts."""
    message: dict[str, Any] = {"serverContent": {"turnComplete": True}}
    if turn.reply:
        said, answer = tokens_heard(turn), tokens_spoken(turn)
        prompt = context.plus(said)
        details = {"TEXT": prompt.text, "AUDIO": prompt.audio, "IMAGE": prompt.image}
        message["usageMetadata"] = {
            "promptTokenCount": sum(prompt),
            "responseTokenCount": answer,
            "totalTokenCount": sum(prompt) + answer,
            "promptTokensDetails": [
                {"modality": modality, "tokenCount": count}
                for modality, count in details.items()
                if count
            ],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": answer}],
            "thoughtsTokenCount": THOUGHT_TOKENS,
        }
    return message


def tokens_heard(turn: TurnRecord) -> Tokens:
    """The size of what the client said and showed."""
    return Tokens(
        audio=round(turn.utterance_s * TOKENS_PER_S),
        text=tokens_of(turn.text),
        image=TOKENS_PER_PICTURE * len(turn.pictures),
    )


def tokens_of(text: str) -> int:
    """The size of a text: about four letters a token."""
    return len(text) // 4


def tokens_spoken(turn: TurnRecord) -> int:
    """The size of the answer so far."""
    return round(turn.reply_s * TOKENS_PER_S)
