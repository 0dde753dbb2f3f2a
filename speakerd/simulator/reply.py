"""An answer as a schedule: what is sent when, planned in one go and then taken step by step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from speakerd.simulator.audio import REPLY_RATE_HZ, SAMPLE_BYTES, duration_s
from speakerd.simulator.faults import (
    Act,
    MissingTurnComplete,
    NoAudio,
    NoReply,
    Planned,
    PrematureTurnComplete,
    ToolCall,
)
from speakerd.simulator.messages import transcription
from speakerd.simulator.options import Pacing, SimulatorOptions
from speakerd.simulator.records import Outcome, TurnRecord

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

#: Jittery pacing: how many of the chunks make the others wait, and how long at most.
STALLS = 0.1
LONGEST_GAP_S = 0.4

_Shape = TypeVar("_Shape", PrematureTurnComplete, MissingTurnComplete)


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message."""

    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Speak:
    """Send a chunk of audio."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Send a toolCall; the steps behind it wait for the response."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Happen:
    """Carry out a fault."""

    act: Act


@dataclass(frozen=True, slots=True)
class Complete:
    """Send turnComplete."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more will come of this turn."""

    outcome: Outcome


Item: TypeAlias = Say | Speak | Call | Happen | Complete | End


@dataclass(frozen=True, slots=True)
class Step:
    """``item``, so many seconds after the answer began."""

    after_s: float
    item: Item


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be planned."""

    pcm: bytes  # S16_LE mono at 24 kHz; empty: a silent turn
    heard: str  # the input transcription; empty: none
    spoken: str  # the output transcription; empty: none
    thinking: tuple[Planned, ...] = ()
    replying: tuple[Planned, ...] = ()


class Reply:
    """The steps of one turn's answer that have not been taken yet."""

    def __init__(self, turn: TurnRecord, steps: Iterable[Step], options: SimulatorOptions) -> None:
        self.turn = turn
        self.waiting = False  # for the response to a call
        self._steps = deque(steps)
        self._options = options
        self._began_at = 0.0
        self._held_until = 0.0
        self._taken_s = 0.0  # where in the answer the last step was

    def begin(self, now: float) -> None:
        """The answer begins."""
        self._began_at = now

    def go_on(self, now: float) -> None:
        """The response has come: the steps behind the call follow in their old distance."""
        self.waiting = False
        self._began_at = now - self._options.wait_s(self._taken_s)

    def hold(self, until: float) -> None:
        """Nothing of it comes before ``until``."""
        self._held_until = until

    def due_at(self) -> float | None:
        """When the next step is due; None: not before :meth:`go_on`, or there is none."""
        if self.waiting or not self._steps:
            return None
        due_at = self._began_at + self._options.wait_s(self._steps[0].after_s)
        return max(due_at, self._held_until)

    def take(self) -> Item:
        """The next step."""
        step = self._steps.popleft()
        self._taken_s = step.after_s
        return step.item

    def late_audio(self, chunks: int) -> list[Speak]:
        """The next ``chunks`` chunks of audio, whenever they were due."""
        return [step.item for step in self._steps if isinstance(step.item, Speak)][:chunks]


def plan(order: Order, options: SimulatorOptions, random: random.Random) -> list[Step]:
    """The steps of an answer, in order."""
    shapes = [planned.fault for planned in order.thinking]
    steps = _happenings(order.thinking)
    if any(isinstance(shape, NoReply) for shape in shapes):
        last_s = max(planned.after_s for planned in order.thinking)
        return [*steps, Step(last_s, End(Outcome.UNANSWERED))]
    if order.heard:
        steps.append(Step(options.transcription_delay_s, Say(transcription("input", order.heard))))
    steps += [
        Step(options.transcription_delay_s, Call(shape))
        for shape in shapes
        if isinstance(shape, ToolCall)
    ]
    silent = not order.pcm or any(isinstance(shape, NoAudio) for shape in shapes)
    if silent:
        steps.append(Step(options.first_audio_delay_s, Complete()))
        steps.append(Step(options.first_audio_delay_s, End(Outcome.COMPLETE)))
    else:
        steps += _answer(order, options, random)
    # Stable: what happens while the server thinks comes before what it then says.
    return sorted(steps, key=lambda step: step.after_s)


def _happenings(planned: Iterable[Planned]) -> list[Step]:
    acts = [Step(one.after_s, Happen(one.fault)) for one in planned if isinstance(one.fault, Act)]
    return sorted(acts, key=lambda step: step.after_s)


def _answer(order: Order, options: SimulatorOptions, random: random.Random) -> list[Step]:
    """From the first audio to the end."""
    chunk_bytes = options.chunk_ms * REPLY_RATE_HZ // 1000 * SAMPLE_BYTES
    chunks = [order.pcm[n : n + chunk_bytes] for n in range(0, len(order.pcm), chunk_bytes)]
    words = _pieces(order.spoken, len(chunks))
    premature = _shape(order.thinking, PrematureTurnComplete)
    pending = sorted(order.replying, key=lambda one: one.after_s)
    steps: list[Step] = []
    at = options.first_audio_delay_s
    sent_s = 0.0
    for number, chunk in enumerate(chunks):
        at = _chunk_at(number, at, options, random)
        steps.append(Step(at, Speak(chunk)))
        sent_s += duration_s(len(chunk), REPLY_RATE_HZ)
        if words[number]:
            steps.append(Step(at, Say(transcription("output", words[number]))))
        while pending and pending[0].after_s <= sent_s:
            steps += [Step(at, step.item) for step in _happenings([pending.pop(0)])]
        if premature is not None and premature.after_s <= sent_s:
            steps.append(Step(at, Complete()))
            if not premature.rest:
                return [*steps, Step(at, End(Outcome.COMPLETE))]
            premature = None
    return steps + _ending(order, at, options)


def _ending(order: Order, at: float, options: SimulatorOptions) -> list[Step]:
    steps = [Step(at, Say({"serverContent": {"generationComplete": True}}))]
    if _shape(order.thinking, MissingTurnComplete) is not None:
        return [*steps, Step(at, End(Outcome.UNANSWERED))]
    lag_s = options.turn_complete_lag_s
    played_at = options.first_audio_delay_s + duration_s(len(order.pcm), REPLY_RATE_HZ)
    done_at = max(at, played_at) if lag_s is None else at + lag_s
    premature = _shape(order.thinking, PrematureTurnComplete)
    if premature is None:
        steps.append(Step(done_at, Complete()))
    return [*steps, Step(done_at, End(Outcome.COMPLETE))]


def _shape(planned: Iterable[Planned], kind: type[_Shape]) -> _Shape | None:
    return next((one.fault for one in planned if isinstance(one.fault, kind)), None)


def _chunk_at(
    number: int, before: float, options: SimulatorOptions, random: random.Random
) -> float:
    if options.pacing is Pacing.BURST:
        return options.first_audio_delay_s
    steady = (
        options.first_audio_delay_s + number * options.chunk_ms / 1000 / options.generation_rate
    )
    if options.pacing is Pacing.REALTIME or number == 0:
        return steady
    stalls = random.random() < STALLS
    return max(steady, before + (random.uniform(0.0, LONGEST_GAP_S) if stalls else 0.0))


def _pieces(text: str, count: int) -> list[str]:
    """``text`` cut at words and spread over ``count`` places."""
    words = [f"{word} " for word in text.split()]
    pieces = [""] * count
    for number, word in enumerate(words):
        pieces[number * count // len(words)] += word
    return pieces
