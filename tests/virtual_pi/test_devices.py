"""Sound cards that are not there, go, and come back; a pin that somebody else has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from tests.virtual_pi.pi import DAC, MIC
from tests.virtual_pi.sound import gaps, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi


NO_CARDS = "/etc/modprobe.d/no-cards.conf"


@pytest.fixture(autouse=True)
async def plugged(pi: Pi) -> AsyncIterator[None]:
    """Both cards are there again afterwards."""
    yield
    for card in (MIC, DAC):
        await pi.plug(card)


async def test_a_speaker_that_is_pulled_and_comes_back(pi: Pi, simulator: Simulator) -> None:
    await pi.reload(SPEAKERD_EARCON_VOLUME="0")  # nothing is to be heard but the answer
    mark = await pi.journal.mark()
    await pi.pull(DAC)
    pid = await pi.pid()

    turn = await pi.say(words(0.6, seed=40))  # a press looks at once
    assert "speaker missing" in pi.journal.messages(mark)
    assert turn["SPEAKERD_OUTCOME"] == "cut", turn
    assert (await pi.status())["speaker"] != "ready"

    mark = await pi.journal.mark()
    await pi.plug(DAC)
    await pi.journal.wait("device", since=mark, device="speaker", state="ready")
    async with pi.listening("speaker-back") as heard:
        turn = await pi.say(words(0.6, seed=41))
    found = gaps(bytes(heard), bytes(simulator.turns[-1].reply))
    assert len(found) <= int(turn["SPEAKERD_UNDERRUNS"])
    assert await pi.pid() == pid


async def test_a_microphone_that_is_pulled_and_comes_back(pi: Pi, simulator: Simulator) -> None:
    mark = await pi.journal.mark()
    pid = await pi.pid()
    await pi.pull(MIC)
    await pi.journal.wait("device", since=mark, device="microphone", state="missing")

    async with pi.listening("no-microphone"):
        await pi.press()  # and held: what is shorter than the card takes to be missed is a tap
        await pi.hears(earcons.render(Notice.NO_MICROPHONE))
        await pi.release()

    mark = await pi.journal.mark()
    await pi.plug(MIC)
    await pi.journal.wait("device", since=mark, device="microphone", state="ready")
    said = words(0.6, seed=42)
    assert (await pi.say(said))["SPEAKERD_OUTCOME"] == "answered"
    assert said in bytes(simulator.turns[-1].utterance)
    assert await pi.pid() == pid


async def test_a_boot_without_sound_cards(pi: Pi) -> None:
    mark = await pi.journal.mark()
    await pi.root.run(f"echo blacklist snd_aloop >{NO_CARDS}")
    await pi.reboot()
    await pi.journal.wait("ready", since=mark)
    for device in ("microphone", "speaker"):
        await pi.journal.wait("device", since=mark, device=device, state="missing")
    assert (await pi.status())["state"] == "error"

    await pi.root.run(f"rm {NO_CARDS}; modprobe snd-aloop")
    for device in ("microphone", "speaker"):
        await pi.journal.wait("device", since=mark, device=device, state="ready")
    assert (await pi.say(words(0.6, seed=43)))["SPEAKERD_OUTCOME"] == "answered"
    assert (await pi.unit("NRestarts"))["NRestarts"] == "0"


async def test_a_pin_that_somebody_else_has(pi: Pi) -> None:
    await pi.root.run("systemctl stop speakerd")
    await pi.root.run(
        "systemd-run -q --collect --unit=other /opt/speakerd/bin/python -I -c '"
        "import lgpio, signal; chip = lgpio.gpiochip_open(0); lgpio.gpio_claim_input(chip, 17);"
        "print(1, flush=True); signal.pause()'"
    )
    await pi.root.until("journalctl -u other -o cat | grep -qx 1")
    try:
        mark = await pi.journal.mark()
        await pi.root.run("systemctl start speakerd")
        await pi.journal.wait("device", since=mark, device="button", state="missing")
    finally:
        await pi.root.run("systemctl stop other")
    await pi.journal.wait("device", since=mark, device="button", state="ready")
    assert (await pi.say(words(0.6, seed=44)))["SPEAKERD_OUTCOME"] == "answered"
