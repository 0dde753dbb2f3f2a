"""What a connection does to its client, and when: frames out, closes, timers, faults.

Pure: the outputs are data, and time is told by :meth:`Wire.tell`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from speakerd.simulator import catalogue, faults
from speakerd.simulator.catalogue import Closing
from speakerd.simulator.faults import Act, Moment, Phase, Planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.simulator.records import ConnectionRecord, TurnRecord
    from speakerd.simulator.world import World

#: RFC 6455: what is reported when there was no close frame.
ABNORMAL_CLOSURE = 1006


@dataclass(frozen=True, slots=True)
class Send:
    """Send one binary frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close with this code and reason."""

    closing: Closing


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset TCP."""


@dataclass(frozen=True, slots=True)
class Deafen:
    """Stop reading from the socket, for good."""


Output: TypeAlias = Send | Hangup | Reset | Deafen


class Wire:
    """One connection's way to its client. Nothing goes out once it is closed or silent."""

    def __init__(self, record: ConnectionRecord, world: World, now: float) -> None:
        self.record = record
        self.now = now
        self.closed = False
        #: What the model calls, or no longer wants; before it is set up, nothing.
        self.on_calls: Callable[[faults.ToolCalls | faults.CancelCalls], None] | None = None
        self._world = world
        self._silent = False
        self._out: list[Output] = []
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def tell(self, now: float) -> None:
        """It is ``now``."""
        self.now = now

    def take(self) -> list[Output]:
        """What is to be done, in order; it is forgotten here."""
        out, self._out = self._out, []
        return out

    # --- out

    def note(self, text: str) -> None:
        """Tell the observer."""
        self._world.note(self.record.number, text)

    def say(self, message: Mapping[str, Any]) -> bool:
        """Send a message; whether it goes out."""
        return self._send(_encoded(message))

    def close(self, closing: Closing) -> None:
        """The server closes the connection; if it is silent, nobody hears of it."""
        if not self.closed:
            self.end("server", closing.code, closing.reason)
            self._out += [] if self._silent else [Hangup(closing)]

    def end(self, by: str, code: int, reason: str) -> None:
        """The connection is over, by the doing of ``by``."""
        record = self.record
        self.closed = True
        self._timers.clear()
        record.closed_at, record.closed_by = self.now, by
        record.close_code, record.close_reason = code, reason
        self.note(f"closed by the {by}: {code} {reason}".rstrip())

    def _send(self, data: bytes) -> bool:
        if self._silent or self.closed:
            return False
        self._out.append(Send(data))
        return True

    # --- time

    def at(self, after_s: float, what: Callable[[], None]) -> None:
        """Do ``what`` in ``after_s`` seconds, unless the connection is closed by then."""
        self._timers.append((self.now + after_s, what))

    def deadline(self) -> float | None:
        """When the next timer is due."""
        return min((at for at, _ in self._timers), default=None)

    def wake(self) -> None:
        """Do what is due first."""
        first = min(self._timers, key=lambda timer: timer[0])
        self._timers.remove(first)
        first[1]()

    # --- faults

    def script(self, phase: Phase, turn: TurnRecord | None = None) -> list[Planned]:
        """What the script has for this moment, by its time."""
        moment = Moment(phase, self.record.number, turn.number if turn is not None else None)
        return sorted(self._world.script.faults(moment), key=lambda planned: planned.after_s)

    def act_after(self, planned: Planned) -> None:
        """Let a fault happen at its time from now; those that only shape an answer do not."""
        act = planned.fault
        if not isinstance(act, Act):
            return
        if planned.after_s:
            self.at(planned.after_s, lambda: self.act(act))
        else:
            self.act(act)

    def act(self, act: Act) -> None:
        """Let a fault happen."""
        if self.closed:
            return
        self.note(f"makes happen: {act}")
        match act:
            case faults.Close(code, reason):
                self.close(Closing(code, reason))
            case faults.Abort():
                self.end("server", ABNORMAL_CLOSURE, "")
                self._out.append(Reset())
            case faults.GoAway():
                self._go_away(act)
            case faults.Silence(pongs):
                self._silent = True
                self._out += [] if pongs else [Deafen()]
            case faults.Inject(message):
                self._send(message if isinstance(message, bytes) else _encoded(message))
            case faults.Pause():
                pass  # what it delays has been told
            case faults.ToolCalls() | faults.CancelCalls():
                if self.on_calls is not None:
                    self.on_calls(act)

    def _go_away(self, notice: faults.GoAway) -> None:
        self.say({"goAway": {"timeLeft": f"{notice.time_left_s:g}s"}})
        if notice.closes:
            self.at(notice.time_left_s, lambda: self.close(catalogue.ABORTED))


def _encoded(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()
