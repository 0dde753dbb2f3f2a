"""What the dialogue remembers: the time, a press, a turn, and what the speaker is sounding."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.conversation.rules import FOREVER

if TYPE_CHECKING:
    from speakerd.conversation.ledger import TurnRecord


@dataclass(slots=True)
class Clock:
    """The time as the core was told it last; it never goes back."""

    now: float = -FOREVER


@dataclass(slots=True)
class Turn:
    """One turn from its window on: the utterance to be delivered, then the reply."""

    record: TurnRecord
    text: str | None = None  # to be asked or read out; otherwise it is speech
    captured: bool = False  # there is sound in its buffer
    streamed: bool = False  # hands free: the server hears where it ends
    heard: bool = False  # so it has heard somebody in it
    complete: bool = False  # nothing more will be captured, or the server may answer what there is
    ordered_on: int = 0  # the generation it was last ordered to be delivered over
    sent: bool = False  # all of it is on the wire of the living connection
    sends: int = 0  # whole deliveries, over all connections
    waiting_since: float = 0.0  # complete, but not on the wire, since then
    alive_at: float = 0.0  # the last sign of life since it was sent
    extended: bool = False  # a transcription has extended the limit
    interrupted: bool = False  # by the server since it was sent, before any audio
    tool_ran: bool = False
    repeats: int | None = None  # the turn whose answer is to be heard once more after this one's
    runaway: bool = False  # the model has called tools for it without end
    open_calls: set[str] = field(default_factory=set)  # that the model does not wait for
    calling: set[str] = field(default_factory=set)  # so too, before the turnComplete of the call
    call_ended: bool = False  # all that is missing is what comes of the open calls
    result_at: float = -FOREVER  # a result was sent; the turnComplete of the call may trail it
    answered: bool = False  # reply audio has come
    continues: bool = False  # the model has said that it works on more of the answer
    generation_done: bool = False
    turn_done: bool = False
    finishing: bool = False  # the speaker knows that no more is coming
    cut: bool = False
    silent_since: float | None = None  # reply audio is missing since then

    @property
    def at_work(self) -> bool:
        """Whether more of the answer is to come, later than answers usually do."""
        return self.continues or bool(self.open_calls)

    @property
    def number(self) -> int:
        """The turn's id in every event and effect."""
        return self.record.turn


@dataclass(slots=True)
class Hold:
    """One press, before it is known whether it is an utterance."""

    pressed_at: float = 0.0
    at_rest: bool = False  # it silenced nothing
    after: Turn | None = None  # whose answer was awaited
    captured: bool = False  # there is sound of it


@dataclass(slots=True)
class Playing:
    """What the speaker is known to be sounding: the pre-roll keeps away from it."""

    reply: bool = False
    clips: collections.deque[bool] = field(default_factory=collections.deque)
    # ordered and not heard to their end yet: whether each explains something
    again: bool = False  # the last of them is an earlier answer, as a part of this one
    ended_at: float = -FOREVER  # when something was last heard

    def reply_ended(self, now: float) -> None:
        """The reply does not sound any longer, or not for now."""
        if self.reply:
            self.reply = False
            self.ended_at = now

    @property
    def sounds(self) -> bool:
        """Whether there is anything to be heard."""
        return self.reply or bool(self.clips)

    @property
    def explains(self) -> bool:
        """Whether something is being told that a person may have heard enough of."""
        return any(self.clips)

    def clip_ended(self, now: float) -> None:
        """The first of the clips has been heard."""
        if self.clips:
            self.clips.popleft()
            self.ended_at = now

    def silenced(self, now: float) -> None:
        """Nothing sounds any longer."""
        self.reply_ended(now)
        self.again = False
        if self.clips:
            self.clips.clear()
            self.ended_at = now
