"""The program that speaks, real and fake: what it gives, and how it may fail."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from speakerd.audio.clips import read_wav, trimmed
from speakerd.audio.espeak import Espeak, EspeakError, StoppedError
from speakerd.audio.phrases import LANGUAGES, phrases
from speakerd.conversation.effects import Notice
from tests.audio.contract import wait_until
from tests.fakes.espeak import RATE_HZ, FakeEspeak


@pytest.fixture
def fake(tmp_path: Path) -> FakeEspeak:
    return FakeEspeak(tmp_path / "fake")


def has_ended(pid: str) -> bool:
    return not Path("/proc", pid).exists()


@pytest.mark.parametrize("kind", ["fake", "real"])
class TestContract:
    @pytest.fixture
    def espeak(self, kind: str, fake: FakeEspeak) -> Espeak:
        return Espeak() if kind == "real" else Espeak(fake.program)

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
        with pytest.raises(EspeakError, match="voice does not exist"):
            espeak.speak("xx", "Internet.")

    def test_after_the_stop_it_says_nothing(self, espeak: Espeak) -> None:
        espeak.stop()
        espeak.stop()
        with pytest.raises(StoppedError):
            espeak.speak("en", "Hello.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_listened_to(language: str) -> None:
    espeak = Espeak()
    for phrase in phrases(language).values():
        samples, rate_hz = read_wav(espeak.speak(phrase.voice, phrase.text))
        assert 2 < len(trimmed(samples, rate_hz)) / rate_hz < 9, phrase.text


def test_languages_and_regions_sound_different() -> None:
    espeak = Espeak()
    text = phrases("en")[Notice.NOT_DELIVERED].text
    voices = ("en", "en-US", "de", "fr", "es", "es-MX", "it", "pt", "pt-BR")
    assert len({len(espeak.speak(voice, text)) for voice in voices}) == len(voices)


# --- failures


def test_one_that_is_not_installed_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(EspeakError, match="sudo apt install espeak-ng"):
        Espeak(str(tmp_path / "nowhere")).version()


def test_one_that_fails_says_why(fake: FakeEspeak) -> None:
    fake.behave("echo 'no phontab' >&2; exit 3")
    with pytest.raises(EspeakError, match=r"espeak-ng failed \(3\): .*no phontab$"):
        Espeak(fake.program).speak("en", "Hello.")


def test_one_that_hangs_is_ended(fake: FakeEspeak) -> None:
    fake.behave('echo $$ >"$here/pid"; exec sleep 60')
    with pytest.raises(EspeakError, match=r"not ready after 0\.5 s"):
        Espeak(fake.program, timeout_s=0.5).speak("en", "Hello.")
    assert has_ended(fake.noted("pid").strip())


def test_one_that_does_not_listen_is_no_trouble(fake: FakeEspeak) -> None:
    Path(fake.program).write_text('#!/bin/sh\nexec cat "${0%/*}/speech.wav"\n')
    assert read_wav(Espeak(fake.program).speak("en", "Hello. " * 20_000))


def test_a_stop_ends_what_runs(fake: FakeEspeak) -> None:
    fake.behave('echo $$ >"$here/pid"; exec sleep 60')
    espeak = Espeak(fake.program)
    outcome: list[Exception] = []

    def speak() -> None:
        try:
            espeak.speak("en", "Hello.")
        except StoppedError as stopped:
            outcome.append(stopped)

    thread = threading.Thread(target=speak)
    thread.start()
    wait_until(lambda: fake.noted("pid").endswith("\n"))
    espeak.stop()
    thread.join(10)
    assert len(outcome) == 1
    assert has_ended(fake.noted("pid").strip())


def test_it_gets_the_sentence_and_a_low_priority_and_nothing_of_ours(
    fake: FakeEspeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-secret")
    fake.behave('env >"$here/env"; nice >"$here/nice"')
    Espeak(fake.program).speak("de-DE", "Ich höre dich nicht.")
    assert fake.spoken == [("de-DE", "Ich höre dich nicht.")]
    assert fake.noted("nice") == "19\n"
    assert "LC_ALL=C.UTF-8" in fake.noted("env")
    assert "AIza-secret" not in fake.noted("env")
