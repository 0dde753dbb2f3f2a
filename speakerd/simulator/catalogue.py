"""Why the server closes a connection: the codes and texts as clients have reported them.

Where no report gives the text, the choice is a guess; docs/simulator.md says for each rule
whether it is documented, seen in the field or guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

#: RFC 6455: the payload of a control frame is at most 125 bytes, two of them the code.
LONGEST_REASON_BYTES = 123


@dataclass(frozen=True, slots=True)
class Closing:
    """A close frame; the reason is cut at :data:`LONGEST_REASON_BYTES` as the server does."""

    code: int
    reason: str

    def __post_init__(self) -> None:
        cut = self.reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore")
        object.__setattr__(self, "reason", cut)

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".rstrip()


class Refused(Exception):  # noqa: N818 - the server's answer, not an error of ours
    """What the client sent makes the server close the connection."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(str(closing))
        self.closing = closing


BAD_KEY = Closing(1007, "API key not valid. Please pass a valid API key.")
NO_KEY_TEXT = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
NO_KEY = Closing(1008, NO_KEY_TEXT)
PROJECT_SCOPED = Closing(
    1007, "token-based requests cannot use project-scoped features such as tuned models"
)
TOKEN_EXPIRED = Closing(1008, "The auth token has expired.")
TOKEN_USED_UP = Closing(1008, "The auth token has no uses left.")
BAD_ARGUMENT = Closing(1007, "Request contains an invalid argument.")
PRECONDITION = Closing(1007, "Precondition check failed.")
EXPLICIT_ACTIVITY = Closing(
    1007,
    "Explicit activity control is not supported when automatic activity detection is enabled.",
)
NO_TEXT_FROM_VOICES = Closing(1007, "Cannot extract voices from a non-audio request.")
NO_THINKING_LEVEL = Closing(1007, "Thinking level is not supported for this model.")
THINKING_LEVEL_NEEDED = Closing(1007, "Thinking level must be specified for this model.")
BLOCKING = Closing(1007, "BLOCKING function calls are not supported for this model.")
SCHEDULING = Closing(1007, "Function response scheduling is not supported for this model.")
MEDIA_CHUNKS = Closing(
    1007, "realtime_input.media_chunks is deprecated. Use audio, video, or text instead."
)
NOT_ENABLED = Closing(1008, "Operation is not implemented, or supported, or enabled.")
ABORTED = Closing(1008, "The operation was aborted.")
INVALID_HANDLE = Closing(1007, "Invalid session handle")
EXPIRED_HANDLE = Closing(1008, "BidiGenerateContent session not found")
FOREIGN_HANDLE = Closing(1008, "Requested entity was not found.")
INTERNAL = Closing(1011, "Internal error encountered.")
UNAVAILABLE = Closing(1011, "The service is currently unavailable.")
DEADLINE = Closing(1011, "Deadline expired before operation could complete.")
QUOTA = Closing(
    1011, "You exceeded your current quota, please check your plan and billing details."
)


def unknown_model(model: str, version: str) -> Closing:
    """There is no such model, or not in this version of the API, or it is not a Live model."""
    return Closing(
        1008,
        f"{model} is not found for API version {version}, or is not supported for "
        "bidiGenerateContent. Call ListModels to see the list of available models and their "
        "supported methods.",
    )


def modalities(model: str, asked: list[str]) -> Closing:
    """The model does not answer in these modalities."""
    return Closing(
        1007,
        f"The requested combination of response modalities ({', '.join(asked)}) is not supported "
        f"by the model. {model} accepts the following combination of response modalities:\n"
        "* AUDIO\n",
    )


def no_level(level: str) -> Closing:
    """The model thinks by levels, but not by this one."""
    return Closing(1007, f"Thinking level {level} is not supported for this model.")


def unknown_field(name: str, path: str) -> Closing:
    """A field that this version of the API does not have."""
    return bad_payload(f"Unknown name \"{name}\" at '{path}': Cannot find field.")


def bad_payload(what: str) -> Closing:
    """A message that is not the JSON of the protocol."""
    return Closing(1007, f"Invalid JSON payload received. {what}")


def bad_value(path: str, kind: str, value: str) -> Closing:
    """A field with a value of the wrong kind."""
    return Closing(1007, f"Invalid value at '{path}' ({kind}), {value}")


@dataclass(frozen=True, slots=True)
class Model:
    """What a Live model takes, and what not."""

    text_refusal: Closing | None = None  # for TEXT alone; None: the one that names the modalities
    levels: tuple[str, ...] = ()  # of thinking
    level_needed: bool = False
    budget: bool = True  # thinking is limited by tokens
    feelings: bool = False  # affective dialog and proactive audio, in v1alpha
    media_chunks: bool = True
    waits: bool = True  # for the result of a function that is declared in neither way
    blocking: bool = True  # functions may be declared BLOCKING
    scheduling: bool = True  # results may say when they are spoken of
    answers_text: bool = True  # realtimeInput.text is a turn
    waits_for_lost_calls: bool = False  # over a resumption
    content: bool = True  # clientContent is taken at any time, not only as the history
    keeps_history: bool = True  # so that a session that is resumed has it
    interaction_status: bool = False  # comes with every turnComplete
    voice_activity: bool = True  # it tells where it has detected speech
    silence_duration: bool = True  # silenceDurationMs is heeded
    all_video: bool = True  # a turn has what was seen before it, too, with automatic detection
    stream_end: bool = False  # audioStreamEnd ends what is being said


_NATIVE_AUDIO = Model(
    text_refusal=NO_TEXT_FROM_VOICES,
    feelings=True,
    answers_text=False,
    voice_activity=False,
    all_video=False,
    stream_end=True,
)

#: The Live models of the Developer API at the end of 2026. Retired ones (gemini-2.0-flash-live-001,
#: gemini-live-2.5-flash-preview) are unknown to the server.
MODELS: dict[str, Model] = {
    "gemini-3.8-live": Model(
        budget=False, media_chunks=False, waits=False, waits_for_lost_calls=True
    ),
    "gemini-3.8-live-extended-thinking": Model(
        levels=("LOW", "MEDIUM", "HIGH"),
        level_needed=True,
        budget=False,
        media_chunks=False,
        waits=False,
        blocking=False,
        scheduling=False,
        waits_for_lost_calls=True,
        interaction_status=True,
    ),
    "gemini-3.1-flash-live-preview": Model(
        levels=("MINIMAL", "LOW", "MEDIUM", "HIGH"),
        media_chunks=False,
        silence_duration=False,
        stream_end=True,
        content=False,
        keeps_history=False,
    ),
    "gemini-2.5-flash-native-audio-preview-12-2025": _NATIVE_AUDIO,
    "gemini-2.5-flash-native-audio-latest": _NATIVE_AUDIO,
}
