"""The core: facts and the time in, orders out.

``handle(event, now)`` is total and never raises for anything a person, a network or a sound card
does. ``next_deadline()`` says when to call ``wake(now)`` at the latest. The clock is any
monotonic one, in seconds; a ``now`` behind an earlier one counts as that earlier one (facts from
threads may come slightly out of order).

The core translates facts into inputs of the machines (:mod:`~speakerd.conversation.button`,
:mod:`~speakerd.conversation.turn`, :mod:`~speakerd.conversation.link`) and passes on what one
machine has to tell the other. :mod:`~speakerd.conversation.sound` and
:mod:`~speakerd.conversation.wire` sort out what is stale by its turn or its generation.
"""

from __future__ import annotations

import dataclasses
import random as _random
from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.afterwards import CONVERSING, Afterwards
from speakerd.conversation.budget import Budget
from speakerd.conversation.button import Button, Gesture, Touch
from speakerd.conversation.controls import KEYPAD, Controls
from speakerd.conversation.dialogue import CAPTURING, Dialogue
from speakerd.conversation.link import Link, LinkChange, LinkState
from speakerd.conversation.memory import Clock
from speakerd.conversation.rules import FOREVER, ButtonMode, Rules, TurnTaking
from speakerd.conversation.sound import Sound
from speakerd.conversation.status import (
    READY,
    STARTING,
    TURN_WORDS,
    Status,
    link_word,
    state_word,
)
from speakerd.conversation.timers import Timers
from speakerd.conversation.turn import TurnInput, TurnState
from speakerd.conversation.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.errors import Failure

#: The states in which somebody speaks or waits for an answer: the link is urgent.
_ASKING = {
    TurnState.ARMED,
    TurnState.LISTENING,
    TurnState.TAIL,
    TurnState.THINKING,
    TurnState.OPEN,
}
#: In which the control socket may hold the button.
_HELD = CAPTURING | {TurnState.REPLYING}
#: What ends the ringing of a timer, and is nothing else then.
_SILENCING = {Gesture.PRESS, Gesture.STOP}
#: What a program is told that presses in vain.
_REFUSALS = {
    fx.Notice.MUTED: "the microphone is muted: speakerd mute off",
    fx.Notice.BUDGET_SPENT: "the day's budget is used up: "
    "wait until midnight, or raise SPEAKERD_DAILY_BUDGET and speakerd reload",
}
#: The clock may have to be looked at again after each step it caused; no chain is longer.
_LONGEST_CHAIN = 16


