"""Calls of the model, from the button to the server and back: the real daemon, SDK and sockets.

What a call may do and what becomes of it is tried with tools that wait until a test lets them go.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase, ToolCall, ToolCalls
from speakerd.tools.tool import Scheduling, Tool
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from speakerd.tools.tool import Result, SpeakerPort

LIVE = "gemini-3.8-live"
THINKER = "gemini-3.8-live-extended-thinking"
LEGACY = "gemini-3.1-flash-live-preview"
NATIVE = "gemini-2.5-flash-native-audio-preview-12-2025"
#: Of a quick tool, and of a slow one: whether the model waits, by what it takes.
WAITS = {LIVE: (True, False), THINKER: (False, False), LEGACY: (True, True), NATIVE: (True, False)}
MODELS = tuple(WAITS)
WAITING = tuple(
    (model, name)
    for model, waits in WAITS.items()
    for name, wait in zip(("lamp", "fetch"), waits, strict=True)
    if wait
)
#: Those that can be told when to speak of a result.
SCHEDULED = {LIVE, NATIVE}

QUIET = bytes(32_000)
PARAMETERS = {"type": "object", "properties": {"what": {"type": "string"}}}


@dataclass
class Workshop:
    """Two tools: ``lamp`` is quick, ``fetch`` slow; it does not end before ``may_end``."""

    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    acts_first: bool = False  # what is done is done when it begins
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tools(self, **options: Any) -> tuple[Tool, ...]:  # noqa: ANN401 - as Tool takes them
        slow = {"slow": True} | options
        return (
            Tool("lamp", "Switch the lamp.", PARAMETERS, self._lamp),
            Tool("fetch", "Fetch something.", PARAMETERS, self._fetch, **slow),
        )

    async def until_begun(self, count: int = 1) -> None:
        await self._until(lambda: len(self.begun) >= count)

    async def until_cancelled(self) -> None:
        await self._until(lambda: bool(self.cancelled))

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _begin(self, args: Mapping[str, object]) -> str:
        what = str(args.get("what", ""))
        self.begun.append(what)
        self.changed.set()
        return what

    def _lamp(self, speaker: SpeakerPort, args: Mapping[str, object]) -> Result:
        what = self._begin(args)
        speaker.acts()
        self.done.append(what)
        return {"lamp": what}

    async def _fetch(self, speaker: SpeakerPort, args: Mapping[str, object]) -> Result:
        what = self._begin(args)
        if self.acts_first:
            speaker.acts()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.append(what)
            self.changed.set()
            raise
        speaker.acts()
        self.done.append(what)
        return {"fetched": what}


@pytest.fixture
async def shop() -> Workshop:
    return Workshop()


def made(shop: Workshop, directory: Path, **options: Any) -> Rig:  # noqa: ANN401 - as Rig
    tools = shop.tools(**options.pop("of_fetch", {}))
    return Rig(directory, tools_of_its_own=tools, **options)


def responses(simulator: Simulator) -> list[dict[str, Any]]:
    """What came back for the calls, in its order."""
    return [each for turn in simulator.turns for each in turn.tool_responses]


def results(simulator: Simulator) -> list[dict[str, Any]]:
    return [each["response"] for each in responses(simulator)]


def chunks(simulator: Simulator) -> int:
    """How many pieces of sound have come."""
    return sum(connection.received["audio"] for connection in simulator.connections)


def said(simulator: Simulator) -> bytes:
    """All that was answered."""
    return b"".join(bytes(turn.reply) for turn in simulator.turns)


def clean(simulator: Simulator) -> bool:
    """No connection was closed by the server: it was sent nothing that it does not take."""
    return all(each.closed_by != "server" for each in simulator.connections)


# --- one call


@pytest.mark.parametrize("model", MODELS)
async def test_a_quick_call_is_answered_at_once(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("lamp", {"what": "on"}))
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == ["on"]
    (response,) = responses(simulator)
    assert response["response"] == {"lamp": "on"}
    assert "scheduling" not in response or not WAITS[model][0]
    assert rig.speaker.heard[1] == said(simulator)
    assert clean(simulator)


@pytest.mark.parametrize("scheduling", Scheduling)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ends", ["during the answer", "after it"])
async def test_a_slow_call_is_answered_when_it_is_done(
    simulator: Simulator,
    shop: Workshop,
    tmp_path: Path,
    model: str,
    scheduling: Scheduling,
    ends: str,
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch", {"what": "milk"}))
    rig = made(
        shop,
        tmp_path,
        instant=ends == "after it",
        model=model,
        of_fetch={"scheduling": scheduling},
        rules={"settle_s": 0.2},
    )
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        if not WAITS[model][1]:
            await rig.state("speaking")
            if ends == "after it":
                await rig.until(lambda: bool(rig.speaker.heard.get(1)))
        shop.may_end.set()
        (response,) = await simulator.wait_for(lambda: responses(simulator))
        told = response.get("scheduling")
        answers = 1 if WAITS[model][1] or told == "SILENT" else 2
        await simulator.wait_for(
            lambda: len(simulator.turns) == answers and simulator.turns[-1].completed_at
        )
        while not rig.turns or rig.speaker.heard[1] != said(simulator):
            rig.speaker.play()
            await rig.command("status")
        await rig.state("idle")
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == ["milk"]
    assert rig.speaker.clips == []
    assert told == (scheduling.value if model in SCHEDULED and not WAITS[model][1] else None)
    assert clean(simulator)


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_that_never_ends_is_given_up(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"))
    rig = made(shop, tmp_path, model=model, of_fetch={"limit_s": 0.05})
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
        (result,) = await simulator.wait_for(lambda: results(simulator))
    assert result == {"error": "it took longer than 0.05 s, and was given up"}
    assert clean(simulator)


# --- several


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("model", MODELS)
async def test_several_calls_are_all_carried_out_and_answered(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str, together: bool
) -> None:
    names = ("lamp", "fetch", "nothing of the kind", "fetch", "lamp")
    calls = tuple(ToolCall(name, {"what": str(at)}) for at, name in enumerate(names))
    for message in [calls] if together else [(call,) for call in calls]:
        simulator.plan.add(Phase.THINKING, ToolCalls(message))
    shop.may_end.set()
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await simulator.wait_for(lambda: len(results(simulator)) == len(calls))
        assert (await rig.turn())["outcome"] == "answered"
    assert sorted(shop.done) == ["0", "1", "3", "4"]
    assert len({each["id"] for each in responses(simulator)}) == len(calls)
    assert {"lamp": "0"} in results(simulator)
    assert {"error": "there is no tool 'nothing of the kind'"} in results(simulator)
    assert clean(simulator)


@pytest.mark.parametrize("model", MODELS)
async def test_a_chain_of_calls_is_one_turn(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    """Where the model does not wait, each result begins a turn of the server's."""
    for number in range(1, 6):
        turn = 1 if WAITS[model][1] else number
        simulator.plan.add(Phase.THINKING, ToolCall("fetch", {"what": str(number)}), turn=turn)
    shop.may_end.set()
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await simulator.wait_for(lambda: len(results(simulator)) == 5)
        await rig.until(lambda: rig.speaker.heard.get(1, b"") == said(simulator))
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == ["1", "2", "3", "4", "5"]
    assert rig.speaker.clips == []
    assert clean(simulator)


