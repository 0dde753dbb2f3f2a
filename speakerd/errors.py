"""What can go wrong, as data: the exceptions a person can mend, and the failures a link survives.

    SpeakerdError            one line that names the thing and the remedy; the door prints it
    ├── ConfigError          exit 78: systemd does not restart into the same mistake
    ├── DeviceError          a sound card or a GPIO line that cannot be used (retried by its edge)
    └── UnavailableError     exit 69: a one-shot command found nobody to talk to

A connection that fails is not an exception but a :class:`Failure`: the core decides by its
:class:`FailureKind` whether to try again, to wait or to tell the person. :func:`classify` is the
one place that reads the server's close codes and texts.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class SpeakerdError(Exception):
    """Base of everything speakerd raises for a person to read: one line, with the remedy in it."""

    exit_code = 70


class ConfigError(SpeakerdError):
    """The configuration cannot be used; the message names the variable and what is allowed."""

    exit_code = 78


class DeviceError(SpeakerdError):
    """A device cannot be opened or has been lost; the message names it and what to do."""

    exit_code = 69


class UnavailableError(SpeakerdError):
    """A one-shot command found no daemon, or a service it needs did not answer."""

    exit_code = 69


def reason(error: OSError, again: str) -> str:
    """What the system refuses, in one line; ``again``: the command that has the right to it."""
    what = error.strerror or str(error)
    line = f"{error.filename}: {what}" if error.filename else what
    return f"{line}: {again}" if isinstance(error, PermissionError) else line


class FailureKind(enum.Enum):
    """Why a connection could not be made or ended, sorted by what to do about it."""

    NETWORK = "network"  # refused, DNS, TLS, reset, 1006: retry with backoff, the handle is kept
    TIMEOUT = "timeout"  # no answer in time: as NETWORK
    IDLE = "idle"  # the server's normal close of a quiet connection: no trouble at all
    SERVER = "server"  # 1011, 1013 and whatever is unknown: retry with backoff
    QUOTA = "quota"  # wait a minute or more
    HANDLE = "handle"  # the session handle is refused: drop it and connect afresh
    MODEL = "model"  # unknown or retired model: try the next one, or tell
    KEY = "key"  # the API key is refused: tell, do not retry
    TOKEN = "token"  # noqa: S105 - no token could be fetched: as NETWORK
    SETUP = "setup"  # a setting or a precondition is refused: tell, do not retry


class Feature(enum.Enum):
    """A part of the setup that a speaker can do without; the values are its name for people."""

    SEARCH = "search"
    THINKING = "thinking"
    AFFECTIVE_DIALOG = "affective dialog"
    PROACTIVE_AUDIO = "proactive audio"
    TEMPERATURE = "temperature"
    MEDIA_RESOLUTION = "media resolution"
    SAFETY = "safety settings"
    LANGUAGE_HINTS = "language hints"
    VOCABULARY = "vocabulary"
    VOICE = "voice"
    TRANSCRIPTION = "transcription"
    COMPRESSION = "context compression"
    TOOLS = "tools"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed or ended connection.

    ``code`` is the WebSocket close code (RFC 6455), or None where there was no close frame to
    read it from. ``text`` is the server's reason or the operating system's message, fit for the
    journal: it is made one line that no terminal takes for orders. ``feature`` is the part of the
    setup that the reason names. ``went_out`` is False where the server has seen nothing of it:
    there is no network, no address for the server's name, nobody at that address, or no token.
    """

    kind: FailureKind
    text: str
    code: int | None = None
    feature: Feature | None = None
    went_out: bool = True

    def __post_init__(self) -> None:
        line = " ".join(self.text.split())
        shown = (each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
        object.__setattr__(self, "text", "".join(shown))

    def __str__(self) -> str:
        return f"{self.code} {self.text}" if self.code is not None else self.text


#: (close codes or None for any, part of the reason in lower case, kind); the first match wins.
#: The texts are the server's, as seen in public reports (python-genai, js-genai, livekit, pipecat).
_CLOSES: tuple[tuple[frozenset[int] | None, str, FailureKind], ...] = (
    (None, "api key", FailureKind.KEY),
    (None, "permission denied", FailureKind.KEY),
    (None, "unauthenticated", FailureKind.KEY),
    (None, "authentication credential", FailureKind.KEY),
    (None, "auth token", FailureKind.KEY),  # of tokens nobody has told the texts: a guess
    (None, "ephemeral token", FailureKind.KEY),
    (None, "token has expired", FailureKind.KEY),
    (None, "quota", FailureKind.QUOTA),
    (None, "resource exhausted", FailureKind.QUOTA),
    (None, "rate limit", FailureKind.QUOTA),
    (None, "session handle", FailureKind.HANDLE),
    (None, "session not found", FailureKind.HANDLE),
    (frozenset({1007, 1008}), "requested entity was not found", FailureKind.HANDLE),
    (None, "is not found for api version", FailureKind.MODEL),
    (None, "not supported for bidigeneratecontent", FailureKind.MODEL),
    (None, "token-based requests cannot use project-scoped", FailureKind.MODEL),
    (frozenset({1008}), "the operation was aborted", FailureKind.IDLE),
    (frozenset({1000, 1001}), "", FailureKind.IDLE),
    (frozenset({1006}), "", FailureKind.NETWORK),
    (frozenset({1007}), "", FailureKind.SETUP),
    (frozenset({1008}), "", FailureKind.SETUP),
)

#: What a refused setup names when it is refused for one of its optional parts.
_FEATURES: tuple[tuple[str, Feature], ...] = (
    ("function calling", Feature.TOOLS),  # "Built-in tools (search) and Function Calling cannot..."
    ("multiple tools", Feature.TOOLS),  # "...only when they are all search tools"
    ("thinking", Feature.THINKING),
    ("affective", Feature.AFFECTIVE_DIALOG),
    ("proactiv", Feature.PROACTIVE_AUDIO),
    ("temperature", Feature.TEMPERATURE),
    ("media resolution", Feature.MEDIA_RESOLUTION),
    ("mediaresolution", Feature.MEDIA_RESOLUTION),
    ("safety", Feature.SAFETY),
    ("languagecode", Feature.LANGUAGE_HINTS),  # 'Unknown name "languageCodes" at ...'
    ("language code", Feature.LANGUAGE_HINTS),
    ("vocabulary", Feature.VOCABULARY),
    ("history", Feature.HISTORY),  # 'Unknown name "historyConfig" at ...'
    ("search", Feature.SEARCH),
    ("voice", Feature.VOICE),
    ("transcription", Feature.TRANSCRIPTION),
    ("compression", Feature.COMPRESSION),
    ("function", Feature.TOOLS),
    ("tool", Feature.TOOLS),  # after search, which is one for the server
)

_INTERNAL_ERROR = 1011  # RFC 6455

#: HTTP status codes of a refused WebSocket upgrade; everything else is the server's trouble.
_HTTP_KINDS: dict[int, FailureKind] = {
    400: FailureKind.SETUP,
    401: FailureKind.KEY,
    403: FailureKind.KEY,
    404: FailureKind.MODEL,
    407: FailureKind.NETWORK,
    429: FailureKind.QUOTA,
}


def classify(code: int, reason: str) -> Failure:
    """Sort a WebSocket close into a :class:`Failure`.

    ``code`` is the close code, ``reason`` the server's text (it cuts texts at 123 bytes).
    Unknown codes and texts count as the server's trouble: they are retried, with backoff.
    """
    lowered = reason.lower().replace("_", " ")  # also RESOURCE_EXHAUSTED and its like
    kind = next(
        (
            kind
            for codes, part, kind in _CLOSES
            if (codes is None or code in codes) and part in lowered
        ),
        FailureKind.SERVER,
    )
    named = (feature for part, feature in _FEATURES if part in lowered)
    feature = next(named, None) if kind in {FailureKind.SETUP, FailureKind.QUOTA} else None
    return Failure(kind, reason or "closed without a reason", code, feature)


def may_be_in_use(failure: Failure) -> bool:
    """Whether the server may hold the session's last connection for alive.

    That is what resuming is refused with then (aicc2025/sip-to-ai#14), and many another thing.
    """
    return failure.code == _INTERNAL_ERROR and "internal error" in failure.text.lower()


def classify_http(status: int) -> Failure:
    """Sort the HTTP ``status`` (100 to 599) of a refused WebSocket upgrade."""
    kind = _HTTP_KINDS.get(status, FailureKind.SERVER)
    return Failure(kind, f"the server answered HTTP {status} instead of upgrading")
