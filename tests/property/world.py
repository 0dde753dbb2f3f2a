"""A world for the core to live in: edges that do what the real ones do, and a server that does not.

Everything happens in simulated time. The world carries out what the core orders, reports what
comes of it some time later, and checks after every step what must always hold (the method
:meth:`World.check` and those that carry out the orders; each raises AssertionError).
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import re
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.budget import Budget
from speakerd.conversation.core import Core
from speakerd.conversation.ledger import Outcome
from speakerd.conversation.rules import ButtonMode, LinkPolicy, Rules, SecondButton
from speakerd.conversation.timer import Timer, WallClock
from speakerd.conversation.turn import TurnState
from speakerd.errors import Failure, FailureKind, Feature

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = float("inf")
EPSILON_S = 1e-6

#: Every wish of a turn plus every time-out of the core, twice: nothing takes longer than that.
LONGEST_TURN_S = 400.0

_CAPTURING = {TurnState.ARMED, TurnState.LISTENING, TurnState.TAIL}

#: Notices that say of a sentence that it went wrong.
_BAD_NEWS = set(fx.Notice) - {fx.Notice.NO_REPLY}

#: What the server does with an utterance: (seconds after the last step, what, ...).
ANSWERS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "answer": (
        (0.3, "transcript"),
        (0.4, "audio", 1.0),
        (0.1, "audio", 2.0),
        (0.1, "generated"),
        (4.0, "complete"),
        (0.1, "handle"),
    ),
    "long": ((0.5, "audio", 20.0), (0.5, "audio", 20.0), (0.1, "generated"), (8.0, "complete")),
    "no generationComplete": ((0.5, "audio", 1.0), (0.1, "complete")),
    "no turnComplete": ((0.5, "audio", 1.0), (0.1, "generated")),
    "audio after generationComplete": (
        (0.5, "audio", 0.5),
        (0.1, "generated"),
        (2.0, "audio", 1.0),
        (4.0, "complete"),
    ),
    "no end": ((0.5, "audio", 1.0),),
    "turnComplete early": ((0.5, "audio", 1.0), (0.1, "complete"), (0.3, "audio", 2.0)),
    "turnComplete early, then a pause": (
        (0.5, "audio", 0.5),
        (0.1, "complete"),
        (3.0, "audio", 2.0),
        (0.1, "complete"),
    ),
    "silence": ((0.5, "complete"),),
    "audio after silence": ((0.5, "complete"), (0.5, "audio", 1.0), (0.2, "complete")),
    "nothing": (),
    "transcript only": ((0.3, "transcript"), (9.0, "transcript"), (9.0, "transcript")),
    "phantom interrupted": ((0.2, "interrupted"), (0.3, "audio", 1.0), (0.1, "complete")),
    "interrupted only": ((0.2, "interrupted"), (0.1, "complete")),
    "interrupted, then frozen": ((0.2, "interrupted"),),
    "interrupted in the middle": ((0.5, "audio", 3.0), (0.5, "interrupted"), (0.1, "complete")),
    "interrupted while it plays": (
        (0.5, "audio", 3.0),
        (0.1, "complete"),
        (0.5, "interrupted"),
        (0.1, "complete"),
    ),
    "stall, then burst": (
        (0.5, "audio", 1.0),
        (11.0, "audio", 9.0),
        (0.1, "generated"),
        (0.1, "complete"),
    ),
    "stall for ever": ((0.5, "audio", 1.0), (40.0, "audio", 1.0)),
    "slow": ((14.0, "transcript"), (14.0, "audio", 1.0), (0.1, "complete")),
    "dropped before audio": ((0.5, "drop"),),
    "dropped late": ((14.9, "drop"),),
    "dropped in mid-reply": ((0.5, "audio", 3.0), (1.0, "drop")),
    "GoAway, then silence": ((0.1, "go away", 5.0),),
    "GoAway, then the answer": (
        (0.1, "go away", 1.0),
        (0.3, "audio", 5.0),
        (2.0, "audio", 5.0),
        (0.1, "complete"),
    ),
    "handle in mid-reply": ((0.5, "audio", 1.0), (0.1, "handle"), (0.1, "drop")),
    "tool": ((0.5, "tool", 0.5, 0.2), (1.5, "audio", 1.0), (0.1, "complete")),
    "tool, turnComplete before the result": ((0.5, "tool", 3.0, 0.2), (0.5, "complete")),
    "tool, and no word after it": ((0.5, "tool", 0.5, 0.2),),
    "tool that never ends": ((0.5, "tool", None, None),),
    "tool that answers without having run": ((0.5, "tool", None, 1.0), (2.0, "audio", 1.0)),
    "tool, then dropped": ((0.5, "tool", 0.2, 5.0), (0.5, "drop")),
    "tool runs over the drop": ((0.5, "tool", 0.6, 5.0), (0.5, "drop")),
    "tool in mid-reply": (
        (0.5, "audio", 1.0),
        (0.1, "tool", 17.0, 0.1),
        (18.0, "audio", 1.0),
        (0.1, "generated"),
        (0.1, "complete"),
    ),
    "the last answer": (
        (0.5, "tool", None, 0.2),
        (0.1, "repeat"),
        (0.5, "audio", 1.0),
        (0.1, "generated"),
        (4.0, "complete"),
    ),
    "the last answer, in silence": ((0.1, "tool", None, 0.1), (0.2, "repeat"), (2.0, "complete")),
    "tool that is cancelled": ((0.5, "tool", None, None), (1.0, "cancel"), (0.5, "audio", 1.0)),
}

#: How a connection goes: (seconds until it is open, or None), (seconds from then to its end).
CONNECTIONS: dict[str, tuple[float | None, float | None]] = {
    "works": (0.3, None),
    "slow": (4.0, None),
    "refused": (None, 0.05),
    "refused slowly": (None, 5.0),
    "hangs": (None, None),
    "closed at once": (0.3, 0.01),
    "closed soon": (0.3, 5.0),
    "closed while it lasts": (0.3, 45.0),
}


@dataclass
class Speaker:
    """The playback edge: admits one turn, plays in real time, reports like the real one."""

    world: World
    expected: int | None = None
    queued_until: float = -FOREVER
    sounding: bool = False
    audible: bool = False  # the first sample has been written
    finishing: bool = False
    played_s: float = 0.0
    begun: bool = False
    notices: int = 0
    lost: bool = False
    token: int = 0  # of everything scheduled before the last drop

    def later(self, delay_s: float, step: Callable[[], None]) -> None:
        token = self.token
        self.world.later(delay_s, lambda: step() if token == self.token else None)

    def expect(self, turn: int) -> None:
        self.expected, self.finishing, self.begun, self.played_s = turn, False, False, 0.0

    def feed(self, turn: int, seconds: float) -> None:
        if turn != self.expected or self.lost:
            return
        if not self.sounding:
            self.queued_until = self.world.now + 0.01
        self.queued_until = max(self.queued_until, self.world.now) + seconds
        self.played_s += seconds
        if not self.sounding:
            self.sounding = True
            event = ev.PlaybackResumed if self.begun else ev.PlaybackStarted
            self.begun = True
            self.later(0.01, lambda: self.start(event(turn)))
        self.later(self.queued_until - self.world.now + 0.02, self.run_dry)

    def start(self, event: ev.PlaybackStarted | ev.PlaybackResumed) -> None:
        self.audible = True
        self.world.tell(event)

    def run_dry(self) -> None:
        if self.expected is None or not self.sounding or self.world.now < self.queued_until:
            return
        self.sounding = self.audible = False
        self.world.last_sound = self.world.now
        if self.finishing:
            self.world.tell(ev.PlaybackDrained(self.expected, self.played_s))
        else:
            self.world.tell(ev.PlaybackStarved(self.expected))

    def finish(self, turn: int) -> None:
        if turn != self.expected:
            return
        self.finishing = True
        if not self.sounding:
            event = ev.PlaybackDrained(turn, self.played_s)
            self.later(0.01, lambda: None if self.sounding else self.world.tell(event))

    def drop(self) -> None:
        self.token += 1
        self.expected = None
        self.sounding = self.audible = False
        self.queued_until = -FOREVER
        self.notices = 0

    def play_clip(self, seconds: float = 0.4) -> None:
        self.notices += 1
        queued_s = max(0.0, self.queued_until - self.world.now) + 0.4 * (self.notices - 1)
        self.later(queued_s + seconds, self.clip_ended)

    def clip_ended(self) -> None:
        self.notices -= 1
        self.world.tell(ev.NoticeEnded())

    def lose(self) -> None:
        self.lost = True
        self.token += 1
        self.sounding = self.audible = False
        self.queued_until = -FOREVER
        self.notices = 0
        self.world.tell(ev.DeviceLost(ev.Device.SPEAKER, "unplugged"))

    def find(self) -> None:
        if not self.lost:
            return
        self.lost = False
        self.world.tell(ev.DeviceReady(ev.Device.SPEAKER))


@dataclass
class Connection:
    """One socket, and what the server knows of it."""

    generation: int
    model: str
    told: int = 0  # turns from before
    opened_at: float = FOREVER
    closed: bool = False
    deliveries: list[fx.Deliver] = field(default_factory=list)  # not wholly sent yet
    window: int = 0  # the turn whose window is open
    received: set[int] = field(default_factory=set)  # turns wholly sent
    replied: set[int] = field(default_factory=set)  # turns whose audio has begun
    asked: int = 0  # the turn whose answer the server works on
    pending: set[str] = field(default_factory=set)  # blocking calls


class World:
    """The edges, the server and the person around one core at a time."""

    def __init__(
        self,
        policy: LinkPolicy,
        conversation_timeout_s: float,
        features: frozenset[Feature] = frozenset(),
        mode: ButtonMode = ButtonMode.HOLD,
        second: SecondButton = SecondButton.STOP,
    ) -> None:
        self.rules = Rules(
            models=("model-a", "model-b"),
            features=features,
            policy=policy,
            button_mode=mode,
            second_button=second,
            thinking_cue_s=2.0,
            conversation_timeout_s=conversation_timeout_s,
            keeps_answers=True,
        )
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.counter = itertools.count()
        self.saved: ev.SessionHandle | None = None
        self.handles = itertools.count(1)
        self.calls = itertools.count(1)
        # What the server will do next; the rest of the time it is honest.
        self.next_answers: list[str] = []
        self.next_connections: list[tuple[str, FailureKind]] = []
        self.closes_hang = False
        self.sends_hang = False
        self.drop_kind = FailureKind.NETWORK
        # The button as it really is.
        self.closed = dict.fromkeys(ev.Trigger, False)
        self.control_down = False
        self.last_down = -FOREVER
        self.microphone_lost = False
        self.ahead_s = 1e9  # the clock on the wall
        self.kept_timers = ev.TimersKept(())
        self.begin()

    def begin(self) -> None:
        """Start a daemon, as the machine does after a reboot too."""
        self.events.clear()
        self.connects: list[float] = []
        self.core = Core(self.rules, lambda: 0.5)
        self.speaker = Speaker(self)
        self.gate: int | None = None
        self.gate_opened_at = 0.0
        self.kept: set[int] = set()  # utterances that have a buffer
        self.complete: set[int] = set()
        self.connection: Connection | None = None
        self.disconnected_at = -FOREVER
        self.suspicions = 0  # refusals that may be for an optional part of the setup
        self.generation = 0
        self.turn = 0
        self.asked_turns: set[int] = set()  # those whose window was opened
        self.pending: set[int] = set()  # spoken, and nobody knows what becomes of it
        self.whole_sends: dict[int, int] = {}
        self.ran: set[int] = set()  # turns of which a tool has run
        self.spoken: set[int] = set()  # turns whose answers came, since it was last forgotten
        self.repeating: set[int] = set()  # those in which an earlier answer was asked for
        self.last_sound = -FOREVER
        self.tells = 0
        self.trusted: ev.SessionHandle | None = self.saved  # must be presented
        self.resumed = False  # by the connection that is there, or is being made
        self.unanswered = 0  # turns in a row on resumed sessions: two of them may cost it
        self.microphone_lost = False
        self.muted = False
        self.spent = False  # the day's budget
        self.before = TurnState.IDLE  # the state that what happens comes into
        self.volume = 40
        self.kept_volume: int | None = None
        self.forgetting = False
        for device in ev.Device:
            self.tell(ev.DeviceReady(device))
        self.tell(ev.ClockRead(self.now + self.ahead_s, UTC))
        self.tell(self.kept_timers)
        self.closed[ev.Trigger.KEYPAD] = False  # what is down at the start, its edge keeps back
        if self.closed[ev.Trigger.BUTTON]:
            self.tell(ev.ButtonHeldAtStart())

    # --- time

    def later(self, delay_s: float, step: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + delay_s, next(self.counter), step))

    def advance(self, seconds: float) -> None:
        """Let time pass: what is due happens, the core is woken when it asked for it."""
        end = self.now + seconds
        while True:
            deadline = self.core.next_deadline()
            wake_at = FOREVER if deadline is None else max(deadline, self.now)
            event_at = self.events[0][0] if self.events else FOREVER
            if min(wake_at, event_at) > end:
                break
            if event_at <= wake_at:
                self.now = event_at
                heapq.heappop(self.events)[2]()
            else:
                self.now = wake_at
                self.carry_out(self.core.wake(self.now))
        self.now = end

    def tell(self, event: ev.Event) -> None:
        """Hand the core a fact, and carry out what it orders."""
        # A PlaybackDrained may come long after the last sound.
        sound = (ev.PlaybackStarted, ev.PlaybackResumed, ev.PlaybackStarved, ev.NoticeEnded)
        if isinstance(event, sound):
            self.last_sound = self.now
        if self.down:
            self.last_down = self.now
        if isinstance(event, ev.ReplyStarted) and event.turn == self.speaker.expected:
            self.spoken.add(event.turn)
        self.carry_out(self.core.handle(event, self.now))

    # --- what is ordered

    def carry_out(self, effects: list[fx.Effect]) -> None:
        for effect in effects:
            getattr(self, "do_" + type(effect).__name__)(effect)
        if self.down:
            self.last_down = self.now
        self.before = self.core.turn_state
        self.check()

    def do_OpenGate(self, order: fx.OpenGate) -> None:  # noqa: N802 - named after the order
        assert self.gate is None, "two gates"
        assert not self.muted, "it listens though it is muted"
        assert not self.spent or self.before in _CAPTURING, "it spends what it has not"
        assert self.down or self.now - self.last_down <= 0.2
        assert order.turn > self.turn
        assert order.not_before <= self.now
        assert order.not_before >= self.now - self.rules.preroll_s - EPSILON_S
        guarded = self.last_sound + self.rules.echo_guard_s
        assert order.not_before >= min(self.now, guarded) - EPSILON_S, "the pre-roll hears us"
        assert self.speaker.expected is None, "something may still be played"
        assert not self.speaker.notices
        self.gate, self.gate_opened_at = order.turn, self.now
        self.turn = order.turn
        self.kept.add(order.turn)
        if not self.microphone_lost:
            self.later(0.02, lambda: self.capture_starts(order.turn))

    def capture_starts(self, turn: int) -> None:
        if self.gate == turn and not self.microphone_lost:
            self.tell(ev.CaptureStarted(turn))

    def do_CloseGate(self, order: fx.CloseGate) -> None:  # noqa: N802
        assert self.gate == order.turn
        assert order.covering <= self.now
        self.gate = None
        self.later(0.02, lambda: self.capture_ends(order.turn))

    def capture_ends(self, turn: int) -> None:
        if turn in self.kept:
            self.complete.add(turn)
            self.tell(ev.CaptureEnded(turn, 1.0))
            self.send()

    def do_DiscardUtterance(self, order: fx.DiscardUtterance) -> None:  # noqa: N802
        if self.gate == order.turn:
            self.gate = None
        self.kept.discard(order.turn)
        if order.turn not in self.asked_turns:  # a tap, or a dead microphone
            self.pending.clear()
        connection = self.connection
        if connection is not None and order.turn in connection.received:
            self.pending.discard(order.turn)
        self.later(0.0, self.send)  # its window is closed

    def do_ExpectReply(self, order: fx.ExpectReply) -> None:  # noqa: N802
        taken_back = self.turn not in self.asked_turns and self.gate is None
        assert order.turn >= self.turn or (taken_back and order.turn in self.asked_turns)
        self.turn = order.turn
        self.asked_turns.add(order.turn)
        if order.turn in self.kept:
            self.pending.add(order.turn)
        self.speaker.expect(order.turn)

    def do_FinishPlayback(self, order: fx.FinishPlayback) -> None:  # noqa: N802
        assert order.turn == self.turn
        self.speaker.finish(order.turn)

    def do_DropPlayback(self, _order: fx.DropPlayback) -> None:  # noqa: N802
        if self.speaker.audible or self.speaker.notices:
            self.last_sound = self.now
        self.speaker.drop()

    def do_Tell(self, order: fx.Tell) -> None:  # noqa: N802
        assert self.gate is None, "an earcon into the open microphone"
        if order.notice in _BAD_NEWS:
            self.pending.clear()
        self.tells += 1
        if not self.speaker.lost:
            self.speaker.play_clip()

    def do_PlayCue(self, _order: fx.PlayCue) -> None:  # noqa: N802
        assert self.gate is None, "a cue into the open microphone"
        assert not self.speaker.audible, "a cue into the answer"
        if not self.speaker.lost:
            self.speaker.play_clip()

    def do_PlayAgain(self, order: fx.PlayAgain) -> None:  # noqa: N802
        assert self.gate is None, "an answer into the open microphone"
        assert not self.speaker.audible, "an answer into another one"
        assert order.turn in self.spoken, "there is nothing to be played again"
        assert order.turn not in self.repeating
        self.speaker.play_clip(5.0)

    def do_Mute(self, order: fx.Mute) -> None:  # noqa: N802
        assert self.gate is None, "what is being said goes on to be captured"
        assert order.on != self.muted
        self.muted = order.on

    def do_Forgotten(self, _order: fx.Forgotten) -> None:  # noqa: N802
        assert self.is_between_turns
        self.spoken.clear()

    def do_KeepMute(self, order: fx.KeepMute) -> None:  # noqa: N802
        """It is on the disk."""

    def do_Ring(self, _order: fx.Ring) -> None:  # noqa: N802
        assert self.gate is None, "ringing into the open microphone"
        assert self.is_between_turns or self.core.turn_state is TurnState.SETTLING
        if not self.speaker.lost:
            self.speaker.play_clip()

    def do_KeepTimers(self, order: fx.KeepTimers) -> None:  # noqa: N802
        self.kept_timers = ev.TimersKept(order.timers, order.missed)

    def do_TimerTold(self, order: fx.TimerTold) -> None:  # noqa: N802
        if order.news is fx.TimerNews.RINGS and order.timer.local is None:
            assert order.timer.due_at <= self.now + EPSILON_S, "it rings too early"

    def do_SetVolume(self, order: fx.SetVolume) -> None:  # noqa: N802
        self.set_volume(order.percent)

    def do_StepVolume(self, order: fx.StepVolume) -> None:  # noqa: N802
        self.set_volume(self.volume + order.percent)

    def set_volume(self, percent: int) -> None:
        self.volume = min(100, max(0, percent))
        self.later(0.01, lambda: self.tell(ev.VolumeChanged(self.volume)))

    def do_KeepVolume(self, order: fx.KeepVolume) -> None:  # noqa: N802
        assert order.percent != self.kept_volume, "the SD card wears"
        self.kept_volume = order.percent

    def do_Connect(self, order: fx.Connect) -> None:  # noqa: N802
        connection = self.connection
        waited_s = self.now - self.disconnected_at + EPSILON_S
        assert connection is None or connection.closed or waited_s >= self.rules.close_timeout_s
        assert order.generation == self.generation + 1
        assert order.without <= self.rules.features
        assert self.suspicions or not order.without, "left out for nothing"
        self.generation = order.generation
        self.connects.append(self.now)
        assert sum(at > self.now - 60 + EPSILON_S for at in self.connects) <= 10, "a storm"
        assert order.handle is None or order.handle.model == order.model
        trusted = self.trusted if self.unanswered < 2 else None
        if trusted is not None and trusted.model == order.model:
            assert order.handle == trusted, "the conversation was dropped for nothing"
        self.resumed = order.handle is not None
        self.disconnected_at = -FOREVER
        tells = Feature.HISTORY in self.rules.asked_of(order.model) - order.without
        told = 3 if tells and not self.resumed else 0
        self.connection = connection = Connection(order.generation, order.model, told)
        name, kind = ("works", FailureKind.NETWORK)
        if self.next_connections:
            name, kind = self.next_connections.pop(0)
        opens_s, lasts_s = CONNECTIONS[name]
        if opens_s is not None:
            self.later(opens_s, lambda: self.server_opens(connection))
        if lasts_s is not None:
            self.later((opens_s or 0.0) + lasts_s, lambda: self.server_closes(connection, kind))

    def do_Disconnect(self, order: fx.Disconnect) -> None:  # noqa: N802
        connection = self.connection
        if connection is None or connection.generation != order.generation or connection.closed:
            return
        self.disconnected_at = self.now
        delay_s = 8.0 if self.closes_hang else 0.05
        self.later(delay_s, lambda: self.close(connection, None))

    def do_Deliver(self, order: fx.Deliver) -> None:  # noqa: N802
        connection = self.connection
        assert connection is not None
        assert connection.generation == order.generation
        assert not connection.closed
        assert connection.opened_at < FOREVER
        assert not connection.pending, "realtime input while a blocking call is pending"
        assert order.turn in self.kept or order.text is not None, "the sound is gone"
        assert order.turn not in connection.received
        assert all(other.turn < order.turn for other in connection.deliveries)
        assert order.turn not in self.ran, "a tool would run twice"
        assert self.whole_sends.get(order.turn, 0) < self.rules.max_deliveries
        connection.deliveries.append(order)
        self.later(0.0, self.send)

    def do_CancelTools(self, order: fx.CancelTools) -> None:  # noqa: N802
        assert order.call_ids  # and some are too far gone to be left alone
        connection = self.connection
        if not order.told or connection is None:
            return
        for call_id in order.call_ids:
            answer = partial(self.respond, connection.generation, self.turn or 0, call_id)
            self.later(0.01, answer)

    def do_RunTools(self, order: fx.RunTools) -> None:  # noqa: N802
        if order.execute:
            assert order.turn == self.turn
            return
        self.later(0.01, lambda: self.respond(order.generation, order.turn, order.calls[0].id))

    def do_SaveHandle(self, order: fx.SaveHandle) -> None:  # noqa: N802
        assert order.handle != self.saved, "the SD card wears"
        self.saved = order.handle

    def do_TurnEnded(self, order: fx.TurnEnded) -> None:  # noqa: N802
        outcome = order.record.outcome
        assert outcome is not None
        if outcome in {Outcome.STOPPED, Outcome.SHUTDOWN}:
            self.pending.discard(order.record.turn)
        elif outcome is Outcome.NO_ANSWER:
            self.unanswered += self.resumed
            self.suspicions += self.connection is not None and self.connection.told > 0
        elif outcome in {Outcome.ANSWERED, Outcome.SILENT}:
            self.unanswered = 0

    def do_CountLate(self, order: fx.CountLate) -> None:  # noqa: N802
        """The tally has it."""

    def do_ApplySettings(self, _order: fx.ApplySettings) -> None:  # noqa: N802
        assert self.is_between_turns, "a turn ends by the settings it began with"

    @property
    def is_between_turns(self) -> bool:
        """Whether no turn is under way, but perhaps a text that had waited for just that."""
        turn = self.core._dialogue.turn
        begun_now = turn is not None and turn.record.pressed_at == self.now
        return begun_now or self.core.turn_state is TurnState.IDLE

    def do_Postponed(self, order: fx.Postponed) -> None:  # noqa: N802
        explaining = self.core._dialogue.playing.explains or self.core._timers.rings
        free = self.core.turn_state in {TurnState.IDLE, TurnState.SETTLING}
        assert explaining or not free, "a text waits for nobody"
        assert order.after < self.rules.max_texts

    def do_Refused(self, order: fx.Refused) -> None:  # noqa: N802
        known = "mute|volume|texts wait|none of that number|no conversation|answer"
        if re.search(known, order.reason):
            return
        if "budget" in order.reason:
            assert self.spent
            return
        assert self.core.turn_state not in {TurnState.IDLE, TurnState.SETTLING}

    # --- the connection

    def server_opens(self, connection: Connection) -> None:
        if self.is_up(connection) and self.disconnected_at == -FOREVER:
            connection.opened_at = self.now
            self.tell(ev.ConnectionOpened(connection.generation, connection.told))
            self.issue()

    def server_closes(self, connection: Connection, kind: FailureKind, code: int = 0) -> None:
        if not self.is_up(connection):
            return
        judged = {FailureKind.SERVER, FailureKind.SETUP, FailureKind.HANDLE, FailureKind.MODEL}
        if kind in judged:
            self.trusted = None
        if kind in {FailureKind.KEY, FailureKind.SETUP} and connection.opened_at == FOREVER:
            code = 1007
        choked = {FailureKind.SETUP: 1007, FailureKind.SERVER: 1011}
        if connection.told and kind in choked:
            code = choked[kind]
            self.suspicions += 1
        self.suspicions += kind in {FailureKind.SETUP, FailureKind.QUOTA}
        self.close(connection, Failure(kind, f"as {kind.value}", code or None))

    def close(self, connection: Connection, failure: Failure | None) -> None:
        self.carry_out(self.core.wake(self.now))  # what is due comes before what happens now
        if connection is self.connection and not connection.closed:
            connection.closed = True
            self.tell(ev.ConnectionClosed(connection.generation, failure))

    def is_up(self, connection: Connection) -> bool:
        return connection is self.connection and not connection.closed

    def is_open(self, connection: Connection) -> bool:
        return self.is_up(connection) and connection.opened_at < FOREVER

    def issue(self) -> None:
        """The server issues a handle, if there is a connection to issue it on."""
        connection = self.connection
        if connection is None or not self.is_open(connection):
            return
        if self.disconnected_at == -FOREVER:
            value = f"handle-{next(self.handles)}"
            if not self.forgetting:
                self.trusted = ev.SessionHandle(value, connection.model)
            self.tell(ev.HandleIssued(connection.generation, value))

    # --- a turn on the wire

    def send(self) -> None:
        """Send what is ready to be sent, in its order."""
        connection = self.connection
        while (
            connection is not None
            and self.is_open(connection)
            and self.disconnected_at == -FOREVER
            and not self.sends_hang
            and connection.deliveries
        ):
            order = connection.deliveries[0]
            generation, turn = order.generation, order.turn
            thrown_away = order.text is None and turn not in self.kept
            if thrown_away and connection.window != turn:
                connection.deliveries.pop(0)
                continue
            if connection.window != turn:
                connection.window = turn
                self.tell(ev.ActivityStartSent(generation, turn))
                self.tell(ev.FirstAudioSent(generation, turn))
                continue
            if order.text is None and turn not in self.complete and turn in self.kept:
                return
            connection.deliveries.pop(0)
            connection.window = 0
            connection.received.add(turn)
            connection.asked = turn
            self.whole_sends[turn] = self.whole_sends.get(turn, 0) + 1
            self.tell(ev.UtteranceSent(generation, turn))
            name = self.next_answers.pop(0) if self.next_answers else "answer"
            self.act(connection, turn, ANSWERS[name])

    def act(self, connection: Connection, turn: int, steps: tuple[tuple[Any, ...], ...]) -> None:
        """Let the server take the first step of its answer, then the rest."""
        if not steps:
            return
        (delay_s, what, *details), *rest = steps

        def step() -> None:
            if not self.is_open(connection) or connection.asked != turn or connection.window:
                return  # the person has spoken into it
            if self.disconnected_at != -FOREVER:
                return
            getattr(self, "say_" + what.replace(" ", "_"))(connection, turn, *details)
            self.act(connection, turn, tuple(rest))

        self.later(delay_s, step)

    def say_transcript(self, connection: Connection, turn: int) -> None:
        self.tell(ev.TranscriptReceived(connection.generation, turn))

    def say_audio(self, connection: Connection, turn: int, seconds: float) -> None:
        self.settle(connection, turn)
        if turn not in connection.replied:
            connection.replied.add(turn)
            self.tell(ev.ReplyStarted(connection.generation, turn))
        self.speaker.feed(turn, seconds)

    def say_generated(self, connection: Connection, turn: int) -> None:
        self.tell(ev.GenerationCompleted(connection.generation, turn))

    def say_complete(self, connection: Connection, turn: int) -> None:
        self.tell(ev.UsageReported(connection.generation, turn, ev.Usage(1, 2, 3)))
        if turn == self.turn and self.core.turn_state is TurnState.THINKING:
            self.settle(connection, turn)  # it chose silence; checked when the core is idle
        self.tell(ev.TurnCompleted(connection.generation, turn))

    def say_interrupted(self, connection: Connection, turn: int) -> None:
        self.trusted = None
        self.tell(ev.Interrupted(connection.generation, turn))

    def say_drop(self, connection: Connection, _turn: int) -> None:
        self.server_closes(connection, self.drop_kind)

    def say_go_away(self, connection: Connection, _turn: int, seconds: float) -> None:
        self.tell(ev.GoAwayReceived(connection.generation, seconds))

    def say_handle(self, _connection: Connection, _turn: int) -> None:
        self.issue()

    def say_tool(
        self, connection: Connection, turn: int, runs_s: float | None, responds_s: float | None
    ) -> None:
        self.carry_out(self.core.wake(self.now))  # what is due comes before what happens now
        call_id = f"call-{next(self.calls)}"
        connection.pending.add(call_id)
        generation = connection.generation
        calls = (ev.ToolCall(call_id, "lamp"),)
        self.tell(ev.ToolCallReceived(generation, turn, calls))
        if runs_s is not None:
            self.later(runs_s, lambda: self.run_tool(generation, turn, call_id))
        if responds_s is not None:
            delay_s = (runs_s or 0.0) + responds_s
            self.later(delay_s, lambda: self.respond(generation, turn, call_id))

    def say_repeat(self, connection: Connection, turn: int) -> None:
        """A tool has asked for it, which has run by then."""
        self.ask_for_repeat()
        self.run_tool(connection.generation, turn, "repeat")

    def ask_for_repeat(self) -> None:
        turn = self.core._dialogue.turn
        self.tell(ev.RepeatRequested())
        if turn is not None and turn.record.repeats:
            self.repeating.add(turn.number)

    def run_tool(self, generation: int, turn: int, call_id: str) -> None:
        self.ran.add(turn)
        self.tell(ev.ToolExecuted(generation, turn, call_id))

    def respond(self, generation: int, turn: int, call_id: str) -> None:
        connection = self.connection
        if connection is None or connection.generation != generation or connection.closed:
            return
        if call_id in connection.pending:
            connection.pending.discard(call_id)
            self.tell(ev.ToolResponseSent(generation, turn, call_id))

    def say_cancel(self, connection: Connection, _turn: int) -> None:
        calls = tuple(connection.pending)
        connection.pending.clear()
        self.tell(ev.ToolCallsCancelled(connection.generation, calls))

    def settle(self, connection: Connection, turn: int) -> None:
        """The server has answered ``turn``, knowing all it had received before it."""
        self.pending -= {other for other in connection.received if other <= turn}

    # --- the person

    @property
    def down(self) -> bool:
        return self.control_down or any(self.closed.values())

    def hand(self, *, down: bool, trigger: ev.Trigger = ev.Trigger.BUTTON) -> None:
        if self.closed[trigger]:
            self.last_down = self.now
        self.closed[trigger] = down
        self.tell(ev.ButtonEdge(down, trigger))

    def lose_trigger(self, trigger: ev.Trigger) -> None:
        self.closed[trigger] = False
        self.last_down = self.now
        if trigger is ev.Trigger.BUTTON:
            self.tell(ev.DeviceLost(ev.Device.BUTTON, "unplugged"))
        else:
            self.tell(ev.PartLost("keypad", "unplugged"))

    def control(self, *, down: bool) -> None:
        if self.control_down:
            self.last_down = self.now
        self.control_down = down
        self.tell(ev.PressRequested() if down else ev.ReleaseRequested())

    def spend(self, left: Budget) -> None:
        self.spent = left is Budget.SPENT
        self.tell(ev.BudgetChanged(left))

    def press_key(self, key: ev.Key | ev.PadKey, *, down: bool) -> None:
        does = self.rules.second_button if key is ev.Key.SECOND else None
        if down and (does is SecondButton.FORGET or key is ev.PadKey.FORGET):
            self.trusted = None
            self.forgetting = True
        if down and (does is SecondButton.STOP or key is ev.PadKey.STOP):
            self.pending.clear()  # whoever wants silence gives up what is not answered
        self.tell(ev.KeyEdge(key, down))

    def stop(self) -> None:
        self.pending.clear()
        self.tell(ev.StopRequested())

    def forget(self) -> None:
        self.trusted = None
        self.forgetting = True
        self.tell(ev.ForgetRequested())

    def set_timer(self, number: int, after_s: float, *, by_clock: bool) -> None:
        timer = Timer(number, "eggs", due_at=self.now + after_s)
        if by_clock:
            local = WallClock(self.ahead_s, UTC).local(self.now + after_s)
            timer = Timer(number, local=local, days=frozenset({0, 3}))
        self.tell(ev.TimerSet(timer))

    def put_clock(self, by_s: float) -> None:
        self.ahead_s += by_s
        self.tell(ev.ClockRead(self.now + self.ahead_s, UTC))

    def reload(
        self, *, setup: bool, mode: ButtonMode | None = None, second: SecondButton | None = None
    ) -> None:
        self.rules = dataclasses.replace(
            self.rules,
            button_mode=mode or self.rules.button_mode,
            second_button=second or self.rules.second_button,
        )
        self.tell(ev.ReloadRequested(self.rules, setup))

    # --- devices

    def lose_microphone(self) -> None:
        self.microphone_lost = True
        self.tell(ev.DeviceLost(ev.Device.MICROPHONE, "unplugged"))

    def find_microphone(self) -> None:
        if not self.microphone_lost:
            return
        self.microphone_lost = False
        self.tell(ev.DeviceReady(ev.Device.MICROPHONE))
        if self.gate is not None:
            self.capture_starts(self.gate)

    # --- what must always hold

    def check(self) -> None:
        core, state = self.core, self.core.turn_state
        if self.gate is not None:
            assert state in _CAPTURING
            # by the rules that are applied: others wait for the end of the turn
            tapped = core._rules.button_mode is not ButtonMode.HOLD
            up_s = 0.0 if self.down or tapped else self.now - self.last_down
            limit_s = 6 * self.rules.debounce_s + self.rules.tail_s
            assert up_s <= limit_s + EPSILON_S, "the gate is open and nobody holds the button"
            open_s = self.now - self.gate_opened_at
            assert open_s <= self.rules.max_utterance_s + self.rules.tail_s + EPSILON_S
            assert not self.speaker.sounding
            assert not self.speaker.notices
        else:
            assert state not in _CAPTURING
        assert len(self.kept) <= self.rules.max_unanswered + 2, "buffers without bound"
        if state is TurnState.IDLE:
            self.forgetting = False
            assert not self.pending, "a sentence has vanished"
            assert not self.kept, "a buffer is kept for nothing"
        timeout_s = self.rules.conversation_timeout_s
        if timeout_s:
            self.trusted = None  # whether it may be forgotten is a matter of time
        deadline = core.next_deadline()
        assert deadline is None or deadline > self.now, "woken for ever"
        due = (timer.due_at for timer in self.kept_timers.timers if timer.local is None)
        ring_s = self.rules.ring_s * (1 + len(self.kept_timers.timers))  # each may join in
        limit_s = LONGEST_TURN_S + ring_s + self.rules.ring_late_s  # after restarts
        assert all(self.now - each <= limit_s for each in due), "a timer was forgotten"
        assert not (self.gate is not None and core.status.state == "ringing")

    def quiet_down(self) -> None:
        """The world becomes honest and nobody touches anything; the core must come to rest."""
        self.next_answers.clear()
        self.next_connections.clear()
        self.closes_hang = self.sends_hang = False
        for trigger, closed in self.closed.items():
            if closed:
                self.hand(down=False, trigger=trigger)
        if self.control_down:
            self.control(down=False)
        for key in (*ev.Key, *ev.PadKey):
            self.press_key(key, down=False)
        self.speaker.find()
        self.find_microphone()
        self.advance(LONGEST_TURN_S)
        assert self.core.turn_state is TurnState.IDLE, self.core.turn_state
        assert not self.pending
        assert not self.kept
