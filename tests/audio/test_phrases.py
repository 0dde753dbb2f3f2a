"""What the speaker says of failures: every language has a sentence for each, and a short one."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakerd.audio.phrases import LANGUAGES, phrases
from speakerd.conversation.effects import Notice

DOCUMENT = Path(__file__).parents[2] / "docs" / "sounds.md"

#: Languages that are written with letters beyond ASCII: a table without any is mistyped.
ACCENTED = {
    "de": "äöüß",
    "fr": "éèçàê",
    "es": "áéíóúñ",
    "it": "èàù",
    "pt": "ãáçéí",
    "pl": "ąęłśżćźó",
}


def test_there_are_the_languages_that_are_promised() -> None:
    assert set(LANGUAGES) == {"en", "de", "fr", "es", "it", "pt", "nl", "pl"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_has_its_sentence(language: str) -> None:
    said = phrases(language)
    assert set(said) == set(Notice) - {Notice.NO_REPLY}
    assert len({phrase.text for phrase in said.values()}) == len(said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_is_short_whole_and_for_people(language: str) -> None:
    for notice, phrase in phrases(language).items():
        assert 30 <= len(phrase.text) <= 115, notice
        assert phrase.text[0].isupper(), notice
        assert phrase.text.endswith("."), notice
        assert phrase.text.count(".") == 2, notice  # what is, and what to do
        assert phrase.text.isprintable(), notice
        assert phrase.text == " ".join(phrase.text.split()), notice
        for jargon in ("SPEAKERD", "sudo", "API", "systemctl", "_", "/"):
            assert jargon not in phrase.text, notice


@pytest.mark.parametrize(("language", "letters"), ACCENTED.items())
def test_a_language_is_written_in_its_own_letters(language: str, letters: str) -> None:
    text = " ".join(phrase.text for phrase in phrases(language).values())
    assert set(text) & set(letters)


@pytest.mark.parametrize(
    ("language", "voice", "beginning"),
    [
        ("", "en", "I have no"),
        ("en", "en", "I have no"),
        ("en-US", "en-US", "I have no"),
        ("de", "de", "Ich habe"),
        ("de-AT", "de-AT", "Ich habe"),
        ("DE-de", "DE-de", "Ich habe"),
        ("pt-BR", "pt-BR", "Estou sem"),
        ("es-419", "es-419", "No tengo"),
        # no sentences: English, by an English voice
        ("zh", "en", "I have no"),
        ("sv-SE", "en", "I have no"),
        ("deu", "en", "I have no"),
    ],
)
def test_the_voice_fits_the_sentence(language: str, voice: str, beginning: str) -> None:
    phrase = phrases(language)[Notice.NOT_DELIVERED]
    assert phrase.voice == voice
    assert phrase.text.startswith(beginning)


def test_the_document_says_the_same() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for phrase in phrases("en").values():
        assert f"| {phrase.text} |" in document
