"""What is told to the model in words."""

from __future__ import annotations

import pytest

from speakerd.live.setup import instruction


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("", "", ""),
        ("Be brief.", "", "Be brief."),
        ("", "de-DE", "Answer in the language with the BCP-47 code de-DE."),
        ("Be brief.", "de", "Be brief.\nAnswer in the language with the BCP-47 code de."),
    ],
)
def test_the_instruction_has_what_is_set(text: str, language: str, told: str) -> None:
    assert instruction(text, language) == told
