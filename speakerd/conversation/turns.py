"""The turns that are not over: what they still need of the connection, and their books.

One is under way; others were spoken on before anything had answered them. Those are delivered
again, in their order and with the current one, whenever a connection is lost before the first
reply audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.events import Usage
from speakerd.conversation.ledger import Kind, Outcome
from speakerd.conversation.link import LinkState
from speakerd.conversation.rules import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.conversation.ledger import TurnRecord
    from speakerd.conversation.link import Link
    from speakerd.conversation.memory import Clock, Turn
    from speakerd.conversation.rules import Rules
    from speakerd.conversation.telling import Telling


class Turns:
    """Which are to be delivered, and what has become of them. ``out`` collects the orders."""

    def __init__(
        self, rules: Rules, clock: Clock, link: Link, telling: Telling, out: list[fx.Effect]
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._link = link
        self._telling = telling
        self._out = out
        self.current: Turn | None = None  # under way, or the last one
        self.unanswered: list[Turn] = []  # spoken on, oldest first
        self.following: Turn | None = None  # hands free: listened to beside the answer
        self._settling: tuple[Turn, Outcome] | None = None  # so too: only its end is missing
        self.calls: dict[str, float] = {}  # blocking tool calls of this connection: since when
        self.finished = 0  # whose books are closed
        self.last_record: TurnRecord | None = None
        self.ended_at: float | None = None  # when the last turn of the conversation was over
        self._answer: int | None = None  # the turn whose answer can be heard again
        self._counted = (0, 0, Usage())  # (generation, turn): the server's last count

    # --- finding them

    def waiting(self) -> Iterator[Turn]:
        """All of them, oldest first."""
        yield from self.unanswered
        if self.current is not None:
            yield self.current
        if self.following is not None:
            yield self.following

    def find(self, number: int) -> Turn | None:
        """The turn of that number, if it is under way, the last one, or still unanswered."""
        return next((turn for turn in self.waiting() if turn.number == number), None)

    def owes(self, generation: int) -> bool:
        """Whether an utterance that was sent over it goes unanswered: it will be sent again."""
        return any(
            turn.sends and turn.ordered_on == generation and not turn.answered
            for turn in self.waiting()
            if turn.record.outcome is None
        )

    def last_answer(self) -> int | None:
        """The turn before the one under way whose answer can be heard again, if there is one."""
        if self._settling is not None and self._is_kept(self._settling[0].record):
            return self._settling[0].number
        under_way = self.current is not None and self._answer == self.current.number
        return None if under_way else self._answer

    def forget(self) -> None:
        """The conversation is over: nothing of it is known."""
        self.ended_at = self._answer = None

    def forget_answer(self) -> None:
        """No answer is kept any longer."""
        self._answer = None

    def _is_kept(self, record: TurnRecord) -> bool:
        heard = record.first_reply_at is not None and not record.repeats
        return heard and self.rules.keeps_answers

    # --- delivering them

    def deliver(self) -> None:
        """Order every utterance that is not on this connection yet to be sent over it."""
        if self._link.state is not LinkState.READY or self.calls:
            return
        for turn in self.waiting():
            has_something = turn.captured or turn.text is not None
            if has_something and not (turn.answered or self.is_on_the_way(turn)):
                turn.ordered_on = self._link.generation
                turn.alive_at = self._clock.now
                turn.record.deliveries += 1
                turn.record.context = self._link.context
                turn.record.model = self._link.model
                read_out = turn.record.kind is Kind.ANNOUNCEMENT
                self._out.append(fx.Deliver(turn.ordered_on, turn.number, turn.text, read_out))

    def is_on_the_way(self, turn: Turn) -> bool:
        """Whether it has been ordered to be sent over the living connection."""
        return self._link.state is LinkState.READY and turn.ordered_on == self._link.generation

    def may_be_sent_again(self, turn: Turn) -> bool:
        """Whether a delivery that was in vain may be tried once more."""
        again = not (turn.tool_ran or turn.runaway)
        return again and turn.sends < self.rules.max_deliveries

    def sent(self, turn: Turn) -> None:
        """All of an utterance is on the wire."""
        turn.sent = True
        turn.sends += 1
        turn.extended = turn.interrupted = False
        turn.alive_at = turn.record.activity_end_at = self._clock.now

    def link_lost(self) -> tuple[str, ...]:
        """The connection is gone; the calls that were pending on it, whose results nobody gets."""
        open_calls = [call_id for turn in self.waiting() for call_id in sorted(turn.open_calls)]
        unfinished = (*self.calls, *open_calls)
        self.calls.clear()
        for turn in self.waiting():
            turn.open_calls.clear()
            turn.calling.clear()
            turn.call_ended = False
        for turn in self.unanswered.copy():
            turn.sent = False
            if not self.may_be_sent_again(turn):
                self.lose(turn)
        return unfinished

    def cancel_calls(self, *, all_of_them: bool = True) -> None:
        """The person has other wishes: leave alone what the model waits for.

        With ``all_of_them`` also what it does not wait for.
        """
        wanted = [call_id for turn in self.waiting() for call_id in sorted(turn.open_calls)]
        call_ids = (*self.calls, *(wanted if all_of_them else ()))
        if call_ids:
            self._out.append(fx.CancelTools(call_ids, told=True))

    def tools_due(self) -> float:
        """When the oldest pending call is overdue; infinity for never."""
        return min(self.calls.values(), default=FOREVER) + self.rules.tool_timeout_s

    # --- giving them up

    def answered_late(self, turn: Turn) -> None:
        """The server has answered an utterance that was spoken on: it has it, let it go."""
        if turn in self.unanswered:
            self.forsake(turn, Outcome.STOPPED)

    def let_go(self, outcome: Outcome) -> None:
        """Throw away every utterance kept; those spoken on end as ``outcome``, if not before."""
        self.settle(None)
        if self.current is not None:
            self.discard(self.current)
        self.drop_following()
        for turn in self.unanswered.copy():
            self.forsake(turn, outcome)

    def drop_following(self) -> None:
        """Nobody listens beside the answer any longer."""
        if self.following is not None:
            self.discard(self.following)
        self.following = None

    def forsake(self, turn: Turn, outcome: Outcome) -> None:
        """Keep an utterance that was spoken on no longer."""
        self.unanswered.remove(turn)
        self.discard(turn)
        self.write(turn.record, outcome)

    def lose(self, turn: Turn) -> None:
        """Give up an utterance that was spoken on; the person is told in the next pause."""
        if turn.sent:
            outcome = Outcome.SPOKEN_ON  # it is where it should be
        elif turn.tool_ran:
            outcome = Outcome.RESULT_LOST
            self._telling.owe(fx.Notice.RESULT_LOST)
        elif turn.sends:
            outcome = Outcome.NO_ANSWER
            self._telling.owe(fx.Notice.NO_ANSWER)
        else:
            outcome = Outcome.NOT_DELIVERED
            self._telling.owe(fx.Notice.NOT_DELIVERED)
        self.forsake(turn, outcome)

    def abandon(self, outcome: Outcome) -> None:
        """Nobody waits for any answer any longer."""
        for turn in self.unanswered.copy():
            turn.sent = False
            self.lose(turn)
        self.let_go(outcome)
        self.close_books(outcome)

    # --- their books

    def settle(self, outcome: Outcome | None) -> None:
        """The turn under way is over with ``outcome``, but for what the server has to say of it.

        None: there is none. The one before that waited for that is closed.
        """
        if self._settling is not None:
            turn, before = self._settling
            self._settling = None
            self.write(turn.record, before)
        if outcome is None or self.current is None:
            return
        if self.current.turn_done:
            self.write(self.current.record, outcome)
        else:
            self._settling = self.current, outcome

    @property
    def settles(self) -> bool:
        """Whether the end of the last turn is still missing, and with it a handle that knows it."""
        return self._settling is not None

    def settling(self, number: int) -> Turn | None:
        """The turn of that number, if only its end is missing."""
        if self._settling is None or self._settling[0].number != number:
            return None
        return self._settling[0]

    def close_books(self, outcome: Outcome) -> None:
        """The turn under way is over, if it was not before."""
        self.settle(None)
        if self.current is not None:
            self.write(self.current.record, outcome)

    def write(self, record: TurnRecord, outcome: Outcome) -> None:
        """A turn is over; what was written before stays."""
        if record.outcome is not None:
            return
        now = self._clock.now
        record.outcome = outcome
        if self._is_kept(record):
            self._answer = record.turn
        self.finished += 1
        self.last_record = record
        self.ended_at = now
        self._out.append(fx.TurnEnded(record))
        completed = outcome in {Outcome.ANSWERED, Outcome.SILENT}
        self._link.turn_ended(now, self._out, completed=completed)

    def used(self, number: int, usage: Usage) -> None:
        """The living connection has counted tokens of that turn; some come after its end.

        The prompt of every generation is longer than that of the one before.
        """
        generation, turn, before = self._counted
        again = (generation, turn) == (self._link.generation, number)
        again = again and before.prompt_tokens == usage.prompt_tokens
        self._counted = (self._link.generation, number, usage)
        new = usage.beyond(before) if again else usage
        used = self.find(number) or self.settling(number)
        if used is None or used.record.outcome is not None:
            self._out.append(fx.CountLate(self._link.model, new))
        else:
            record = used.record
            record.usage = new if record.usage is None else record.usage.plus(new)

    def discard(self, turn: Turn) -> None:
        """Throw its sound away."""
        if turn.text is None:
            self._out.append(fx.DiscardUtterance(turn.number))
