"""The stand-in sound card itself: what tests and the demo rely on."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.pcm import CAPTURE_RATE_HZ, PLAYBACK_RATE_HZ
from speakerd.demo.soundcard import StandInCard
from speakerd.errors import DeviceError
from tests.audio.contract import reply, words

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.alsa


def command(program: str, device: str, rate_hz: int, *more: str) -> tuple[str, ...]:
    """One of alsa-utils' programs, on raw S16_LE mono."""
    formats = ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(rate_hz))
    return (program, *formats, "-D", device, *more)


def test_another_program_plays_on_it_bit_exactly(card: StandInCard) -> None:
    beginning = card.heard_bytes()
    sound = reply(300)
    subprocess.run(
        command("aplay", card.playback_device, PLAYBACK_RATE_HZ),
        env=os.environ | card.environment(),
        input=sound,
        check=True,
        timeout=30,
    )
    card.wait_heard(card.heard_bytes() + 4800)
    assert sound in card.heard(beginning)


def test_another_program_hears_what_is_played_into_it(card: StandInCard) -> None:
    spoken = words(400, 1)
    program = subprocess.Popen(
        command("arecord", card.capture_device, CAPTURE_RATE_HZ, "-d", "1"),
        env=os.environ | card.environment(),
        stdout=subprocess.PIPE,
    )
    assert program.stdout is not None
    with program, program.stdout as stdout:
        first = stdout.read(640)
        card.play_into_microphone(spoken)
        sound = first + stdout.read()
    assert spoken in sound
    assert not first.strip(b"\0")


def test_it_leaves_nothing_behind_and_can_be_started_again(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        card = StandInCard()
        for _ in range(2):
            with card:
                assert card.heard_bytes() > 0
            assert list(tmp_path.iterdir()) == []
        card.stop()


def test_without_pulseaudio_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="apt install pulseaudio"):
        StandInCard().start()


def test_a_server_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "pulseaudio"
    server.write_text("#!/bin/sh\necho 'out of luck' >&2\nexit 1\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(DeviceError, match="out of luck"):
        StandInCard().start()