class Core:
    """One speaker's conversation.

    ``random()`` gives numbers in [0, 1); the jitter of the backoff is all it is used for.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._rules = rules or Rules()
        self._out: list[fx.Effect] = []
        self._clock = Clock()
        self._link = Link(self._rules, random)
        self._button = Button(self._rules)
        self._dialogue = Dialogue(self._rules, self._clock, self._link, self._button, self._out)
        self._sound = Sound(self._dialogue)
        self._wire = Wire(self._dialogue, self._link, self._out)
        self._controls = Controls(
            self._rules, self._dialogue, self._out, self._stop, self._wish_to_forget
        )
        self._timers = Timers(self._rules, self._dialogue, self._out)
        self._afterwards = Afterwards(self._dialogue, self._out, self._controls.mute)
        self._devices = dict.fromkeys(ev.Device, STARTING)
        self._last_error: str | None = None
        self._last_failure: Failure | None = None
        self._trouble: Failure | None = None
        self._begun = False  # started: what was kept from before is known
        self._greeted = False  # it has said that it is ready
        self._forget = False  # as soon as the turn under way is over
        self._reload: ev.ReloadRequested | None = None  # so too
        self._budget = Budget.FINE
        self._over = False  # shut down: nothing begins any more

    # --- what the daemon calls

    def handle(self, event: ev.Event, now: float) -> list[fx.Effect]:
        """Take one fact that became known at ``now``; what is due by then comes first."""
        self._advance(now)
        self._HANDLERS[type(event)](self, event)
        self._advance(now)
        return self._take()

    def wake(self, now: float) -> list[fx.Effect]:
        """Do what is due at ``now``."""
        self._advance(now)
        return self._take()

    def next_deadline(self) -> float | None:
        """When :meth:`wake` must be called at the latest; None while nothing is due ever."""
        at = min(
            self._button.deadline(),
            self._controls.deadline(),
            self._dialogue.deadline(),
            self._timers.deadline(),
            self._dialogue.cue_at(),
            self._link.deadline(),
            self._conversation_end(),
        )
        return at if at < FOREVER else None

    @property
    def status(self) -> Status:
        """What is going on."""
        dialogue, link = self._dialogue, self._link
        hands_free = self._rules.turn_taking is TurnTaking.CONVERSATION
        return Status(
            state=state_word(
                *(dialogue.state, link.state, self._devices, self._budget),
                rings=self._timers.rings,
            ),
            link=link_word(link.state),
            context=link.context.value,
            model=link.model,
            turns=dialogue.turns.finished,
            reconnects=max(0, link.opened - 1),
            without=tuple(sorted(feature.value for feature in link.features.refused)),
            last_error=self._last_error,
            devices=tuple((device.value, word) for device, word in self._devices.items()),
            parts=tuple(self._controls.parts.items()),
            tapped=hands_free or self._rules.button_mode is ButtonMode.TOGGLE,
            conversing=dialogue.state in CONVERSING,
            muted=self._controls.muted,
            volume=self._controls.volume,
            budget=self._budget,
            last_failure=self._last_failure,
            trouble=self._trouble,
            timers=self._timers.pending,
            missed=self._timers.missed,
            last_turn=dialogue.turns.last_record,
        )

    @property
    def _now(self) -> float:
        return self._clock.now

    @property
    def turn_state(self) -> TurnState:
        """The state of the turn machine."""
        return self._dialogue.state

    @property
    def link_state(self) -> LinkState:
        """The state of the link machine."""
        return self._link.state

    # --- time, and what the machines tell each other

    def _take(self) -> list[fx.Effect]:
        effects = self._out.copy()
        self._out.clear()
        return effects

    def _advance(self, now: float) -> None:
        """Bring every machine to ``now``, until none has anything left to do."""
        self._clock.now = max(now, self._clock.now)
        for _ in range(_LONGEST_CHAIN):
            self._gesture(self._button.wake(self._now, down=self._touch))
            self._controls.wake()
            self._afterwards.wake()
            self._dialogue.think_aloud()
            if self._budget is Budget.SPENT:
                self._dialogue.end_conversation(fx.Notice.BUDGET_SPENT)
            moved = self._advance_link()
            due = self._dialogue.due()
            if due is not None:
                moved = self._dialogue.step(due) or moved
            moved = self._timers.wake() or moved
            if not (moved or (not self._timers.rings and self._dialogue.say())):
                break
        if self._dialogue.state not in _HELD:
            self._button.spend(self._now, ringing=self._timers.rings)
        if not self._over:
            if self._dialogue.state is TurnState.IDLE:
                self._dialogue.telling.make_up()
            self._greet()

    def _advance_link(self) -> bool:
        """Tell the link who needs it, and the dialogue what became of the link."""
        dialogue, link = self._dialogue, self._link
        idle = dialogue.state is TurnState.IDLE
        if idle and self._begun and (self._forget or self._now >= self._conversation_end()):
            self._out.append(fx.Forgotten(told=self._forget))
            if self._forget:
                dialogue.cue(fx.Cue.FORGOTTEN)
            self._forget = False
            dialogue.turns.forget()
            link.forget(self._now, self._out)
        if idle and self._reload is not None and self._may_be_applied(self._reload):
            self._apply(self._reload)
        link.urgent = dialogue.state in _ASKING
        link.busy = dialogue.state is not TurnState.IDLE
        link.paused = dialogue.pauses
        link.wake(self._now, self._out)
        for failure in link.failures:
            self._last_error = str(failure)
            self._last_failure = self._trouble = failure
        if link.failures and self._needs_no_link():
            self._trouble = None
        link.failures.clear()
        changes = link.changes.copy()
        link.changes.clear()
        for change in changes:
            match change:
                case LinkChange.READY:
                    self._trouble = None
                    dialogue.deliver()
                case LinkChange.LOST:
                    dialogue.link_lost()
                case LinkChange.REFUSED:
                    dialogue.step(TurnInput.REFUSED)
        return bool(changes)

    def _needs_no_link(self) -> bool:
        """Whether there is no connection because none is wanted now, and none is tried for."""
        idle = self._dialogue.state in {TurnState.IDLE, TurnState.SETTLING}
        return idle and self._link.state is LinkState.DOWN and self._link.deadline() == FOREVER

    def _may_be_applied(self, new: ev.ReloadRequested) -> bool:
        """What the person is being told is heard to its end."""
        return not (ev.Device.SPEAKER in new.reopened and self._dialogue.playing.clips)

    def _apply(self, new: ev.ReloadRequested) -> None:
        self._reload = None
        self._out.append(fx.ApplySettings())  # first: the next connection asks for what is new
        for device in new.reopened:
            self._devices[device] = STARTING
        if ev.Device.SPEAKER in new.reopened:
            self._dialogue.telling.drops = 0
        if ev.Device.BUTTON in new.reopened:
            self._button.lost(ev.Trigger.BUTTON)
        self._rules = new.rules
        self._dialogue.reload(new.rules)
        self._button.reload(new.rules)
        self._controls.reload(new.rules)
        self._timers.reload(new.rules)
        self._link.reload(new.rules, self._now, self._out, setup=new.setup)

    def _conversation_end(self) -> float:
        """When the conversation is forgotten, if no turn begins before."""
        dialogue, limit_s = self._dialogue, self._rules.conversation_timeout_s
        if limit_s <= 0 or dialogue.turns.ended_at is None or dialogue.state is not TurnState.IDLE:
            return FOREVER
        return dialogue.turns.ended_at + limit_s

    def _gesture(self, gesture: Gesture | None) -> None:
        if gesture in _SILENCING and self._timers.silence():
            return
        hands_free = self._rules.turn_taking is TurnTaking.CONVERSATION
        match gesture:
            case Gesture.PRESS | Gesture.TAP if self._refusal is not None and not self._over:
                self._dialogue.refuse_press(self._refusal)
            case Gesture.TAP if not self._over:
                self._dialogue.tap()
            case Gesture.PRESS if hands_free and not self._over:
                self._dialogue.converse()
            case Gesture.PRESS if not self._over:
                self._dialogue.press()
            case Gesture.RELEASE if hands_free:
                self._dialogue.step(TurnInput.HANG_UP)
            case Gesture.RELEASE:
                self._dialogue.step(TurnInput.RELEASE)
            case Gesture.TAKE_BACK:
                self._dialogue.take_back()
            case Gesture.STOP:
                self._dialogue.step(TurnInput.STOP)
            case _:
                pass

    # --- the daemon and the person

    def _started(self, event: ev.Started) -> None:
        if self._over:
            return
        self._begun = True
        self._link.session.begin(event.handle)
        if self._forget:
            self._forget = False
            self._out.append(fx.Forgotten())
            self._link.forget(self._now, self._out)
        elif event.handle is not None:
            self._dialogue.turns.ended_at = self._now
        self._link.start(self._now, self._out)

    def _greet(self) -> None:
        """Say once that it is ready, as soon as somebody can be heard and can hear that."""
        if self._begun and not self._greeted:
            needed = (ev.Device.MICROPHONE, ev.Device.SPEAKER)
            can = all(self._devices[device] == READY for device in needed)
            self._greeted = can and self._dialogue.cue(fx.Cue.READY)

    @property
    def _touch(self) -> Touch:
        """What it is to press the button now: in vain, it is no reason to give an answer up."""
        if self._timers.rings:
            return Touch.DOWN_IN_RING
        if self._refusal is not None and self._dialogue.state is TurnState.THINKING:
            return Touch.DOWN
        return self._dialogue.touch

    @property
    def _refusal(self) -> fx.Notice | None:
        """Why a press is in vain; a sentence that somebody is in is not refused for its price."""
        if self._controls.muted:
            return fx.Notice.MUTED
        spent = self._budget is Budget.SPENT and self._dialogue.state not in CAPTURING
        return fx.Notice.BUDGET_SPENT if spent else None

    def _budget_changed(self, event: ev.BudgetChanged) -> None:
        news = self._begun and not self._over and self._budget is Budget.FINE
        if news and event.left is Budget.NEAR:
            self._dialogue.warn(fx.Notice.BUDGET_NEAR)
        self._budget = event.left
        if event.left is Budget.SPENT and len(self._dialogue.texts):
            self._dialogue.texts.clear()
            self._dialogue.warn(fx.Notice.BUDGET_SPENT)

    def _button_edge(self, event: ev.ButtonEdge) -> None:
        pressed, trigger = event.pressed, event.trigger
        self._gesture(self._button.edge(trigger, self._now, pressed=pressed, down=self._touch))

    def _button_held_at_start(self, _event: ev.ButtonHeldAtStart) -> None:
        self._gesture(self._button.held_at_start(ev.Trigger.BUTTON))

    def _part_lost(self, event: ev.PartLost | ev.PartGone) -> None:
        if event.name == KEYPAD:
            self._gesture(self._button.lost(ev.Trigger.KEYPAD))
        self._control(event)

    def _sounded(self, event: ev.Event) -> None:
        self._sound.handle(event)

    def _on_the_wire(self, event: ev.Event) -> None:
        self._wire.handle(event)

    def _control(self, event: ev.Event) -> None:
        if not self._over:
            self._controls.handle(event)

    def _leave_requested(self, event: ev.LeaveRequested) -> None:
        if self._over:
            self._refuse()
        else:
            self._afterwards.leave(event)

    def _repeat_requested(self, _event: ev.RepeatRequested) -> None:
        if self._over:
            self._refuse()
        else:
            self._afterwards.repeat()

    def _press_requested(self, _event: ev.PressRequested) -> None:
        if (why := self._refusal) is not None and not self._timers.rings:
            self._out.append(fx.Refused(_REFUSALS[why]))
        gesture = self._button.control(pressed=True)
        if not self._timers.silence():  # also by a program that never lets go
            self._gesture(gesture)

    def _release_requested(self, _event: ev.ReleaseRequested) -> None:
        self._gesture(self._button.control(pressed=False))

    def _stop_requested(self, _event: ev.StopRequested) -> None:
        self._stop()

    def _stop(self) -> None:
        self._dialogue.texts.clear()
        if not self._timers.silence():
            self._dialogue.step(TurnInput.STOP)

    def _forget_requested(self, _event: ev.ForgetRequested) -> None:
        self._wish_to_forget()

    def _wish_to_forget(self) -> None:
        self._forget = True

    def _reload_requested(self, event: ev.ReloadRequested) -> None:
        if not self._over:
            self._reload = event

    def _about_timers(self, event: ev.Event) -> None:
        if not self._over:
            self._timers.handle(event)

    def _tools_changed(self, event: ev.ToolsChanged) -> None:
        self._rules = self._rules.offering(tools=event.offered)
        if self._reload is not None:
            rules = self._reload.rules.offering(tools=event.offered)
            self._reload = dataclasses.replace(self._reload, rules=rules)
        self._link.renew(self._rules)

    def _say_requested(self, event: ev.SayRequested) -> None:
        if self._over:
            self._refuse()
        elif self._budget is Budget.SPENT:
            self._out.append(fx.Refused(_REFUSALS[fx.Notice.BUDGET_SPENT]))
        elif (waiting := len(self._dialogue.texts)) >= self._rules.max_texts:
            self._out.append(fx.Refused(f"{waiting} texts wait already: try again later"))
        else:
            self._dialogue.texts.add(event)
            if self._timers.rings or not self._dialogue.say():
                self._out.append(fx.Postponed(len(self._dialogue.texts) - 1))

    def _tone_requested(self, _event: ev.ToneRequested) -> None:
        word = self._devices[ev.Device.SPEAKER]
        if self._over or self._dialogue.state is not TurnState.IDLE:
            self._refuse()
        elif word != READY:
            self._out.append(fx.Refused(f"the speaker is missing: {word}"))
        else:
            self._dialogue.playing.clips.append(False)  # the pre-roll keeps away from it
            self._out.append(fx.PlayTone())

    def _refuse(self) -> None:
        state = TURN_WORDS[self._dialogue.state]
        reason = f"the speaker is {state}: try again after this turn"
        self._out.append(fx.Refused("the speaker is being shut down" if self._over else reason))

    def _shutdown_requested(self, _event: ev.ShutdownRequested) -> None:
        self._over = True
        self._reload = None
        self._dialogue.texts.clear()
        self._controls.close()
        self._afterwards.close()
        self._timers.close()
        self._dialogue.step(TurnInput.SHUTDOWN)
        self._link.shut(self._now, self._out)

    # --- the devices

    def _device_ready(self, event: ev.DeviceReady) -> None:
        self._devices[event.device] = READY
        if event.device is ev.Device.SPEAKER:
            self._dialogue.telling.speaker_lost = False

    def _device_lost(self, event: ev.DeviceLost) -> None:
        self._devices[event.device] = self._last_error = event.reason
        self._last_failure = None
        match event.device:
            case ev.Device.MICROPHONE:
                self._dialogue.step(TurnInput.CAPTURE_LOST)
            case ev.Device.SPEAKER:
                self._dialogue.telling.speaker_lost = True
                self._dialogue.step(TurnInput.SPEAKER_LOST)
            case ev.Device.BUTTON:
                self._gesture(self._button.lost(ev.Trigger.BUTTON))

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        ev.Started: _started,
        ev.ButtonEdge: _button_edge,
        ev.ButtonHeldAtStart: _button_held_at_start,
        ev.KeyEdge: _control,
        ev.KeyFound: _control,
        ev.KeyAwaited: _control,
        ev.KeyLost: _control,
        ev.KnobTurned: _control,
        ev.VolumeRequested: _control,
        ev.VolumeStepped: _control,
        ev.MuteRequested: _control,
        ev.LeaveRequested: _leave_requested,
        ev.RepeatRequested: _repeat_requested,
        ev.PartReady: _control,
        ev.PartLost: _part_lost,
        ev.PartGone: _part_lost,
        ev.VolumeChanged: _control,
        ev.PressRequested: _press_requested,
        ev.ReleaseRequested: _release_requested,
        ev.StopRequested: _stop_requested,
        ev.ForgetRequested: _forget_requested,
        ev.SayRequested: _say_requested,
        ev.ToneRequested: _tone_requested,
        ev.BudgetChanged: _budget_changed,
        ev.ReloadRequested: _reload_requested,
        ev.ClockRead: _about_timers,
        ev.TimersKept: _about_timers,
        ev.TimerSet: _about_timers,
        ev.TimersCancelled: _about_timers,
        ev.MissedTold: _about_timers,
        ev.ToolsChanged: _tools_changed,
        ev.ShutdownRequested: _shutdown_requested,
        ev.DeviceReady: _device_ready,
        ev.DeviceLost: _device_lost,
        ev.Xrun: _sounded,
        ev.CaptureStarted: _sounded,
        ev.CaptureEnded: _sounded,
        ev.PlaybackStarted: _sounded,
        ev.PlaybackStarved: _sounded,
        ev.PlaybackResumed: _sounded,
        ev.PlaybackDrained: _sounded,
        ev.NoticeEnded: _sounded,
        ev.ConnectionOpened: _on_the_wire,
        ev.ConnectionClosed: _on_the_wire,
        ev.GoAwayReceived: _on_the_wire,
        ev.HandleIssued: _on_the_wire,
        ev.ActivityStartSent: _on_the_wire,
        ev.FirstAudioSent: _on_the_wire,
        ev.UtteranceSent: _on_the_wire,
        ev.TranscriptReceived: _on_the_wire,
        ev.VoiceHeard: _on_the_wire,
        ev.ReplyStarted: _on_the_wire,
        ev.GenerationCompleted: _on_the_wire,
        ev.TurnCompleted: _on_the_wire,
        ev.AnswerContinues: _on_the_wire,
        ev.UsageReported: _on_the_wire,
        ev.Interrupted: _on_the_wire,
        ev.ToolCallReceived: _on_the_wire,
        ev.ToolExecuted: _on_the_wire,
        ev.ToolResponseSent: _on_the_wire,
        ev.ToolCallsCancelled: _on_the_wire,
    }
