"""Every row of what the server is known to say at a close, and what it amounts to."""

from __future__ import annotations

import pytest

from speakerd.errors import (
    ConfigError,
    DeviceError,
    Failure,
    FailureKind,
    Feature,
    SpeakerdError,
    UnavailableError,
    classify,
    classify_http,
)

K = FailureKind

#: As seen in public reports; what the server cuts at 123 bytes is cut here.
CLOSES = [
    (1007, "API key not valid. Please pass a valid API key.", K.KEY),
    (1008, "Your API key was reported as leaked. Please use another API key.", K.KEY),
    (1007, "API key expired. Please renew the API key.", K.KEY),
    (
        1008,
        "models/gemini-x is not found for API version v1beta, or is not supported for bidiG",
        K.MODEL,
    ),
    (1007, "Thinking level is not supported for this model.", K.SETUP),
    (1007, "Cannot extract voices from a non-audio request.", K.SETUP),
    (1007, "The requested combination of response modalities (TEXT) is not supported", K.SETUP),
    (1007, "Request contains an invalid argument.", K.SETUP),
    (1007, "Invalid JSON payload received. Unknown name \"x\" at 'setup': Cannot find", K.SETUP),
    (1007, "Precondition check failed.", K.SETUP),
    (
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
        K.SETUP,
    ),
    (1007, "Invalid session handle", K.HANDLE),
    (1008, "BidiGenerateContent session not found", K.HANDLE),
    (1008, "Requested entity was not found.", K.HANDLE),
    (1007, "Requested entity was not found.", K.HANDLE),
    (1008, "Operation is not implemented, or supported, or enabled.", K.SETUP),
    (1008, "policy violation", K.SETUP),
    (1008, "The operation was aborted.", K.IDLE),
    (1011, "Deadline expired before operation could complete.", K.SERVER),
    (1011, "Internal error encountered.", K.SERVER),
    (1011, "Internal error occurred.", K.SERVER),
    (1011, "The service is currently unavailable.", K.SERVER),
    (
        1011,
        "You exceeded your current quota, please check your plan and billing details.",
        K.QUOTA,
    ),
    (1011, "Resource exhausted, please try again later.", K.QUOTA),
    (1008, "RESOURCE_EXHAUSTED", K.QUOTA),
    (1008, "PERMISSION_DENIED: the key may not", K.KEY),
    (1008, "Auth token has expired.", K.KEY),
    (1008, "The ephemeral token was used already.", K.KEY),
    (1008, "Request had invalid authentication credentials. Expected OAuth 2 access", K.KEY),
    (
        1007,
        "token-based requests cannot use project-scoped features such as tuned models",
        K.MODEL,
    ),
    (1007, "The number of tokens in the instruction is too large.", K.SETUP),
    (1000, "The operation was cancelled.", K.IDLE),
    (1000, "", K.IDLE),
    (1001, "", K.IDLE),
    (1006, "abnormal closure [internal]", K.NETWORK),
    (1006, "", K.NETWORK),
    # never seen: the server's trouble, retried with backoff
    (1002, "protocol error", K.SERVER),
    (1009, "message too big", K.SERVER),
    (1013, "try again later", K.SERVER),
    (4999, "", K.SERVER),
]


#: What a refusal names, if it is one of what a speaker can do without.
NAMED = [
    (1007, "Thinking level is not supported for this model.", Feature.THINKING),
    (1007, "Cannot extract voices from a non-audio request.", Feature.VOICE),
    (1007, "Invalid value at 'setup.generation_config.thinking_config'", Feature.THINKING),
    (1007, "Unknown name \"contextWindowCompression\" at 'setup'", Feature.COMPRESSION),
    (1007, "Unknown name \"outputAudioTranscription\" at 'setup'", Feature.TRANSCRIPTION),
    (1008, "Search is not enabled for this model.", Feature.SEARCH),
    (1008, "Function calling is not enabled for this model.", Feature.TOOLS),
    (
        1007,
        "Built-in tools ({google_search}) and Function Calling cannot be combined in the same",
        Feature.TOOLS,
    ),
    (1007, "Multiple tools are supported only when they are all search tools.", Feature.TOOLS),
    (1007, "Tool use is not supported for this model.", Feature.TOOLS),
    (1007, "Unknown name \"historyConfig\" at 'setup': Cannot find field.", Feature.HISTORY),
    (1011, "You exceeded your current quota for google_search", Feature.SEARCH),
    (1007, "Request contains an invalid argument.", None),
    (1011, "Internal error in the voice backend", None),
    (1007, "API key not valid for google_search", None),
    (1008, "models/thinking is not found for API version v1beta", None),
]


@pytest.mark.parametrize(("code", "reason", "feature"), NAMED)
def test_what_a_refusal_names(code: int, reason: str, feature: Feature | None) -> None:
    assert classify(code, reason).feature is feature


@pytest.mark.parametrize(("code", "reason", "kind"), CLOSES)
def test_closes(code: int, reason: str, kind: FailureKind) -> None:
    failure = classify(code, reason)
    assert failure.kind is kind
    assert failure.code == code
    assert failure.text == (reason or "closed without a reason")


@pytest.mark.parametrize(("code", "reason", "kind"), CLOSES)
def test_the_case_of_a_text_does_not_matter(code: int, reason: str, kind: FailureKind) -> None:
    assert classify(code, reason.upper()).kind is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, K.SETUP),
        (401, K.KEY),
        (403, K.KEY),
        (404, K.MODEL),
        (407, K.NETWORK),
        (429, K.QUOTA),
        (500, K.SERVER),
        (502, K.SERVER),
        (503, K.SERVER),
        (200, K.SERVER),
        (302, K.SERVER),
    ],
)
def test_refused_upgrades(status: int, kind: FailureKind) -> None:
    failure = classify_http(status)
    assert failure.kind is kind
    assert str(status) in failure.text
    assert failure.code is None, "an HTTP status is no close code"


def test_a_failure_reads_well_in_the_journal() -> None:
    assert str(Failure(K.IDLE, "The operation was aborted.", 1008)) == (
        "1008 The operation was aborted."
    )
    assert str(Failure(K.NETWORK, "connection refused")) == "connection refused"


@pytest.mark.parametrize(
    ("error", "exit_code"), [(ConfigError, 78), (DeviceError, 69), (UnavailableError, 69)]
)
def test_exceptions_carry_their_exit_code(error: type[SpeakerdError], exit_code: int) -> None:
    assert issubclass(error, SpeakerdError)
    assert error.exit_code == exit_code
    assert SpeakerdError.exit_code == 70


def test_a_reason_of_several_lines_is_made_one() -> None:
    assert classify(1007, "bad\nthing\n").text == "bad thing"


def test_a_server_gives_no_orders_to_a_terminal() -> None:
    failure = classify(1007, "\x1b]0;owned\x07\x1b[2Jbad\nvoice")
    assert failure.text.isprintable()
    assert "bad voice" in failure.text
