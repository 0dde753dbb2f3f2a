"""What all connections of one simulator share: conversations, the script, the records."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Protocol

from speakerd.simulator.audio import read_wav, tone
from speakerd.simulator.faults import Plan, Script
from speakerd.simulator.records import ConnectionRecord, TurnRecord
from speakerd.simulator.sessions import Sessions
from speakerd.simulator.tokens import Tokens

if TYPE_CHECKING:
    from speakerd.simulator.options import SimulatorOptions


class Observer(Protocol):
    """Is told what happens, as it happens."""

    def note(self, connection: int, text: str) -> None:
        """One line for a person."""

    def heard(self, turn: TurnRecord) -> None:
        """The utterance of ``turn`` is complete."""


class World:
    """The shared part of a simulator. Raises ValueError or OSError for an unusable reply file."""

    def __init__(self, options: SimulatorOptions, observer: Observer) -> None:
        self.options = options
        self.random = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
        self.sessions = Sessions(self.random, options.handle_validity_s)
        self.tokens = Tokens(self.random)
        self.script: Script = Plan()
        #: What is said where there is nothing to parrot.
        self.voice = tone() if options.reply is None else read_wav(options.reply)
        self.turns: list[TurnRecord] = []
        self.connections: list[ConnectionRecord] = []
        self.setups: list[dict[str, Any]] = []
        self.note = observer.note
        self.heard = observer.heard
        self._turns = self._connections = 0

    def new_turn(self, connection: int, kind: str, context: tuple[int, ...]) -> TurnRecord:
        """Begin a turn; the oldest of more than ``keep`` are forgotten."""
        self._turns += 1
        turn = TurnRecord(self._turns, connection, kind, context)
        self.turns.append(turn)
        del self.turns[: -self.options.keep]
        return turn

    def new_connection(self, path: str, now: float) -> ConnectionRecord:
        """Begin a connection; the oldest of more than ``keep`` are forgotten."""
        self._connections += 1
        record = ConnectionRecord(self._connections, path, now)
        self.connections.append(record)
        del self.connections[: -self.options.keep]
        return record

    def new_setup(self, setup: dict[str, Any]) -> None:
        """Keep a setup message as it was received."""
        self.setups.append(setup)
        del self.setups[: -self.options.keep]

    @property
    def next_connection(self) -> int:
        """The number the next connection will have."""
        return self._connections + 1
