"""The short run of the fuzzer, and proof that it sees what it looks for.

The volume comes from a plain seeded Random, which costs nothing; hypothesis draws the same
scripts in the small, because it shrinks what it finds down to single mutations.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speakerd.conversation.rules import LinkPolicy
from speakerd.live import connection, messages
from tests.fuzz import mutate, seeds, storm
from tests.fuzz.storm import Script, Step
from tests.fuzz.wire import MAX_LINES

if TYPE_CHECKING:
    from speakerd.conversation import events as ev

SEED = 20_261_121
SCRIPTS, FRAMES = 50, 60


@pytest.fixture(autouse=True)
def _prepared() -> None:
    messages.prepare()


@pytest.mark.parametrize("part", range(5))
def test_a_storm_breaks_nothing_and_an_honest_turn_works_after_it(part: int) -> None:
    for index in range(part, SCRIPTS, 5):
        scripted = storm.script(Random(f"{SEED} {index}"), FRAMES)  # noqa: S311 - no secret
        error = storm.failure_of(scripted)
        assert error is None, f"see it with: python -m tests.fuzz --seed {SEED}"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False), frames=st.integers(1, 8))
def test_nothing_that_hypothesis_thinks_of_breaks_it(random: Random, frames: int) -> None:
    storm.play(storm.script(random, frames))


def test_the_same_seed_gives_the_same_script() -> None:
    first, second = (storm.script(Random("7"), 200) for _ in range(2))  # noqa: S311 - no secret
    assert first == second
    assert first.frames == 200


def test_every_kind_of_message_comes_through_broken_or_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mutations that nothing survives would prove nothing."""
    facts: set[str] = set()

    class Listening(storm.StormWorld):
        def heard(self, event: ev.Event) -> None:
            facts.add(type(event).__name__)
            super().heard(event)

    monkeypatch.setattr(storm, "StormWorld", Listening)
    random = Random(SEED)  # noqa: S311 - no secret
    steps = tuple(Step("frame", mutate.frame(random)) for _ in range(400))
    storm.play(Script(LinkPolicy.ALWAYS, steps))
    assert facts >= {
        *("HandleIssued", "ReplyStarted", "TranscriptReceived", "ToolCallReceived"),
        *("ToolCallsCancelled", "Interrupted", "GenerationCompleted", "TurnCompleted"),
        *("UsageReported", "GoAwayReceived"),
    }


def test_a_failure_is_seen_and_shortened_to_what_causes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    culprit = Step("frame", seeds.encoded({"goAway": {"timeLeft": "9999999999s"}}))
    random = Random(SEED)  # noqa: S311 - no secret
    innocent = tuple(Step("frame", mutate.frame(random)) for _ in range(20))
    scripted = Script(LinkPolicy.ON_DEMAND, (*innocent[:11], culprit, *innocent[11:]))
    assert storm.failure_of(scripted) is None
    monkeypatch.setattr(messages, "MAX_TIME_LEFT_S", float("inf"))
    error = storm.failure_of(scripted)
    assert isinstance(error, AssertionError)
    assert storm.shortened(scripted, error).steps == (culprit,)


def test_a_flood_in_the_journal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = Script(LinkPolicy.ALWAYS, (Step("frame", b"nonsense"),) * (4 * MAX_LINES))
    assert storm.failure_of(flood) is None
    monkeypatch.setattr(connection, "TOLD_UNREADABLE", 1_000)
    assert "a flood in the journal" in str(storm.failure_of(flood))
