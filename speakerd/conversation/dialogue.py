"""The dialogue: runs the turn machine, and carries its actions out as effects.

Holds what is known of the turn under way (delivered? answered? cut?) and of the utterances that
were spoken on before anything had answered them: those are delivered again, in their order and
with the current one, whenever a connection is lost before the first reply audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.button import Touch
from speakerd.conversation.ledger import Outcome, TurnRecord
from speakerd.conversation.link import Link, LinkState
from speakerd.conversation.memory import Playing, Turn
from speakerd.conversation.rules import FOREVER, Rules
from speakerd.conversation.turn import TRANSITIONS, Action, TurnInput, TurnState
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speakerd.conversation.button import Button


#: The states in which the gate is open.
CAPTURING = frozenset((TurnState.ARMED, TurnState.LISTENING, TurnState.TAIL))


class Dialogue:
    """The turn machine with its memory. ``out`` collects the orders; ``now`` is set by the core."""

    def __init__(self, rules: Rules, link: Link, button: Button, out: list[fx.Effect]) -> None:
        self.rules = rules
        self._link = link
        self._button = button
        self._out = out
        self.now = 0.0
        self.state = TurnState.IDLE
        self.turn: Turn | None = None  # under way, or the last one
        self.expected: Turn | None = None  # the one whose reply the speaker may play
        self.playing = Playing()
        self.drops = 0  # how often the speaker was silenced: what it says of before is stale
        self.speaker_lost = False
        self.finished = 0  # turns whose books are closed
        self.last_record: TurnRecord | None = None
        self.ended_at: float | None = None  # when the last turn of the conversation was over
        self._entered = 0.0
        self._numbers = 0
        self._armed_captured = False
        self._armed_at_rest = False  # the press silenced nothing
        self._armed_after: Turn | None = None  # whose answer was awaited at the press
        self._pressed_at = 0.0
        self._min_press_s = rules.min_press_s  # of this one
        self._cue_at = FOREVER  # when it is told again that an answer is being waited for
        self._text = ""  # of the say being begun
        self._input = TurnInput.STOP  # the one being carried out
        self._unanswered: list[Turn] = []
        self._owed: fx.Notice | None = None  # to be told when there is time for it
        self._unheard = False  # an answer was lost with the speaker: told when that is back
        self._calls: dict[str, float] = {}  # blocking tool calls of this connection: since when
        self._actions: dict[Action, Callable[[], None]] = {
            action: getattr(self, f"_{action.name.lower()}") for action in Action
        }

    # --- the machine

    def step(self, event: TurnInput) -> bool:
        """Take one input; False if it is nothing in this state (see ``turn.IGNORED``)."""
        row = TRANSITIONS[self.state].get(event)
        if row is None:
            return False
        self.state, action = row
        self._entered = self.now
        self._input = event
        self._actions[action]()
        return True

    def deadline(self) -> float:
        """When :meth:`due` has an input; infinity for never."""
        return self._due()[0]

    def due(self) -> TurnInput | None:
        """The input the clock amounts to now, if any."""
        at, event = self._due()
        return event if at <= self.now else None

    def _due(self) -> tuple[float, TurnInput]:
        """When something is due, and what."""
        rules, turn = self.rules, self.turn
        at, event = FOREVER, TurnInput.SETTLED
        match self.state:
            case TurnState.ARMED:
                at, event = self._pressed_at + self._min_press_s, TurnInput.HELD
            case TurnState.LISTENING:
                at, event = self._pressed_at + rules.max_utterance_s, TurnInput.TOO_LONG
            case TurnState.TAIL:
                heard = turn is not None and turn.captured
                event = TurnInput.TAIL_OVER if heard else TurnInput.NOTHING_CAPTURED
                at = self._entered + rules.tail_s
            case TurnState.THINKING if turn is not None:
                at, event = self._thinking_due(turn)
            case TurnState.SPEAKING if turn is not None and turn.silent_since is not None:
                at = self._tools_due() if self._calls else turn.silent_since + rules.reply_timeout_s
                event = TurnInput.STALLED
            case TurnState.SPEAKING if turn is not None and turn.finishing:
                at, event = self._entered + rules.longest_playback_s, TurnInput.SPEAKER_LOST
            case TurnState.SETTLING:
                at = self._entered + rules.settle_s
            case _:
                pass
        return at, event

    def _thinking_due(self, turn: Turn) -> tuple[float, TurnInput]:
        if not turn.sent:
            # Ordered over this connection, and not gone out: it is the connection that is stuck.
            stuck = turn.ordered_on == self._link.generation and self._link.state is LinkState.READY
            again = stuck and turn.record.deliveries < self.rules.max_deliveries
            event = TurnInput.OVERDUE if again else TurnInput.UNDELIVERED
            return turn.waiting_since + self.rules.patience_s, event
        if self._calls:
            return self._tools_due(), self.overdue(turn)
        return turn.alive_at + self.rules.reply_timeout_s, self.overdue(turn)

    def _tools_due(self) -> float:
        return min(self._calls.values()) + self.rules.tool_timeout_s

    def overdue(self, turn: Turn) -> TurnInput:
        """What a missing answer amounts to: once more, or the end."""
        return TurnInput.OVERDUE if self._may_be_sent_again(turn) else TurnInput.NO_ANSWER

    def _may_be_sent_again(self, turn: Turn) -> bool:
        return turn.sends < self.rules.max_deliveries and not turn.tool_ran

    # --- the person

    def press(self) -> None:
        """The button is pressed. The longest utterance is not gone on with: another one begins."""
        if self.state is TurnState.TAIL and self.now >= self._longest_at():
            self.step(self._due()[1])
        tap_s = self.rules.tap_s if self._button.stops else 0.0  # no window for what may be a tap
        self._min_press_s = max(self.rules.min_press_s, tap_s)
        self.step(TurnInput.PRESS)

    def take_back(self) -> None:
        """The press was none, or the button is gone: what was waited for is waited for."""
        waited = self.state is TurnState.ARMED and self._armed_after in self._unanswered
        self._armed_at_rest = False
        self.step(TurnInput.TAKEN_BACK if waited else TurnInput.RELEASE)

    def mute(self) -> None:
        """The microphone goes off: what is being said stays here, what was said goes out."""
        if self.state is TurnState.TAIL:
            said = self.turn is not None and self.turn.captured
            self.step(TurnInput.TAIL_OVER if said else TurnInput.STOP)
        self.step(TurnInput.MUTED)

    def refuse_press(self) -> None:
        """The button is pressed and the microphone is off; it silences all the same."""
        answering, explained = self.state is TurnState.SPEAKING, self.playing.explains
        if self.state is not TurnState.THINKING:
            self.step(TurnInput.STOP)
        if not (explained or answering):
            self._tell(fx.Notice.MUTED)

    @property
    def touch(self) -> Touch:
        """What it is to press the button now: of an answer or an explanation it may be the end."""
        match self.state:
            case TurnState.SPEAKING:
                return Touch.DOWN_IN_ANSWER
            case TurnState.THINKING:
                return Touch.DOWN_IN_THOUGHT
            case TurnState.TAIL:
                return Touch.DOWN_IN_TAIL
            case TurnState.IDLE | TurnState.SETTLING if self.playing.explains:
                return Touch.DOWN_IN_ANSWER
            case _:
                return Touch.DOWN

    def cue(self, cue: fx.Cue) -> bool:
        """Let a cue be heard, unless there is more important sound than that; whether it is."""
        answering = self.state is TurnState.SPEAKING or self.playing.reply
        if self.state in CAPTURING or answering or self.speaker_lost:
            return False
        self.playing.clips.append(False)
        self._out.append(fx.PlayCue(cue))
        return True

    def think_aloud(self) -> None:
        """Tell now and then that an answer is being waited for."""
        if self.now >= self.cue_at():
            self._cue_at = self.now + self.rules.thinking_cue_s
            self.cue(fx.Cue.THINKING)

    def cue_at(self) -> float:
        """When :meth:`think_aloud` has something to say; infinity for never."""
        return self._cue_at if self.state is TurnState.THINKING else FOREVER

    def _longest_at(self) -> float:
        return self._pressed_at + self.rules.max_utterance_s

    def say(self, text: str) -> bool:
        """Begin a turn of text; False while another one is under way."""
        self._text = text
        return self.step(TurnInput.SAY)

    # --- facts that need no transition

    def make_up(self) -> None:
        """Let whoever has missed an answer hear why, in the next pause with a speaker."""
        if self._unheard and self.state is TurnState.IDLE and not self.speaker_lost:
            self._unheard = False
            self.playing.clips.append(True)
            self._out.append(fx.Tell(fx.Notice.SPEAKER_LOST, journal=False))

    def find(self, number: int) -> Turn | None:
        """The turn of that number, if it is under way, the last one, or still unanswered."""
        return next((turn for turn in self._waiting() if turn.number == number), None)

    def captured(self, number: int) -> None:
        """The utterance has its first sound."""
        if self.state is TurnState.ARMED and number == self._numbers:
            self._armed_captured = True
        elif (turn := self.find(number)) is not None:
            turn.captured = True
            self.deliver()

    def sent(self, turn: Turn) -> None:
        """All of an utterance is on the wire."""
        turn.sent = True
        turn.sends += 1
        turn.extended = turn.interrupted = False
        turn.alive_at = turn.record.activity_end_at = self.now

    def owes(self, generation: int) -> bool:
        """Whether an utterance that was sent over it goes unanswered: it will be sent again."""
        return any(
            turn.sends and turn.ordered_on == generation and not turn.answered
            for turn in self._waiting()
            if turn.record.outcome is None
        )

    def answered_in_vain(self, number: int) -> None:
        """The answer began to come as its connection was given up: it will be another answer."""
        turn = self.expected
        if turn is not None and turn.number == number and not turn.answered:
            self._hush()
            self._expect(turn)

    def answered_late(self, turn: Turn) -> None:
        """The server has answered an utterance that was spoken on: it has it, let it go."""
        if turn in self._unanswered:
            self._forsake(turn, Outcome.STOPPED)

    @property
    def tools_pending(self) -> bool:
        """Whether the server waits for results, and takes no realtime input."""
        return bool(self._calls)

    def tools_called(self, call_ids: tuple[str, ...]) -> None:
        """Blocking calls are pending: no realtime input until they are answered."""
        self._calls |= dict.fromkeys(call_ids, self.now)

    def tools_done(self, call_ids: tuple[str, ...]) -> None:
        """These calls are answered or cancelled."""
        for call_id in call_ids:
            self._calls.pop(call_id, None)
        if self.turn is not None:
            self.turn.alive_at = self.turn.result_at = self.now
            if self.turn.silent_since is not None:
                self.turn.silent_since = self.now
        self.deliver()

    def ends_its_call(self, turn: Turn) -> bool:
        """Whether a turnComplete that comes now is that of the call which has just been answered.

        Some models complete a turn that calls a tool, and answer in the next (livekit/agents#3192).
        """
        is_so = self.now - turn.result_at < self.rules.call_end_s
        turn.result_at = -FOREVER  # one call, one end
        return is_so

    def tool_executed(self, number: int) -> None:
        """A tool of that turn has run: from now on its utterance is not sent again."""
        if (turn := self.find(number)) is None:
            return
        turn.tool_ran = True
        if self._is_on_the_way(turn):
            return
        if turn in self._unanswered:  # its connection was lost before
            self._lose(turn)
        elif self.state is TurnState.THINKING:
            self.step(TurnInput.NO_ANSWER)

    def link_lost(self) -> None:
        """The connection is gone, with what was pending on it."""
        self._calls.clear()
        for turn in self._unanswered.copy():
            turn.sent = False
            if not self._may_be_sent_again(turn):
                self._lose(turn)
        self.step(TurnInput.LINK_LOST)

    def deliver(self) -> None:
        """Order every utterance that is not on this connection yet to be sent over it."""
        if self._link.state is not LinkState.READY or self._calls:
            return
        if self.state in {TurnState.IDLE, TurnState.SPEAKING, TurnState.SETTLING}:
            return
        for turn in self._waiting():
            if not self._is_on_the_way(turn) and (turn.captured or turn.text is not None):
                turn.ordered_on = self._link.generation
                turn.record.deliveries += 1
                turn.record.context = self._link.context
                turn.record.model = self._link.model
                self._out.append(fx.Deliver(turn.ordered_on, turn.number, turn.text))

    def _is_on_the_way(self, turn: Turn) -> bool:
        """Whether it has been ordered to be sent over the living connection."""
        return self._link.state is LinkState.READY and turn.ordered_on == self._link.generation

    def _waiting(self) -> Iterator[Turn]:
        yield from self._unanswered
        if self.turn is not None:
            yield self.turn

    # --- actions: the gate

    def _arm(self) -> None:
        self._close_books(Outcome.ANSWERED)
        self._open_gate(at_rest=not self.playing.sounds)

    def _barge_in(self) -> None:
        self._close_books(Outcome.STOPPED)
        self._open_gate()

    def _speak_on(self) -> None:
        waited = self.turn
        if waited is not None:
            self._unanswered.append(waited)
        if len(self._unanswered) > self.rules.max_unanswered:
            self._lose(self._unanswered[0])
        self._open_gate()
        self._armed_after = waited

    def _take_back(self) -> None:
        self._out.append(fx.DiscardUtterance(self._numbers))
        self.turn = self._unanswered.pop()
        if not self.turn.sent:
            self.turn.waiting_since = self.now
        self._expect(self.turn)
        self.deliver()
        if self._link.refusal is not None:
            self.step(TurnInput.REFUSED)

    def _open_gate(self, *, at_rest: bool = False) -> None:
        self._hush()
        self._armed_at_rest = at_rest
        self._armed_after = None
        self.turn = None
        self._numbers += 1
        self._armed_captured = False
        self._pressed_at = self.now
        earliest = max(
            self.now - self.rules.preroll_s, self.playing.ended_at + self.rules.echo_guard_s
        )
        self._out.append(fx.OpenGate(self._numbers, min(self.now, earliest)))
        self._call_link(sure=False)

    def _disarm(self) -> None:
        self._out.append(fx.DiscardUtterance(self._numbers))
        self._let_go(Outcome.STOPPED)
        if self._armed_at_rest and self._input is TurnInput.RELEASE:
            self.cue(fx.Cue.NOTHING)
        self._tell()

    def _open(self) -> None:
        for turn in self._unanswered:
            self._write(turn.record, Outcome.SPOKEN_ON)
        self._link.held(self.now, self._out)
        record = TurnRecord(self._numbers, self._link.model, self._pressed_at)
        self._begin(Turn(record, captured=self._armed_captured))

    def _begin_tail(self) -> None:
        if self.turn is not None:
            self.turn.record.released_at = self.now

    def _block(self) -> None:
        self._button.spend(self.now, too_long=True)
        self._begin_tail()

    def _continue(self) -> None:
        if self.turn is not None:
            self.turn.record.released_at = None

    def _complete(self) -> None:
        if self.turn is None:
            return
        record = self.turn.record
        released_at = self.now if record.released_at is None else record.released_at
        record.utterance_ended_at = self.turn.waiting_since = self.now
        self.turn.complete = True
        self._out.append(fx.CloseGate(self.turn.number, released_at))
        self.cue(fx.Cue.HEARD)
        self._begin_to_wait()
        if self._link.refusal is not None:
            self.step(TurnInput.REFUSED)

    def _fail_capture(self) -> None:
        self._abandon(Outcome.EMPTY)
        self._tell(fx.Notice.NO_MICROPHONE)

    def _mute(self) -> None:
        self._abandon(Outcome.STOPPED)
        self._tell()

    def _abandon(self, outcome: Outcome) -> None:
        """End what is being said, and the waiting for answers to what was said before."""
        for turn in self._unanswered.copy():
            turn.sent = False  # nobody waits for its answer any longer
            self._lose(turn)
        if self.turn is None:
            self._out.append(fx.DiscardUtterance(self._numbers))
        self._let_go(outcome)
        self._close_books(outcome)
        self._hush()

    # --- actions: delivery

    def _ask(self) -> None:
        self._close_books(Outcome.ANSWERED)
        self._hush()
        self._numbers += 1
        record = TurnRecord(self._numbers, self._link.model, self.now, released_at=self.now)
        record.utterance_ended_at = self.now
        self._begin_to_wait()
        self._call_link()
        self._begin(Turn(record, text=self._text, complete=True, waiting_since=self.now))

    def _begin_to_wait(self) -> None:
        every_s = self.rules.thinking_cue_s
        self._cue_at = self.now + every_s if every_s > 0 else FOREVER

    def _call_link(self, *, sure: bool = True) -> None:
        self._link.busy = self._link.urgent = True
        self._link.press(self.now, self._out, sure=sure)

    def _begin(self, turn: Turn) -> None:
        self.turn = turn
        self._expect(turn)
        self.deliver()

    def _expect(self, turn: Turn) -> None:
        """Let the reply of ``turn`` be played, from its beginning."""
        self.expected = turn
        self._out.append(fx.ExpectReply(turn.number))

    def _retry(self) -> None:
        if self.turn is None:
            return
        if not self._may_be_sent_again(self.turn):
            self.step(TurnInput.NO_ANSWER)
        elif self.turn.sent:
            self.turn.sent = False
            self.turn.waiting_since = self.now

    def _reconnect(self) -> None:
        if self.turn is not None:
            self.turn.waiting_since = self.now
        self._restart("no answer to what was said")

    def _note_interruption(self) -> None:
        if self.turn is not None:
            self.turn.interrupted = True

    def _give_up(self) -> None:
        why, turn = self._input, self.turn
        if why is TurnInput.REFUSED and self._link.refusal is not None:
            outcome, notice = Outcome.NOT_DELIVERED, self._link.refusal
        elif turn is not None and turn.tool_ran:
            outcome, notice = Outcome.RESULT_LOST, fx.Notice.RESULT_LOST
        elif why is TurnInput.NO_ANSWER:
            outcome, notice = Outcome.NO_ANSWER, fx.Notice.NO_ANSWER
        else:
            outcome, notice = Outcome.NOT_DELIVERED, fx.Notice.NOT_DELIVERED
        if why is TurnInput.NO_ANSWER and turn is not None and turn.interrupted:
            self._link.session_is_wedged()
        elif why is TurnInput.NO_ANSWER and turn is not None and not turn.tool_ran:
            self._link.session.unanswered()
        self._let_go(outcome)
        self._close_books(outcome)
        self._hush()
        self._tell(notice)
        self._restart("no answer to what was said")  # the next press gets another connection

    def _tell_refusal(self) -> None:
        self._tell(self._link.refusal)

    # --- actions: the reply

    def _hear(self) -> None:
        if self.turn is None:
            return
        self.turn.answered = True
        self.turn.record.first_reply_at = self.now
        self.turn.silent_since = None if self.playing.reply else self.now
        self._let_go(Outcome.SPOKEN_ON)
        if self.speaker_lost:
            self.step(TurnInput.SPEAKER_LOST)

    def _finish_playback(self) -> None:
        if self.turn is not None and not self.turn.finishing:
            self.turn.finishing = True
            self.turn.silent_since = None
            self._out.append(fx.FinishPlayback(self.turn.number))

    def _cut(self) -> None:
        if self.turn is None:
            return
        if self.turn.generation_done or self.turn.turn_done:
            self.turn.turn_done = True  # all of it had come
        else:
            self.turn.cut = True
        self._finish_playback()

    def _cut_and_reconnect(self) -> None:
        self._cut()
        self._restart("the answer stopped coming")

    def _resume(self) -> None:
        """Late audio: it is part of the answer, and more of it may or may not come."""
        if self.turn is not None:
            self.turn.cut = False
            self._finish_playback()

    def _settle(self) -> None:
        """Nothing is heard any longer; only the books are open."""

    # --- actions: the end

    def _end(self) -> None:
        self._unheard = False
        self._close_books(Outcome.ANSWERED)
        self._tell()

    def _end_silent(self) -> None:
        self._let_go(Outcome.SPOKEN_ON)
        self._close_books(Outcome.SILENT)
        self._tell(fx.Notice.NO_REPLY)

    def _end_cut(self) -> None:
        self._close_books(Outcome.CUT)
        self._tell(fx.Notice.ANSWER_CUT)

    def _end_unheard(self) -> None:
        self._close_books(Outcome.CUT)
        self._hush()
        if self.speaker_lost:
            self._unheard = True
            self._out.append(fx.Tell(fx.Notice.SPEAKER_LOST, aloud=False))
        else:
            self._tell(fx.Notice.SPEAKER_LOST)

    def _end_shutdown(self) -> None:
        self._let_go(Outcome.SHUTDOWN)
        self._close_books(Outcome.SHUTDOWN)
        self._hush()

    def _stop(self) -> None:
        self._let_go(Outcome.STOPPED)
        self._close_books(Outcome.STOPPED)
        self._hush()
        self._tell()

    def _hush(self) -> None:
        self._out.append(fx.DropPlayback())
        self.drops += 1
        self.expected = None
        self.playing.silenced(self.now)

    # --- inside

    def _let_go(self, outcome: Outcome) -> None:
        """Throw away every utterance kept; those spoken on end as ``outcome``, if not before."""
        if self.turn is not None:
            self._discard(self.turn)
        for turn in self._unanswered.copy():
            self._forsake(turn, outcome)

    def _forsake(self, turn: Turn, outcome: Outcome) -> None:
        """Keep an utterance that was spoken on no longer."""
        self._unanswered.remove(turn)
        self._discard(turn)
        self._write(turn.record, outcome)

    def _discard(self, turn: Turn) -> None:
        if turn.text is None:
            self._out.append(fx.DiscardUtterance(turn.number))

    def _lose(self, turn: Turn) -> None:
        """Give up an utterance that was spoken on; the person is told in the next pause."""
        if turn.sent:
            outcome = Outcome.SPOKEN_ON  # it is where it should be
        elif turn.tool_ran:
            outcome, self._owed = Outcome.RESULT_LOST, fx.Notice.RESULT_LOST
        elif turn.sends:
            outcome, self._owed = Outcome.NO_ANSWER, fx.Notice.NO_ANSWER
        else:
            outcome, self._owed = Outcome.NOT_DELIVERED, fx.Notice.NOT_DELIVERED
        self._forsake(turn, outcome)

    def _tell(self, notice: fx.Notice | None = None) -> None:
        """Tell what is owed, then ``notice``."""
        owed, self._owed = self._owed, None
        for each in dict.fromkeys((owed, notice)):
            if each is not None:
                self.playing.clips.append(True)
                self._out.append(fx.Tell(each))

    def _close_books(self, outcome: Outcome) -> None:
        if self.turn is not None:
            self._write(self.turn.record, outcome)

    def _write(self, record: TurnRecord, outcome: Outcome) -> None:
        if record.outcome is not None:
            return
        record.outcome = outcome
        self.finished += 1
        self.last_record = record
        self.ended_at = self.now
        self._out.append(fx.TurnEnded(record))
        completed = outcome in {Outcome.ANSWERED, Outcome.SILENT}
        self._link.turn_ended(self.now, self._out, completed=completed)

    def _restart(self, reason: str) -> None:
        self._link.restart(Failure(FailureKind.TIMEOUT, reason), self.now, self._out)
