"""What nobody may read is not there, whole or cut off."""

from __future__ import annotations

import pytest

from speakerd.config.secret import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the key my-own-secret is refused", "the key [secret] is refused"),
        ("Consumer 'api_key:AIzaSyD-0123456789_abc'", "Consumer 'api_key:[secret]'"),
        ("cut off: AIzaSyD-0", "cut off: [secret]"),
        ("of the newer kind: AQ.Ab8RN6K0123456789abc", "of the newer kind: [secret]"),
        ("Token auth_tokens/4969d96da9-_.7 is over", "Token [secret] is over"),
        ("?access_token=auth_tokens%2F4969d96da9&x", "?access_token=[secret]&x"),
        (
            "a token begins with auth_tokens/ as all do",
            "a token begins with auth_tokens/ as all do",
        ),
        ("a short one is in half of all words", "a short one is in half of all words"),
        ("see the FAQ.Please do", "see the FAQ.Please do"),
    ],
)
def test_it_is_shown_to_nobody(text: str, shown: str) -> None:
    assert redact(text, ["my-own-secret", "short"]) == shown
