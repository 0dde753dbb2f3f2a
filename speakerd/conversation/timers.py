"""Timers, alarms and reminders: which there are, and how they ring.

One that is due waits as long as somebody speaks or is being answered, though not for ever for the
end of an answer. Then it rings, phrase by phrase, until the button is pressed. One that nobody
silences, and one that was due while the machine was off for long, is missed: the person is told
after the next turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.rules import FOREVER
from speakerd.conversation.timer import Missed, Pending, Timer, WallClock
from speakerd.conversation.turn import TurnInput, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.rules import Rules

#: In which nothing is under way, and an answer is being heard.
_FREE = {TurnState.IDLE, TurnState.SETTLING}
_ANSWERING = {TurnState.SPEAKING, TurnState.REPLYING}


class Timers:
    """All of them. ``out`` collects the orders."""

    def __init__(self, rules: Rules, dialogue: Dialogue, out: list[fx.Effect]) -> None:
        self._rules = rules
        self._dialogue = dialogue
        self._out = out
        self._clock: WallClock | None = None  # None: nobody has looked at it yet
        self._look_at = FOREVER  # when it should be looked at again, for it may have been put
        self._timers: dict[int, Timer] = {}  # by their numbers
        self._due: dict[int, float] = {}  # those that ring, or wait for it: since when
        self._missed: tuple[Missed, ...] = ()
        self._rings_since: float | None = None  # None: nothing rings
        self._phrase_at = FOREVER  # when the next phrase may begin
        self._sounding: frozenset[int] = frozenset()  # what the last phrase is of
        self._heard: frozenset[int] = frozenset()  # of what a whole phrase was heard

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on."""
        self._rules = rules

    def close(self) -> None:
        """Ring no more: the daemon ends, and what is kept stays as it is."""
        self._timers.clear()
        self._due.clear()
        self._rings_since, self._look_at = None, FOREVER

    def handle(self, event: ev.Event) -> None:
        """Take one of the facts that are about it."""
        self._HANDLERS[type(event)](self, event)

    @property
    def rings(self) -> bool:
        """Whether something rings, be it between two phrases."""
        return self._rings_since is not None

    @property
    def pending(self) -> tuple[Pending, ...]:
        """All of them, by when they are due."""
        clock = self._clock
        if clock is None:
            return ()
        listed = (
            Pending(
                timer,
                round(clock.unix_s(self._due.get(number, timer.due(clock))), 1),
                rings=self.rings and number in self._due,
            )
            for number, timer in self._timers.items()
        )
        return tuple(sorted(listed, key=lambda each: (each.due_unix_s, each.timer.number)))

    @property
    def missed(self) -> tuple[Missed, ...]:
        """Those that were missed, oldest first, until somebody has been told of each."""
        return self._missed

    # --- time

    def deadline(self) -> float:
        """When :meth:`wake` has something to do; infinity for never."""
        at = min(self._next_due(), self._look_at)
        if self.rings:
            return min(at, self._phrase_due(), self._ends_at())
        if self._due and self._dialogue.state in _ANSWERING:
            at = min(at, self._patience_ends())
        return at

    def wake(self) -> bool:
        """Do what is due; whether the dialogue has been moved by it."""
        now = self._dialogue.now
        if now >= self._look_at:
            self._look_again()
        if now >= self._next_due():
            self._fall_due()
        if not self._due:
            return False
        moved = False
        if not self.rings:
            moved = self._make_room()
            if self._dialogue.state in _FREE:
                self._begin()
        if self.rings:
            self._ring()
        return moved

    def _next_due(self) -> float:
        clock = self._clock
        if clock is None:
            return FOREVER
        return min(
            (t.due(clock) for t in self._timers.values() if t.number not in self._due),
            default=FOREVER,
        )

    def _fall_due(self) -> None:
        now, clock = self._dialogue.now, self._clock
        if clock is None:
            return
        for timer in list(self._timers.values()):
            due = timer.due(clock)
            if timer.number in self._due or due > now:
                continue
            if now - due > self._rules.ring_late_s:
                self._miss(timer, due)
            else:
                self._due[timer.number] = due
                if self.rings:  # all of them go on for as long as the newest has to
                    self._rings_since = now
                    self._out.append(fx.TimerTold(timer, fx.TimerNews.RINGS))

    def _look_again(self) -> None:
        """Whoever wakes the core looks at the clock on the wall before."""
        by_clock = any(timer.by_clock for timer in self._timers.values())
        self._look_at = self._dialogue.now + self._rules.look_at_clock_s if by_clock else FOREVER

    # --- ringing

    def _patience_ends(self) -> float:
        return min(self._due.values()) + self._rules.ring_patience_s

    def _make_room(self) -> bool:
        """End what may be ended for it: nobody is interrupted, and no question goes unanswered."""
        dialogue = self._dialogue
        if dialogue.pauses:
            return dialogue.step(TurnInput.HANG_UP)
        if dialogue.state in _ANSWERING and dialogue.now >= self._patience_ends():
            return dialogue.step(TurnInput.STOP)
        return False

    def _begin(self) -> None:
        self._rings_since = self._phrase_at = self._dialogue.now
        for number in self._due:
            self._out.append(fx.TimerTold(self._timers[number], fx.TimerNews.RINGS))

    def _ends_at(self) -> float:
        return FOREVER if self._rings_since is None else self._rings_since + self._rules.ring_s

    def _phrase_due(self) -> float:
        """When the next phrase is; the end of the one before is a fact that wakes the core."""
        playing = self._dialogue.playing
        if playing.sounds:
            return FOREVER
        return max(self._phrase_at, playing.ended_at + self._rules.ring_pause_s)

    def _ring(self) -> None:
        now = self._dialogue.now
        if now >= self._ends_at():
            self._end(missed=True)
        elif now >= self._phrase_due():
            if self._dialogue.telling.ring(self._names(self._due)):
                self._heard |= self._sounding
                self._sounding = frozenset(self._due)
            else:  # and who knows what was heard of the one before
                self._sounding = frozenset()
                self._phrase_at = now + self._rules.ring_again_s

    def _names(self, numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(name for number in numbers if (name := self._timers[number].name))

    def silence(self) -> bool:
        """The person wants it to end; whether anything rang.

        Where nothing could be heard of it nobody knows of it: it was missed. What a reminder is for
        is said once, also where nobody has waited for that.
        """
        if not self.rings:
            return False
        if not self._dialogue.playing.sounds:
            self._heard |= self._sounding
        unheard = [n for n in self._due if self._timers[n].reminds and n not in self._heard]
        names = self._names(unheard) if self._sounding else ()
        self._hush()
        self._end(missed=not self._sounding)
        if names:
            self._dialogue.telling.ring(names, bell=False)
        return True

    def _hush(self) -> None:
        """Silence; an answer that has come late, into the ringing, is over by that."""
        if not (self._dialogue.state in _ANSWERING and self._dialogue.step(TurnInput.STOP)):
            self._dialogue.hush()

    def _end(self, *, missed: bool) -> None:
        """What rings, and what waits to ring with it, is over."""
        for number, due in list(self._due.items()):
            timer = self._timers[number]
            if missed:
                self._miss(timer, due)
            else:
                self._out.append(fx.TimerTold(timer, fx.TimerNews.SILENCED))
                self._put_away(timer)
        self._rest()

    def _rest(self) -> None:
        """Nothing rings; those that are due are so no longer."""
        self._due.clear()
        self._rings_since, self._phrase_at = None, FOREVER
        self._sounding = self._heard = frozenset()
        self._keep()

    def _miss(self, timer: Timer, due: float) -> None:
        if self._clock is not None:
            missed = Missed(timer.name, timer.reminds, round(self._clock.unix_s(due), 1))
            self._missed = (*self._missed, missed)[-self._rules.max_missed :]
        self._out.append(fx.TimerTold(timer, fx.TimerNews.MISSED))
        self._dialogue.telling.owe(fx.Notice.TIMER_MISSED)
        self._put_away(timer)
        self._keep()

    def _put_away(self, timer: Timer) -> None:
        """It has been due; one that comes again is set for the next time."""
        shown = self._clock.local(self._dialogue.now) if self._clock is not None else None
        following = timer.following(shown) if shown is not None else None
        if following is None:
            del self._timers[timer.number]
        else:
            self._timers[timer.number] = following

    # --- the facts

    def _clock_read(self, event: ev.ClockRead) -> None:
        self._clock = WallClock(event.unix_s - self._dialogue.now, event.zone)
        if any(not timer.by_clock for timer in self._timers.values()):
            self._keep()  # what was kept of them goes by the clock as it was

    def _timers_kept(self, event: ev.TimersKept) -> None:
        self._timers = {timer.number: timer for timer in event.timers}
        if self._clock is not None:
            since = self._clock.unix_s(self._dialogue.now) - self._rules.missed_s
            self._missed = tuple(each for each in event.missed if each.due_unix_s > since)
        if self._missed:
            self._dialogue.telling.owe(fx.Notice.TIMER_MISSED)
        self._look_again()

    def _timer_set(self, event: ev.TimerSet) -> None:
        timer = event.timer
        if self._clock is None:
            self._refuse("the clock of the speaker has not been read yet: try again")
        elif timer.number not in self._timers and len(self._timers) >= self._rules.max_timers:
            self._refuse(f"there are {len(self._timers)} already: cancel one first")
        elif (in_s := timer.due(self._clock) - self._dialogue.now) <= 0:
            self._refuse("that time is over")
        elif in_s > self._rules.max_ahead_s:
            self._refuse("that is more than a year ahead")
        else:
            self._drop(timer.number)
            self._timers[timer.number] = timer
            self._look_again()
            self._keep()

    def _timers_cancelled(self, event: ev.TimersCancelled) -> None:
        known = [number for number in event.numbers if number in self._timers]
        if not known:
            self._refuse("there is none of that number")
            return
        for number in known:
            self._drop(number)
        self._look_again()
        self._keep()

    def _drop(self, number: int) -> None:
        """It is there no longer, also where it rings."""
        self._timers.pop(number, None)
        self._due.pop(number, None)
        if self.rings and not self._due:
            self._hush()
            self._rest()

    def _missed_told(self, _event: ev.MissedTold) -> None:
        if self._missed:
            self._missed = ()
            self._keep()

    def _refuse(self, reason: str) -> None:
        self._out.append(fx.Refused(reason))

    def _keep(self) -> None:
        timers = [each.timer for each in self.pending] or self._timers.values()
        self._out.append(fx.KeepTimers(tuple(timers), self._missed))

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        ev.ClockRead: _clock_read,
        ev.TimersKept: _timers_kept,
        ev.TimerSet: _timer_set,
        ev.TimersCancelled: _timers_cancelled,
        ev.MissedTold: _missed_told,
    }
