"""The program that speaks, real and fake: what it gives, and how it may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio.clips import read_wav, trimmed
from speakerd.audio.espeak import Espeak
from speakerd.audio.phrases import LANGUAGES, phrases
from speakerd.audio.programs import ProgramError, Programs
from speakerd.conversation.effects import Notice
from tests.fakes.espeak import RATE_HZ, FakeEspeak

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fake(tmp_path: Path) -> FakeEspeak:
    return FakeEspeak(tmp_path / "fake")


def espeak_of(fake: FakeEspeak) -> Espeak:
    return Espeak(Programs(), fake.program)


@pytest.mark.parametrize("kind", ["fake", "real"])
class TestContract:
    @pytest.fixture
    def espeak(self, kind: str, fake: FakeEspeak) -> Espeak:
        return Espeak(Programs()) if kind == "real" else espeak_of(fake)

    def test_it_says_which_version_it_is(self, espeak: Espeak) -> None:
        assert espeak.version().startswith("eSpeak NG text-to-speech: 1.")
        assert "\n" not in espeak.version()

    def test_it_speaks_in_a_wav_file(self, espeak: Espeak) -> None:
        samples, rate_hz = read_wav(espeak.speak("en", "Please try again."))
        assert rate_hz == RATE_HZ
        assert 0.4 < len(samples) / rate_hz < 5
        assert max(samples) > 3000

    @pytest.mark.parametrize("voice", [*LANGUAGES, "en-US", "de-AT", "pt-BR", "es-MX", "NL-be"])
    def test_it_has_a_voice_for_each_language_and_region(self, espeak: Espeak, voice: str) -> None:
        assert read_wav(espeak.speak(voice, "Internet."))

    def test_it_has_no_voice_for_no_language(self, espeak: Espeak) -> None:
        with pytest.raises(ProgramError, match="voice does not exist"):
            espeak.speak("xx", "Internet.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_listened_to(language: str) -> None:
    espeak = Espeak(Programs())
    for phrase in phrases(language).values():
        samples, rate_hz = read_wav(espeak.speak(phrase.voice, phrase.text))
        assert 2 < len(trimmed(samples, rate_hz)) / rate_hz < 9, phrase.text


def test_languages_and_regions_sound_different() -> None:
    espeak = Espeak(Programs())
    text = phrases("en")[Notice.NOT_DELIVERED].text
    voices = ("en", "en-US", "de", "fr", "es", "es-MX", "it", "pt", "pt-BR")
    assert len({len(espeak.speak(voice, text)) for voice in voices}) == len(voices)


# --- failures


def test_one_that_is_not_installed_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="sudo apt install espeak-ng"):
        Espeak(Programs(), str(tmp_path / "nowhere")).version()


def test_it_is_asked_for_by_the_voice_and_told_the_sentence(fake: FakeEspeak) -> None:
    espeak_of(fake).speak("de-DE", "Ich höre dich nicht.")
    assert fake.spoken == [("de-DE", "Ich höre dich nicht.")]
