"""The volume on a real mixer, and what the speaker says by itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.audio.phrases import phrases
from speakerd.conversation.effects import Cue, Notice
from tests.virtual_pi.pi import DAC, EAR, MOUTH
from tests.virtual_pi.shell import LOOK_S
from tests.virtual_pi.sound import samples, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

LOUDER, SOFTER = 24, 25
MANUAL = Path(__file__).parents[2] / "docs" / "volume.md"
CONTROLS = "/var/lib/speakerd/controls.json"
#: How the loopback has to be opened before dmix does, which wants 48 kHz, stereo and more bits
DMIX_RATE_HZ, DMIX_CHANNELS = 48_000, 2
MIXER = {"SPEAKERD_PLAYBACK_DEVICE": "speaker", "SPEAKERD_MIXER": "hw:CARD=Dac"}

# --- the volume


@pytest.fixture
async def softvol(pi: Pi) -> AsyncIterator[None]:
    """The recipe of docs/volume.md for a DAC without a mixer, and nothing kept; it is put back.

    The control is there, as after a first sound.
    """
    recipe = MANUAL.read_text().split("In `/etc/asound.conf`:")[1].split("```")[1]
    await pi.root.run(f"systemctl stop speakerd; rm -f {CONTROLS}")
    await pi.root.put(recipe.replace("sndrpihifiberry", "Dac").encode(), "/etc/asound.conf")
    await pi.root.run("aplay -q -D speaker -d 1 -t raw -f cd /dev/zero")
    yield
    await pi.root.run(
        f"systemctl stop speakerd ear 2>&1; rm -f /etc/asound.conf {CONTROLS};"
        f" button release {LOUDER}; button release {SOFTER}",
        timeout_s=300.0,
    )
    await pi.pull(DAC)  # and with the card its control
    await pi.plug(DAC)


async def volume(pi: Pi, fits: Callable[[int], bool]) -> int:
    """Wait until it fits; what it is."""
    async with asyncio.timeout(120.0):
        while True:
            percent = (await pi.status())["volume"]
            if percent is not None and fits(percent):
                return int(percent)
            await asyncio.sleep(LOOK_S)


async def mixer(pi: Pi) -> tuple[int, float]:
    """What ``amixer`` says of the control: percent by the scale of ``alsamixer``, decibels."""
    told = await pi.root.run("amixer -M -D hw:CARD=Dac sget SoftMaster")
    found = re.search(r"\[(\d+)%\] \[(-?[\d.]+)dB\]", told)
    assert found, told
    return int(found[1]), float(found[2])


async def energy(pi: Pi, name: str) -> float:
    """Of an answer that is always the same: the sum of the squares of all samples."""
    rate = {"rate_hz": DMIX_RATE_HZ, "channels": DMIX_CHANNELS}
    async with pi.listening(name, **rate) as heard:
        turn = await pi.say(words(1.0, seed=80))
        await pi.idle()
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    return float(sum(sample * sample for sample in samples(bytes(heard))))


@pytest.mark.usefixtures("softvol")
async def test_a_volume_of_software(pi: Pi) -> None:
    """By command, by another program; seen in the mixer, and heard."""
    await pi.configure(**MIXER, SPEAKERD_VOLUME="25", SPEAKERD_EARCON_VOLUME="0")
    async with pi.listening("first", rate_hz=DMIX_RATE_HZ, channels=DMIX_CHANNELS):
        await pi.restart()
        await pi.parts("volume")
        assert await volume(pi, lambda percent: percent < 100) == 25  # the first one

    await pi.me.run("sudo speakerd volume 30")
    assert await volume(pi, lambda percent: percent != 25) == 30
    assert abs((await mixer(pi))[0] - 30) <= 1
    await pi.me.run("sudo speakerd volume +10")
    assert await volume(pi, lambda percent: percent != 30) == 40
    assert (await pi.me.run("sudo speakerd volume")).split() == ["40", "%"]
    percent, soft_db = await mixer(pi)
    assert abs(percent - 40) <= 1
    soft = await energy(pi, "soft")

    await pi.root.run("amixer -q -M -D hw:CARD=Dac sset SoftMaster 90%")
    assert abs(await volume(pi, lambda percent: percent != 40) - 90) <= 1
    _, loud_db = await mixer(pi)
    loud = await energy(pi, "loud")
    louder_db = loud_db - soft_db  # a step is 0.196 dB, and told as 0.19
    assert louder_db > 6
    assert abs(10 * math.log10(loud / soft) - louder_db) < 1.5


@pytest.mark.usefixtures("softvol")
async def test_a_volume_that_is_remembered(pi: Pi) -> None:
    """Turned by two buttons, one of them held down."""
    pins = {"SPEAKERD_VOLUME_UP_PIN": str(LOUDER), "SPEAKERD_VOLUME_DOWN_PIN": str(SOFTER)}
    await pi.configure(**MIXER, **pins, SPEAKERD_VOLUME="20", SPEAKERD_VOLUME_MAX="60")
    await pi.restart()
    await pi.parts("volume", "volume up", "volume down")
    assert await volume(pi, lambda percent: percent < 100) == 20

    await pi.root.run(f"button bounce 8 {LOUDER}")
    assert await volume(pi, lambda percent: percent >= 60) == 60  # and no more
    await pi.root.run(f"button release {LOUDER}")
    await pi.root.run(f"button bounce 8 {SOFTER} && button release {SOFTER}")
    # once, or again: what it takes this machine to start a program may be as long as a hold
    softer = await volume(pi, lambda percent: percent < 60)
    while softer != (softer := (await pi.status())["volume"]):
        await asyncio.sleep(LOOK_S)
    assert softer in {55, 50, 45}
    await pi.root.until(f"grep -q '\"volume\": {softer}' {CONTROLS}")

    await pi.root.run("systemctl stop speakerd; amixer -q -D hw:CARD=Dac sset SoftMaster 100%")
    await pi.restart()
    await pi.parts("volume")
    assert await volume(pi, lambda percent: percent < 100) == softer


@pytest.mark.usefixtures("softvol")
async def test_a_volume_of_software_at_its_very_first_sound(pi: Pi) -> None:
    """Nothing has ever been played: the daemon makes the control, and sets the first volume."""
    await pi.pull(DAC)
    await pi.plug(DAC)
    await pi.configure(**MIXER, SPEAKERD_VOLUME="25")
    mark = await pi.journal.mark()
    await pi.restart()
    assert await volume(pi, lambda percent: percent != 100) == 25
    assert "Operation not permitted" not in pi.journal.messages(mark)


# --- the sounds


@contextlib.asynccontextmanager
async def echo(pi: Pi) -> AsyncIterator[None]:
    """The microphone hears the speaker, a moment later."""
    form = "-q -t raw -f S16_LE -r 24000 -c 1 --buffer-time=200000"
    await pi.root.run(
        "systemd-run -q --collect --unit=echo --nice=-10 "
        f"sh -c 'arecord {form} -D {EAR} | aplay {form} -D {MOUTH}'"
    )
    try:
        await pi.root.until("grep -q RUNNING /proc/asound/Dac/pcm1c/sub0/status")
        yield
    finally:
        await pi.root.run("systemctl stop echo")


async def verdict(pi: Pi, *, silent: bool) -> None:
    """Wait until the microphone's last second was silent, or was not."""
    async with asyncio.timeout(120.0):
        while ((await pi.command("level"))["verdict"] == "silent") is not silent:
            await asyncio.sleep(LOOK_S / 5)


