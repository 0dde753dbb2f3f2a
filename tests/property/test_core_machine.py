"""Whatever people, networks and sound cards do, in whatever order: what must hold, holds.

Hypothesis plays against the core in the world of :mod:`tests.property.world`, which checks the
invariants after every step.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from speakerd.conversation import events as ev
from speakerd.conversation.budget import Budget
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import ButtonMode, LinkPolicy, SecondButton
from speakerd.errors import FailureKind, Feature
from tests.property.world import ANSWERS, CONNECTIONS, World

if TYPE_CHECKING:
    from speakerd.conversation.core import Core

# The usual ones more often: after a refusal little happens.
_USUAL = [FailureKind.NETWORK, FailureKind.SERVER, FailureKind.IDLE, FailureKind.TIMEOUT]
KINDS = st.sampled_from([*_USUAL, *_USUAL, *FailureKind])
MOMENTS = st.sampled_from([0.0, 0.005, 0.02, 0.03, 0.1, 0.24, 0.25, 0.3, 0.5])
WAITS = st.sampled_from([0.7, 1.0, 2.0, 3.0, 5.0, 10.0, 14.9, 15.0, 20.0, 31.0, 61.0, 100.0])


def picture(core: Core) -> dict[str, str]:
    """Everything the core knows, to be compared."""
    link, dialogue = core._link, core._dialogue
    parts: list[object] = [core, link, link.session, link.features, core._button]
    parts += [dialogue, dialogue._stage, dialogue.turns, dialogue.telling, dialogue.texts]
    parts += [dialogue._hands_free, core._controls, core._controls._keys, core._timers]
    skipped = {"_out", "_link", "link", "_button", "_dialogue", "_stage", "_actions", "_rules"}
    skipped |= {"_random", "_controls", "_keys", "_forget", "_contacts", "_clock", "_hands_free"}
    skipped |= {"texts", "turns", "_turns", "telling", "_telling"}
    skipped |= {"session", "features"}
    known = {
        f"{type(part).__name__}.{name}": repr(value)
        for part in parts
        for name, value in vars(part).items()
        if name not in skipped
    }
    for trigger, contact in core._button._contacts.items():
        known |= {f"{trigger}.{name}": repr(value) for name, value in vars(contact).items()}
    return known


class CoreMachine(RuleBasedStateMachine):
    """Rules are what can happen; the world's checks are what must not."""

    world: World

    @initialize(
        policy=st.sampled_from(LinkPolicy),
        forgets=st.sampled_from([0.0, 0.0, 90.0]),
        features=st.frozensets(st.sampled_from(Feature)),
        mode=st.sampled_from([ButtonMode.HOLD, *ButtonMode]),
        second=st.sampled_from(SecondButton),
    )
    def begin(
        self,
        policy: LinkPolicy,
        forgets: float,
        features: frozenset[Feature],
        mode: ButtonMode,
        second: SecondButton,
    ) -> None:
        self.world = World(policy, forgets, features, mode, second)
        self.world.tell(ev.Started())

    # --- time and the person

    @rule(seconds=MOMENTS)
    def a_moment_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(down=st.booleans(), trigger=st.sampled_from(ev.Trigger))
    def edge(self, down: bool, trigger: ev.Trigger) -> None:
        self.world.hand(down=down, trigger=trigger)

    @rule(down=st.booleans())
    def control_command(self, down: bool) -> None:
        self.world.control(down=down)

    @rule(hold=st.sampled_from([0.1, 0.26, 1.0, 3.0, 70.0]), then=MOMENTS | WAITS)
    def utterance(self, hold: float, then: float) -> None:
        self.world.hand(down=True)
        self.world.advance(hold)
        self.world.hand(down=False)
        self.world.advance(then)

    @rule(
        names=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=2),
        kind=KINDS,
        then=MOMENTS | WAITS,
    )
    def conversation(self, names: list[str], kind: FailureKind, then: float) -> None:
        """A sentence, and what the server does with its first deliveries."""
        self.world.next_answers = names
        self.world.drop_kind = kind
        self.utterance(1.0, then)

    @rule(count=st.integers(2, 60))
    def mashing(self, count: int) -> None:
        for index in range(count):
            self.world.hand(down=index % 2 == 0)
            self.world.advance(0.02)

    @rule()
    def stop(self) -> None:
        self.world.stop()

    @rule()
    def forget(self) -> None:
        self.world.forget()

    @rule(
        setup=st.booleans(),
        mode=st.none() | st.sampled_from(ButtonMode),
        second=st.none() | st.sampled_from(SecondButton),
    )
    def reload(self, setup: bool, mode: ButtonMode | None, second: SecondButton | None) -> None:
        self.world.reload(setup=setup, mode=mode, second=second)

    @rule(key=st.sampled_from([*ev.Key, *ev.PadKey]), down=st.booleans(), then=MOMENTS | WAITS)
    def key(self, key: ev.Key | ev.PadKey, down: bool, then: float) -> None:
        self.world.press_key(key, down=down)
        self.world.advance(then)

    @rule(key=st.sampled_from(ev.Key), down=st.booleans(), then=st.integers(0, 3))
    def key_is_opened(self, key: ev.Key, down: bool, then: int) -> None:
        """As at the start or a reload; what comes of it varies."""
        outcomes = (
            ev.KeyFound(key, down),
            ev.KeyLost(key, "busy"),
            ev.PartGone(key.value),
            ev.KeyAwaited(key),
        )
        self.world.tell(ev.KeyAwaited(key))
        self.world.tell(outcomes[then])

    @rule(on=st.sampled_from([True, False, None]))
    def mute(self, on: bool | None) -> None:
        self.world.tell(ev.MuteRequested(on))

    @rule(mute=st.booleans())
    def leave(self, mute: bool) -> None:
        self.world.tell(ev.LeaveRequested(mute))

    @rule()
    def repeat(self) -> None:
        self.world.ask_for_repeat()

    @rule(left=st.sampled_from(Budget))
    def budget(self, left: Budget) -> None:
        self.world.spend(left)

    @rule(percent=st.integers(0, 100), steps=st.integers(-3, 3))
    def volume(self, percent: int, steps: int) -> None:
        self.world.tell(ev.KnobTurned(steps))
        self.world.tell(ev.VolumeRequested(percent))

    @rule(read_out=st.booleans())
    def say(self, read_out: bool) -> None:
        self.world.tell(ev.SayRequested("good night", read_out))

    @rule(
        number=st.integers(1, 3),
        after_s=st.sampled_from([0.1, 1.0, 20.0]),
        by_clock=st.booleans(),
    )
    def timer(self, number: int, after_s: float, by_clock: bool) -> None:
        self.world.set_timer(number, after_s, by_clock=by_clock)

    @rule(by_s=st.sampled_from([-5000.0, -10.0, 10.0, 500.0, 100_000.0]))
    def clock_is_put(self, by_s: float) -> None:
        self.world.put_clock(by_s)

    @rule(number=st.integers(1, 3))
    def timer_is_cancelled(self, number: int) -> None:
        self.world.tell(ev.TimersCancelled((number,)))

    @rule()
    def restart(self) -> None:
        world = self.world
        world.pending.clear()  # whoever switches it off knows what is lost
        world.tell(ev.ShutdownRequested())
        world.advance(1.0)
        world.begin()
        world.tell(ev.Started(world.saved))

    @rule()
    def power_cut(self) -> None:
        """Nobody says goodbye: what is on the disk is what there is."""
        self.world.pending.clear()
        self.world.begin()
        self.world.tell(ev.Started(self.world.saved))

    # --- devices

    @rule(back_s=st.sampled_from([0.3, 3.0, 30.0]))
    def microphone_lost(self, back_s: float) -> None:
        self.world.lose_microphone()
        self.world.later(back_s, self.world.find_microphone)

    @rule(back_s=st.sampled_from([0.3, 3.0, 30.0]))
    def speaker_lost(self, back_s: float) -> None:
        self.world.speaker.lose()
        self.world.later(back_s, self.world.speaker.find)

    @rule()
    def button_lost(self) -> None:
        self.world.lose_trigger(ev.Trigger.BUTTON)

    @rule()
    def keypad_lost(self) -> None:
        self.world.lose_trigger(ev.Trigger.KEYPAD)

    @rule()
    def button_found_held(self) -> None:
        world = self.world
        world.lose_trigger(ev.Trigger.BUTTON)
        world.closed[ev.Trigger.BUTTON] = True
        world.tell(ev.ButtonHeldAtStart())

    @rule(device=st.sampled_from(ev.Device))
    def xrun(self, device: ev.Device) -> None:
        self.world.tell(ev.Xrun(device))

    # --- the server and the network

    @rule(
        plans=st.lists(
            st.tuples(st.sampled_from(sorted(CONNECTIONS)), KINDS), min_size=1, max_size=4
        )
    )
    def connections_will_be(self, plans: list[tuple[str, FailureKind]]) -> None:
        self.world.next_connections = plans

    @rule(closes=st.booleans(), sends=st.booleans())
    def socket_hangs(self, closes: bool, sends: bool) -> None:
        self.world.closes_hang, self.world.sends_hang = closes, sends
        self.world.send()

    @precondition(lambda self: self.world.connection is not None)
    @rule(kind=KINDS, code=st.sampled_from([0, 1000, 1008, 1011]))
    def dropped(self, kind: FailureKind, code: int) -> None:
        world = self.world
        if code == 1000:
            world.trusted = None
        assert world.connection is not None
        world.server_closes(world.connection, kind, code)

    @precondition(lambda self: self.world.core.link_state is LinkState.READY)
    @rule(seconds=st.sampled_from([-1.0, 0.0, 0.5, 5.0, 50.0, 300.0, float("nan")]))
    def go_away(self, seconds: float) -> None:
        self.world.tell(ev.GoAwayReceived(self.world.generation, seconds))

    @rule()
    def handle(self) -> None:
        self.world.issue()

    # --- what is stale

    @rule(kind=st.sampled_from(ev.Event.__args__), data=st.data())
    def stale(self, kind: type[Any], data: st.DataObject) -> None:
        """A fact about an older connection, or of an older turn, changes nothing at all."""
        world = self.world
        names = {part.name for part in fields(kind)}
        if not names & {"turn", "generation"} or kind is ev.ToolExecuted:
            return
        values: dict[str, Any] = {}
        of_old_turn = "generation" not in names or data.draw(st.booleans())
        if kind in {ev.ToolCallReceived, ev.ToolResponseSent, ev.UsageReported}:
            of_old_turn = False  # a call, or a cost, is the connection's matter, whosever it is
        for name in names:
            values[name] = {
                "turn": world.turn,
                "generation": world.generation,
                "duration_s": 1.0,
                "failure": None,
                "time_left_s": 0.0,
                "handle": "stale",
                "usage": ev.Usage(),
                "calls": (),
                "blocking": True,
                "silent": False,
                "heard": True,
                "speaks": True,
                "told": 0,
                "call_id": "c",
                "call_ids": ("c",),
            }[name]
        if of_old_turn and "turn" in names:
            known = world.core._dialogue.turns.find
            old = [turn for turn in range(-1, world.turn) if known(turn) is None]
            values["turn"] = data.draw(st.sampled_from(old))
        else:
            values["generation"] = data.draw(st.integers(-1, world.generation - 1))
        world.carry_out(world.core.wake(world.now))
        before = picture(world.core)
        effects = world.core.handle(kind(**values), world.now)
        assert effects == []
        assert picture(world.core) == before

    @precondition(lambda self: self.world.speaker.expected is None)
    @rule(kind=st.sampled_from([ev.PlaybackStarted, ev.PlaybackResumed, ev.PlaybackStarved]))
    def playback_after_a_drop(self, kind: type[Any]) -> None:
        """The speaker's thread was quicker than the order to be silent."""
        world = self.world
        world.carry_out(world.core.wake(world.now))
        before = picture(world.core)
        assert world.core.handle(kind(world.turn), world.now) == []
        assert picture(world.core) == before

    @rule()
    def all_is_quiet(self) -> None:
        self.world.quiet_down()

    @invariant()
    def no_busy_loop(self) -> None:
        world = self.world
        world.carry_out(world.core.wake(world.now))
        deadline = world.core.next_deadline()
        assert deadline is None or deadline > world.now

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.quiet_down()


def test_two_sentences_without_an_answer_may_cost_the_conversation() -> None:
    machine, silence = CoreMachine(), "GoAway, then silence"
    machine.begin(
        policy=LinkPolicy.ALWAYS,
        forgets=0.0,
        features=frozenset(),
        mode=ButtonMode.HOLD,
        second=SecondButton.STOP,
    )
    machine.conversation(names=[silence, silence], kind=FailureKind.NETWORK, then=61.0)
    machine.conversation(names=[silence], kind=FailureKind.NETWORK, then=0.0)
    machine.go_away(seconds=-1.0)
    machine.time_passes(seconds=0.7)
    machine.dropped(kind=FailureKind.NETWORK, code=0)
    machine.time_passes(seconds=0.7)
    machine.go_away(seconds=-1.0)
    machine.time_passes(seconds=1.0)
    assert machine.world.unanswered == 2
    machine.teardown()


# The thorough profile takes its time.
TestCore = pytest.mark.timeout(1800)(CoreMachine.TestCase)
TestCore.settings = hypothesis.settings(
    max_examples=3 * hypothesis.settings().max_examples, stateful_step_count=40
)
