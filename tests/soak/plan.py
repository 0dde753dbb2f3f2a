"""What happens in which turn: drawn from the seed and the turn's number, and from nothing else.

So that a turn can be played again without those before it.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from speakerd.simulator import catalogue, faults
from speakerd.simulator.catalogue import Closing
from speakerd.simulator.faults import Phase, Planned
from tests.faults.table import GARBAGE
from tests.soak.clock import SPEED

if TYPE_CHECKING:
    from collections.abc import Callable

#: A sentence is so long; every sentence is another one.
SENTENCE_S = 0.2
#: A fault in every third turn; in so many of those after it another one.
EVERY = 3
_TWO_IN_A_ROW = 0.1
_MIXED = 0.15  # so many of the faults come with a second one in the same turn


class Person(enum.Enum):
    """What the person does in a turn."""

    SPEAKS = "speaks"
    TYPES = "say"  # a text over the control socket
    SPEAKS_ON = "spoken on"  # presses again before the answer begins
    BARGES_IN = "barge-in"  # presses into the answer
    STOPS = "stop"  # before the answer begins


class Before(enum.Enum):
    """What happens between two turns."""

    NOTHING = ""
    DROPPED = "drop while idle"
    RESTARTED = "restart"
    FORGOT = "forget"
    SERVER_FORGOT = "server forgot"
    SPOILT = "corrupt state file"
    TAPPED = "tap"
    MASHED = "mashed button"


class Unplugged(enum.Enum):
    """What is unplugged during a turn, and plugged in again after it."""

    NOTHING = ""
    MICROPHONE = "microphone lost"  # in mid-sentence
    SPEAKER = "speaker lost"  # in mid-answer


@dataclass(frozen=True, slots=True)
class PlannedAt:
    """A fault that waits for its phase; for ``times`` of them."""

    phase: Phase
    planned: Planned
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlan:
    """One turn of the soak."""

    number: int
    names: tuple[str, ...] = ()  # of the faults; none: an ordinary turn
    person: Person = Person.SPEAKS
    before: Before = Before.NOTHING
    unplugged: Unplugged = Unplugged.NOTHING
    by_hand: tuple[faults.Act, ...] = ()  # to the idle connection, before the press
    at_once: bool = False  # the press does not wait until that has been noticed
    waiting: tuple[PlannedAt, ...] = ()
    over_control: bool = False  # the button is that of the control socket
    eager: bool = False  # from a restart on: the speaker plays what it has, at once

    def faults(self) -> list[faults.Fault]:
        """All of them."""
        return [*self.by_hand, *(each.planned.fault for each in self.waiting)]

    @property
    def wedges(self) -> bool:
        """Whether the server says that it was interrupted: a reason to give up the session."""
        return faults.PHANTOM_INTERRUPTION in self.faults()


@dataclass(frozen=True, slots=True)
class _Draw:
    """A fault drawn: how it is called, and what it makes of a turn."""

    name: str
    change: Callable[[TurnPlan], TurnPlan] = field(compare=False)


_CLOSINGS: tuple[Closing, ...] = (
    catalogue.BAD_KEY,
    catalogue.NO_KEY,
    catalogue.BAD_ARGUMENT,
    catalogue.PRECONDITION,
    catalogue.EXPLICIT_ACTIVITY,
    catalogue.NO_TEXT_FROM_VOICES,
    catalogue.NO_THINKING_LEVEL,
    catalogue.NOT_ENABLED,
    catalogue.ABORTED,
    catalogue.INVALID_HANDLE,
    catalogue.EXPIRED_HANDLE,
    catalogue.FOREIGN_HANDLE,
    catalogue.INTERNAL,
    catalogue.UNAVAILABLE,
    catalogue.DEADLINE,
    catalogue.QUOTA,
    catalogue.bad_payload("Unknown name \"x\" at 'setup'."),
    catalogue.modalities("models/gemini-3.8-live", ["TEXT"]),
    catalogue.unknown_model("models/gemini-3.8-live", "v1beta"),
    Closing(1000, "The operation was cancelled."),
    Closing(1001, ""),
    Closing(1002, "protocol error"),
    Closing(1008, "Your API key was reported as leaked. Please use another API key."),
    Closing(1011, "Internal error occurred."),
    Closing(1013, "try again later"),
    Closing(4999, ""),
)
_STATUSES = (400, 401, 403, 404, 429, 500, 502, 503)
#: Reply audio that no speaker can play, and that nobody has asked for.
_ODD_AUDIO = {
    "odd length": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"},
    "absurd rate": {"mimeType": "audio/pcm;rate=1", "data": "AAAAAA=="},
    "no audio": {"mimeType": "image/png", "data": "AAAAAA=="},
    "empty": {"mimeType": "audio/pcm;rate=24000", "data": ""},
}
_INJECTED: dict[str, faults.Inject] = (
    {name: faults.Inject(message) for name, message in GARBAGE.items()}
    | {
        f"audio: {name}": faults.Inject(
            {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}
        )
        for name, blob in _ODD_AUDIO.items()
        if name != "odd length"
    }
    | {"huge": faults.Inject(b'{"x": "' + b"x" * 1_000_000 + b'"}')}
)
#: How far into its phase a fault happens: seconds, see :class:`~speakerd.simulator.faults.Phase`.
_LATEST_S = {
    Phase.SETUP: 0.02,
    Phase.IDLE: 0.02,
    Phase.UTTERANCE: SENTENCE_S * 0.75,
    Phase.THINKING: 0.02,
    Phase.REPLY: SENTENCE_S * 0.9,
}


def plan(seed: int, number: int) -> TurnPlan:
    """The plan of turn ``number`` (from 1)."""
    random_ = random.Random(f"{seed}:{number}")  # noqa: S311 - repeatable, not secret
    turn = TurnPlan(
        number=number,
        over_control=random_.random() < 0.2,
        person=Person.TYPES if random_.random() < 0.05 else Person.SPEAKS,
        at_once=random_.random() < 0.5,
        eager=random_.random() < 0.5,
    )
    follows = number % EVERY == 1 and random_.random() < _TWO_IN_A_ROW
    if number % EVERY and not follows:
        return turn
    count = 2 if random_.random() < _MIXED else 1
    for _ in range(count):
        draw = random_.choice(_FAMILIES)(random_)
        turn = replace(draw.change(turn), names=(*turn.names, draw.name))
    if turn.unplugged is not Unplugged.NOTHING:
        turn = replace(turn, person=Person.SPEAKS)
    return turn


def _wait(phase: Phase, random_: random.Random, name: str, *what: Planned, times: int = 1) -> _Draw:
    """A fault that waits for its phase; those of a connection's making have one made."""
    waiting = tuple(PlannedAt(phase, each, times) for each in what)
    made = phase in {Phase.UPGRADE, Phase.SETUP} or (phase is Phase.IDLE and random_.random() < 0.5)
    hand = (_parting(random_),) if made else ()

    def change(turn: TurnPlan) -> TurnPlan:
        return replace(turn, waiting=(*turn.waiting, *waiting), by_hand=(*turn.by_hand, *hand))

    return _Draw(f"{phase.name}: {name}", change)