async def test_a_start_and_a_sentence_are_heard(pi: Pi) -> None:
    await pi.root.run("systemctl stop speakerd")
    async with pi.listening("cues"):
        await pi.restart()
        await pi.hears(earcons.render(Cue.READY))
        turn = await pi.say(words(0.6, seed=81))
        assert turn["SPEAKERD_OUTCOME"] == "answered", turn
        await pi.hears(earcons.render(Cue.HEARD))


async def test_what_the_speaker_says_itself_is_never_sent(pi: Pi, simulator: Simulator) -> None:
    """The microphone has its sounds, before a press and after it; the utterance has silence."""
    await pi.configure(SPEAKERD_PREROLL_MS="5000", SPEAKERD_ECHO_GUARD_MS="2000")
    await pi.root.run("systemctl stop speakerd")
    async with echo(pi):
        await pi.restart()
        await verdict(pi, silent=False)  # the sound of the start
        await verdict(pi, silent=True)
        mark = await pi.journal.mark()
        await pi.root.run("button hold 1")
        turn = await pi.journal.wait("turn", since=mark)

    utterance = bytes(simulator.turns[-1].utterance)
    assert len(utterance) > 2 * 16_000, turn
    assert not any(utterance)


async def test_without_espeak(pi: Pi) -> None:
    """One line in the journal, and short sounds in place of words."""
    mark = await pi.journal.mark()
    await pi.configure(SPEAKERD_PROMPTS="true")
    await pi.root.run("mv /usr/bin/espeak-ng /usr/bin/espeak-ng.away")
    try:
        await pi.restart()
        await pi.journal.wait(since=mark, text="espeak-ng is not installed")
        await pi.command("mute", on=True)
        async with pi.listening("no-words"):
            await pi.root.run("button hold 0.1")
            await pi.hears(earcons.render(Notice.MUTED))
    finally:
        await pi.root.run("mv /usr/bin/espeak-ng.away /usr/bin/espeak-ng")
        await pi.command("mute", on=False)
    assert pi.journal.messages(mark).count("espeak-ng") == 2  # what it lacks, how to get it


async def test_a_failure_is_told_in_words(pi: Pi) -> None:
    """By programs that the service may start, kept where it may write."""
    await pi.configure(SPEAKERD_PROMPTS="true")
    try:
        await pi.restart()
        count = len(phrases(""))
        await pi.root.until(f"ls /var/cache/speakerd | wc -l | grep -qx {count}", timeout_s=600.0)
        await pi.command("mute", on=True)
        async with pi.listening("words"):
            await pi.root.run("button hold 0.1")
            # of no short sound there is as much
            loud = "test $(tr -d '\\0' </run/heard.raw | wc -c) -gt 100000"
            await pi.root.until(loud)
    finally:
        await pi.command("mute", on=False)
        await pi.root.run("systemctl stop speakerd; rm -r /var/cache/speakerd/*")
