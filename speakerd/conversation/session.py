"""The session: one conversation over many connections, which hangs on its newest handle.

The handle is dropped only when the server has shown that it is no good; what speaks against it is
counted here. It is kept on disk with the model that issued it: to any other model it is poison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation.effects import Effect, SaveHandle
from speakerd.conversation.rules import FOREVER, Rules
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from speakerd.conversation.events import SessionHandle

#: What the server has closed for a reason of its own: it speaks against the conversation resumed.
_VERDICTS = {FailureKind.SERVER, FailureKind.SETUP, FailureKind.HANDLE}
_NORMAL_CLOSURES = {1000, 1001}


class Session:
    """Which handle is presented, kept and dropped. The link tells what becomes of connections."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.handle: SessionHandle | None = None
        self.presented = False  # by the connection that is there, or is being made
        self._saved: SessionHandle | None = None
        self._behind = False  # the newest handle does not remember the last turn
        self._disowned = 0  # the generation whose conversation was dropped: so are its handles
        self._strikes = 0  # server closes soon after resuming, in a row
        self._doubts = 0  # refused setups that presented the handle, in a row
        self._resisted_at = FOREVER  # since when the server has failed at resuming, in a row

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
        connection for alive, and after Wi-Fi has dropped one it may for minutes.
        """
        self.presented = False
        if self.handle is None or self.handle.model != model or self._doubts >= 2:
            return None
        if now >= max(self._resisted_at, asked_at) + self._rules.resume_patience_s:
            return None
        self.presented = True
        return self.handle

    def issued(self, handle: SessionHandle, generation: int) -> bool:
        """Take a newer handle; whether it is the first one that remembers the last turn."""
        if generation == self._disowned:
            return False
        self.handle = handle
        self._doubts = 0
        is_news, self._behind = self._behind, False
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
        return self._rules.handle_grace_s if self._behind else 0.0

    # --- what becomes of it

    def utterance_sent(self) -> None:
        """A turn has begun on the server; it issues no handle before the turn is over."""
        self._behind = True

    def turn_completed(self) -> None:
        """The server has answered."""
        self._strikes = 0

    def accepted(self) -> None:
        """The setup was accepted."""
        self._behind = False
        self._resisted_at = FOREVER
        if self.presented:
            self._doubts = 0

    def refused(self, failure: Failure, now: float) -> None:
        """The connection could not be made, or its setup was refused."""
        if failure.kind is FailureKind.SETUP and self.presented:
            self._doubts += 1
        resisted = failure.kind is FailureKind.SERVER and failure.code is not None
        if not (resisted and self.presented):
            self._resisted_at = FOREVER
        elif self._resisted_at == FOREVER:
            self._resisted_at = now

    def ended(self, failure: Failure | None, generation: int, *, stable: bool) -> None:
        """A connection that was open is open no longer; None: we have closed it ourselves."""
        if stable:
            self._strikes = 0
        elif failure is not None and self.presented:
            self._strikes += failure.kind in _VERDICTS or failure.code in _NORMAL_CLOSURES
            if self._strikes >= 2 or failure.kind is FailureKind.HANDLE:
                self.drop(generation)

    def model_changed(self) -> None:
        """What was held against the handle was about another model."""
        self._strikes = self._doubts = 0