@pytest.mark.parametrize("model", [THINKER, LIVE])
async def test_a_chain_that_goes_on_when_all_was_heard_goes_on(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    for number in (1, 2, 3):
        simulator.plan.add(Phase.THINKING, ToolCall("fetch", {"what": str(number)}), turn=number)
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        for number in (1, 2, 3):
            await shop.until_begun(number)
            await rig.until(lambda: rig.speaker.heard.get(1, b"") == said(simulator))
            await rig.state("idle")
            shop.may_end.set()
            await simulator.wait_for(lambda n=number: len(results(simulator)) == n)  # type: ignore[misc]
            shop.may_end.clear()
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == ["1", "2", "3"]
    assert clean(simulator)


@pytest.mark.parametrize(("model", "name"), [(LIVE, "lamp"), (LIVE, "fetch"), (LEGACY, "lamp")])
async def test_a_call_in_the_middle_of_an_answer(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str, name: str
) -> None:
    simulator.plan.add(Phase.REPLY, ToolCalls((ToolCall(name),)), after_s=0.4)
    shop.may_end.set()
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await simulator.wait_for(lambda: results(simulator))
        await rig.until(lambda: rig.speaker.heard.get(1, b"") == said(simulator))
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == [""]
    assert clean(simulator)


async def test_a_call_that_comes_with_the_end_of_its_turn(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCalls((ToolCall("fetch"),), ends_turn=True))
    simulator.plan.add(Phase.THINKING, faults.NoAudio())
    rig = made(shop, tmp_path)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        await simulator.wait_for(lambda: simulator.turns[0].completed_at)
        shop.may_end.set()
        assert (await rig.turn())["outcome"] == "answered"
        assert rig.speaker.heard[1] == simulator.turns[1].reply != b""
    assert shop.done == [""]
    assert clean(simulator)


@pytest.mark.parametrize("model", [LIVE, THINKER, NATIVE])
async def test_a_call_of_a_turn_that_is_over_is_answered_and_not_carried_out(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    shop.may_end.set()
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        await rig.state("idle")
        simulator.act(ToolCalls((ToolCall("fetch"), ToolCall("lamp"))))
        await simulator.wait_for(lambda: len(results(simulator)) == 2)
        assert all("nobody waits" in result["error"] for result in results(simulator))
    assert shop.begun == []
    assert clean(simulator)


async def test_a_call_before_anything_was_asked_is_answered(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    rig = made(shop, tmp_path)
    async with rig.running():
        await rig.link("ready")
        simulator.act(ToolCalls((ToolCall("lamp"),)))
        (result,) = await simulator.wait_for(lambda: results(simulator))
        assert "nobody waits" in result["error"]
        await rig.say_aloud()
        await rig.turn()
    assert shop.begun == []
    assert clean(simulator)


# --- calls that are taken back


@pytest.mark.parametrize(("model", "name"), [(LEGACY, "fetch"), (LIVE, "fetch"), (NATIVE, "fetch")])
async def test_a_call_that_the_server_cancels_is_left_alone(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str, name: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall(name, id="1"))
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        simulator.act(faults.CancelCalls(("1", "never made")))
        assert (await rig.turn())["outcome"] == "answered"
        await shop.until_cancelled()
        shop.may_end.set()
        await rig.say_aloud()
        await rig.turn(2)
    assert shop.done == []
    assert results(simulator) == []
    assert clean(simulator)


async def test_a_call_that_the_server_cancels_when_it_is_answered_was_answered(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("lamp", id="1"))
    rig = made(shop, tmp_path)
    async with rig.running():
        await rig.say_aloud()
        await rig.turn()
        simulator.act(faults.CancelCalls(("1",)))
        await rig.say_aloud()
        assert (await rig.turn(2))["outcome"] == "answered"
    assert results(simulator) == [{"lamp": ""}]
    assert clean(simulator)


# --- the person has other wishes


@pytest.mark.parametrize("model", MODELS)
async def test_who_speaks_on_is_heard_at_once_whatever_the_model_waits_for(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"), turn=1)
    if not WAITS[model][1]:
        simulator.plan.add(Phase.THINKING, faults.NoAudio(), turn=1)
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        await rig.say_aloud()
        assert (await rig.turn(2))["outcome"] == "answered"
        assert rig.speaker.heard == {2: simulator.turns[1].reply}
        if WAITS[model][1]:
            assert shop.cancelled == [""]
            (result,) = results(simulator)
            assert "cancelled" in result["error"]
    assert len(simulator.connections) == 1
    assert shop.done == []
    assert clean(simulator)


@pytest.mark.parametrize("model", MODELS)
async def test_a_stop_leaves_the_call_alone(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"), turn=1)
    if not WAITS[model][1]:
        simulator.plan.add(Phase.THINKING, faults.NoAudio(), turn=1)
    rig = made(shop, tmp_path, model=model)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        await rig.command("stop")
        await shop.until_cancelled()
        (result,) = await simulator.wait_for(lambda: results(simulator))
        assert "cancelled" in result["error"]
        assert (await rig.turn())["outcome"] == "stopped"
    assert len(simulator.connections) == 1
    assert shop.done == []
    assert clean(simulator)


@pytest.mark.parametrize("model", [LIVE, THINKER, NATIVE])
async def test_who_speaks_into_an_answer_wants_no_result(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"), turn=1)
    rig = made(shop, tmp_path, instant=False, model=model)
    async with rig.running():
        await rig.say_aloud()
        await rig.state("speaking")
        await shop.until_begun()
        await rig.say_aloud()
        await shop.until_cancelled()
        await rig.state("speaking")
        while len(rig.turns) < 2:  # it plays what has come by then
            rig.speaker.play()
            await rig.command("status")
        assert (await rig.turn(2))["outcome"] == "answered"
        assert 2 in rig.speaker.heard
    assert shop.done == []
    assert clean(simulator)


# --- what tools may come up with


async def hang(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    """Do nothing, and not even end when it is told to."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return {}


async def fail(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    raise OSError("no route to host")


async def be_long(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    return {"text": "x" * 10_000_000}


async def give_no_json(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    return {"half of a letter": "\ud83d", "object": object()}


def block(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    """Keep everything else waiting for a moment."""
    sum(range(1_000_000))
    return {"sum": "done"}


FAILED = "it failed; the journal of the speaker says why"
ODD: Mapping[str, tuple[Any, Mapping[str, object]]] = {
    "hangs": (hang, {"error": "it took longer than 0.05 s, and was given up"}),
    "fails": (fail, {"error": FAILED}),
    "is long": (be_long, {"error": "its result is longer than 16 KiB"}),
    "gives no JSON": (give_no_json, {"error": FAILED}),
    "blocks": (block, {"sum": "done"}),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("model", [LIVE, LEGACY])
async def test_whatever_a_tool_does_its_call_is_answered(
    simulator: Simulator, tmp_path: Path, model: str, what: str
) -> None:
    do, expected = ODD[what]
    simulator.plan.add(Phase.THINKING, ToolCall("odd"))
    slow = asyncio.iscoroutinefunction(do)
    odd = Tool(
        "odd",
        "Do something odd.",
        PARAMETERS,
        do,
        slow=slow,
        limit_s=0.05 if what == "hangs" else 30.0,
    )
    rig = Rig(tmp_path, model=model, tools_of_its_own=(odd,))
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
        (result,) = await simulator.wait_for(lambda: results(simulator))
        await rig.say_aloud()
        await rig.turn(2)
    assert result == expected
    assert clean(simulator)


@pytest.mark.parametrize("model", [LEGACY, THINKER])
async def test_a_model_that_calls_without_end_is_given_up_aloud(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    """Where it does not wait, it says something in between."""
    simulator.plan.add(Phase.THINKING, ToolCall("lamp"), turn=1)
    for turn in range(1, 12):
        for _ in range(11 if turn == 1 else 1):
            simulator.plan.add(Phase.THINKING, ToolCall("lamp"), turn=turn)
        simulator.plan.add(Phase.THINKING, faults.NoAudio(), turn=turn)
    rig = made(shop, tmp_path, model=model, rules={"max_calls": 5, "max_refused_calls": 3})
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "result-lost"
        await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.RESULT_LOST)])
    assert len(shop.done) == 5
    assert any("too many calls" in str(result) for result in results(simulator))
    assert clean(simulator)


# --- the connection is lost meanwhile

DROPS: Mapping[str, faults.Act] = {
    "reset": faults.Abort(),
    "1011": faults.Close(1011, "Internal error encountered."),
    "GoAway": faults.GoAway(0.3),
}
BRISK = {"backoff_first_s": 0.05, "backoff_urgent_s": 0.2, "go_away_margin_s": 0.1}


@pytest.mark.parametrize("acted", [True, False])
@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("model", [LIVE, LEGACY])
async def test_what_was_done_is_not_done_again_over_the_next_connection(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str, drop: str, acted: bool
) -> None:
    shop.acts_first = acted
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"), turn=1)
    if not WAITS[model][1]:
        simulator.plan.add(Phase.THINKING, faults.NoAudio(), turn=1)
    rig = made(shop, tmp_path, model=model, rules=BRISK)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        simulator.act(DROPS[drop])
        ledger = await rig.turn()
        await shop.until_cancelled()
        if acted:
            assert (ledger["outcome"], ledger["deliveries"]) == ("result-lost", 1)
            await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.RESULT_LOST)])
        else:
            assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 2)
            assert rig.speaker.clips == []
        await rig.say_aloud()  # and nothing hangs on the open call
        assert (await rig.turn(2))["outcome"] == "answered"
        assert rig.speaker.heard[2] == simulator.turns[-1].reply != b""
    assert shop.done == []
    assert len(simulator.connections) == 2
    assert results(simulator) == []


async def test_a_call_that_is_asked_for_again_over_the_next_connection_is_not_done_twice(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    shop.acts_first = True
    fetch = ToolCall("fetch", {"what": "milk"}, id="1")
    simulator.plan.add(Phase.THINKING, fetch, turn=1)
    rig = made(shop, tmp_path, model=LEGACY, rules=BRISK)
    async with rig.running():
        await rig.say_aloud()
        await shop.until_begun()
        simulator.drop()
        assert (await rig.turn())["outcome"] == "result-lost"
        simulator.plan.add(Phase.THINKING, fetch, turn=2)
        await rig.say_aloud()
        assert (await rig.turn(2))["outcome"] == "answered"
    assert shop.begun == ["milk"]
    (result,) = results(simulator)
    assert "it is not known what of it was done" in result["error"]


async def test_a_call_with_the_id_of_one_that_was_answered_gets_that_answer(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    for _ in range(2):
        simulator.plan.add(Phase.THINKING, ToolCall("lamp", {"what": "on"}, id="1"))
    simulator.plan.add(Phase.THINKING, ToolCall("lamp", {"what": "off"}, id="1"))
    rig = made(shop, tmp_path)
    async with rig.running():
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == ["on", "off"]
    assert results(simulator) == [{"lamp": "on"}, {"lamp": "on"}, {"lamp": "off"}]
    assert clean(simulator)


# --- hands free


@pytest.mark.parametrize("model", [LIVE, THINKER, NATIVE])
async def test_hands_free_a_slow_call_keeps_nobody_waiting(
    simulator: Simulator, shop: Workshop, tmp_path: Path, model: str
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"), turn=1)
    rig = made(shop, tmp_path, model=model, turn_taking="conversation", echo_guard_ms=0)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET)
        await shop.until_begun()
        await rig.until(lambda: rig.microphone.open_on == 2)  # it listens, and nobody speaks
        sent = chunks(simulator)
        rig.hear(QUIET)
        await simulator.wait_for(lambda: chunks(simulator) > sent)
        shop.may_end.set()
        await simulator.wait_for(lambda: results(simulator))
        await rig.until(lambda: 2 in rig.speaker.heard)
        assert b"".join(map(bytes, rig.speaker.heard.values())) == said(simulator)
        assert (await rig.turn())["outcome"] == "answered"
    assert shop.done == [""]
    assert clean(simulator)


async def test_hands_free_who_hangs_up_wants_no_result(
    simulator: Simulator, shop: Workshop, tmp_path: Path
) -> None:
    simulator.plan.add(Phase.THINKING, ToolCall("fetch"))
    simulator.plan.add(Phase.THINKING, faults.NoAudio())
    rig = made(shop, tmp_path, turn_taking="conversation", echo_guard_ms=0)
    async with rig.running():
        await rig.command("press")
        await rig.state("listening")
        rig.hear(SPEECH)
        rig.hear(QUIET)
        await shop.until_begun()
        await rig.command("release")
        await shop.until_cancelled()
        await rig.state("idle")
    assert shop.done == []
