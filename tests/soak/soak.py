"""Plays turn after turn, lets the oracle look at each, and counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnState
from speakerd.live import sdk
from speakerd.service.state import FILE_NAME
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from speakerd.simulator.sessions import Sessions
from tests.soak.clock import SPEED
from tests.soak.links import Links
from tests.soak.meter import Sample
from tests.soak.oracle import Oracle, Scene, Sentence
from tests.soak.plan import Before, Person, TurnPlan, Unplugged, plan
from tests.soak.stage import SoakRig, StuckError, Weather, given_time, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SAMPLE_EVERY = 50
#: A person does not wait for what is going on at the server: for so long at most.
_A_MOMENT_S = 0.1
#: Of the server's time, in the same proportion as the core's.
_SIMULATOR = SimulatorOptions(
    speed=0,
    idle_timeout_s=150.0 / SPEED,
    go_away_after_s=540.0 / SPEED,
    go_away_time_left_s=50.0 / SPEED,
    keep=60,
)
#: Of a daemon, its rig and the simulator without a connection.
_TASKS_AT_REST = 5
_ANSWERING = {TurnState.THINKING, TurnState.SPEAKING}
#: What somebody waits for who interferes with an answer; it may be over before.
_WAITS_FOR = {Person.BARGES_IN: {TurnState.SPEAKING}, Person.STOPS: _ANSWERING}
#: What becomes of the state file; None: it is gone.
_SPOILT: tuple[Callable[[bytes], bytes | None], ...] = (
    lambda _content: None,
    lambda _content: b"",
    lambda content: content[: len(content) // 2],
    lambda _content: b"\xff\x00" * 500,
    lambda _content: json.dumps({"version": 7, "conversations": []}).encode(),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be, and where."""

    plan: TurnPlan
    text: str


@dataclass
class Tally:
    """What came of a soak."""

    seed: int
    turns: int = 0
    sentences: int = 0
    duration_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    fresh: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    older_handles: int = 0
    redelivered: int = 0
    lost_in_silence: int = 0
    hindered: int = 0  # turns without a fault that an earlier one has cost their answer
    daemons: int = 0
    samples: list[Sample] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)


