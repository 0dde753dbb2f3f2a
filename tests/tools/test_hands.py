"""Calls are carried out, answered, given up and left alone."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.settings import Settings
from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.daemon.hands import Hands
from speakerd.live.messages import is_sane
from speakerd.tools.tool import Scheduling, Tool
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.conversation.status import Status
    from speakerd.tools.tool import Result, SpeakerPort


@dataclass
class World:
    """A core that takes everything, and a server that gets the answers."""

    refuses: str = ""
    told: list[ev.Event] = field(default_factory=list)
    answers: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)  # of the answers
    schedulings: list[Scheduling] = field(default_factory=list)  # so too
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    acts_first: bool = False
    was_cancelled: bool = False
    defied: int = 0

    def tell(self, event: ev.Event) -> list[fx.Effect]:
        self.told.append(event)
        return [fx.Refused(self.refuses)] if self.refuses else []

    def respond(
        self,
        generation: int,
        _turn: int,
        call: ev.ToolCall,
        answer: Mapping[str, object],
        scheduling: Scheduling,
    ) -> None:
        self.generations.append(generation)
        self.answers.append((call.id, answer))
        self.schedulings.append(scheduling)

    async def fetch(self, speaker: SpeakerPort, what: str) -> Result:
        """Fetch something, which takes its time."""
        if self.acts_first:
            speaker.acts()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if what == "trouble":
            raise OSError("no route to host")
        speaker.ask(ev.VolumeStepped(1))
        return {"fetched": what}

    async def defy(self) -> Result:
        """Go on, whoever wants it to stop."""
        self.defied += 1
        mine = self.defied
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
        return {"defied": mine}

    def hands(self, **options: Any) -> Hands:  # noqa: ANN401 - as Hands takes them
        def status() -> Status:
            return cast("Status", SimpleNamespace(volume=40))

        tool = replace(Tool.of(_bound(self)), **options)
        return Hands(
            Settings(gemini_api_key="k"),
            self.tell,
            status,
            self.respond,
            toolbox=lambda _: Toolbox.of(["volume"], [tool]),
            now=lambda: datetime.now(UTC),
        )


def _bound(world: World) -> Any:  # noqa: ANN401 - a tool is any function
    async def fetch(speaker: SpeakerPort, what: str) -> Result:
        """Fetch something, which takes its time."""
        return await world.fetch(speaker, what)

    fetch.__annotations__ = {"speaker": Any, "what": str, "return": dict}
    return fetch


def order(*calls: tuple[str, str], execute: bool = True) -> fx.RunTools:
    made = tuple(ev.ToolCall(call_id, "fetch", {"what": what}) for call_id, what in calls)
    return fx.RunTools(1, 7, made, execute)


@pytest.fixture
async def world() -> World:
    return World()


async def turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_call_is_answered_when_it_is_done(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear"), ("2", "a plum")))
    await turns_of_the_loop()
    assert world.answers == []
    world.may_end.set()
    await turns_of_the_loop()
    assert dict(world.answers) == {"1": {"fetched": "a pear"}, "2": {"fetched": "a plum"}}
    executed = [event for event in world.told if isinstance(event, ev.ToolExecuted)]
    assert executed == [ev.ToolExecuted(1, 7, "1"), ev.ToolExecuted(1, 7, "2")]


async def test_what_was_refused_was_not_executed(world: World) -> None:
    world.refuses = "no mixer"
    world.may_end.set()
    world.hands().run(order(("1", "a pear")))
    await turns_of_the_loop()
    assert world.told == [ev.VolumeStepped(1)]


async def test_one_that_takes_too_long_is_given_up(world: World) -> None:
    hands = world.hands(limit_s=0.0)
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    assert world.answers == [("1", {"error": "it took longer than 0 s, and was given up"})]
    assert world.was_cancelled


async def test_one_that_fails_says_so_and_the_journal_why(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.may_end.set()
    world.hands().run(order(("1", "trouble")))
    await turns_of_the_loop()
    ((_, answer),) = world.answers
    assert answer == {"error": "it failed; the journal of the speaker says why"}
    assert "no route to host" in caplog.text


async def test_one_that_nobody_waits_for_is_left_alone(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear"), ("2", "a plum")))
    await turns_of_the_loop()
    hands.cancel(["1", "never called"])
    world.may_end.set()
    await turns_of_the_loop()
    assert [call_id for call_id, _ in world.answers] == ["2"]
    assert world.was_cancelled


async def test_at_the_end_all_are_left_alone(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.close()
    await turns_of_the_loop()
    assert world.answers == []
    assert world.was_cancelled


async def test_what_is_not_wanted_is_not_begun(world: World) -> None:
    world.may_end.set()
    world.hands().run(order(("1", "a pear"), execute=False))
    await turns_of_the_loop()
    assert world.told == []
    ((_, answer),) = world.answers
    assert "error" in answer


async def test_slow_ones_are_declared_so(world: World) -> None:
    (declared,) = Toolbox([Tool.of(_bound(world))]).declarations()
    assert declared["slow"] is True
    assert all(not each["slow"] for each in Toolbox.of(["volume"]).declarations())


async def test_arguments_that_do_not_fit_are_answered(world: World) -> None:
    world.hands().run(fx.RunTools(1, 7, (ev.ToolCall("1", "fetch", {}),)))
    await turns_of_the_loop()
    assert world.answers == [("1", {"error": "what: Field required"})]


async def test_why_a_call_was_not_done_is_in_the_journal_at_debug_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "speakerd")
    world.hands().run(fx.RunTools(1, 7, (ev.ToolCall("1", "fetch", {}),)))
    await turns_of_the_loop()
    why = [each for each in caplog.records if "what: Field required" in each.getMessage()]
    assert [each.levelno for each in why] == [logging.DEBUG]
    assert why[0].getMessage() == "the model is told of fetch: 'what: Field required'"


async def test_what_is_asked_for_again_is_not_done_again(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.run(order(("1", "a pear")))  # while it works
    world.may_end.set()
    await turns_of_the_loop()
    hands.run(order(("1", "a pear")))  # and after it
    assert world.answers == [("1", {"fetched": "a pear"})] * 2
    assert world.told.count(ev.VolumeStepped(1)) == 1


async def test_who_asks_again_over_another_connection_gets_the_answer(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.run(fx.RunTools(2, 7, order(("1", "a pear")).calls))
    world.may_end.set()
    await turns_of_the_loop()
    assert world.answers == [("1", {"fetched": "a pear"})]
    assert world.generations == [2]


@pytest.mark.parametrize("acted", [True, False])
async def test_one_that_was_left_alone_is_not_done_again_if_anything_was_done(
    world: World, acted: bool
) -> None:
    world.acts_first = acted
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.cancel(["1"])
    world.may_end.set()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    ((_, answer),) = world.answers
    assert ("it is not known" in str(answer)) is acted
    assert world.told.count(ev.VolumeStepped(1)) == (0 if acted else 1)


async def test_one_that_cannot_be_stopped_is_given_up_all_the_same(world: World) -> None:
    hands = world.hands(do=lambda _speaker, _args: world.defy(), limit_s=0.0)
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    assert world.answers == [("1", {"error": "it took longer than 0 s, and was given up"})]
    assert world.was_cancelled
    world.may_end.set()
    await turns_of_the_loop()
    assert len(world.answers) == 1


async def test_what_comes_of_one_that_was_left_alone_is_not_the_answer_to_another(
    world: World,
) -> None:
    hands = world.hands(do=lambda _speaker, _args: world.defy())
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.cancel(["1"])
    await turns_of_the_loop()
    hands.run(order(("1", "a plum")))
    world.may_end.set()
    await turns_of_the_loop()
    assert world.answers == [("1", {"defied": 2})]


async def test_one_that_cancels_itself_has_failed(world: World) -> None:
    async def give_in() -> Result:
        raise asyncio.CancelledError

    world.hands(do=lambda _speaker, _args: give_in()).run(order(("1", "a pear")))
    await turns_of_the_loop()
    assert world.answers == [("1", {"error": "it failed; the journal of the speaker says why"})]


async def test_of_what_nobody_waits_for_the_model_says_nothing(world: World) -> None:
    hands = world.hands(scheduling=Scheduling.INTERRUPT)
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.cancel(["1"], told=True)
    hands.run(order(("2", "a pear"), execute=False))
    world.may_end.set()
    hands.run(order(("3", "a pear")))
    await turns_of_the_loop()
    assert world.schedulings == [Scheduling.SILENT, Scheduling.SILENT, Scheduling.INTERRUPT]


async def test_another_call_by_an_old_name_is_another_call(world: World) -> None:
    world.may_end.set()
    hands = world.hands()
    for what in ("a pear", "a plum"):
        hands.run(order(("1", what)))
        await turns_of_the_loop()
    assert world.answers == [("1", {"fetched": "a pear"}), ("1", {"fetched": "a plum"})]


async def test_one_that_is_cancelled_while_the_model_waits_is_answered(world: World) -> None:
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.cancel(["1"], told=True)
    ((_, answer),) = world.answers
    assert str(answer["error"]).startswith("'fetch' was cancelled")
    world.may_end.set()
    await turns_of_the_loop()
    assert len(world.answers) == 1


class Hostile:
    """No dictionary that anybody has seen."""

    def keys(self) -> Any:  # noqa: ANN401 - it gives none
        raise RuntimeError("no")


def nested(levels: int) -> object:
    """Lists in lists."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


