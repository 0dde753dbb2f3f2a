"""The link machine: connections, at most one at a time; when one is made, closed, made again.

A connection is one socket; the conversation is the :class:`~speakerd.conversation.session.Session`.

:data:`TRANSITIONS` is the table of states; the methods of :class:`Link` decide which input a fact
amounts to. Time is an argument, randomness is given, orders are appended to ``out``.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from speakerd.conversation.effects import Connect, Disconnect, Effect, Notice
from speakerd.conversation.events import SessionHandle
from speakerd.conversation.features import Features
from speakerd.conversation.ledger import Context
from speakerd.conversation.pace import Pace
from speakerd.conversation.rules import FOREVER, LinkPolicy, Rules
from speakerd.conversation.session import Session
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable


class LinkState(enum.Enum):
    """Where the connection is."""

    DOWN = "down"  # none, and none is wanted
    CONNECTING = "connecting"  # on its way: TCP, TLS, the upgrade, the setup
    READY = "ready"  # the setup is accepted
    CLOSING = "closing"  # ours to close; the next one waits until it is
    WAITING = "waiting"  # wanted, but not before a certain time
    REFUSED = "refused"  # trying again is no use until somebody has changed something


class LinkInput(enum.Enum):
    """What moves the link."""

    CONNECT = "connect"
    OPENED = "opened"
    CLOSE = "close"
    WAIT = "wait"  # lost, or closed; to be made again later
    END = "end"  # lost, or closed; not wanted
    REFUSE = "refuse"


_S, _I = LinkState, LinkInput

TRANSITIONS: dict[LinkState, dict[LinkInput, LinkState]] = {
    _S.DOWN: {_I.CONNECT: _S.CONNECTING, _I.WAIT: _S.WAITING},
    _S.CONNECTING: {
        _I.OPENED: _S.READY,
        _I.CLOSE: _S.CLOSING,
        _I.WAIT: _S.WAITING,
        _I.END: _S.DOWN,
        _I.REFUSE: _S.REFUSED,
    },
    _S.READY: {
        _I.CLOSE: _S.CLOSING,
        _I.WAIT: _S.WAITING,
        _I.END: _S.DOWN,
        _I.REFUSE: _S.REFUSED,
    },
    _S.CLOSING: {_I.WAIT: _S.WAITING, _I.END: _S.DOWN},
    _S.WAITING: {_I.CONNECT: _S.CONNECTING, _I.END: _S.DOWN},
    _S.REFUSED: {_I.CONNECT: _S.CONNECTING, _I.WAIT: _S.WAITING},
}

#: What the person is told when the link gives up, by the kind of failure.
_REFUSALS: dict[FailureKind, Notice] = {
    FailureKind.KEY: Notice.KEY_REFUSED,
    FailureKind.MODEL: Notice.MODEL_GONE,
    FailureKind.HANDLE: Notice.MODEL_GONE,
    FailureKind.SETUP: Notice.SETUP_REFUSED,
}

_HAS_SOCKET = {LinkState.READY, LinkState.CLOSING}
_NO_REASON = "closed without a reason"


def _asked(rules: Rules) -> tuple[object, ...]:
    """What a setup has in it, as far as the core knows."""
    return rules.models, rules.features, rules.lacks


class LinkChange(enum.Enum):
    """What a turn needs to know of the link."""

    READY = "ready"
    LOST = "lost"
    REFUSED = "refused"


class Link:
    """Connects, reconnects and closes.

    ``random()`` gives numbers in [0, 1) for the jitter. ``busy`` (a turn is under way) and
    ``urgent`` (somebody speaks or waits for an answer) are kept true by the core; so is ``paused``
    (hands free: a turn is under way, and nobody has said anything in it).
    """

    def __init__(self, rules: Rules, random: Callable[[], float]) -> None:
        self._rules = rules
        self._pace = Pace(rules, random)
        self.state = LinkState.DOWN
        self.generation = 0
        self.busy = False
        self.paused = False
        self.urgent = False
        self.session = Session(rules)
        self.context = Context.NONE
        self.refusal: Notice | None = None  # why there is no use in waiting for a connection
        self.opened = 0  # connections the server has accepted
        self.changes: list[LinkChange] = []  # not yet taken by the core
        self.failures: list[Failure] = []  # worth telling, and not yet taken by the core
        self.features = Features(rules.asked_of(rules.models[0]), rules.ask_again_s)
        self.model = rules.models[0]  # of the connection that is there, or else of the next one
        self._model = 0  # index into rules.models: the next connection's
        self._verified = False  # some server verdict on key and model has been seen
        self._retry_at = 0.0  # in WAITING: when to connect
        self._since = 0.0  # when the state was entered
        self._idle_since = 0.0
        self._go_away_at = FOREVER
        self._renew = False  # the setup of this connection is out of date
        self._running = False  # between start and shut

    # --- what the core asks for

    @property
    def wanted(self) -> bool:
        """Whether there should be a connection now, or as soon as one can be had."""
        if not self._running:
            return False
        return self.busy or not self._verified or self._rules.policy is LinkPolicy.ALWAYS

    def start(self, now: float, out: list[Effect]) -> None:
        """Begin, with the conversation that the session has."""
        self._running = True
        self.wake(now, out)

    def press(self, now: float, out: list[Effect], *, sure: bool = True) -> None:
        """Somebody is about to speak: connect, also out of a backoff or a refusal.

        Not ``sure``: it may be a tap.
        """
        if not self._running:
            return
        self.refusal = None
        at = self._pace.press(now, sure=sure)
        if self.state in {LinkState.DOWN, LinkState.WAITING, LinkState.REFUSED}:
            if self.state is LinkState.WAITING:
                at = min(at, self._retry_at)
            self._connect_at(at, now, out)

    def held(self, now: float, out: list[Effect]) -> None:
        """The press was no tap: if it has been taken for one, it counts now."""
        if self._pace.press_waits:
            self.press(now, out)

    def turn_ended(self, now: float, out: list[Effect], *, completed: bool) -> None:
        """A turn is over; ``completed``: the server has answered it."""
        self._idle_since = now
        if completed:
            self.features.answered()
        self.session.turn_ended(out, completed=completed)

    def restart(self, reason: Failure, now: float, out: list[Effect]) -> None:
        """The connection does not answer: make a new one (the old one is closed first)."""
        if self.state is LinkState.READY:
            self._close(now, out, reason)

    def unanswered(self, now: float) -> None:
        """A turn was sent as often as it may be, and got no answer at all."""
        self.session.unanswered()
        if self.state is LinkState.READY and self.session.told:
            self.features.without_history(now)

    def session_is_wedged(self) -> None:
        """The server takes whole utterances and answers nothing but ``interrupted``."""
        if self.session.presented:
            self.session.drop(self.generation)

    def forget(self, now: float, out: list[Effect]) -> None:
        """Drop the conversation: the handle, its copy on disk, and the connection that has it."""
        self.session.drop(self.generation)
        self.session.save(out)
        if self.state in {LinkState.READY, LinkState.CONNECTING}:
            self._close(now, out)

    def reload(self, rules: Rules, now: float, out: list[Effect], *, setup: bool) -> None:
        """Live by other rules, between turns. ``setup``: a setup has more in it that is new.

        What the server says to a new setup, or to one that it has refused, is found out at once.
        Another model is another conversation.
        """
        old = self._rules
        self._rules = self.session.rules = self._pace.rules = rules
        if rules.models[0] not in {old.models[0], self.model}:
            self.session.drop(self.generation)
            self.session.save(out)
        setup = setup or _asked(rules) != _asked(old)
        if not (setup or self.state is LinkState.REFUSED):
            return
        self.refusal = None
        self._model = 0
        self.features = Features(rules.asked_of(rules.models[0]), rules.ask_again_s)
        if self.state not in _HAS_SOCKET:
            self.model = rules.models[0]
        self._verified = False
        if not self._running:
            return
        match self.state:
            case LinkState.READY:
                self._renew = True
            case LinkState.CONNECTING:
                self._close(now, out)
            case LinkState.DOWN | LinkState.WAITING | LinkState.REFUSED:
                self._connect_at(now, now, out)
            case LinkState.CLOSING:
                pass
        self._pace.tries = 0

    def renew(self, rules: Rules) -> None:
        """Live by ``rules``, which differ in the features: the next setup has other tools in it.

        A connection that there is is made anew as soon as that disturbs nobody.
        """
        self._rules = self.session.rules = self._pace.rules = rules
        self.features = Features(rules.asked_of(self.model), rules.ask_again_s)
        self._renew = self._renew or self.state in {LinkState.READY, LinkState.CONNECTING}

    def shut(self, now: float, out: list[Effect]) -> None:
        """The daemon ends: close, and keep what must be kept."""
        self._running = False
        self.session.save(out)
        if self.state in {LinkState.READY, LinkState.CONNECTING}:
            self._close(now, out)

    # --- what the edge reports

    def connection_opened(self, generation: int, now: float, *, told: bool = False) -> None:
        """The setup of ``generation`` was accepted; ``told``: it was told how it went before."""
        if generation != self.generation or self.state is not LinkState.CONNECTING:
            return
        self._move(LinkInput.OPENED, now)
        self.opened += 1
        self._verified = True
        self.refusal = None
        self.features.accepted()
        self.session.accepted(told=told)
        self._idle_since = now
        self.context = Context.RESUMED if self.session.presented else Context.FRESH
        self.changes.append(LinkChange.READY)

    def connection_closed(
        self, generation: int, failure: Failure | None, now: float, out: list[Effect]
    ) -> None:
        """The socket of ``generation`` is closed, or could not be made."""
        if generation != self.generation:
            return
        match self.state:
            case LinkState.CLOSING:
                self._again(now, out)
            case LinkState.CONNECTING:
                self._not_made(failure or Failure(FailureKind.SERVER, _NO_REASON), now, out)
            case LinkState.READY:
                self._lost(failure or Failure(FailureKind.SERVER, _NO_REASON), now, out)
            case LinkState.DOWN | LinkState.WAITING | LinkState.REFUSED:
                pass  # it was given up before: its close comes late

    def go_away(self, generation: int, time_left_s: float, now: float) -> None:
        """The server will close the connection; between turns we are quicker."""
        if generation == self.generation and self.state is LinkState.READY:
            left_s = max(0.0, time_left_s)
            at = now + left_s - min(self._rules.go_away_margin_s, left_s / 2)
            self._go_away_at = min(self._go_away_at, at)

    def handle_issued(self, generation: int, handle: str, out: list[Effect]) -> None:
        """The newest handle is the conversation, also while the connection is being closed.

        The first one that remembers a turn is kept at once, if the turn is over: the machine may
        lose its power at any time. What comes after it is nothing new, and SD cards wear.
        """
        if generation != self.generation or self.state not in _HAS_SOCKET:
            return
        is_news = self.session.issued(SessionHandle(handle, self.model), generation)
        if is_news and not self.busy:
            self.session.save(out)

    # --- time

    def deadline(self) -> float:
        """When :meth:`wake` has something to do; infinity for never."""
        match self.state:
            case LinkState.CONNECTING:
                return self._since + self._rules.connect_timeout_s
            case LinkState.CLOSING:
                return self._since + self._rules.close_timeout_s
            case LinkState.WAITING:
                return self._retry_at
            case LinkState.READY:
                return min(self._go_away_at, self._gap_at(), self._linger_end())
            case LinkState.DOWN | LinkState.REFUSED:
                return FOREVER

    def wake(self, now: float, out: list[Effect]) -> None:
        """Do what is due, also what has become due by ``busy`` or ``urgent``."""
        match self.state:
            case LinkState.DOWN if self.wanted:
                self._connect_at(now, now, out)
            case LinkState.WAITING if not self.wanted:
                self._move(LinkInput.END, now)
            case LinkState.WAITING if now >= self._retry_at:
                self._connect_at(now, now, out)
            case LinkState.CONNECTING if now >= self.deadline():
                limit_s = self._rules.connect_timeout_s
                self._close(now, out, Failure(FailureKind.TIMEOUT, f"no answer in {limit_s:g} s"))
            case LinkState.CLOSING if now >= self.deadline():
                self._again(now, out)
            case LinkState.READY if now >= self.deadline():
                self._close(now, out)
            case _:
                pass

    # --- inside

    def _gap_at(self) -> float:
        """After a GoAway or a reload: when nobody is disturbed by a close."""
        going = self._go_away_at < FOREVER or self._renew
        if not going or (self.busy and not self.paused):
            return FOREVER
        return self._idle_since + self.session.grace_s

    def _linger_end(self) -> float:
        if self.busy or self._rules.policy is LinkPolicy.ALWAYS:
            return FOREVER
        return self._idle_since + max(self._rules.linger_s, self.session.grace_s)

    def _move(self, event: LinkInput, now: float) -> None:
        self.state = TRANSITIONS[self.state][event]
        self._since = now

    def _connect_at(self, at: float, now: float, out: list[Effect]) -> None:
        """Connect at that time, or when the storm limit allows it."""
        self._retry_at = max(at, self._pace.allowed_at())
        if self._retry_at > now:
            if self.state is not LinkState.WAITING:
                self._move(LinkInput.WAIT, now)
            return
        self._move(LinkInput.CONNECT, now)
        self.generation += 1
        self._pace.begin(now)
        self._go_away_at = FOREVER
        self._renew = False
        self.model = self._rules.models[self._model]
        asked_at = self._pace.asked_at if self.urgent else FOREVER
        handle = self.session.present(self.model, now, asked_at)
        without = self.features.leave_out(now)
        out.append(Connect(self.generation, self.model, handle, without))

    def _close(self, now: float, out: list[Effect], failure: Failure | None = None) -> None:
        """Close the connection ourselves."""
        if failure is not None:
            self.failures.append(failure)
        out.append(Disconnect(self.generation, failure))
        if self.state is LinkState.READY:
            self._end_ready(now, None)
        else:
            self._pace.tries += 1
        self._move(LinkInput.CLOSE, now)

    def _end_ready(self, now: float, failure: Failure | None) -> None:
        """An open connection is open no longer: was it a stable one?"""
        stable = now - self._since >= self._rules.stable_s
        lingered = failure is None and self._go_away_at == FOREVER and not self.busy
        self._pace.tries = 0 if stable or lingered else self._pace.tries + 1
        self.session.ended(failure, self.generation, stable=stable)
        self.context = Context.NONE
        self.changes.append(LinkChange.LOST)

    def _lost(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """An open connection ended, not by us."""
        self._end_ready(now, failure)
        if failure.kind is not FailureKind.IDLE or self.busy:
            self.failures.append(failure)
        named = failure.feature is not None or failure.kind is FailureKind.QUOTA
        if named:
            do_without = self.features.suspect(failure, now)
        else:
            do_without = self.session.told and self.features.choked(failure, now)
        if do_without:
            self._once_more(now, out)
            return
        if failure.kind in {FailureKind.SETUP, FailureKind.HANDLE}:
            self._again(now, out)  # not of the setup, which was accepted: the next one may do
        else:
            self._judge(failure, now, out)

    def _not_made(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """A connection could not be made, or its setup was refused."""
        self._pace.tries += 1
        if not failure.went_out:
            self._pace.did_not_go_out()
        self.failures.append(failure)
        if self.features.suspect(failure, now, resumed=self.session.presented):
            self._once_more(now, out)
            return
        self.session.refused(failure, now)
        self._judge(failure, now, out)

    def _choose(self, model: int) -> None:
        """The connection is gone; the next one is to this model: another one, another chance."""
        self._model = model
        self.model = self._rules.models[model]
        self.features = Features(self._rules.asked_of(self.model), self._rules.ask_again_s)

    @property
    def _has_another_model(self) -> bool:
        return self._model + 1 < len(self._rules.models)

    def _judge(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """Try again, wait, or give up, by the kind of failure."""
        match failure.kind:
            case FailureKind.HANDLE if self.session.presented:
                self.session.drop(self.generation)
                self._once_more(now, out)
            # What is not found, if it is no handle, is the model.
            case FailureKind.MODEL | FailureKind.HANDLE if self._has_another_model:
                self._choose(self._model + 1)
                self.session.model_changed()
                self._once_more(now, out)
            case FailureKind.KEY | FailureKind.MODEL | FailureKind.HANDLE | FailureKind.SETUP:
                if failure.kind in {FailureKind.MODEL, FailureKind.HANDLE}:
                    self._choose(0)  # all have been tried: the next press begins with the first
                self._refuse(_REFUSALS[failure.kind])
                self.session.save(out)
                self._move(LinkInput.REFUSE, now)
            case FailureKind.QUOTA:
                self._refuse(Notice.QUOTA_USED_UP)
                self._again(now, out, self._pace.quota_s())
            case _:
                self._again(now, out)

    def _refuse(self, notice: Notice) -> None:
        """Nobody needs to wait for a connection; the person is told once, until a press."""
        if self.refusal is not notice:
            self.changes.append(LinkChange.REFUSED)
        self._verified = True
        self.refusal = notice

    def _once_more(self, now: float, out: list[Effect]) -> None:
        """Ask for something else, at once: as long as there is a press behind it, it counts."""
        self._pace.keep_press()
        self._again(now, out, 0.0)

    def _again(self, now: float, out: list[Effect], delay_s: float | None = None) -> None:
        """The connection is gone: make another one if one is wanted, by default with backoff."""
        self.session.save(out)
        if not self.wanted:
            self._move(LinkInput.END, now)
            return
        self._move(LinkInput.WAIT, now)
        if delay_s is None:
            delay_s = self._pace.backoff_s(urgent=self.urgent)
        self._connect_at(now + delay_s, now, out)