def _parting(random_: random.Random) -> faults.Act:
    """How a connection ends that has to be made again."""
    return faults.Abort() if random_.random() < 0.5 else faults.Close()


def _act(random_: random.Random) -> tuple[str, faults.Act]:
    """Something that can happen at any phase."""
    kind = random_.choice(
        ["close", "close", "close", "abort", "go away", "silence", "inject", "phantom"]
    )
    match kind:
        case "close":
            closing = random_.choice(_CLOSINGS)
            return f"close {closing.code}", faults.Close.of(closing)
        case "abort":
            return kind, faults.Abort()
        case "go away":
            left_s = random_.choice([0.0, 1.0, 5.0, 50.0, 300.0]) / SPEED
            return kind, faults.GoAway(left_s, closes=random_.random() < 0.8)
        case "silence":
            pongs = random_.random() < 0.7
            return kind if pongs else "half open", faults.Silence(pongs=pongs)
        case "phantom":
            return kind, faults.PHANTOM_INTERRUPTION
        case _:
            return kind, _INJECTED[random_.choice(sorted(_INJECTED))]


def _at_upgrade(random_: random.Random) -> _Draw:
    times = random_.choice([1, 1, 2, 3, 12])
    if random_.random() < 0.3:
        planned = Planned(faults.Abort())
        return _wait(Phase.UPGRADE, random_, "abort", planned, times=times)
    status = random_.choice(_STATUSES)
    planned = Planned(faults.HttpStatus(status))
    return _wait(Phase.UPGRADE, random_, f"HTTP {status}", planned, times=times)