#: What no server takes.
UNFIT: Mapping[str, object] = {
    "10 MB": {"x": "y" * 10_000_000},
    "an object": {"x": object()},
    "no number": {"x": float("nan")},
    "a huge number": {"x": 10**400},
    "a longer one": {"x": 10**5000},
    "half a letter": {"x": "half of a \ud83d"},
    "levels": {"x": nested(40)},
    "thousands of levels": {"x": nested(5000)},
    "a key": {("x", "y"): 1},
    "a list": ["x"],
    "a text": "x",
    "nothing": None,
    "what raises": Hostile(),
}


@pytest.mark.parametrize("what", UNFIT)
async def test_a_result_that_cannot_be_sent_is_an_error(world: World, what: str) -> None:
    result = cast("Result", UNFIT[what])

    async def later() -> Result:
        return result

    world.hands(do=lambda _speaker, _args: result, slow=False).run(order(("1", "a pear")))
    world.hands(do=lambda _speaker, _args: later()).run(order(("2", "a pear")))
    await turns_of_the_loop()
    assert [call_id for call_id, _ in world.answers] == ["1", "2"]
    assert all(set(answer) == {"error"} for _, answer in world.answers)


async def test_one_that_fails_at_once_is_answered_too(world: World) -> None:
    def fail(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
        raise RuntimeError("out of order")

    world.hands(do=fail, slow=False).run(order(("1", "a pear")))
    assert world.answers == [("1", {"error": "it failed; the journal of the speaker says why"})]


async def test_a_timeout_of_its_own_is_a_failure_like_any_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def late() -> Result:
        raise TimeoutError("the lamp does not answer")

    world.hands(do=lambda _speaker, _args: late()).run(order(("1", "a pear")))
    await turns_of_the_loop()
    assert world.answers == [("1", {"error": "it failed; the journal of the speaker says why"})]
    assert "the lamp does not answer" in caplog.text


async def test_the_journal_has_every_call_and_what_became_of_it_but_not_what_was_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "speakerd")
    world.may_end.set()
    hands = world.hands()
    hands.run(order(("1", "a pear")))
    await turns_of_the_loop()
    hands.run(fx.RunTools(1, 7, (ev.ToolCall("2", "fetch\x1b[2J", {}),)))
    world.may_end.clear()
    hands.run(order(("3", "a plum")))
    hands.cancel(["3"])
    lines = [re.sub(r"\d+ ms", "N ms", line) for line in caplog.messages]
    assert lines == [
        "the model calls fetch: done (N ms)",
        "the model calls a tool that is not there: not done (N ms)",
        "the model calls fetch: cancelled (N ms)",
    ]


#: Whatever may be in the arguments of a call, and more.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "x" * 1_000_000, 10**400, -(10**400), "\x1b[2J", "pear"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["fetch", "set_volume", "change_volume", "get_volume"]) | st.text()
ARGUMENTS = st.sampled_from(["what", "percent", "by_percent", "\ud800", "x" * 100_000]) | st.text()


@given(NAMES, st.dictionaries(ARGUMENTS, ANYTHING | st.just({"deep": nested(2000)}), max_size=4))
def test_whatever_is_called_with_whatever_arguments_is_answered(
    name: str, args: dict[str, object]
) -> None:
    async def call() -> None:
        world = World()
        world.may_end.set()
        hands = world.hands()
        hands.run(fx.RunTools(1, 7, (ev.ToolCall("1", name, args),)))
        await turns_of_the_loop()
        ((call_id, answer),) = world.answers
        assert call_id == "1"
        assert len(json.dumps(answer, allow_nan=False)) <= 17 * 1024
        assert is_sane(answer)

    asyncio.run(call())
