"""The volume through real alsa-lib: the mixer of the private PulseAudio."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.mixer import open_mixer
from tests.audio.volume_contract import MixerContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.audio.mixer import Mixer
    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa


class PulseWorld:
    name = "standin_mixer"

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
        config = Path(card.environment()["ALSA_CONFIG_PATH"])
        own = tmp_path / "asound.conf"
        own.write_text(
            f"<{config}>\n"
            f'ctl.{world.name} {{ type pulse server "unix:{config.with_name("native")}"'
            f' sink "{card.playback_device}" source "{card.capture_device}" }}\n'
        )
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(own))
        yield world
        world.turn(100, on=True)
