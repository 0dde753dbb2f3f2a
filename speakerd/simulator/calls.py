"""The functions the model has called on a connection, and what has been answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.simulator.catalogue import BAD_ARGUMENT, Refused

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

    from speakerd.simulator.faults import ToolCall
    from speakerd.simulator.records import TurnRecord


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that has not been answered."""

    name: str
    turn: TurnRecord
    blocking: bool  # the model waits for it


class Calls:
    """The calls of one connection. ``non_blocking`` names the functions declared NON_BLOCKING."""

    def __init__(self, non_blocking: frozenset[str], random: random.Random) -> None:
        self._non_blocking = non_blocking
        self._random = random
        self._pending: dict[str, PendingCall] = {}
        self._over: set[str] = set()  # a response to one of these is late, not wrong

    @property
    def blocking(self) -> bool:
        """Whether the model waits for one."""
        return any(call.blocking for call in self._pending.values())

    @property
    def open(self) -> frozenset[str]:
        """The ids of those that have not been answered."""
        return frozenset(self._pending)

    def make(self, call: ToolCall, turn: TurnRecord) -> dict[str, Any]:
        """The functionCall of a new call."""
        call_id = call.id or f"function-call-{self._random.getrandbits(64)}"
        self._pending[call_id] = PendingCall(
            call.name, turn, blocking=call.name not in self._non_blocking
        )
        return {"id": call_id, "name": call.name, "args": dict(call.args)}

    def answer(self, response: Mapping[str, Any]) -> PendingCall | None:
        """The call that ``response`` answers for good; None if more will come or it is late.

        Raises :class:`Refused` for a call that was never made.
        """
        call_id = response.get("id", "")
        call = self._pending.get(call_id)
        if call is None:
            if call_id not in self._over:
                raise Refused(BAD_ARGUMENT)
            return None
        call.turn.tool_responses.append(dict(response))
        if response.get("will_continue"):
            return None
        del self._pending[call_id]
        self._over.add(call_id)
        return call

    def cancel(self, ids: Iterable[str] = ()) -> list[str]:
        """Forget these calls, made or not, or else those that are pending; their ids."""
        cancelled = list(ids) or list(self._pending)
        self._over.update(cancelled)
        for call_id in cancelled:
            self._pending.pop(call_id, None)
        return cancelled
