"""Texts that are to be asked or read out, one after the other, as soon as nobody speaks."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from speakerd.conversation.ledger import Kind, Outcome, TurnRecord
from speakerd.conversation.memory import Turn
from speakerd.conversation.turn import Action, TurnState

if TYPE_CHECKING:
    from speakerd.conversation.events import SayRequested
    from speakerd.conversation.stage import Stage
    from speakerd.conversation.turn import Actions

#: The states in which a turn of text may begin.
_FREE = {TurnState.IDLE, TurnState.SETTLING}


class Texts:
    """Waits with each for the end of a turn, and of what is being explained by sound."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._waiting: collections.deque[SayRequested] = collections.deque()

    def actions(self) -> Actions:
        """What it carries out for the machine."""
        return {Action.ASK: self._ask}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, text: SayRequested) -> None:
        """Let it be said after those that wait already."""
        self._waiting.append(text)

    def clear(self) -> None:
        """Say none of them."""
        self._waiting.clear()

    def may_begin(self, state: TurnState) -> bool:
        """Whether there is one, and it is its time."""
        telling = self._stage.telling
        explaining = telling.playing.explains and not telling.speaker_lost
        return bool(self._waiting) and state in _FREE and not explaining

    def _ask(self) -> None:
        stage, what = self._stage, self._waiting.popleft()
        stage.turns.close_books(Outcome.ANSWERED)
        stage.hush()
        number, now = stage.next_number(), stage.now
        record = TurnRecord(number, stage.link.model, now, released_at=now, utterance_ended_at=now)
        record.kind = Kind.ANNOUNCEMENT if what.read_out else Kind.TEXT
        stage.wait()
        stage.call_link()
        stage.begin(Turn(record, text=what.text, complete=True, waiting_since=now))
