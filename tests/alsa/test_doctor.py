"""The doctor's checks of sound, on real alsa-lib."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.earcons import tone
from speakerd.doctor import sound
from speakerd.doctor.host import SocketDaemon
from speakerd.doctor.trial import real_alsa
from tests.alsa.speakerd_rig import running
from tests.audio.contract import words
from tests.doctor.made_up import Machine, Person, lines

if TYPE_CHECKING:
    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

ALSA = dataclasses.replace(real_alsa(), speak_s=1.5)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def on_card(card: StandInCard, machine: Machine) -> Machine:
    machine.options = {
        "SPEAKERD_CAPTURE_DEVICE": card.capture_device,
        "SPEAKERD_PLAYBACK_DEVICE": card.playback_device,
    }
    return machine


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "asound.conf"
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(path))
    path.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        'pcm.picky_dac { type a52 slavepcm "null" rate 48000 channels 6 }\n'
        'pcm.picky_microphone { type mulaw slave { pcm "null" format S16_LE } }\n'
        'pcm.kitchen { type null hint { show on description "at home" } }\n'
    )
    return path


def test_silence_is_told_from_speech(card: StandInCard, on_card: Machine) -> None:
    opened, heard = lines(sound.check_microphone(on_card.system(), ALSA))
    assert opened == f"OK microphone: {card.capture_device} captures at 16 kHz"
    assert "gives digital silence" in heard
    on_card.person = Person(lambda: card.play_into_microphone(words(1000, seed=1)))
    _, heard = lines(sound.check_microphone(on_card.system(), ALSA))
    assert "digital silence" not in heard
    assert "peak 0 dBFS" in heard


def test_the_tone_is_heard_to_its_end(card: StandInCard, on_card: Machine) -> None:
    beginning = card.heard_bytes()
    (found,) = lines(sound.check_speaker(on_card.system(), ALSA))
    assert found.startswith(f"OK speaker: {card.playback_device} plays at 24 kHz")
    card.wait_heard(card.heard_bytes() + 24_000, 20)
    assert tone().strip(b"\0") in card.heard(beginning)


@pytest.mark.usefixtures("config")
def test_devices_that_do_not_convert_and_the_lines_that_mend_them(machine: Machine) -> None:
    machine.options = {
        "SPEAKERD_CAPTURE_DEVICE": "picky_microphone",
        "SPEAKERD_PLAYBACK_DEVICE": "picky_dac",
    }
    checks = (sound.check_microphone, sound.check_speaker)
    found = [line for check in checks for line in lines(check(machine.system(), ALSA))]
    assert [line.split(":")[0] for line in found] == ["FAIL microphone", "FAIL speaker"]
    for line in found:
        option = re.search(r"-> (SPEAKERD_\w+)=(\S+) in ", line)
        assert option is not None
        machine.options[option[1]] = option[2]
    for check in checks:
        assert lines(check(machine.system(), ALSA))[0].startswith("OK")


@pytest.mark.usefixtures("config")
def test_the_nearest_name_is_found_in_what_alsa_has(machine: Machine) -> None:
    machine.options = {"SPEAKERD_PLAYBACK_DEVICE": "kitschen"}
    (found,) = lines(sound.check_speaker(machine.system(), ALSA))
    assert "kitschen: No such file or directory -> SPEAKERD_PLAYBACK_DEVICE=kitchen in " in found


def test_a_muted_mixer_is_found_and_mended_by_its_line(
    card: StandInCard, on_card: Machine, config: Path
) -> None:
    """The default mixer is that of any PCM without a card in its name."""
    standin = Path(card.environment()["ALSA_CONFIG_PATH"])
    config.write_text(
        f"<{standin}>\n"
        f'ctl.!default {{ type pulse server "unix:{standin.with_name("native")}"'
        f' sink "{card.playback_device}" source "{card.capture_device}" }}\n'
    )
    subprocess.run(["amixer", "sset", "Master", "mute"], check=True, capture_output=True)
    try:
        microphone, speaker = lines(sound.check_mixer(on_card.system(), ALSA))
        assert microphone == "OK microphone: the mixer default lets sound through"
        assert speaker.startswith("FAIL speaker: Master of the mixer default is off -> amixer ")
        command = speaker.partition(" -> ")[2].removesuffix(" && sudo alsactl store")
        subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - our own
        found = lines(sound.check_mixer(on_card.system(), ALSA))
        assert found[1] == "OK speaker: the mixer default lets sound through"
    finally:
        subprocess.run(["amixer", "sset", "Master", "100%", "unmute"], check=True)


async def test_a_running_daemon_is_asked_and_keeps_its_devices(
    card: StandInCard, on_card: Machine, tmp_path: Path
) -> None:
    on_card.person = Person(lambda: card.play_into_microphone(words(1000, seed=1)))
    async with running(tmp_path, card) as speaker:
        await speaker.state("idle")
        system = dataclasses.replace(on_card.system(), daemon=SocketDaemon(speaker.process.socket))
        beginning = card.heard_bytes()
        found = await asyncio.to_thread(lambda: lines(sound.check_microphone(system, ALSA)))
        assert found[0] == "OK microphone: the daemon has it open"
        assert "peak 0 dBFS" in found[1]
        (played,) = await asyncio.to_thread(lambda: lines(sound.check_speaker(system, ALSA)))
        assert played.startswith("OK speaker: the daemon has it open")
        await speaker.heard_up_to(card.heard_bytes() + 2 * len(tone()))
        assert tone().strip(b"\0") in card.heard(beginning)
