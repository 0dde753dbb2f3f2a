"""Everybody whom the bench measures, for one turn: the button, the wire, the loudspeaker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from speakerd.demo.soundcard import DAC_RATE_HZ
from speakerd.simulator.audio import write_wav
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.bench.contenders import NAMES, Stage, running
from tests.bench.rig import noise
from tests.bench.turns import Said, say

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

_OPTIONS = {"SPEAKERD_MIN_PRESS_MS": "0", "SPEAKERD_TAIL_MS": "50", "SPEAKERD_PROMPTS": "false"}
_REPLY = noise(0.2, DAC_RATE_HZ)


def turn(stage: Stage, name: str) -> tuple[Said, int]:
    """One turn of ``name``, and where the recording was before it."""
    with running(name, stage, _OPTIONS) as contender:
        contender.wait_for_connection()
        contender.wait_for_line()
        from_bytes = stage.card.heard_bytes()
        said = say(stage, contender, held_s=0.2)
        stage.card.wait_heard(stage.card.heard_bytes() + len(_REPLY) + DAC_RATE_HZ)
        return said, from_bytes


@pytest.mark.parametrize("name", NAMES)
async def test_a_turn(card: StandInCard, tmp_path: Path, name: str) -> None:
    write_wav(tmp_path / "reply.wav", _REPLY, DAC_RATE_HZ)
    options = SimulatorOptions(reply=tmp_path / "reply.wav", speed=0)
    async with Simulator(options) as simulator:
        stage = Stage(card, simulator, asyncio.get_running_loop(), tmp_path / "cache")
        said, from_bytes = await asyncio.to_thread(turn, stage, name)

    assert bytes(said.record.utterance) in said.sound
    assert said.record.activity_start_at is not None
    assert said.pressed_at < said.record.activity_start_at
    assert _REPLY in card.heard(from_bytes)
