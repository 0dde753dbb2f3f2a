"""Which turn is a server message about? The wire does not say; the order of things does.

The server answers only after activityEnd. So what comes while a window is open is about an
earlier turn, and when a window was opened into an unfinished answer, what comes after its
activityEnd may still be the rest of that answer, until the server has ended it (``interrupted``,
``turnComplete``). That it does so is documented; that it always does is not, so the wait for it
is limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: The turn of what is about none.
NOBODY = 0
#: How long after an activityEnd messages may still be taken for the rest of an earlier answer
#: whose end has not come. Longer than any round trip, shorter than any answer takes to come.
STALE_LIMIT_S = 1.0


@dataclass(slots=True)
class Attribution:
    """The turns of one connection, as the server sees them."""

    limit_s: float = STALE_LIMIT_S
    _asked: int = 0  # the turn whose utterance was completed last
    _begun: bool = False  # audio of its answer has come
    _generated: bool = False  # all of its answer has come
    _ended: bool = True  # the server has called it complete, or it was spoken into
    _open: bool = False  # a window is open
    _stale: list[int] = field(default_factory=list)  # spoken into; more of them may still come
    _trailing: list[int] = field(default_factory=list)  # spoken into; only their end is missing
    _interrupted: bool = False  # the server has begun to end the oldest stale one
    _stale_until: float = 0.0
    _empty_end: bool = False  # a turnComplete may come that ends nobody's turn

    def expect_empty_end(self) -> None:
        """If a turnComplete comes before any answer, it is nobody's."""
        self._empty_end = True

    def window_opened(self) -> None:
        """activityStart is about to be sent."""
        if not self._ended:
            (self._trailing if self._generated else self._stale).append(self._asked)
            self._ended = True
        self._begun = self._generated = False
        self._open = True

    def utterance_sent(self, turn: int, now: float) -> None:
        """activityEnd (or a text) of ``turn`` is about to be sent at ``now`` (seconds)."""
        self._open = False
        self._asked = turn
        self._ended = False
        self._stale_until = now + self.limit_s

    def about(self, now: float) -> int:
        """The turn that a message received at ``now`` is about, where nothing below is told."""
        if self._stale and not self._open and now >= self._stale_until:
            self._stale.clear()
            self._interrupted = False
        return self._stale[0] if self._stale else self._asked

    def is_answered(self, turn: int) -> bool:
        """Whether an answer to that turn has begun."""
        return self._begun and turn == self._asked

    def heard(self, now: float) -> int:
        """The turn in which somebody was heard."""
        return self.about(now)

    def audio(self, now: float) -> int:
        """The turn that reply audio belongs to."""
        if self._interrupted and not self._open:
            self._stale.clear()  # late audio comes before ``interrupted``, never after it
        self._interrupted = self._interrupted and self._open
        self._empty_end = False
        turn = self.about(now)
        self._begun = turn == self._asked and not self._open
        return turn

    def answer_continues(self, now: float) -> int:
        """The turn of whose answer a part has come, and not the last one."""
        turn = self.about(now)
        if turn == self._asked and not self._open:
            self._generated = False
        return turn

    def interrupted(self, now: float) -> int:
        """The turn that ``interrupted`` is about."""
        turn = self.about(now)
        if self._stale:
            self._interrupted = True
        elif self._trailing and not self._begun:
            turn = self._trailing[0]  # its end comes before the next answer begins
        return turn

    def generation_complete(self, now: float) -> int:
        """The turn that ``generationComplete`` is about: none of its audio comes after this."""
        turn = self.about(now)
        if self._stale:
            self._trailing.append(self._stale.pop(0))
            self._interrupted = False
        elif not self._open:
            self._generated = True
        return turn

    def turn_complete(self, now: float) -> int:
        """The turn that ``turnComplete`` ends. It trails its generationComplete by seconds."""
        if self._empty_end:
            self._empty_end = False
            return NOBODY
        turn = self.about(now)
        if self._stale:
            self._stale.pop(0)
            self._interrupted = False
        elif self._trailing and not self._generated:
            turn = self._trailing.pop(0)
        elif not self._open:
            self._trailing.clear()
            self._ended = True
        return turn


@dataclass(slots=True)
class Streamed:
    """The same where the server hears by itself when somebody has spoken, in sound without end.

    An answer belongs to what was being sent when it began. What comes when all of it has come is
    another one, also where nothing has told that its turn is complete.
    """

    _sent: int = 0  # the turn whose sound is being sent, or was sent last
    _answered: int = 0  # the turn whose answer comes, or 0
    _last: int = 0  # the one that was answered last
    _generated: bool = False  # all of the answer that comes has come
    _ending: int = 0  # spoken into, or on from; only its end is missing
    _empty_end: bool = False  # a turnComplete may come that ends nobody's turn

    def expect_empty_end(self) -> None:
        """If a turnComplete comes before any answer, it is nobody's."""
        self._empty_end = True

    def window_opened(self) -> None:
        """There are no windows."""

    def utterance_sent(self, turn: int, _now: float) -> None:
        """The sound of ``turn`` begins to be sent, or a text of it is."""
        if self._generated:
            self._end_later()
        self._sent = turn

    def is_answered(self, turn: int) -> bool:
        """Whether an answer to that turn has begun."""
        return turn == self._last

    def heard(self, _now: float) -> int:
        """The turn in which somebody was heard."""
        return self._sent

    def about(self, _now: float) -> int:
        """The turn that any other message is about."""
        return self._answered or self._sent

    def audio(self, _now: float) -> int:
        """The turn that reply audio belongs to."""
        self._empty_end = False
        if self._generated and self._sent != self._answered:
            self._end_later()
        self._answered = self._last = self._answered or self._sent
        return self._answered

    def answer_continues(self, now: float) -> int:
        """The turn of whose answer a part has come, and not the last one."""
        turn = self.about(now)
        if turn == self._sent:
            self._answered, self._generated = 0, False
        return turn

    def interrupted(self, _now: float) -> int:
        """The turn that ``interrupted`` is about; none of its audio comes after this."""
        turn = self._answered or self._last
        self._end_later()
        return turn

    def generation_complete(self, now: float) -> int:
        """The turn that ``generationComplete`` is about: none of its audio comes after this."""
        self._generated = self._answered != 0
        return self.about(now)

    def turn_complete(self, now: float) -> int:
        """The turn that ``turnComplete`` ends."""
        if self._empty_end:
            self._empty_end = False
            return NOBODY
        if self._ending and not self._generated:
            turn, self._ending = self._ending, 0
            return turn
        turn = self.about(now)
        self._answered, self._ending, self._generated = 0, 0, False
        return turn

    def _end_later(self) -> None:
        """No more audio of the answer comes; its end may."""
        self._ending = self._answered or self._ending
        self._answered, self._generated = 0, False
