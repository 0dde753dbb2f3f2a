"""The speaker's own voice: made ahead, kept, made again when it must be, and never in the way."""

from __future__ import annotations

import functools
import signal
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio import clips
from speakerd.audio.clips import peak_at
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, seconds_of
from speakerd.audio.phrases import phrases
from speakerd.audio.programs import ProgramError, Programs
from speakerd.audio.voice import MOST_NAMES, Voice
from speakerd.conversation.effects import Notice
from tests.audio.contract import wait_until
from tests.fakes.espeak import RATE_HZ, FakeEspeak, sine, wav

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence

    Make = Callable[..., Voice]

SPOKEN = set(Notice) - {Notice.NO_REPLY}


#: Most of what is spoken here is the same, and converting it takes the time of its test.
converted = functools.cache(clips.clip)


class Converting(Programs):
    """Converts what has been spoken by itself: to start Python for each takes a while."""

    def run(self, name: str, command: Sequence[str], given: bytes = b"") -> bytes:
        if clips.__name__ not in command:
            return super().run(name, command, given)
        try:
            return converted(given, int(command[-1]))
        except ValueError as error:
            raise ProgramError(f"{name} failed (1): {error}") from error


@pytest.fixture
def fake(tmp_path: Path) -> FakeEspeak:
    return FakeEspeak(tmp_path / "fake")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "speakerd"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def make(fake: FakeEspeak, cache: Path, told: list[str]) -> Iterator[Make]:
    """Makes voices, has them prepare, and stops them in the end."""
    voices: list[Voice] = []

    def make(
        language: str = "",
        volume_percent: int = 60,
        cache: Path | None = cache,
        program: str = fake.program,
        timeout_s: float = 30.0,
        programs: Programs | None = None,
    ) -> Voice:
        programs = programs if programs is not None else Converting(timeout_s)
        voices.append(
            Voice(
                *(language, volume_percent, cache),
                tell=told.append,
                programs=programs,
                espeak=program,
            )
        )
        voices[-1].start()
        return voices[-1]

    yield make
    for voice in voices:
        voice.stop()


def said(voice: Voice) -> dict[Notice, bytes]:
    """What it says when it has made all of it."""
    assert voice._thread is not None
    voice._thread.join(30)
    assert not voice._thread.is_alive()
    prompts = {notice: voice.prompt(notice) for notice in Notice}
    return {notice: pcm for notice, pcm in prompts.items() if pcm is not None}


def samples(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def kept(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.iterdir()}


def texts(language: str) -> list[tuple[str, str]]:
    return [(phrase.voice, phrase.text) for phrase in phrases(language).values()]


# --- what it says


def test_it_says_every_notice_that_has_a_sentence(make: Make, fake: FakeEspeak) -> None:
    assert set(said(make())) == SPOKEN
    assert fake.spoken == texts("en")


def test_with_a_converter_of_its_own_it_says_the_same(make: Make, fake: FakeEspeak) -> None:
    heard = said(make(programs=Programs(), cache=None))
    assert heard == said(make(cache=None))
    fake.say(b"noise")
    assert said(make(programs=Programs(), cache=None)) == {}


@pytest.mark.parametrize("language", ["de-DE", "pt-BR", "zh-CN"])
def test_it_speaks_the_persons_language_or_english(
    make: Make, fake: FakeEspeak, language: str
) -> None:
    assert set(said(make(language))) == SPOKEN
    assert fake.spoken == texts(language)


@pytest.mark.parametrize("volume_percent", [1, 60, 100])
def test_it_is_as_loud_as_earcons_are_and_trimmed(make: Make, volume_percent: int) -> None:
    sound = samples(said(make(volume_percent=volume_percent))[Notice.NO_ANSWER])
    assert max(map(abs, sound)) == pytest.approx(peak_at(volume_percent), abs=1)
    assert (sound[0], sound[-1]) == (0, 0)
    # 0.4 s were said, with 0.3 s of silence on both sides
    assert 0.4 <= seconds_of(2 * len(sound), PLAYBACK_RATE_HZ) < 0.45


def test_at_volume_0_nothing_is_made(make: Make, fake: FakeEspeak) -> None:
    voice = make(volume_percent=0)
    voice.stop()
    assert voice.prompt(Notice.NO_ANSWER) is None
    assert fake.spoken == []


def test_before_it_is_prepared_there_is_nothing(fake: FakeEspeak, told: list[str]) -> None:
    voice = Voice("", 60, None, tell=told.append, espeak=fake.program)
    assert voice.prompt(Notice.NO_ANSWER) is None
    voice.stop()


# --- what is kept


def test_what_was_made_is_there_at_the_next_start(make: Make, fake: FakeEspeak) -> None:
    first = said(make())
    assert said(make()) == first
    assert len(fake.spoken) == len(SPOKEN)


def test_another_volume_is_spoken_and_the_old_one_goes(
    make: Make, fake: FakeEspeak, cache: Path
) -> None:
    said(make(volume_percent=60))
    quiet = set(kept(cache))
    louder = said(make(volume_percent=100))
    assert max(samples(louder[Notice.NO_ANSWER])) == pytest.approx(peak_at(100), abs=1)
    assert len(fake.spoken) == 2 * len(SPOKEN)
    assert len(kept(cache)) == len(SPOKEN)
    assert not quiet & set(kept(cache))


def test_another_language_is_spoken_and_the_old_one_goes(
    make: Make, fake: FakeEspeak, cache: Path
) -> None:
    said(make("en"))
    english = set(kept(cache))
    said(make("de"))
    assert fake.spoken == texts("en") + texts("de")
    assert len(kept(cache)) == len(SPOKEN)
    assert not english & set(kept(cache))


def test_another_espeak_speaks_again(make: Make, fake: FakeEspeak) -> None:
    said(make())
    fake.be_version("1.52")
    said(make())
    assert len(fake.spoken) == 2 * len(SPOKEN)


def test_without_a_cache_it_speaks_at_each_start(make: Make, fake: FakeEspeak) -> None:
    assert said(make(cache=None)) == said(make(cache=None))
    assert len(fake.spoken) == 2 * len(SPOKEN)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:0],
        lambda content: content[:20],
        lambda content: content[:32],
        lambda content: content[:-2],
        lambda content: content + b"\0\0",
        lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
        lambda content: b"RIFF" + content,
        lambda content: content * 100,
    ],
)
def test_what_is_broken_is_made_again(
    make: Make, fake: FakeEspeak, cache: Path, told: list[str], spoil: Callable[[bytes], bytes]
) -> None:
    first = said(make())
    good = kept(cache)
    victim = min(good)
    (cache / victim).write_bytes(spoil(good[victim]))
    assert said(make()) == first
    assert len(fake.spoken) == len(SPOKEN) + 1
    assert kept(cache) == good
    assert told == []


