"""A mixer of real alsa-lib's: that of the private PulseAudio, through ALSA's ``pulse`` plugin."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.controls import Control, Side, in_the_way
from speakerd.audio.mixer import read_controls
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

MIXER = "standin_mixer"


def amixer(command: str) -> None:
    subprocess.run(shlex.split(command), check=True, capture_output=True, timeout=10)


@pytest.fixture
def mixer(card: StandInCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The stand-in card's mixer: Master for its DAC, Capture for its microphone."""
    config = Path(card.environment()["ALSA_CONFIG_PATH"])
    socket = config.with_name("native")
    own = tmp_path / "asound.conf"
    own.write_text(
        f"<{config}>\n"
        f'ctl.{MIXER} {{ type pulse server "unix:{socket}"'
        f' sink "{card.playback_device}" source "{card.capture_device}" }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(own))
    yield MIXER
    amixer(f"amixer -D {MIXER} sset Master 100% unmute")
    amixer(f"amixer -D {MIXER} sset Capture 100% cap")


def test_what_a_mixer_has_is_seen(mixer: str) -> None:
    assert read_controls(mixer) == [
        Control("Master", playback=Side(on=True, volume_percent=100)),
        Control("Capture", capture=Side(on=True, volume_percent=100)),
    ]


@pytest.mark.parametrize("fault", ["mute", "0%"])
@pytest.mark.parametrize(("name", "capture"), [("Master", False), ("Capture", True)])
def test_a_control_that_stops_sound_is_found_and_mended_by_the_command(
    mixer: str, name: str, capture: bool, fault: str
) -> None:
    amixer(f"amixer -D {mixer} sset {name} {'nocap' if capture and fault == 'mute' else fault}")
    found = in_the_way(read_controls(mixer), capture=capture)
    assert [each.name for each in found] == [name]
    assert in_the_way(read_controls(mixer), capture=not capture) == []
    amixer(found[0].amixer(mixer, capture=capture, volume="80%"))
    assert in_the_way(read_controls(mixer), capture=capture) == []
    side = next(each for each in read_controls(mixer) if each.name == name).side(capture=capture)
    assert side == Side(on=True, volume_percent=80)


@pytest.mark.parametrize("name", ["nowhere", "hw:CARD=nowhere", "hw:7"])
def test_a_mixer_that_is_not_there_is_told_in_one_line(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeviceError, match=rf"^the mixer {name}: No such [a-z ]+$"):
        read_controls(name)
    assert capfd.readouterr().err == ""
