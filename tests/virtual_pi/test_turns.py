"""A press is a kernel's edge, words go through a sound card's driver, the answer is heard there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.records import Outcome
from tests.virtual_pi.sound import gaps, samples, sounding, words

if TYPE_CHECKING:
    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi


@pytest.fixture(autouse=True)
async def quiet(pi: Pi) -> None:
    """Nothing is heard but answers: the sounds of its own are test_sounds.py's."""
    await pi.configure(SPEAKERD_EARCON_VOLUME="0")
    await pi.restart()


async def test_what_is_said_arrives_and_the_answer_is_heard(pi: Pi, simulator: Simulator) -> None:
    said = words(2.0)

    async with pi.listening("answer") as heard:
        turn = await pi.say(said)

    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    record = simulator.turns[-1]
    assert record.outcome is Outcome.COMPLETE
    assert said in bytes(record.utterance), "the words are not all there"
    # a machine that is short of time may stutter, if it says so
    assert len(gaps(bytes(heard), bytes(record.reply))) <= int(turn["SPEAKERD_UNDERRUNS"])


async def test_a_card_that_wants_another_rate(pi: Pi, simulator: Simulator) -> None:
    """Most DACs run at 48 kHz and in stereo: ALSA converts, and nothing gets lost or moved."""
    await pi.root.run("systemctl stop speakerd")
    async with pi.listening("at-48-kHz", rate_hz=48_000, channels=2) as heard:
        await pi.restart()
        turn = await pi.say(words(1.0, seed=3))
    await pi.restart()  # or it would stay at that rate

    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    both = samples(bytes(heard))
    left, right = both[0::2], both[1::2]
    assert left == right
    found = gaps(left.tobytes(), bytes(simulator.turns[-1].reply), step=2)
    assert len(found) <= int(turn["SPEAKERD_UNDERRUNS"])


async def test_a_button_that_bounces(pi: Pi, simulator: Simulator) -> None:
    """Contacts that open and close again within microseconds: one press, one release."""
    before = len(simulator.turns)
    said = words(1.0, seed=4)
    mark = await pi.journal.mark()

    await pi.speak(said, press="button bounce 16", release="button bounce 16 && button release")

    turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert len(simulator.turns) == before + 1
    assert said in bytes(simulator.turns[-1].utterance)


async def test_a_press_into_the_answer_silences_it(pi: Pi, simulator: Simulator) -> None:
    said = words(1.0, seed=5)
    mark = await pi.journal.mark()

    async with pi.listening("spoken-on") as heard:
        await pi.speak(words(4.0, seed=6))
        await pi.answering()
        await pi.speak(said)
        await pi.journal.wait("turn", since=mark, outcome="answered")

    first, second = simulator.turns[-2:]
    assert first.outcome is Outcome.INTERRUPTED
    assert pi.journal.since(mark, "turn")[0]["SPEAKERD_OUTCOME"] == "stopped"
    assert said in bytes(second.utterance)
    parts = bytes(heard)
    start = parts.index(sounding(bytes(second.reply))[:64])
    last = pi.journal.since(mark, "turn")[-1]
    assert len(gaps(parts[start:], bytes(second.reply))) <= int(last["SPEAKERD_UNDERRUNS"])
    assert sounding(bytes(first.reply))[-9600:] not in parts, "the first one ended early"
