"""The volume through real alsa-lib: the mixer of the private PulseAudio."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.mixer import open_mixer
from speakerd.audio.volume import Volume
from speakerd.demo.soundcard import StandInCard
from tests.audio.contract import wait_until
from tests.audio.volume_contract import MixerContract, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.audio.mixer import Mixer

pytestmark = pytest.mark.alsa


MIXER = "standin_mixer"


def mixer_config(card: StandInCard, directory: Path) -> Path:
    """The card's configuration, with a mixer: Master for its DAC."""
    config = Path(card.environment()["ALSA_CONFIG_PATH"])
    own = directory / "asound.conf"
    own.write_text(
        f"<{config}>\n"
        f'ctl.{MIXER} {{ type pulse server "unix:{config.with_name("native")}"'
        f' sink "{card.playback_device}" source "{card.capture_device}" }}\n'
    )
    return own


class PulseWorld:
    name = MIXER

    def open(self, name: str) -> Mixer:
        return open_mixer(name)

    def turn(self, percent: int, *, on: bool) -> None:
        subprocess.run(
            [
                *("amixer", "-q", "-D", self.name, "sset", "Master"),
                *(f"{percent}%", "unmute" if on else "mute"),
            ],
            check=True,
            timeout=10,
        )


class TestPulseMixer(MixerContract):
    @pytest.fixture
    def world(
        self, card: StandInCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PulseWorld]:
        world = PulseWorld()
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(mixer_config(card, tmp_path)))
        yield world
        world.turn(100, on=True)


def test_a_mixer_whose_server_ends_is_lost_and_tried_again_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    opened = []

    def counted(name: str) -> Mixer:
        opened.append(name)
        return open_mixer(name)

    with StandInCard() as card:
        for name, value in card.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(mixer_config(card, tmp_path)))
        volume = Volume(MIXER, listener=told, open_mixer=counted)
        volume.start()
        assert told.next(2) == ["ready", (100, False)]
    wait_until(lambda: str(told.all[-1]).startswith(f"lost: the mixer {MIXER}: Connection refused"))
    assert len(opened) <= 4
    assert volume.state is None
    volume.stop()