def test_a_sentence_under_the_name_of_another_is_not_believed(
    make: Make, fake: FakeEspeak, cache: Path
) -> None:
    said(make())
    good = kept(cache)
    one, other, *_ = sorted(good)
    (cache / one).write_bytes(good[other])
    said(make())
    assert len(fake.spoken) == len(SPOKEN) + 1
    assert kept(cache) == good


def test_what_is_not_ours_stays_and_what_was_left_half_written_goes(
    make: Make, cache: Path
) -> None:
    cache.mkdir(parents=True)
    (cache / "somebody's").write_bytes(b"x")
    (cache / "0123.prompt-new").write_bytes(b"x")
    said(make())
    assert "somebody's" in kept(cache)
    assert "0123.prompt-new" not in kept(cache)


def test_a_cache_that_takes_nothing_is_told_once_and_does_no_harm(
    make: Make, tmp_path: Path, told: list[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert set(said(make(cache=tmp_path / "file" / "cache"))) == SPOKEN
    assert len(told) == 1
    assert str(tmp_path / "file" / "cache") in told[0]
    assert "Not a directory" in told[0]


def test_a_directory_in_the_place_of_a_sentence_does_no_harm(
    make: Make, cache: Path, told: list[str]
) -> None:
    said(make())
    victim = cache / min(kept(cache))
    victim.unlink()
    victim.mkdir()
    assert set(said(make())) == SPOKEN
    assert len(told) == 1


# --- what can go wrong


def test_without_the_program_it_is_told_once_how_to_get_it(
    make: Make, tmp_path: Path, told: list[str]
) -> None:
    assert said(make(program=str(tmp_path / "nowhere"))) == {}
    assert len(told) == 1
    assert "sudo apt install espeak-ng" in told[0]


@pytest.mark.parametrize(
    "output",
    [b"", b"noise" * 100, wav([0] * 20_000), wav([]), wav(sine(440, 0.4), rate_hz=44_100)],
)
def test_what_is_no_speech_is_told_once_and_not_kept(
    make: Make, fake: FakeEspeak, cache: Path, told: list[str], output: bytes
) -> None:
    fake.say(output)
    assert said(make()) == {}
    assert len(told) == 1
    assert told[0].startswith("a failure is not told in words: its conversion failed (1): ")
    assert not cache.exists()


def test_one_sentence_that_fails_leaves_the_others(
    make: Make, fake: FakeEspeak, told: list[str]
) -> None:
    fake.behave("case $text in *allowance*) echo oh >&2; exit 1 ;; esac")
    assert set(said(make())) == SPOKEN - {Notice.QUOTA_USED_UP}
    assert len(told) == 1


def test_one_that_hangs_each_time_is_told_once(
    make: Make, fake: FakeEspeak, told: list[str]
) -> None:
    fake.behave("exec sleep 60")
    assert said(make(timeout_s=0.05)) == {}
    assert len(told) == 1


def test_it_is_stopped_within_a_second_and_leaves_no_program_behind(
    make: Make, fake: FakeEspeak, told: list[str]
) -> None:
    fake.behave('echo $$ >"$here/pid"; exec sleep 60')
    voice = make()
    wait_until(lambda: fake.noted("pid").endswith("\n"))
    assert voice.prompt(Notice.NOT_DELIVERED) is None
    beginning = time.monotonic()
    voice.stop()
    assert time.monotonic() - beginning < 1.5
    assert not Path("/proc", fake.noted("pid").strip()).exists()
    assert told == []


def test_it_is_stopped_in_the_middle_of_a_long_conversion(
    fake: FakeEspeak, cache: Path, told: list[str]
) -> None:
    fake.say(wav(sine(440, 1.0, RATE_HZ) * 60))  # a second of work, or more
    programs = Programs()
    voice = Voice("", 60, cache, tell=told.append, programs=programs, espeak=fake.program)
    voice.start()
    wait_until(lambda: converts(programs._child))
    voice.stop()
    assert voice._thread is not None
    voice._thread.join(10)
    assert programs._child is not None
    assert programs._child.returncode == -signal.SIGKILL
    assert voice.prompt(Notice.NOT_DELIVERED) is None
    assert not cache.exists()
    assert told == []


def converts(child: subprocess.Popen[bytes] | None) -> bool:
    return child is not None and clips.__name__ in child.args  # type: ignore[operator]  # a list, as it was given


class Interrupted(Converting):
    """Is told to stop while the last sentence is being made."""

    made = 0

    def run(self, name: str, command: Sequence[str], given: bytes = b"") -> bytes:
        output = super().run(name, command, given)
        self.made += clips.__name__ in command
        if self.made == len(SPOKEN):
            self.stop()
        return output


def test_one_that_is_stopped_removes_nothing_of_the_next_one(make: Make, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "0123.prompt").write_bytes(b"another voice's")
    said(make(programs=Interrupted()))
    assert "0123.prompt" in kept(cache)
    said(make())
    assert "0123.prompt" not in kept(cache)


def test_a_stop_before_and_after_is_no_trouble(make: Make) -> None:
    voice = make()
    heard = said(voice)
    voice.stop()
    voice.stop()
    assert voice.prompt(Notice.NO_ANSWER) == heard[Notice.NO_ANSWER]


# --- names of timers


def heard(voice: Voice, *names: str) -> list[bytes | None]:
    """What it says of names once it has made what it can."""
    for name in names:
        voice.word(name)
    said(voice)
    return [voice.word(name) for name in names]


def test_it_learns_names_at_any_time_and_keeps_them_to_itself(
    make: Make, fake: FakeEspeak, cache: Path
) -> None:
    voice = make("de-DE")
    said(voice)
    on_disk = kept(cache)
    assert voice.word("Nudeln") is None
    said(voice)
    sound = voice.word("Nudeln")
    assert sound is not None
    assert max(map(abs, samples(sound))) == pytest.approx(peak_at(60), abs=1)
    assert fake.spoken[-1] == ("de-DE", "Nudeln")
    assert kept(cache) == on_disk


def test_it_knows_the_last_names_only(make: Make) -> None:
    names = [f"timer {number}" for number in range(MOST_NAMES + 1)]
    voice = make()
    assert None not in heard(voice, *names[1:])
    heard(voice, names[0])
    assert voice.word(names[1]) is None
    assert voice.word(names[-1]) is not None


def test_names_that_were_asked_for_before_it_began_are_made_then(
    fake: FakeEspeak, told: list[str]
) -> None:
    voice = Voice("", 60, None, tell=told.append, programs=Converting(30.0), espeak=fake.program)
    assert voice.word("eggs") is None
    voice.start()
    assert heard(voice, "eggs") != [None]
    voice.stop()


def test_a_name_that_cannot_be_made_is_told_once_and_tried_again(
    make: Make, fake: FakeEspeak, told: list[str]
) -> None:
    voice = make()
    said(voice)
    fake.behave("exit 3")
    assert heard(voice, "eggs") == [None]
    assert heard(voice, "eggs") == [None]
    assert len(told) == 1
    fake.behave("")
    heard(voice, "eggs")
    assert heard(voice, "eggs") != [None]


def test_at_no_volume_no_name_is_said(make: Make, fake: FakeEspeak) -> None:
    voice = make(volume_percent=0)
    assert voice.word("eggs") is None
    assert fake.spoken == []
