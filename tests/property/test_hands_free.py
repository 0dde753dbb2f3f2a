"""Hands free: whatever happens, in whatever order, nobody is listened to without knowing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.core import Core
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import Rules, TurnTaking
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = Failure(FailureKind.NETWORK, "reset", 1006)


@dataclass
class World:
    """A core that is hands free, and what its orders have come to."""

    full_duplex: bool
    now: float = 0.0
    generation: int = 0
    turn: int = 0
    gate: int | None = None  # the turn that it is open for
    expected: int | None = None
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rules = Rules(
            turn_taking=TurnTaking.CONVERSATION,
            full_duplex=self.full_duplex,
            keeps_answers=True,
        )
        self.core = Core(self.rules, lambda: 0.5)
        self.tell(ev.Started())
        self.tell(ev.ConnectionOpened(self.generation))

    def tell(self, event: ev.Event) -> None:
        self.carry_out(self.core.handle(event, self.now))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.core.next_deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            self.carry_out(self.core.wake(self.now))
        self.now = end

    def carry_out(self, orders: list[fx.Effect]) -> None:
        for order in orders:
            match order:
                case fx.Connect():
                    self.generation = order.generation
                case fx.OpenGate():
                    self.gate = self.turn = order.turn
                case fx.DiscardUtterance() | fx.CloseGate() if order.turn == self.gate:
                    self.gate = None
                case fx.ExpectReply():
                    self.expected = order.turn
                case fx.DropPlayback():
                    self.expected = None
                case fx.TurnEnded():
                    self.ended.append(order.record.turn)
                case _:
                    pass
        self.check()

    def check(self) -> None:
        state = self.core.turn_state
        if state is TurnState.OPEN:
            assert self.gate is not None
            assert self.expected == self.turn, "its answer would not be heard"
        elif state is not TurnState.REPLYING:
            assert self.gate is None, "the gate is open, and the light says that it is not"
        elif not self.full_duplex:
            assert self.gate is None, "it hears itself"
        assert state in {
            TurnState.IDLE,
            TurnState.OPEN,
            TurnState.REPLYING,
            TurnState.SPEAKING,
            TurnState.SETTLING,
        }
        assert len(set(self.ended)) == len(self.ended), "a turn ended twice"
        deadline = self.core.next_deadline()
        assert deadline is None or deadline > self.now, "woken for ever"


def _about(kind: Callable[[int, int], ev.Event]) -> Callable[[World, int], None]:
    """A fact of the newest connection, about the newest turn or one of those before it."""
    return lambda world, back: world.tell(kind(world.generation, max(0, world.turn - back)))


def _tap(world: World, _back: int) -> None:
    world.tell(ev.ButtonEdge(pressed=True))
    world.pass_time(0.1)
    world.tell(ev.ButtonEdge(pressed=False))
    world.pass_time(0.05)


DEEDS: dict[str, Callable[[World, int], None]] = {
    "tap": _tap,
    "press": lambda world, _: world.tell(ev.PressRequested()),
    "release": lambda world, _: world.tell(ev.ReleaseRequested()),
    "stop": lambda world, _: world.tell(ev.StopRequested()),
    "mute": lambda world, _: world.tell(ev.MuteRequested()),
    "mute by voice": lambda world, _: world.tell(ev.LeaveRequested(mute=True)),
    "goodbye": lambda world, _: world.tell(ev.LeaveRequested()),
    "once more": lambda world, _: world.tell(ev.RepeatRequested()),
    "heard again": lambda world, _: world.tell(ev.NoticeEnded()),
    "a moment": lambda world, _: world.pass_time(0.3),
    "a while": lambda world, _: world.pass_time(7.0),
    "captured": lambda world, back: world.tell(ev.CaptureStarted(max(0, world.turn - back))),
    "voice": _about(lambda generation, turn: ev.VoiceHeard(generation, turn, speaks=True)),
    "voice ends": _about(lambda generation, turn: ev.VoiceHeard(generation, turn, speaks=False)),
    "words": _about(ev.TranscriptReceived),
    "reply": _about(ev.ReplyStarted),
    "played": lambda world, back: world.tell(ev.PlaybackStarted(max(0, world.turn - back))),
    "starved": lambda world, back: world.tell(ev.PlaybackStarved(max(0, world.turn - back))),
    "generated": _about(ev.GenerationCompleted),
    "complete": _about(ev.TurnCompleted),
    "drained": lambda world, back: world.tell(ev.PlaybackDrained(max(0, world.turn - back), 1.0)),
    "interrupted": _about(ev.Interrupted),
    "lost": lambda world, _: world.tell(ev.ConnectionClosed(world.generation, LOST)),
    "opened": lambda world, _: world.tell(ev.ConnectionOpened(world.generation)),
    "no microphone": lambda world, _: world.tell(ev.DeviceLost(ev.Device.MICROPHONE, "gone")),
    "no speaker": lambda world, _: world.tell(ev.DeviceLost(ev.Device.SPEAKER, "gone")),
    "a speaker": lambda world, _: world.tell(ev.DeviceReady(ev.Device.SPEAKER)),
    "a tool": _about(
        lambda generation, turn: ev.ToolCallReceived(generation, turn, (ev.ToolCall("1", "lamp"),))
    ),
    "its result": _about(lambda generation, turn: ev.ToolResponseSent(generation, turn, "1")),
}


@given(
    full_duplex=st.booleans(),
    deeds=st.lists(
        st.tuples(st.sampled_from(sorted(DEEDS)), st.sampled_from([0, 0, 0, 1, 2])),
        min_size=20,
        max_size=80,
    ),
)
def test_whatever_happens(full_duplex: bool, deeds: list[tuple[str, int]]) -> None:
    world = World(full_duplex)
    for name, back in deeds:
        DEEDS[name](world, back)
    world.pass_time(3000.0)
    assert world.core.turn_state is TurnState.IDLE, "it ends by itself"
    world.tell(ev.ShutdownRequested())
    assert world.gate is None
    assert world.core.link_state is not LinkState.READY
