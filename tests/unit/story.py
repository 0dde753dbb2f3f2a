"""A bad day in microseconds: facts with their times go in, and what the core ordered is looked at.

    story = Story()
    story.connected()
    story.press(at=10.0)
    story.wait(1.0)
    assert story.got(fx.Deliver)

Every call moves the clock on (``at``, or a little), wakes the core whenever it asked for it on the
way, and keeps the orders: :attr:`Story.last` has those of the last call, :attr:`Story.log` all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.core import Core
from speakerd.conversation.rules import Rules, TurnTaking
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.link import LinkState

E = TypeVar("E")

#: The states in which it listens by itself, or will again.
HANDS_FREE = {TurnState.OPEN, TurnState.REPLYING}

TICK_S = 0.01  # what a call without a time takes
CUE_S = 0.02
NETWORK = Failure(FailureKind.NETWORK, "connection reset", 1006)


class Story:
    """One core, its clock, and everything it has ordered."""

    def __init__(self, *, random: float = 0.0, **rules: Any) -> None:  # noqa: ANN401 - each field of Rules has a type of its own
        self.rules = replace(Rules(), **rules)
        self.core = Core(self.rules, lambda: random)
        self.now = 0.0
        self.last: list[fx.Effect] = []
        self.log: list[fx.Effect] = []
        self._times: list[float] = []  # of the orders in the log
        self._cues_end: list[float] = []  # when those that sound will have been heard

    # --- time

    def wait(self, seconds: float) -> list[fx.Effect]:
        """Let time pass; the core is woken whenever it asked for it."""
        self.last = []
        self._pass_until(self.now + seconds)
        return self.last

    def wait_until(self, at: float) -> list[fx.Effect]:
        """Let time pass until ``at``."""
        return self.wait(at - self.now)

    def tell(self, event: ev.Event, at: float | None = None) -> list[fx.Effect]:
        """Hand the core one event."""
        self.last = []
        self._pass_until(self.now + TICK_S if at is None else at)
        self._note(self.core.handle(event, self.now))
        return self.last

    def _pass_until(self, at: float) -> None:
        while (deadline := self._next()) is not None and deadline <= at:
            assert deadline >= self.now or self.last == [], "a deadline that does not go away"
            self.now = max(self.now, deadline)
            if self.now in self._cues_end:
                self._cues_end.remove(self.now)
                self._note(self.core.handle(ev.NoticeEnded(), self.now))
            else:
                self._note(self.core.wake(self.now))
            following = self.core.next_deadline()
            assert following is None or following > self.now, "the core would be woken for ever"
        self.now = max(self.now, at)

    def _next(self) -> float | None:
        """When something happens by itself."""
        deadline = self.core.next_deadline()
        return min([*self._cues_end, *([] if deadline is None else [deadline])], default=None)

    def _note(self, effects: list[fx.Effect]) -> None:
        self.last = self.last + effects
        self.log = self.log + effects
        self._times += [self.now] * len(effects)
        for effect in effects:
            if isinstance(effect, fx.DropPlayback):
                self._cues_end.clear()
            elif isinstance(effect, fx.PlayCue | fx.Ring):
                self._cues_end.append(max([self.now, *self._cues_end]) + CUE_S)

    # --- what was ordered

    def all(self, kind: type[E]) -> list[E]:
        """Every order of a kind since the beginning."""
        return [effect for effect in self.log if isinstance(effect, kind)]

    def times(self, kind: type[E]) -> list[float]:
        """When the orders of a kind were given."""
        pairs = zip(self._times, self.log, strict=True)
        return [at for at, effect in pairs if isinstance(effect, kind)]

    def wait_for(self, state: LinkState) -> None:
        """Let time pass until the link is in a state."""
        end = self.now + 1000.0
        while self.core.link_state is not state:
            assert self.now < end
            self.wait(0.1)

    def got(self, kind: type[E]) -> E | None:
        """The order of a kind that the last call brought, if it did; at most one."""
        found = [effect for effect in self.last if isinstance(effect, kind)]
        assert len(found) <= 1, found
        return found[0] if found else None

    def ordered(self, kind: type[E]) -> bool:
        """Whether the last call brought an order of a kind."""
        return self.got(kind) is not None

    def one(self, kind: type[E]) -> E:
        """The order of a kind that the last call brought."""
        found = self.got(kind)
        assert found is not None, f"no {kind.__name__} in {self.last}"
        return found

    @property
    def told(self) -> list[fx.Notice]:
        """What the person was told since the beginning."""
        return [effect.notice for effect in self.all(fx.Tell)]

    @property
    def outcomes(self) -> list[str]:
        """How the turns ended, in order."""
        return [
            effect.record.outcome.value
            for effect in self.all(fx.TurnEnded)
            if effect.record.outcome
        ]

    @property
    def state(self) -> TurnState:
        """The state of the turn machine."""
        return self.core.turn_state

    def is_in(self, state: TurnState | LinkState) -> bool:
        """Whether one of the two machines is in that state."""
        return state in {self.core.turn_state, self.core.link_state}

    @property
    def generation(self) -> int:
        """The newest connection."""
        return len(self.all(fx.Connect))

    @property
    def turn(self) -> int:
        """The newest turn."""
        begun = (fx.OpenGate, fx.ExpectReply)
        return max((effect.turn for effect in self.log if isinstance(effect, begun)), default=0)

    # --- the person

    def press(self, at: float | None = None) -> list[fx.Effect]:
        """The GPIO button goes down."""
        return self.tell(ev.ButtonEdge(True), at)

    def release(self, at: float | None = None) -> list[fx.Effect]:
        """The GPIO button goes up."""
        return self.tell(ev.ButtonEdge(False), at)

    def tap(self) -> None:
        """A press too short to be an utterance."""
        self.press()
        self.release(self.now + 0.1)
        self.wait(0.05)

    def speak(self, seconds: float = 1.0) -> int:
        """Hold the button, be heard, let go, and wait for the tail; returns the turn."""
        self.press()
        turn = self.turn
        self.captured()
        self.wait(seconds)
        self.release()
        self.wait(self.rules.tail_s + 0.001)
        self.tell(ev.CaptureEnded(turn, seconds + self.rules.tail_s))
        return turn

    def ask(self, seconds: float = 1.0) -> int:
        """Speak, and have all of it sent; returns the turn."""
        turn = self.speak(seconds)
        self.sent(turn)
        return turn

    def ask_by_control(self) -> int:
        """The same, by the control socket."""
        self.tell(ev.PressRequested())
        self.captured()
        self.wait(1.0)
        self.tell(ev.ReleaseRequested())
        self.wait(self.rules.tail_s + 0.001)
        self.sent(self.turn)
        return self.turn

    def bring_to(self, state: TurnState) -> int:
        """Lead a story that is idle and connected into a state; returns the turn."""
        steps: dict[TurnState, Callable[[], object]] = {
            TurnState.ARMED: self.press,
            TurnState.LISTENING: lambda: (self.captured(), self.wait(1.0)),
            TurnState.TAIL: self.release,
            TurnState.THINKING: lambda: (self.wait(self.rules.tail_s), self.sent(self.turn)),
            TurnState.SPEAKING: lambda: (self.reply(self.turn), self.plays(self.turn)),
            TurnState.SETTLING: lambda: (self.generated(self.turn), self.drained(self.turn)),
        }
        if state in HANDS_FREE:
            steps = {
                TurnState.OPEN: lambda: (self.go_hands_free(), self.tell(ev.PressRequested())),
                TurnState.REPLYING: lambda: (
                    self.captured(),
                    self.reply(self.turn),
                    self.plays(self.turn),
                ),
            }
        for reached, step in steps.items():
            if self.state is state:
                break
            step()
            assert self.state is reached
        return self.turn

    def go_hands_free(self, **rules: Any) -> list[fx.Effect]:  # noqa: ANN401 - any of them
        """Live, from here on, as if a tap had always opened a conversation."""
        hands_free = {"turn_taking": TurnTaking.CONVERSATION} | rules
        self.rules = replace(self.rules, **hands_free)
        log = self.log
        effects = self.tell(ev.ReloadRequested(self.rules))
        self.log = log
        self._times = self._times[: len(log)]
        return effects

    # --- the devices

    def captured(self) -> list[fx.Effect]:
        """The microphone gives its first sound."""
        return self.tell(ev.CaptureStarted(self.turn))

    def lose(self, device: ev.Device) -> list[fx.Effect]:
        """A device is unplugged."""
        return self.tell(ev.DeviceLost(device, "unplugged"))

    def plays(self, turn: int) -> list[fx.Effect]:
        """The speaker has begun to play the reply."""
        return self.tell(ev.PlaybackStarted(turn))

    def drained(self, turn: int, seconds: float = 2.0) -> list[fx.Effect]:
        """The speaker has played all there is."""
        return self.tell(ev.PlaybackDrained(turn, seconds))

    # --- the connection

    def connected(self, handle: ev.SessionHandle | None = None) -> None:
        """Start, and have the first connection accepted."""
        self.tell(ev.Started(handle))
        self.open()

    def open(self) -> list[fx.Effect]:
        """The server accepts the newest connection."""
        return self.tell(ev.ConnectionOpened(self.generation))

    def close(self, failure: Failure | None = NETWORK) -> list[fx.Effect]:
        """The newest connection is gone (None: we have closed it)."""
        return self.tell(ev.ConnectionClosed(self.generation, failure))

    def fail(self, kind: FailureKind, code: int | None = None) -> list[fx.Effect]:
        """The newest connection is gone for a reason of that kind."""
        return self.close(Failure(kind, f"as {kind.value}", code))

    def issue(self, handle: str) -> list[fx.Effect]:
        """The server issues a handle."""
        return self.tell(ev.HandleIssued(self.generation, handle))

    def go_away(self, time_left_s: float) -> list[fx.Effect]:
        """The server says that it will close."""
        return self.tell(ev.GoAwayReceived(self.generation, time_left_s))

    # --- a turn on the wire, over the newest connection

    def sent(self, turn: int) -> list[fx.Effect]:
        """All of the utterance is on the wire."""
        self.tell(ev.ActivityStartSent(self.generation, turn))
        self.tell(ev.FirstAudioSent(self.generation, turn))
        return self.tell(ev.UtteranceSent(self.generation, turn))

    def transcript(self, turn: int) -> list[fx.Effect]:
        """A piece of a transcription comes."""
        return self.tell(ev.TranscriptReceived(self.generation, turn))

    def reply(self, turn: int) -> list[fx.Effect]:
        """The first reply audio comes."""
        return self.tell(ev.ReplyStarted(self.generation, turn))

    def generated(self, turn: int) -> list[fx.Effect]:
        """generationComplete."""
        return self.tell(ev.GenerationCompleted(self.generation, turn))

    def complete(self, turn: int) -> list[fx.Effect]:
        """turnComplete."""
        return self.tell(ev.TurnCompleted(self.generation, turn))

    def interrupted(self, turn: int) -> list[fx.Effect]:
        """The server says that it was interrupted."""
        return self.tell(ev.Interrupted(self.generation, turn))

    def call(self, turn: int, call_id: str = "c1", *, blocking: bool = True) -> list[fx.Effect]:
        """The model calls a tool."""
        calls = (ev.ToolCall(call_id, "set_volume"),)
        return self.tell(ev.ToolCallReceived(self.generation, turn, calls, blocking))

    def executed(self, turn: int, call_id: str = "c1") -> list[fx.Effect]:
        """The tool has run."""
        return self.tell(ev.ToolExecuted(self.generation, turn, call_id))

    @staticmethod
    def ran(effects: list[fx.Effect]) -> bool:
        """Whether the tools that were called are to be executed."""
        (run,) = (effect for effect in effects if isinstance(effect, fx.RunTools))
        return run.execute

    def responded(self, turn: int, call_id: str = "c1") -> list[fx.Effect]:
        """The result is on the wire."""
        return self.tell(ev.ToolResponseSent(self.generation, turn, call_id))

    def answer(self, turn: int) -> None:
        """A whole answer is heard, and the turn is over."""
        self.reply(turn)
        self.plays(turn)
        self.generated(turn)
        self.complete(turn)
        self.drained(turn)
