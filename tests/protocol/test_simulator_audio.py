from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.simulator.audio import read_wav, resample, tone, write_wav
from tests.protocol.simulator_driver import CHUNK, resampled

if TYPE_CHECKING:
    from pathlib import Path


@given(
    st.lists(st.integers(-32768, 32767), max_size=200),
    st.sampled_from([8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]),
    st.sampled_from([16_000, 24_000]),
)
def test_resampling_is_the_documented_arithmetic(
    samples: list[int], from_hz: int, to_hz: int
) -> None:
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    assert resample(pcm, from_hz, to_hz) == resampled(pcm, from_hz, to_hz)


def test_the_same_rate_changes_nothing() -> None:
    assert resample(CHUNK, 24_000, 24_000) == CHUNK


def test_an_odd_byte_is_left_out() -> None:
    assert resample(CHUNK + b"\x7f", 16_000, 24_000) == resample(CHUNK, 16_000, 24_000)


def test_a_tone_sounds_and_fades() -> None:
    pcm = tone(0.1)
    samples = [int.from_bytes(pcm[n : n + 2], "little", signed=True) for n in range(0, len(pcm), 2)]
    assert len(samples) == 2400
    assert max(samples) > 7000
    assert abs(samples[0]) < 100
    assert abs(samples[-1]) < 100


def test_a_wav_file_is_read_at_the_rate_of_a_reply(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, CHUNK, 48_000)
    assert read_wav(path) == resampled(CHUNK, 48_000)


def test_of_a_stereo_file_the_left_channel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(b"\1\0\2\0\3\0\4\0")
    assert read_wav(path) == b"\1\0\3\0"


@pytest.mark.parametrize(("content", "said"), [(b"", "not a PCM"), (b"RIFF nothing", "not a PCM")])
def test_what_is_not_a_wav_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_wav(path)
    assert str(path) in str(caught.value)


def test_other_sample_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "8bit.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(24_000)
        file.writeframes(b"\1\2")
    with pytest.raises(ValueError, match="8 bits"):
        read_wav(path)
