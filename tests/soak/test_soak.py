"""A short soak, the same one every time; and proof that the oracle and the meter can see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.soak.meter import Sample, growth
from tests.soak.oracle import LOST_IN_SILENCE, Oracle, Scene, Sentence
from tests.soak.plan import EVERY, TurnPlan, plan
from tests.soak.soak import soak

TURNS = 90
SEED = 3


async def test_a_sentence_spoken_is_a_sentence_delivered_or_told() -> None:
    tally = await soak(SEED, range(1, TURNS + 1))
    assert tally.violations == []
    assert (tally.turns, tally.lost_in_silence) == (TURNS, 0)
    assert tally.faults.total() >= TURNS // EVERY
    assert tally.outcomes["answered"] > TURNS // 2
    assert tally.resumed > 0


def test_a_turn_is_the_same_whichever_were_before_it() -> None:
    numbers = range(1, 100)
    assert [plan(1, each) for each in reversed(numbers)] == [plan(1, each) for each in numbers][
        ::-1
    ]
    assert any(plan(1, each).names != plan(2, each).names for each in numbers)


def scene(sentence: Sentence, heard: bytes) -> Scene:
    return Scene(
        plan=TurnPlan(number=1, names=("anything",)),
        sentences=[sentence],
        heard={1: heard},
        clips=[],
        ledgers=[{"turn": 1, "outcome": "answered", "context": "fresh"}],
        hindered=False,
        aftermath=True,
    )


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(Simulator(SimulatorOptions()))


def test_the_oracle_sees_a_sentence_that_is_lost_in_silence(oracle: Oracle) -> None:
    sentence = Sentence.spoken(1)
    sentence.turn = 1
    assert any(text.startswith(LOST_IN_SILENCE) for text in oracle.judge(scene(sentence, b"")))
    assert oracle.lost_in_silence == 1


def test_the_oracle_sees_an_answer_that_is_heard_twice(oracle: Oracle) -> None:
    sentence = Sentence.spoken(1)
    sentence.turn = 1
    twice = sentence.answer(b"") * 2
    assert any("no answer to it" in text for text in oracle.judge(scene(sentence, twice)))


def test_the_meter_sees_what_grows() -> None:
    flat = [Sample(turn, 100_000, 20, 10, 4, 80) for turn in range(0, 1000, 50)]
    leaking = [replace(each, descriptors=20 + each.turn // 50) for each in flat]
    assert list(growth(flat)) == []
    assert [line.split()[0] for line in growth(leaking)] == ["descriptors"]
