"""The link machine: one conversation over many connections, at most one at a time.

The session is the conversation, a connection is one socket. What is kept between connections is
the newest session handle with the model that issued it; it is the only thing the conversation
hangs on, so it is dropped only when the server has shown that it is no good.

:data:`TRANSITIONS` is the table of states; the methods of :class:`Link` decide which input a fact
amounts to. Time is an argument, randomness is given, orders are appended to ``out``.
"""

from __future__ import annotations

import collections
import enum
from typing import TYPE_CHECKING

from speakerd.conversation.effects import Connect, Disconnect, Effect, Notice, SaveHandle
from speakerd.conversation.events import SessionHandle
from speakerd.conversation.features import Features
from speakerd.conversation.ledger import Context
from speakerd.conversation.rules import FOREVER, LinkPolicy, Rules
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
    FailureKind.SETUP: Notice.SETUP_REFUSED,
}

#: What the server has closed for a reason of its own: it speaks against the conversation resumed.
_VERDICTS = {FailureKind.SERVER, FailureKind.SETUP, FailureKind.HANDLE}
_HAS_SOCKET = {LinkState.READY, LinkState.CLOSING}
_NO_REASON = "closed without a reason"


class LinkChange(enum.Enum):
    """What a turn needs to know of the link."""

    READY = "ready"
    LOST = "lost"
    REFUSED = "refused"


