"""The session: one conversation over many connections, which hangs on its newest handle.

The handle is dropped only when the server has shown that it is no good; what speaks against it is
counted here. It is kept on disk with the model that issued it: to any other model it is poison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation.effects import Effect, SaveHandle
from speakerd.conversation.rules import FOREVER, Rules
from speakerd.errors import Failure, FailureKind, may_be_in_use

if TYPE_CHECKING:
    from speakerd.conversation.events import SessionHandle

#: What the server has closed for a reason of its own: it speaks against the conversation resumed.
_VERDICTS = {FailureKind.SERVER, FailureKind.SETUP, FailureKind.HANDLE}
_NORMAL_CLOSURES = {1000, 1001}


class Session:
    """Which handle is presented, kept and dropped. The link tells what becomes of connections."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.handle: SessionHandle | None = None
        self.presented = False  # by the connection that is there, or is being made
        self.told = False  # it was told how it went before, and has answered nothing since
        self._saved: SessionHandle | None = None
        self._behind = False  # the newest handle does not remember the last turn
        self._answered = False  # by now: the next handle will
        self._superseded = False  # this connection has begun another conversation
        self._disowned = 0  # the generation whose conversation was dropped: so are its handles
        self._strikes = 0  # server closes soon after resuming, in a row
        self._doubts = 0  # refused setups that presented the handle, in a row
        self._resisted_at = FOREVER  # since when the server has failed at resuming, in a row
        self._unanswered = 0  # turns that resumed sessions left without an answer, in a row

    # --- the handle

    def begin(self, handle: SessionHandle | None) -> None:
        """Begin with what was kept from before."""
        self.handle = self._saved = handle

    def present(self, model: str, now: float, asked_at: float) -> SessionHandle | None:
        """The handle for a setup; ``asked_at``: since when somebody waits, FOREVER for nobody.

        None if there is none, if it is another model's, or if setups that present it are refused.
        In that case it is kept, because the settings may be at fault; but if a setup without it
        is accepted, its conversation is the one that goes on. So too when somebody has waited for
        long and the server fails again and again at resuming: it does while it holds the old
        connection for alive, and after Wi-Fi has dropped one it may for minutes. And so when
        resumed sessions take every sentence and answer none.
        """
        self.presented = False
        if self.handle is None or self.handle.model != model:
            return None
        if self._doubts >= 2 or self._unanswered >= 2:
            return None
        if now >= max(self._resisted_at, asked_at) + self.rules.resume_patience_s:
            return None
        self.presented = True
        return self.handle

    def issued(self, handle: SessionHandle, generation: int) -> bool:
        """Take a newer handle; whether it is the first one that remembers the last turn."""
        if generation == self._disowned:
            return False
        self.handle = handle
        self._doubts = 0
        self._superseded = False
        is_news = self._behind and self._answered
        self._behind = self._behind and not is_news
        return is_news

    def drop(self, generation: int) -> None:
        """The conversation of that connection, and of all before, is over."""
        self.handle = None
        self._disowned = generation
        self.model_changed()

    def save(self, out: list[Effect]) -> None:
        """Order the handle to be kept on disk, if it is another than the one that is."""
        if self.handle != self._saved:
            self._saved = self.handle
            out.append(SaveHandle(self.handle))

    @property
    def grace_s(self) -> float:
        """How long a close of our own has to wait, or the last turn would be forgotten by it."""
        return self.rules.handle_grace_s if self._behind else 0.0

    # --- what becomes of it

    def utterance_sent(self) -> None:
        """A turn has begun on the server; a handle that is on its way does not remember it."""
        self._behind, self._answered = True, False

    def answered(self) -> None:
        """The server works on its answer or has ended it; the next handle remembers the turn."""
        self._answered = True
        self.told = False

    def turn_ended(self, out: list[Effect], *, completed: bool) -> None:
        """A turn is over; ``completed``: it was answered, or with silence."""
        if completed:
            self._strikes = self._unanswered = 0
            if self._superseded:
                self.handle = None
        if not self._behind:
            self.save(out)  # otherwise a better one comes soon, and SD cards wear

    def unanswered(self) -> None:
        """A turn was sent as often as it may be, and got no answer at all."""
        self._unanswered += self.presented

    def accepted(self, *, told: bool = False) -> None:
        """The setup was accepted; ``told``: the server was told how it went before."""
        self.told = told
        self._behind = False
        self._superseded = not self.presented and self.handle is not None
        self._resisted_at = FOREVER
        if self.presented:
            self._doubts = 0

    def refused(self, failure: Failure, now: float) -> None:
        """The connection could not be made, or its setup was refused."""
        if failure.kind is FailureKind.SETUP and self.presented:
            self._doubts += 1
        if not (self.presented and may_be_in_use(failure)):
            self._resisted_at = FOREVER
        elif self._resisted_at == FOREVER:
            self._resisted_at = now

    def ended(self, failure: Failure | None, generation: int, *, stable: bool) -> None:
        """A connection that was open is open no longer; None: we have closed it ourselves."""
        if stable:
            self._strikes = 0
        elif failure is not None and failure.feature is None and self.presented:
            self._strikes += failure.kind in _VERDICTS or failure.code in _NORMAL_CLOSURES
            if self._strikes >= 2 or failure.kind is FailureKind.HANDLE:
                self.drop(generation)

    def model_changed(self) -> None:
        """What was held against the handle was about another model."""
        self._strikes = self._doubts = self._unanswered = 0