class Soak:
    """One conversation of many turns, on one state directory and with one server."""

    def __init__(self, seed: int, directory: Path, simulator: Simulator) -> None:
        self.tally = Tally(seed)
        self._seed = seed
        self._directory = directory
        self._simulator = simulator
        self._weather = Weather(simulator)
        self._oracle = Oracle(simulator)
        self._links = Links(simulator, self._weather)
        self._stack = AsyncExitStack()
        self._rig = SoakRig(directory, f"{seed}", eager=False)
        self._number = 0  # of the newest sentence
        self._fewest_tasks = len(asyncio.all_tasks()) + _TASKS_AT_REST
        self._faulty = False  # the turn before had a fault
        simulator.script = self._weather

    async def play(self, numbers: Iterable[int], progress: Callable[[Tally], None]) -> None:
        """Play these turns, and put what came of them into the tally."""
        began = time.monotonic()
        try:
            await sdk.load()  # once in a process, and longer than anybody's patience here
            await self._start(eager=False)
            for number in numbers:
                await self._turn(plan(self._seed, number))
                self.tally.duration_s = time.monotonic() - began
                if self.tally.turns % _SAMPLE_EVERY == 0:
                    await self._hang_up()
                    self.tally.samples.append(Sample.now(self.tally.turns, self._directory))
                    progress(self.tally)
        finally:
            await self._stack.aclose()
            self.tally.outcomes, self.tally.clips = self._oracle.outcomes, self._oracle.clips
            self.tally.redelivered = self._oracle.redelivered
            self.tally.lost_in_silence = self._oracle.lost_in_silence
            self.tally.hindered = self._oracle.hindered
            self.tally.fresh, self.tally.resumed = self._links.fresh, self._links.resumed
            self.tally.older_handles = self._links.older_handles

    # --- the daemon

    async def _start(self, *, eager: bool) -> None:
        self._rig = SoakRig(self._directory, f"{self._seed}:{self.tally.daemons}", eager=eager)
        self._weather.new_daemon()
        self.tally.daemons += 1
        await self._stack.enter_async_context(self._rig.running())

    async def _stop(self) -> None:
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def _hang_up(self) -> None:
        """Cut every connection, so that what is held is not that of a moment."""

        def down() -> bool:
            for link in self._simulator._links.values():
                link._websocket.transport.abort()
            idle = self._rig.core.link_state in {LinkState.DOWN, LinkState.REFUSED}
            return idle and self._simulator.open_connections == 0

        await until(down, "the end of all connections")
        # their last tasks end a moment later; those that never do are for the meter to see
        await given_time(lambda: len(asyncio.all_tasks()) <= self._fewest_tasks, 5 * _A_MOMENT_S)
        self._fewest_tasks = min(self._fewest_tasks, len(asyncio.all_tasks()))

    # --- a turn

    async def _turn(self, turn: TurnPlan) -> None:
        tally = self.tally
        tally.turns += 1
        tally.faults.update(turn.names)
        sentences: list[Sentence] = []
        try:
            await self._before(turn)
            self._rig.turn_the_page()
            self._weather.forecast(turn.waiting)
            await self._by_hand(turn)
            hindered, began = self._hindered(), time.monotonic()
            await self._speak(turn, sentences)
            await until(lambda: self._is_over(sentences), "the end of the turn")
            await self._plug_in(turn)
        except StuckError as stuck:
            # nothing that follows could be understood
            self._blame(turn, f"stuck: {stuck} ({self._situation()})")
            raise
        tally.sentences += len(sentences)
        scene = Scene(
            plan=turn,
            sentences=sentences,
            heard={number: bytes(pcm) for number, pcm in self._rig.speaker.heard.items()},
            clips=list(self._rig.speaker.clips),
            ledgers=self._rig.turns,
            hindered=hindered or self._hindered() or self._struck_late(began),
            aftermath=self._faulty or turn.names != (),
        )
        self._faulty = turn.names != ()
        for text in self._oracle.judge(scene):
            self._blame(turn, text)
        for text in self._links.look(self._oracle.answered_on, wedged=turn.wedges):
            self._blame(turn, text)

    def _blame(self, turn: TurnPlan, text: str) -> None:
        self.tally.violations.append(Violation(turn, text))

    def _situation(self) -> str:
        core = self._rig.core
        return f"turn {core.turn_state.value}, link {core.link_state.value}"

    def _hindered(self) -> bool:
        return self._links.stormy() or self._links.held()

    def _struck_late(self, began: float) -> bool:
        """Whether the fault of the turn before has closed a connection in this one."""
        return self._faulty and any(
            record.closed_by == "server" and (record.closed_at or 0.0) >= began
            for record in self._simulator.connections
        )

    def _is_over(self, sentences: list[Sentence]) -> bool:
        taken = [each for each in sentences if each.turn is not None]
        return self._rig.calm and len(self._rig.turns) >= len(taken)

    # --- what happens between two turns

    async def _before(self, turn: TurnPlan) -> None:
        chance = random.Random(f"{self._seed}:{turn.number}:before")  # noqa: S311 - not secret
        match turn.before:
            case Before.NOTHING:
                pass
            case Before.DROPPED:
                self._weather.now(faults.Abort())
            case Before.RESTARTED:
                await self._stop()
                await self._start(eager=turn.eager)
            case Before.SPOILT:
                await self._stop()
                self._spoil(chance.choice(_SPOILT))
                await self._start(eager=turn.eager)
            case Before.FORGOT:
                await self._rig.command("forget")
                self._links.must_be_fresh("forget")
            case Before.SERVER_FORGOT:
                world = self._simulator._world
                world.sessions = Sessions(world.random, self._simulator.options.handle_validity_s)
                self._weather.now(faults.Abort())
            case Before.TAPPED:
                await self._tap()
            case Before.MASHED:
                await self._mash(chance)

    def _spoil(self, change: Callable[[bytes], bytes | None]) -> None:
        path = self._directory / FILE_NAME
        content = change(path.read_bytes() if path.exists() else b"")
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
        self._links.must_be_fresh("state file spoilt")

    async def _tap(self) -> None:
        self._rig.button.edge(pressed=True)
        await until(lambda: self._rig.core.turn_state is TurnState.ARMED, "the tap")
        self._rig.button.edge(pressed=False)
        await until(lambda: self._rig.calm, "the end of a tap")

    async def _mash(self, chance: random.Random) -> None:
        """Fifty edges as fast as they can be, or with pauses around the time of a bounce."""
        for edge_number in range(50):
            self._rig.button.edge(pressed=edge_number % 2 == 0)
            await given_time(lambda: False, chance.choice([0.0, 0.0, 0.002, 0.02]))
        await until(lambda: not self._rig.core._button.held, "the release")
        await until(lambda: self._rig.calm, "the end of the mashing")

    async def _by_hand(self, turn: TurnPlan) -> None:
        for act in turn.by_hand:
            there = self._weather.now(act)
            if there and not turn.at_once and isinstance(act, faults.Close | faults.Abort):
                # where the server is silent already, nobody hears of its close
                await given_time(self._disconnected, _A_MOMENT_S)

    def _disconnected(self) -> bool:
        return self._rig.core.link_state is not LinkState.READY

    async def _plug_in(self, turn: TurnPlan) -> None:
        match turn.unplugged:
            case Unplugged.MICROPHONE:
                self._rig.microphone.find()
            case Unplugged.SPEAKER:
                self._rig.speaker.find()
                # what was missed is told now, if something was
                await given_time(lambda: bool(self._rig.speaker.clips), _A_MOMENT_S)
            case Unplugged.NOTHING:
                pass

    # --- the person

    async def _speak(self, turn: TurnPlan, sentences: list[Sentence]) -> None:
        """Say what the plan wants; ``sentences`` gets each as it is begun."""
        sentence = self._next(sentences, typed=turn.person is Person.TYPES)
        if turn.person is Person.TYPES:
            await self._type(sentence)
            return
        await self._hold(turn, sentence)
        waits_for = _WAITS_FOR.get(turn.person, set())
        if turn.unplugged is Unplugged.SPEAKER:
            waits_for = {TurnState.SPEAKING}
        if waits_for:
            await until(lambda: self._state in waits_for or self._is_over([sentence]), "any answer")
        match turn.person:
            case Person.BARGES_IN | Person.SPEAKS_ON if self._state in _ANSWERING:
                sentence.deliberate = turn.person.value
                await self._hold(turn, self._next(sentences))
            case Person.STOPS if self._state in _ANSWERING:
                sentence.deliberate = turn.person.value
                await self._rig.command("stop")
            case _ if turn.unplugged is Unplugged.SPEAKER:
                self._rig.speaker.lose("pulled out")
            case _:
                pass

    @property
    def _state(self) -> TurnState:
        return self._rig.core.turn_state

    def _next(self, sentences: list[Sentence], *, typed: bool = False) -> Sentence:
        self._number += 1
        sentences.append((Sentence.typed if typed else Sentence.spoken)(self._number))
        return sentences[-1]

    async def _type(self, sentence: Sentence) -> None:
        answer = await self._rig.command("say", text=sentence.text)
        record = self._rig.core.current_turn
        if answer["ok"] and record is not None:
            sentence.turn = record.turn

    async def _press(self, turn: TurnPlan, *, pressed: bool) -> None:
        if turn.over_control:
            await self._rig.command("press" if pressed else "release")
        else:
            self._rig.button.edge(pressed=pressed)

    async def _hold(self, turn: TurnPlan, sentence: Sentence) -> None:
        """Press, say it in two breaths, let go."""
        rig, half = self._rig, len(sentence.pcm) // 2
        heard_before = len(self._simulator.turns) and self._simulator.turns[-1].number
        await self._press(turn, pressed=True)
        await until(lambda: rig.microphone.open_on is not None, "the gate opened by a press")
        sentence.turn = rig.microphone.open_on
        rig.hear(sentence.pcm[:half])
        await until(lambda: self._state is TurnState.LISTENING, "a window opened by a hold")
        if any(each.phase is Phase.UTTERANCE for each in turn.waiting):
            await given_time(lambda: self._half_heard(heard_before, half), _A_MOMENT_S)
        if turn.unplugged is Unplugged.MICROPHONE:
            sentence.cut_short = True
            rig.microphone.lose("pulled out")
        else:
            rig.hear(sentence.pcm[half:])
        await self._press(turn, pressed=False)
        await until(lambda: self._state is not TurnState.LISTENING, "the release")

    def _half_heard(self, before: int, half_bytes: int) -> bool:
        newest = self._simulator.turns[-1] if self._simulator.turns else None
        chunks = half_bytes // 1280 * 1280
        return newest is not None and newest.number > before and len(newest.utterance) >= chunks


async def soak(
    seed: int, numbers: Iterable[int], progress: Callable[[Tally], None] = lambda _tally: None
) -> Tally:
    """Play the turns of ``numbers`` and tell what came of it."""
    with tempfile.TemporaryDirectory(prefix="speakerd-soak-") as directory:
        async with Simulator(_SIMULATOR) as simulator:
            with mock.patch.dict(os.environ, simulator.environment()):
                play = Soak(seed, Path(directory), simulator)
                with contextlib.suppress(StuckError):  # it is among the violations
                    await play.play(numbers, progress)
                return play.tally