class Link:
    """Connects, reconnects and closes; keeps the handle.

    ``random()`` gives numbers in [0, 1) for the jitter. ``busy`` (a turn is under way) and
    ``urgent`` (somebody speaks or waits for an answer) are kept true by the core.
    """

    def __init__(self, rules: Rules, random: Callable[[], float]) -> None:
        self._rules = rules
        self._random = random
        self.state = LinkState.DOWN
        self.generation = 0
        self.busy = False
        self.urgent = False
        self.handle: SessionHandle | None = None
        self.context = Context.NONE
        self.refusal: Notice | None = None  # why there is no use in waiting for a connection
        self.opened = 0  # connections the server has accepted
        self.changes: list[LinkChange] = []  # not yet taken by the core
        self.failures: list[Failure] = []  # worth telling, and not yet taken by the core
        self.features = Features(rules.features)
        self._saved: SessionHandle | None = None
        self._model = 0  # index into rules.models
        self._verified = False  # some server verdict on key and model has been seen
        self._retry_at = 0.0  # in WAITING: when to connect
        self._tries = 0  # connections in a row that did not become stable, for the backoff
        self._connects: collections.deque[float] = collections.deque(
            maxlen=rules.max_connects_per_minute
        )
        self._since = 0.0  # when the state was entered
        self._idle_since = 0.0
        self._go_away_at = FOREVER
        self._behind = False  # the newest handle does not remember the last turn
        self._presented = False  # this connection was opened with a handle
        self._disowned = 0  # the generation whose conversation was dropped: so are its handles
        self._strikes = 0  # server closes soon after resuming, in a row
        self._doubts = 0  # refused setups that presented the handle, in a row
        self._asked_at = 0.0  # when somebody last began to speak
        self._resisted_at = FOREVER  # since when the server has failed at resuming, in a row
        self._running = False  # between start and shut

    # --- what the core asks for

    @property
    def model(self) -> str:
        """The model in use."""
        return self._rules.models[self._model]

    @property
    def wanted(self) -> bool:
        """Whether there should be a connection now, or as soon as one can be had."""
        if not self._running:
            return False
        return self.busy or not self._verified or self._rules.policy is LinkPolicy.ALWAYS

    def start(self, handle: SessionHandle | None, now: float, out: list[Effect]) -> None:
        """Begin, with the conversation kept from before."""
        self.handle = self._saved = handle
        self._running = True
        self.wake(now, out)

    def press(self, now: float, out: list[Effect]) -> None:
        """Somebody is about to speak: connect, also out of a backoff or a refusal."""
        if not self._running:
            return
        self.refusal = None
        self._asked_at = now
        if self.state in {LinkState.DOWN, LinkState.WAITING, LinkState.REFUSED}:
            at = now
            if self._tries and self._connects:  # mashing the button does not defeat the backoff
                at = self._connects[-1] + self._rules.backoff_first_s
            if self.state is LinkState.WAITING:
                at = min(at, self._retry_at)
            self._connect_at(at, now, out)

    def utterance_sent(self) -> None:
        """A turn has begun on the server; it issues no handle before the turn is over."""
        self._behind = True

    def turn_ended(self, now: float, out: list[Effect], *, completed: bool) -> None:
        """A turn is over; ``completed``: the server has answered it."""
        self._idle_since = now
        if completed:
            self._strikes = 0
        self._save(out)

    def restart(self, reason: Failure, now: float, out: list[Effect]) -> None:
        """The connection does not answer: make a new one (the old one is closed first)."""
        if self.state is LinkState.READY:
            self._close(now, out, reason)

    def session_is_wedged(self) -> None:
        """The server takes whole utterances and answers nothing but ``interrupted``."""
        if self._presented:
            self._drop_handle()

    def forget(self, now: float, out: list[Effect]) -> None:
        """Drop the conversation: the handle, its copy on disk, and the connection that has it."""
        self._drop_handle()
        self._save(out)
        if self.state in {LinkState.READY, LinkState.CONNECTING}:
            self._close(now, out)

    def shut(self, now: float, out: list[Effect]) -> None:
        """The daemon ends: close, and keep what must be kept."""
        self._running = False
        self._save(out)
        if self.state in {LinkState.READY, LinkState.CONNECTING}:
            self._close(now, out)

    # --- what the edge reports

    def connection_opened(self, generation: int, now: float) -> None:
        """The setup of ``generation`` was accepted."""
        if generation != self.generation or self.state is not LinkState.CONNECTING:
            return
        self._move(LinkInput.OPENED, now)
        self.opened += 1
        self._verified = True
        self.refusal = None
        self._resisted_at = FOREVER
        self.features.accepted()
        self._idle_since = now
        self._behind = False
        if self._presented:
            self._doubts = 0
        self.context = Context.RESUMED if self._presented else Context.FRESH
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
        if generation == self.generation != self._disowned and self.state in _HAS_SOCKET:
            self.handle = SessionHandle(handle, self.model)
            self._doubts = 0
            if self._behind and not self.busy:
                self._save(out)
            self._behind = False

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
        """After a GoAway: when nobody is disturbed by a close."""
        if self.busy or self._go_away_at == FOREVER:
            return FOREVER
        return self._idle_since + self._handle_grace_s

    def _linger_end(self) -> float:
        if self.busy or self._rules.policy is LinkPolicy.ALWAYS:
            return FOREVER
        return self._idle_since + max(self._rules.linger_s, self._handle_grace_s)

    @property
    def _handle_grace_s(self) -> float:
        """How long a close of our own has to wait, or the last turn would be forgotten by it."""
        return self._rules.handle_grace_s if self._behind else 0.0

    def _move(self, event: LinkInput, now: float) -> None:
        self.state = TRANSITIONS[self.state][event]
        self._since = now

    def _connect_at(self, at: float, now: float, out: list[Effect]) -> None:
        """Connect at that time, or when the storm limit allows it."""
        self._retry_at = max(at, self._storm_limit())
        if self._retry_at > now:
            if self.state is not LinkState.WAITING:
                self._move(LinkInput.WAIT, now)
            return
        self._move(LinkInput.CONNECT, now)
        self.generation += 1
        self._connects.append(now)
        self._go_away_at = FOREVER
        handle = self._presentable(now)
        self._presented = handle is not None
        out.append(Connect(self.generation, self.model, handle, self.features.left_out))

    def _presentable(self, now: float) -> SessionHandle | None:
        """The handle, unless it is another model's, or setups that present it are refused.

        In the second case it is kept, because the settings may be at fault; but if a setup
        without it is accepted, its conversation is the one that goes on. So too when somebody has
        waited for long and the server fails again and again at resuming: it does while it holds
        the old connection for alive, and after Wi-Fi has dropped one it may for minutes.
        """
        if self.handle is None or self.handle.model != self.model or self._doubts >= 2:
            return None
        waiting_since = max(self._resisted_at, self._asked_at)
        if self.urgent and now >= waiting_since + self._rules.resume_patience_s:
            return None
        return self.handle

    def _storm_limit(self) -> float:
        """Never more than so many connections a minute, whatever happens."""
        if len(self._connects) < self._rules.max_connects_per_minute:
            return -FOREVER
        return self._connects[0] + 60.0

    def _close(self, now: float, out: list[Effect], failure: Failure | None = None) -> None:
        """Close the connection ourselves."""
        if failure is not None:
            self.failures.append(failure)
        out.append(Disconnect(self.generation, failure))
        if self.state is LinkState.READY:
            self._end_ready(now)
        else:
            self._tries += 1
        self._move(LinkInput.CLOSE, now)

    def _end_ready(self, now: float) -> None:
        """An open connection is open no longer: was it a stable one?"""
        stable = now - self._since >= self._rules.stable_s
        self._tries = 0 if stable else self._tries + 1
        self._strikes = 0 if stable else self._strikes
        self.context = Context.NONE
        self.changes.append(LinkChange.LOST)

    def _lost(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """An open connection ended, not by us."""
        self._end_ready(now)
        if failure.kind is not FailureKind.IDLE or self.busy:
            self.failures.append(failure)
        closed_by_server = failure.kind in _VERDICTS or failure.code in {1000, 1001}
        if self._presented and closed_by_server and now - self._since < self._rules.stable_s:
            self._strikes += 1
        if self._strikes >= 2:
            self._drop_handle()
        named = failure.feature is not None or failure.kind is FailureKind.QUOTA
        if named and self.features.suspect(failure):
            self._again(now, out, 0.0)
            return
        if failure.kind is FailureKind.SETUP:
            self._again(now, out)  # not of the setup, which was accepted: the next one may do
        else:
            self._judge(failure, now, out)

    def _not_made(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """A connection could not be made, or its setup was refused."""
        self._tries += 1
        self.failures.append(failure)
        if self.features.suspect(failure):
            self._again(now, out, 0.0)
            return
        if failure.kind is FailureKind.SETUP and self._presented:
            self._doubts += 1
        resisted = failure.kind is FailureKind.SERVER and failure.code is not None
        if not (resisted and self._presented):
            self._resisted_at = FOREVER
        elif self._resisted_at == FOREVER:
            self._resisted_at = now
        self._judge(failure, now, out)

    def _judge(self, failure: Failure, now: float, out: list[Effect]) -> None:
        """Try again, wait, or give up, by the kind of failure."""
        match failure.kind:
            case FailureKind.HANDLE:
                self._drop_handle()
                self._again(now, out)
            case FailureKind.MODEL if self._model + 1 < len(self._rules.models):
                self._model += 1
                self._strikes = self._doubts = 0
                self.features.forget()
                self._again(now, out, 0.0)
            case FailureKind.KEY | FailureKind.MODEL | FailureKind.SETUP:
                if failure.kind is FailureKind.MODEL:
                    self._model = 0  # all have been tried: the next press begins with the first
                    self.features.forget()
                self._refuse(_REFUSALS[failure.kind])
                self._save(out)
                self._move(LinkInput.REFUSE, now)
            case FailureKind.QUOTA:
                self._refuse(Notice.QUOTA_USED_UP)
                self._again(now, out, self._rules.quota_backoff_s * (1 + self._random()))
            case _:
                self._again(now, out)

    def _refuse(self, notice: Notice) -> None:
        """Nobody needs to wait for a connection; the person is told once, until a press."""
        if self.refusal is not notice:
            self.changes.append(LinkChange.REFUSED)
        self._verified = True
        self.refusal = notice

    def _again(self, now: float, out: list[Effect], delay_s: float | None = None) -> None:
        """The connection is gone: make another one if one is wanted, by default with backoff."""
        self._save(out)
        if not self.wanted:
            self._move(LinkInput.END, now)
            return
        self._move(LinkInput.WAIT, now)
        self._connect_at(now + (self._backoff_s() if delay_s is None else delay_s), now, out)

    def _backoff_s(self) -> float:
        """The pause before the next try: none, then doubling with jitter up to the cap."""
        if self._tries <= 1:
            return 0.0
        cap_s = self._rules.backoff_urgent_s if self.urgent else self._rules.backoff_max_s
        full_s = min(cap_s, self._rules.backoff_first_s * 2.0 ** min(self._tries - 2, 16))
        return full_s * (0.5 + self._random() / 2)

    def _drop_handle(self) -> None:
        self.handle = None
        self._disowned = self.generation
        self._strikes = self._doubts = 0

    def _save(self, out: list[Effect]) -> None:
        """Order the handle to be kept, if it is another than the one that is."""
        if self.handle != self._saved:
            self._saved = self.handle
            out.append(SaveHandle(self.handle))
