"""From a program's WAV to a clip: what is read, what is cut off, what comes of the pitch."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio.clips import VOICE_PEAK, clip, finished, peak_at, read_wav, resampled, trimmed
from speakerd.audio.level import measure
from speakerd.audio.pcm import PLAYBACK_RATE_HZ
from tests.fakes.espeak import RATE_HZ, UNKNOWN_BYTES, sine, wav

TONE = sine(440, 0.05)


def unpacked(pcm: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(pcm) // 2}h", pcm))


# --- reading


@pytest.mark.parametrize("size_bytes", [2 * len(TONE), 0, UNKNOWN_BYTES, 0xFFFFFFFF, 1_000_000])
def test_what_is_there_counts_whatever_size_is_written(size_bytes: int) -> None:
    assert read_wav(wav(TONE, size_bytes=size_bytes)) == (array("h", TONE), RATE_HZ)


def test_what_follows_the_sound_is_not_part_of_it() -> None:
    assert read_wav(wav(TONE, size_bytes=2 * len(TONE)) + b"LIST\x04\0\0\0text")[0] == array(
        "h", TONE
    )


def test_other_parts_and_half_a_sample_are_passed_over() -> None:
    whole = wav(TONE)
    odd = b"LIST\x03\0\0\0odd\0"
    assert read_wav(whole[:12] + odd + whole[12:] + b"\x01") == (array("h", TONE), RATE_HZ)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"RIFF",
        b"Error: no such voice\n" * 9,
        wav(TONE)[:36],
        wav([]),
        wav(TONE)[:12] + wav(TONE)[36:],  # without saying what kind
        wav(TONE, channels=2),
        wav(TONE, rate_hz=44_100),
        wav(TONE, rate_hz=0),
        wav(TONE).replace(struct.pack("<HI", 16, 0x61746164), struct.pack("<HI", 8, 0x61746164)),
    ],
)
def test_what_is_not_such_a_file_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        read_wav(broken)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_nothing_else_comes_of_any_bytes(noise: bytes, at: int, cut: int) -> None:
    whole = wav(TONE)
    for content in (noise, whole[:at] + noise + whole[at + cut :], whole[: -cut or None]):
        try:
            samples, rate_hz = read_wav(content)
        except ValueError:
            continue
        assert samples
        assert 8_000 <= rate_hz <= PLAYBACK_RATE_HZ


# --- trimming


def test_silence_and_what_is_all_but_silence_goes() -> None:
    silence = [3, -3] * int(0.3 * RATE_HZ / 2)
    kept = trimmed(silence + TONE + silence, RATE_HZ)
    assert 0 < len(kept) - len(TONE) <= 2 * 0.015 * RATE_HZ
    assert max(kept) == max(TONE)


def test_a_pause_within_stays() -> None:
    spoken = TONE + [0] * RATE_HZ + TONE
    assert trimmed(spoken, RATE_HZ) == spoken[: len(spoken)]


@pytest.mark.parametrize("samples", [[], [0] * 1000])
def test_silence_alone_is_refused(samples: list[int]) -> None:
    with pytest.raises(ValueError, match="silence"):
        trimmed(samples, RATE_HZ)


# --- the rate


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000])
@pytest.mark.parametrize(("share", "worst_db"), [(0.02, -70), (0.1, -60), (0.35, -45)])
def test_a_pitch_stays_what_it_was(rate_hz: int, share: float, worst_db: int) -> None:
    pitch_hz = share * rate_hz
    sound = resampled(sine(pitch_hz, 0.1, rate_hz, 30_000), rate_hz)
    assert len(sound) == pytest.approx(0.1 * PLAYBACK_RATE_HZ, abs=2)
    step = 2 * math.pi * pitch_hz / PLAYBACK_RATE_HZ
    worst = max(
        abs(sample - 30_000 * math.sin(step * index))
        for index, sample in list(enumerate(sound))[50:-50]
    )
    assert 20 * math.log10(worst / 30_000) < worst_db


def test_a_constant_stays_constant() -> None:
    sound = resampled([1000] * 2000, RATE_HZ)[50:-50]
    assert max(sound) == pytest.approx(1000)
    assert min(sound) == pytest.approx(1000)


# --- the clip


@pytest.mark.parametrize("peak", [3, 900, 32_767])
def test_a_clip_peaks_where_the_voice_does_and_fades_at_both_ends(peak: int) -> None:
    pcm = finished(sine(500.3, 0.2, PLAYBACK_RATE_HZ, peak), VOICE_PEAK)
    sound = unpacked(pcm)
    assert max(map(abs, sound)) == pytest.approx(VOICE_PEAK, abs=1)
    assert (sound[0], sound[-1]) == (0, 0)
    level = measure(pcm)
    assert level is not None
    assert level.peak_dbfs == pytest.approx(-3, abs=0.1)


def test_even_a_single_sample_is_a_clip() -> None:
    assert len(finished([5.0], VOICE_PEAK)) == 2


@pytest.mark.parametrize("volume_percent", [1, 50, 100])
def test_a_clip_is_as_loud_as_earcons_are(volume_percent: int) -> None:
    silence = [0] * RATE_HZ
    pcm = clip(wav(silence + sine(500, 0.4) + silence), volume_percent)
    assert max(map(abs, unpacked(pcm))) == pytest.approx(peak_at(volume_percent), abs=1)
    assert len(pcm) / 2 == pytest.approx((0.4 + 2 * 0.015) * PLAYBACK_RATE_HZ, abs=50)


def test_half_the_percent_is_10_db_less() -> None:
    assert peak_at(100) == VOICE_PEAK
    assert peak_at(50) == pytest.approx(VOICE_PEAK / 10**0.5, rel=0.01)


def run(percent: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "speakerd.audio.clips", percent]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def test_as_a_program_it_makes_one_of_what_it_reads() -> None:
    speech = wav(TONE)
    made = run("60", speech)
    assert (made.returncode, made.stderr) == (0, b"")
    assert made.stdout == clip(speech, 60)


@pytest.mark.parametrize("given", [b"", wav([0] * 1000)])
def test_as_a_program_it_says_what_it_cannot_read(given: bytes) -> None:
    made = run("60", given)
    assert (made.returncode, made.stdout) == (1, b"")
    assert made.stderr.decode().strip() in {"not a WAV file", "nothing but silence"}
