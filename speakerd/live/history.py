"""What was said in the last turns, for a session that begins without knowing it: pure, no I/O.

A conversation hangs on a session handle, and the server may lose it or refuse it. With this a
fresh session is told how it went before. It is kept in memory only, and nothing of it at all
where nobody has asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from speakerd.conversation.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.conversation.ledger import TurnRecord

#: What is kept of one side of one turn, in letters; the rest is cut off.
MOST_LETTERS = 2000
#: What a session is told in all, in letters; the oldest turns go first. They are some 5,000 tokens:
#: less than what is left of a conversation that was compressed, by the options' defaults.
MOST_LETTERS_TOLD = 20_000
#: Turns that have not ended, or were spoken on, of which the oldest go first.
_MOST_OPEN = 8


class Line(NamedTuple):
    """What one side said: its role in the Live API, ``user`` or ``model``, and its words."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Past:
    """What a session is told: of so many turns, the sides by turns, a ``user`` first."""

    turns: int = 0
    lines: tuple[Line, ...] = ()


NOTHING = Past()


@dataclass(slots=True)
class _Said:
    """One turn, as far as it was transcribed."""

    heard: str = ""
    spoken: str = ""
    spoken_on: bool = False  # it shares the fate of the next one
    answered: bool = False  # and it is over

    def lines(self) -> Iterator[Line]:
        """Its sides, without those that nothing is known of."""
        for role, text in (("user", self.heard), ("model", self.spoken)):
            cut = text[:MOST_LETTERS] + "..." if len(text) > MOST_LETTERS else text
            if words := " ".join(cut.split()):
                yield Line(role, words)


class History:
    """Collects what is said, and keeps the last ``most_turns`` turns that were answered.

    An answer that was cut, by a press or by the network, counts as far as it was transcribed. What
    the person spoke on from before it was answered goes with the turn that is.
    """

    def __init__(self, most_turns: int) -> None:
        self._most_turns = most_turns
        self._said: dict[int, _Said] = {}  # by the turn

    def limit(self, most_turns: int) -> None:
        """Keep so many from now on; 0 forgets, and collects nothing."""
        self._most_turns = most_turns
        if not most_turns:
            self.forget()
        self._trim()

    def asked(self, turn: int, text: str = "") -> None:
        """A turn is being delivered, from its beginning: once more, it may be; or it is a text."""
        if self._most_turns:
            said = self._said.setdefault(turn, _Said())
            said.heard, said.spoken = text, ""
            self._trim()

    def piece(self, side: str, turn: int, text: str) -> None:
        """Another piece of what was ``heard`` or ``spoken`` (the side) in that turn."""
        if (said := self._said.get(turn)) is None:
            return
        if side == "heard":
            said.heard = (said.heard + text)[: MOST_LETTERS + 1]
        else:
            said.spoken = (said.spoken + text)[: MOST_LETTERS + 1]

    def ended(self, record: TurnRecord) -> None:
        """A turn is over: it counts if its answer was heard at all."""
        if record.outcome is Outcome.SPOKEN_ON:
            if self._most_turns:  # it may not have been delivered yet
                self._said.setdefault(record.turn, _Said()).spoken_on = True
                self._trim()
            return
        for turn, said in [each for each in self._said.items() if each[0] <= record.turn]:
            belongs = turn == record.turn or (said.spoken_on and any(said.lines()))
            if record.first_reply_at is not None and belongs:
                said.answered = True
            elif not said.answered:
                del self._said[turn]
        self._trim()

    def forget(self) -> None:
        """Nothing of all this was ever said."""
        self._said.clear()

    def past(self) -> Past:
        """What a session that begins now is told; :data:`NOTHING` if there is nothing."""
        told: list[list[Line]] = []  # the newest turn first
        left = MOST_LETTERS_TOLD
        for turn in sorted(self._said, reverse=True):
            lines = list(self._said[turn].lines()) if self._said[turn].answered else []
            left -= sum(len(line.text) for line in lines)
            if left < 0:
                break
            if lines:
                told.append(lines)
        while told and told[-1][0].role != "user":
            told.pop()  # an answer to nobody knows what
        all_lines = (line for lines in reversed(told) for line in lines)
        return Past(len(told), tuple(_by_turns(all_lines))) if told else NOTHING

    def _trim(self) -> None:
        for answered, most in ((True, self._most_turns), (False, _MOST_OPEN)):
            some = sorted(turn for turn, said in self._said.items() if said.answered is answered)
            for turn in some[: max(0, len(some) - most)]:
                del self._said[turn]


def _by_turns(lines: Iterator[Line]) -> Iterator[Line]:
    """The same words, with no role twice in a row."""
    before: Line | None = None
    for line in lines:
        if before is not None and before.role == line.role:
            before = Line(line.role, f"{before.text} {line.text}")
            continue
        if before is not None:
            yield before
        before = line
    if before is not None:
        yield before