def _at_phase(random_: random.Random) -> _Draw:
    phase = random_.choice(list(_LATEST_S))
    name, act = _act(random_)
    after_s = random_.choice([0.0, random_.uniform(0.0, _LATEST_S[phase])])
    what = [Planned(act, after_s)]
    if isinstance(act, faults.GoAway) and random_.random() < 0.3:
        name += ", then silence"
        what.append(Planned(faults.Silence(), after_s))
    times = random_.choice([1, 1, 1, 2, 3])
    return _wait(phase, random_, name, *what, times=times)


def _while_idle(random_: random.Random) -> _Draw:
    name, act = _act(random_)
    acts = [act]
    if isinstance(act, faults.GoAway) and random_.random() < 0.5:
        name += ", twice"
        acts.append(faults.GoAway(50.0 / SPEED))

    def change(turn: TurnPlan) -> TurnPlan:
        return replace(turn, by_hand=(*turn.by_hand, *acts))

    return _Draw(f"idle: {name}", change)


def _late(random_: random.Random) -> _Draw:
    """Nothing is lost, it only takes longer."""
    if random_.random() < 0.3:
        return _wait(Phase.SETUP, random_, "late", Planned(faults.Pause(), 0.1))
    pause = faults.Pause(random_.choice([5.0, 10.0, 25.0]) / SPEED)
    phase = random_.choice([Phase.THINKING, Phase.REPLY])
    after_s = random_.uniform(0.0, _LATEST_S[phase])
    return _wait(phase, random_, "stall", Planned(pause, after_s))


def _shape(random_: random.Random) -> _Draw:
    early_s = random_.uniform(0.0, SENTENCE_S)
    shapes: list[faults.Shape] = [
        faults.NoReply(),
        faults.NoAudio(),
        faults.PrematureTurnComplete(early_s),
        faults.PrematureTurnComplete(early_s, rest=True),
        faults.MissingTurnComplete(),
        faults.ToolCall("set_volume", {"percent": 50}),
    ]
    shape = random_.choice(shapes)
    what: list[Planned] = [Planned(shape)]
    name = type(shape).__name__
    if isinstance(shape, faults.NoReply) and random_.random() < 0.5:
        what.append(Planned(faults.PHANTOM_INTERRUPTION))
        name += ", phantom"
    return _wait(Phase.THINKING, random_, name, *what, times=random_.choice([1, 1, 2]))


def _doing(random_: random.Random) -> _Draw:
    person = random_.choice([Person.SPEAKS_ON, Person.BARGES_IN, Person.STOPS])
    phase = Phase.REPLY if person is Person.BARGES_IN else Phase.THINKING
    # Long enough to press into it; the press ends it.
    hold = PlannedAt(
        phase,
        Planned(faults.Pause(12.0 / SPEED), SENTENCE_S / 2 if person is Person.BARGES_IN else 0.0),
    )

    def change(turn: TurnPlan) -> TurnPlan:
        return replace(turn, person=person, waiting=(*turn.waiting, hold))

    return _Draw(person.value, change)


def _between(random_: random.Random) -> _Draw:
    before = random_.choice([each for each in Before if each is not Before.NOTHING])
    return _Draw(before.value, lambda turn: replace(turn, before=before))


def _unplug(random_: random.Random) -> _Draw:
    unplugged = random_.choice([Unplugged.MICROPHONE, Unplugged.SPEAKER])
    hold = PlannedAt(Phase.REPLY, Planned(faults.Pause(5.0 / SPEED), SENTENCE_S / 2))
    waiting = (hold,) if unplugged is Unplugged.SPEAKER else ()

    def change(turn: TurnPlan) -> TurnPlan:
        return replace(turn, unplugged=unplugged, waiting=(*turn.waiting, *waiting))

    return _Draw(unplugged.value, change)


_FAMILIES: tuple[Callable[[random.Random], _Draw], ...] = (
    _at_upgrade,
    _at_phase,
    _at_phase,
    _at_phase,
    _while_idle,
    _while_idle,
    _late,
    _shape,
    _shape,
    _doing,
    _between,
    _between,
    _unplug,
)
