"""Turns of the real daemon, from the microphone's samples to the loudspeaker's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.earcons import render
from speakerd.conversation.effects import Notice
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.alsa.speakerd_rig import (
    HEARD_BYTES_PER_S,
    SPOKEN_BYTES_PER_S,
    Speaker,
    closed_port,
    running,
    until,
)
from tests.audio.contract import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

PIECE_BYTES = 960
#: How late the stand-in card and a busy machine may be.
LATE_S = 0.25


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(speed=0)) as made:
        yield made


@pytest.fixture
async def speaker(
    card: StandInCard, simulator: Simulator, tmp_path: Path
) -> AsyncIterator[Speaker]:
    async with running(tmp_path, card, simulator.environment()) as made:
        await made.link("ready")
        yield made


def pieces(sound: bytes) -> list[bytes]:
    """``sound`` in pieces that can be found in a recording."""
    return [
        piece
        for n in range(0, len(sound) - PIECE_BYTES, PIECE_BYTES)
        if (piece := sound[n : n + PIECE_BYTES]).strip(b"\0")
    ]


async def test_an_utterance_is_what_was_said_from_the_preroll_to_the_tail(
    card: StandInCard, simulator: Simulator, tmp_path: Path
) -> None:
    """Somebody talks on and on, and the button is held for a moment of it."""
    talk = words(2400, seed=1)
    options = {"SPEAKERD_PREROLL_MS": "300", "SPEAKERD_TAIL_MS": "300"}
    options["SPEAKERD_EARCON_VOLUME"] = "0"  # the pre-roll would keep away from them
    async with running(tmp_path, card, simulator.environment(), options) as speaker:
        await speaker.link("ready")
        over_at = card.play_into_microphone(talk)
        began_at = over_at - len(talk) / SPOKEN_BYTES_PER_S
        await until(began_at + 0.8)
        before_press = time.monotonic()
        await speaker.command("press")
        after_press = time.monotonic()
        await until(began_at + 1.2)
        before_release = time.monotonic()
        await speaker.command("release")
        after_release = time.monotonic()
        assert (await speaker.turn())["outcome"] == "answered"
        await until(over_at)
    utterance = bytes(simulator.turns[0].utterance)
    assert utterance in talk  # to the sample, and without a gap
    first_at = began_at + talk.find(utterance) / SPOKEN_BYTES_PER_S
    last_at = first_at + len(utterance) / SPOKEN_BYTES_PER_S
    assert before_press - 0.3 - LATE_S < first_at < after_press - 0.2
    assert before_release + 0.3 - LATE_S < last_at < after_release + 0.3 + LATE_S
    assert simulator.connections[0].discarded_chunks == 0  # nothing was sent beside it


async def test_twenty_turns_in_a_row(
    card: StandInCard, simulator: Simulator, speaker: Speaker
) -> None:
    beginning = card.heard_bytes()
    files, memory_bytes = [], []
    for number in range(1, 21):
        spoken = words(100, seed=number)
        await speaker.hold(spoken)
        assert (await speaker.turn(number))["outcome"] == "answered"
        assert spoken in simulator.turns[number - 1].utterance
        files.append(speaker.open_files)
        memory_bytes.append(speaker.resident_bytes)
    heard = await speaker.heard(beginning)
    positions = [heard.find(bytes(turn.reply).strip(b"\0")) for turn in simulator.turns]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert len(simulator.connections) == 1
    # a command's connection may still be closing: the fewest of some turns
    assert min(files[15:]) <= min(files[:5])
    assert memory_bytes[19] - memory_bytes[4] < 4 * 1024 * 1024


async def test_a_press_silences_the_answer_and_the_next_one_is_clean(
    card: StandInCard, simulator: Simulator, speaker: Speaker
) -> None:
    beginning = card.heard_bytes()
    await speaker.hold(words(1500, seed=1))
    await speaker.state("speaking")
    await speaker.heard_up_to(card.heard_bytes() + HEARD_BYTES_PER_S // 2)
    await speaker.command("press")
    pressed = card.heard_bytes()
    assert (await speaker.turn(1))["outcome"] == "stopped"
    await speaker.say(words(200, seed=2))
    await speaker.command("release")
    assert (await speaker.turn(2))["outcome"] == "answered"
    heard = await speaker.heard(beginning)
    old, new = (bytes(turn.reply) for turn in simulator.turns)
    assert new.strip(b"\0") in heard
    ends = [n for piece in pieces(old) if (n := heard.find(piece)) >= 0]
    assert max(ends) > 0.2 * HEARD_BYTES_PER_S
    assert max(ends) - (pressed - beginning) < LATE_S * HEARD_BYTES_PER_S
    assert len(ends) < len(pieces(old)) - 10  # there was something left to silence


async def test_the_preroll_does_not_reach_back_into_the_answer(
    card: StandInCard, simulator: Simulator, tmp_path: Path
) -> None:
    """What the microphone hears while the speaker speaks is the speaker."""
    options = {"SPEAKERD_PREROLL_MS": "3000", "SPEAKERD_ECHO_GUARD_MS": "300"}
    async with running(tmp_path, card, simulator.environment(), options) as speaker:
        await speaker.link("ready")
        await speaker.command("say", text="hello")
        await speaker.state("speaking")
        echo = words(400, seed=1)  # the answer is 600 ms long
        card.play_into_microphone(echo)
        await speaker.turn(1)
        await speaker.hold(words(400, seed=2))
        await speaker.turn(2)
    utterance = simulator.turns[1].utterance
    assert words(400, seed=2)[-PIECE_BYTES:] in utterance
    assert not [piece for piece in pieces(echo) if piece in utterance]


async def test_a_tap_stops_an_answer_and_says_nothing(
    card: StandInCard, simulator: Simulator, tmp_path: Path
) -> None:
    async with running(
        tmp_path, card, simulator.environment(), {"SPEAKERD_MIN_PRESS_MS": "2000"}
    ) as speaker:
        await speaker.link("ready")
        beginning = card.heard_bytes()
        await speaker.command("press")
        await speaker.command("release")
        await speaker.state("idle")
        await speaker.command("say", text="hello")
        await speaker.state("speaking")
        await speaker.command("press")
        await speaker.command("release")
        assert (await speaker.turn())["outcome"] == "stopped"
        await speaker.state("idle")
        heard = await speaker.heard(beginning)
    assert bytes(simulator.turns[0].reply).strip(b"\0") not in heard
    assert [turn.kind for turn in simulator.turns] == ["text"]
    assert simulator.connections[0].received["activityStart"] == 0


async def test_what_cannot_be_delivered_is_told_within_the_patience(
    card: StandInCard, tmp_path: Path
) -> None:
    nobody = {
        "GOOGLE_GEMINI_BASE_URL": f"https://127.0.0.1:{closed_port()}",
        "SPEAKERD_PATIENCE_S": "1",
    }
    async with running(tmp_path, card, nobody) as speaker:
        beginning = card.heard_bytes()
        await speaker.hold(words(200, seed=1))
        released_at = time.monotonic()
        assert (await speaker.turn())["outcome"] == "not-delivered"
        assert 1.0 < time.monotonic() - released_at < 3.0
        earcon = render(Notice.NOT_DELIVERED)
        await speaker.heard_up_to(card.heard_bytes() + len(earcon))
        assert earcon.strip(b"\0") in await speaker.heard(beginning)
        assert "Connect call failed" in (await speaker.command("status"))["last_error"]
