"""Turns with whoever is measured, and rounds in which everybody has some."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.errors import UnavailableError
from speakerd.simulator.audio import NATIVE_RATE_HZ, SAMPLE_BYTES
from tests.bench import process
from tests.bench.contenders import running
from tests.bench.rig import noise, sleep_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.simulator.records import TurnRecord
    from tests.bench.contenders import Contender, Stage
    from tests.bench.process import Counters

#: How long the button is held; a turn takes some 5 s with its reply.
HELD_S = 1.0
REPLY_S = 3.0
#: A turn ends so long after the reply could have been heard.
AFTERWARDS_S = 0.5
#: Between turns: at a turn's end speakerd writes the conversation's handle to the disk.
_PAUSE_S = 0.3
_SETTLED_S = 0.5  # after a start, or a connection
#: How much is heard by the microphone before the press and after the release.
_BEFORE_S = 0.8
_AFTER_S = 1.0
_BYTES_PER_S = NATIVE_RATE_HZ * SAMPLE_BYTES
_PIECE_BYTES = _BYTES_PER_S // 50  # enough noise to know it again


@dataclass(frozen=True, slots=True)
class Said:
    """A turn whose reply has begun. Times are of ``time.monotonic()``."""

    before: Counters  # of the program, just before the press
    pressed_at: float
    released_at: float
    record: TurnRecord
    sound: bytes  # what the microphone heard meanwhile; no piece of it is in it twice
    sound_at: float  # when it began to hear it

    def first_and_last_heard_ms(self) -> tuple[float, float] | None:
        """When the first and the last sample of the utterance came to the microphone.

        The first counts from the press, the last from the release: negative is before it. None if
        the utterance does not begin or end in the sound.
        """
        utterance = bytes(self.record.utterance)
        first = self.sound.find(utterance[:_PIECE_BYTES])
        last = self.sound.find(utterance[-_PIECE_BYTES:])
        if min(first, last) < 0:
            return None
        last += _PIECE_BYTES
        return (
            ms(self.pressed_at, self.sound_at + first / _BYTES_PER_S),
            ms(self.released_at, self.sound_at + last / _BYTES_PER_S),
        )


def in_rounds(
    stage: Stage,
    rounds: int,
    measure: Callable[[Contender], None],
    options: Mapping[str, str] | None = None,
) -> None:
    """Measure everybody once a round, in an order that rotates; ``options`` are speakerd's.

    Each has just been started and connected, and has had one turn that does not count: at first
    use the SDK builds its models.
    """
    for number in range(rounds):
        turned = number % len(stage.names)
        for name in (*stage.names[turned:], *stage.names[:turned]):
            with running(name, stage, options) as contender:
                contender.wait_for_connection()
                contender.wait_for_line()
                time.sleep(_SETTLED_S)
                over(stage, contender)
                measure(contender)


def say(stage: Stage, contender: Contender, held_s: float = HELD_S) -> Said:
    """Speak; returns when the reply begins."""
    time.sleep(_PAUSE_S)
    number = newest_number(stage) + 1
    sound = noise(_BEFORE_S + held_s + _AFTER_S, NATIVE_RATE_HZ)
    sound_at = stage.card.play_into_microphone(sound) - len(sound) / _BYTES_PER_S
    sleep_until(sound_at + _BEFORE_S)
    before = process.counters(contender.pid)
    pressed_at = contender.press()
    sleep_until(pressed_at + held_s)
    released_at = contender.release()
    return Said(before, pressed_at, released_at, reply_to(stage, number), sound, sound_at)


def reply_to(stage: Stage, number: int) -> TurnRecord:
    """The turn of this ``number``, once its reply has begun."""

    def answered() -> TurnRecord | None:
        turn = stage.turn(number)
        return turn if turn is not None and turn.first_reply_at is not None else None

    return stage.wait_for(answered)


def over(stage: Stage, contender: Contender, held_s: float = HELD_S) -> Said:
    """A whole turn: speak, and wait until the reply has been heard, and somewhat longer."""
    said = say(stage, contender, held_s)
    wait_until_over(said)
    return said


def wait_until_over(said: Said) -> None:
    """Return when the reply can have been heard to its end, and somewhat later."""
    sleep_until(known(said.record.first_reply_at) + REPLY_S + AFTERWARDS_S)


def newest_number(stage: Stage) -> int:
    """The number of the newest turn; 0 before the first."""
    turns = stage.simulator.turns
    return turns[-1].number if turns else 0


def known(at: float | None) -> float:
    """The time of a milestone. Raises UnavailableError for one that was not reached."""
    if at is None:
        raise UnavailableError("a turn was answered without one of its milestones")
    return at


def ms(since: float | None, until: float | None) -> float:
    """From one milestone to another."""
    return 1000 * (known(until) - known(since))
