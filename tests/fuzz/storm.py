"""A storm of broken messages over a core in the middle of things, then an honest turn.

The world is that of the property tests; but what its server says goes over the wire, and what the
wire makes of a frame becomes the world's events. A script is made first and played afterwards, so
that what has failed can be played again, and shortened.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.ledger import Outcome
from speakerd.conversation.rules import LinkPolicy
from speakerd.conversation.turn import TurnState
from speakerd.live import connection as live_connection
from speakerd.live.connection import Outlets
from tests.fuzz import mutate, seeds
from tests.fuzz.wire import MAX_LINES, Lines, Receiver
from tests.property.world import ANSWERS, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.property.world import Connection

#: At this rate a second of the world's replies is a small frame.
_REPLY_RATE_HZ = 8_000
_TOOL_ANSWERS_AFTER_S = 0.2
_SHORT_S = (0.0, 0.0, 0.0, 0.005, 0.1, 0.3)
_LONG_S = (1.0, 1.0, 5.0, 15.0, 60.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; ``what`` is the method of :class:`StormWorld` that does it."""

    what: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Script:
    """A whole sequence. Its ``steps`` may be left out one by one."""

    policy: LinkPolicy
    steps: tuple[Step, ...]

    @property
    def frames(self) -> int:
        return sum(step.what == "frame" for step in self.steps)


def script(random: Random, frames: int) -> Script:
    """A sequence with so many broken messages."""
    steps: list[Step] = []
    while frames > 0:
        steps += _scene(random)
        burst = min(frames, random.choice((1, 2, 5, 20)))
        frames -= burst
        for _ in range(burst):
            steps.append(Step("frame", mutate.frame(random)))
            if random.random() < 0.3:
                steps.append(Step("advance", random.choice(_SHORT_S)))
    return Script(random.choice(list(LinkPolicy)), tuple(steps))


def _scene(random: Random) -> list[Step]:
    """What goes on when the next burst comes."""
    answer = Step("answer", random.choice(("nothing", *ANSWERS)))
    down, up = Step("gpio_is", True), Step("gpio_is", False)
    wait = Step("advance", random.choice((*_SHORT_S, *_LONG_S)))
    return random.choice(
        (
            [wait],
            [answer, down, Step("advance", 1.0)],  # listening
            [answer, down, Step("advance", 1.0), up],  # the tail
            [answer, down, Step("advance", 1.0), up, Step("advance", 0.4)],  # thinking
            [answer, down, Step("advance", 1.0), up, Step("advance", 1.3)],  # speaking
            [answer, down, Step("advance", 1.0), up, Step("advance", 5.0)],  # settling
            [Step("say"), wait],
            [Step("stop"), wait],
        )
    )


