"""What a healthy server says: the messages that the mutations begin with."""

from __future__ import annotations

import base64
import json
from typing import Any

#: One JSON message, or a part of one.
Json = Any


def encoded(message: Json) -> bytes:
    return json.dumps(message).encode()


def audio_part(pcm: bytes, mime_type: str = "audio/pcm;rate=24000") -> dict[str, Json]:
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(pcm).decode()}}


def content(**fields: Json) -> dict[str, Json]:
    return {"serverContent": fields}


def audio(pcm: bytes, mime_type: str = "audio/pcm;rate=24000") -> dict[str, Json]:
    return content(modelTurn={"parts": [audio_part(pcm, mime_type)], "role": "model"})


USAGE: dict[str, Json] = {
    "promptTokenCount": 310,
    "cachedContentTokenCount": 0,
    "responseTokenCount": 75,
    "toolUsePromptTokenCount": 0,
    "thoughtsTokenCount": 12,
    "totalTokenCount": 397,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 60},
        {"modality": "AUDIO", "tokenCount": 250},
    ],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 75}],
    "trafficType": "ON_DEMAND",
    "serviceTier": "standard",
}
_CALL: dict[str, Json] = {
    "id": "function-call-1",
    "name": "set_volume",
    "args": {"level": 7, "rooms": ["kitchen", {"floor": 1}], "note": None},
}
_GROUNDING: dict[str, Json] = {
    "webSearchQueries": ["weather"],
    "groundingChunks": [{"web": {"uri": "https://example.org/", "title": "example"}}],
    "groundingSupports": [
        {
            "segment": {"startIndex": 0, "endIndex": 9, "text": "It is dry"},
            "groundingChunkIndices": [0],
            "confidenceScores": [0.9],
        }
    ],
    "searchEntryPoint": {"renderedContent": "<div></div>"},
}
_PCM = bytes(range(240))  # 5 ms

MESSAGES: tuple[dict[str, Json], ...] = (
    {"setupComplete": {}},
    {"setupComplete": {"sessionId": "s"}},
    audio(_PCM),
    audio(_PCM, "audio/pcm"),
    content(modelTurn={"parts": [audio_part(_PCM), {"text": "a thought", "thought": True}]}),
    content(modelTurn={"parts": [audio_part(_PCM), audio_part(_PCM, "audio/pcm;rate=16000")]}),
    content(modelTurn={"parts": [{"executableCode": {"language": "PYTHON", "code": "1"}}]}),
    content(inputTranscription={"text": "what time is it", "finished": True}),
    content(outputTranscription={"text": "It is noon.", "languageCode": "en-US"}),
    content(interimInputTranscription={"text": "what"}),
    content(generationComplete=True),
    content(turnComplete=True),
    content(turnComplete=True, turnCompleteReason="NEED_MORE_INPUT", waitingForInput=True),
    content(turnComplete=True, interactionStatus="IN_PROGRESS"),
    content(turnComplete=True, interactionStatus="IDLE"),
    content(interrupted=True),
    content(interrupted=True, turnComplete=True),
    content(groundingMetadata=_GROUNDING),
    content(
        urlContextMetadata={
            "urlMetadata": [
                {
                    "retrievedUrl": "https://example.org/",
                    "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS",
                }
            ]
        }
    ),
    {"toolCall": {"functionCalls": [_CALL]}},
    {"toolCall": {"functionCalls": [_CALL, {"id": "function-call-2", "name": "now"}]}},
    {"toolCallCancellation": {"ids": ["function-call-1", "function-call-2"]}},
    {"usageMetadata": USAGE},
    {"goAway": {"timeLeft": "50s"}},
    {"goAway": {"timeLeft": "1.500s"}},
    {"sessionResumptionUpdate": {"newHandle": "5f0f0e7c-7f4c", "resumable": True}},
    {"sessionResumptionUpdate": {}},
    {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.2s"}},
    {"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}},
    {"interactionStatus": "IN_PROGRESS"},
    {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}},
    {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"},
    {},
    {
        **content(
            modelTurn={"parts": [audio_part(_PCM)]},
            inputTranscription={"text": "hello"},
            outputTranscription={"text": "hi"},
            generationComplete=True,
            turnComplete=True,
        ),
        "usageMetadata": USAGE,
        "sessionResumptionUpdate": {"newHandle": "0b29", "resumable": True},
    },
    {
        "toolCall": {"functionCalls": [_CALL]},
        "toolCallCancellation": {"ids": ["function-call-1"]},
        "goAway": {"timeLeft": "300s"},
        "interactionStatus": "REQUIRES_ACTION",
    },
)