class StormWorld(World):
    """A world whose server speaks through the wire."""

    def __init__(self, policy: LinkPolicy) -> None:
        self.receiver = self._receiver(0)
        self.outcomes: list[Outcome | None] = []
        super().__init__(policy, 0.0)

    def _receiver(self, generation: int) -> Receiver:
        outlets = Outlets(self.heard, self.played, self.transcribed)
        return Receiver(generation, outlets, lambda: self.now)

    # --- what the steps of a script do

    def frame(self, data: bytes) -> None:
        """A frame comes: on the open connection, or on one that nobody cares about."""
        self.carry_out(self.core.wake(self.now))  # what is due comes before what happens now
        self.receiver.feed(data)

    def answer(self, name: str) -> None:
        self.next_answers = [name]

    def gpio_is(self, down: bool) -> None:
        self.hand(down=down)

    def say(self, _value: None) -> None:
        self.tell(ev.SayRequested("good night"))

    def play(self, step: Step) -> None:
        if step.what == "stop":
            self.stop()
        else:
            getattr(self, step.what)(step.value)

    # --- the connection

    @property
    def listened_to(self) -> Connection | None:
        """The connection whose frames are read."""
        connection = self.connection
        is_read = connection is not None and self.is_open(connection)
        return connection if is_read and self.disconnected_at == -float("inf") else None

    def server_opens(self, connection: Connection) -> None:
        self.receiver.close()
        self.receiver = self._receiver(connection.generation)
        super().server_opens(connection)

    def do_Connect(self, order: fx.Connect) -> None:  # noqa: N802 - named after the order
        self.trusted = None  # a storm of closes and handles may cost the conversation
        super().do_Connect(order)

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.ActivityStartSent):
            self.receiver.attribution.window_opened()
        elif isinstance(event, ev.UtteranceSent):
            self.receiver.attribution.utterance_sent(event.turn, self.now)
        super().tell(event)

    def do_RunTools(self, order: fx.RunTools) -> None:  # noqa: N802
        """Every call is refused, as by the daemon."""
        for call in order.calls:
            self.answer_call(order, call.id)

    def answer_call(self, order: fx.RunTools, call_id: str) -> None:
        self.later(
            _TOOL_ANSWERS_AFTER_S, lambda: self.respond(order.generation, order.turn, call_id)
        )

    def do_TurnEnded(self, order: fx.TurnEnded) -> None:  # noqa: N802
        self.outcomes.append(order.record.outcome)
        super().do_TurnEnded(order)

    # --- what the wire makes of a frame

    def heard(self, event: ev.Event) -> None:
        connection = self.listened_to
        if connection is None:
            return
        match event:
            case ev.ToolCallReceived():
                connection.pending |= {call.id for call in event.calls}
            case ev.ToolCallsCancelled():
                connection.pending -= set(event.call_ids)
            case ev.TurnCompleted() if (
                event.turn == self.turn and self.core.turn_state is TurnState.THINKING
            ):
                self.settle(connection, event.turn)  # it chose silence
            case _:
                pass
        self.tell(event)

    def played(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        connection = self.listened_to
        if connection is not None:
            self.settle(connection, turn)
            self.speaker.feed(turn, len(pcm) / 2 / rate_hz)
        return 0.0

    def transcribed(self, side: str, turn: int, text: str) -> None:
        """The text goes to whoever listens at the control socket."""

    # --- what the server says when it is honest

    def _tell_by_wire(self, message: seeds.Json) -> None:
        self.frame(seeds.encoded(message))

    def say_transcript(self, connection: Connection, turn: int) -> None:  # noqa: ARG002
        self._tell_by_wire(seeds.content(inputTranscription={"text": "hello"}))

    def say_audio(self, connection: Connection, turn: int, seconds: float) -> None:  # noqa: ARG002
        pcm = bytes(2 * int(seconds * _REPLY_RATE_HZ))
        self._tell_by_wire(seeds.audio(pcm, f"audio/pcm;rate={_REPLY_RATE_HZ}"))

    def say_generated(self, connection: Connection, turn: int) -> None:  # noqa: ARG002
        self._tell_by_wire(seeds.content(generationComplete=True))

    def say_complete(self, connection: Connection, turn: int) -> None:  # noqa: ARG002
        self._tell_by_wire({**seeds.content(turnComplete=True), "usageMetadata": seeds.USAGE})

    def say_interrupted(self, connection: Connection, turn: int) -> None:  # noqa: ARG002
        self._tell_by_wire(seeds.content(interrupted=True))

    def say_go_away(self, connection: Connection, turn: int, seconds: float) -> None:  # noqa: ARG002
        self._tell_by_wire({"goAway": {"timeLeft": f"{seconds}s"}})

    def say_tool(
        self,
        connection: Connection,  # noqa: ARG002 - the world's signature
        turn: int,  # noqa: ARG002
        runs_s: float | None,  # noqa: ARG002 - it is refused
        responds_s: float | None,  # noqa: ARG002
    ) -> None:
        call = {"id": f"call-{next(self.calls)}", "name": "lamp", "args": {}}
        self._tell_by_wire({"toolCall": {"functionCalls": [call]}})

    def say_cancel(self, connection: Connection, turn: int) -> None:  # noqa: ARG002
        self._tell_by_wire({"toolCallCancellation": {"ids": sorted(connection.pending)}})

    # --- the end

    def honest_turn(self) -> None:
        """The storm is over: the next sentence is answered, and heard to its end."""
        self.quiet_down()
        self.outcomes.clear()
        self.hand(down=True)
        self.advance(1.0)
        self.hand(down=False)
        self.quiet_down()
        assert self.outcomes == [Outcome.ANSWERED], self.outcomes


def play(scripted: Script) -> None:
    """Play a script to its honest end. Raises whatever is wrong."""
    with _lines() as lines:
        world = StormWorld(scripted.policy)
        try:
            world.tell(ev.Started())
            world.advance(1.0)
            for step in scripted.steps:
                world.play(step)
            world.honest_turn()
        finally:
            world.receiver.close()
        assert lines.count <= MAX_LINES * (world.generation + 1), "a flood in the journal"


@contextmanager
def _lines() -> Iterator[Lines]:
    log, lines = logging.getLogger(live_connection.__name__), Lines()
    propagated, log.propagate = log.propagate, False
    log.addHandler(lines)
    try:
        yield lines
    finally:
        log.removeHandler(lines)
        log.propagate = propagated


def failure_of(scripted: Script) -> Exception | None:
    """What is wrong with a script, if anything is."""
    try:
        play(scripted)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the fuzzer looks for
        return error
    return None


def shortened(scripted: Script, error: Exception) -> Script:
    """A script that fails in the same way, with steps left out as long as it does."""
    size = len(scripted.steps) // 2
    while size:
        at = 0
        while at < len(scripted.steps):
            steps = scripted.steps[:at] + scripted.steps[at + size :]
            shorter = Script(scripted.policy, steps)
            if type(failure_of(shorter)) is type(error):
                scripted = shorter
            else:
                at += size
        size //= 2
    return scripted
