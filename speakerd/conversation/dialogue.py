"""The dialogue: runs the turn machine, and carries its actions out as effects.

What is known of each turn, and what it still needs, is in :mod:`~speakerd.conversation.turns`; what
is told by sound in :mod:`~speakerd.conversation.telling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.button import Touch
from speakerd.conversation.events import SayRequested
from speakerd.conversation.handsfree import HandsFree
from speakerd.conversation.ledger import Kind, Outcome, TurnRecord
from speakerd.conversation.link import Link, LinkState
from speakerd.conversation.memory import Hold, Turn
from speakerd.conversation.rules import FOREVER, Rules
from speakerd.conversation.telling import Telling
from speakerd.conversation.turn import TRANSITIONS, Action, TurnInput, TurnState
from speakerd.conversation.turns import Turns
from speakerd.errors import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.button import Button
    from speakerd.conversation.memory import Clock, Playing


#: The states in which the gate is open.
CAPTURING = frozenset((TurnState.ARMED, TurnState.LISTENING, TurnState.TAIL, TurnState.OPEN))
#: Those in which an answer is being heard.
_ANSWERING = frozenset((TurnState.SPEAKING, TurnState.REPLYING))


class Dialogue:
    """The turn machine with its memory. ``out`` collects the orders."""

    def __init__(
        self, rules: Rules, clock: Clock, link: Link, button: Button, out: list[fx.Effect]
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._link = link
        self._button = button
        self._out = out
        self.telling = Telling(clock, out)
        self.turns = Turns(rules, clock, link, self.telling, out)
        self.state = TurnState.IDLE
        self.expected: Turn | None = None  # the one whose reply the speaker may play
        self._entered = 0.0
        self._numbers = 0
        self._hold = Hold()  # the last one
        self._min_press_s = rules.min_press_s  # of it
        self._cue_at = FOREVER  # when it is told again that an answer is being waited for
        self._said = SayRequested("")  # the text being begun
        self.input = TurnInput.STOP  # the one being carried out
        self._hands_free = HandsFree(self)
        actions = self._hands_free.actions()
        self._actions: dict[Action, Callable[[], None]] = actions | {
            action: getattr(self, f"_{action.name.lower()}")
            for action in Action
            if action not in actions
        }

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on; no turn is under way."""
        self._rules = self.turns.rules = rules

    @property
    def now(self) -> float:
        """The time."""
        return self._clock.now

    @property
    def turn(self) -> Turn | None:
        """The one under way, or the last one."""
        return self.turns.current

    @property
    def model(self) -> str:
        """The one of this connection, or else of the next."""
        return self._link.model

    def next_number(self) -> int:
        """The id of a new turn."""
        self._numbers += 1
        return self._numbers

    def order(self, effect: fx.Effect) -> None:
        """Have something done."""
        self._out.append(effect)

    @property
    def playing(self) -> Playing:
        """What the speaker is sounding."""
        return self.telling.playing

    # --- the machine

    def step(self, event: TurnInput) -> bool:
        """Take one input; False if it is nothing in this state (see ``turn.IGNORED``)."""
        row = TRANSITIONS[self.state].get(event)
        if row is None:
            return False
        self.state, action = row
        self._entered = self.now
        self.input = event
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
        rules, turn = self._rules, self.turn
        at, event = FOREVER, TurnInput.SETTLED
        match self.state:
            case TurnState.ARMED:
                at, event = self._hold.pressed_at + self._min_press_s, TurnInput.HELD
            case TurnState.LISTENING:
                at, event = self._longest_at(), TurnInput.TOO_LONG
            case TurnState.TAIL:
                heard = turn is not None and turn.captured
                event = TurnInput.TAIL_OVER if heard else TurnInput.NOTHING_CAPTURED
                at = self._entered + rules.tail_s
            case TurnState.THINKING if turn is not None:
                at, event = self._thinking_due(turn)
            case TurnState.OPEN:
                at, event = self._hands_free.due()
            case TurnState.SPEAKING | TurnState.REPLYING if (
                turn is not None and turn.silent_since is not None
            ):
                at, event = turn.silent_since + self._silence_s(turn), TurnInput.STALLED
                if self.turns.calls:
                    at = self.turns.tools_due()
            case TurnState.SPEAKING | TurnState.REPLYING if turn is not None and turn.finishing:
                at, event = self._entered + rules.longest_playback_s, TurnInput.SPEAKER_LOST
            case TurnState.SETTLING:
                at = self._settled_at()
            case _:
                pass
        return at, event

    def _thinking_due(self, turn: Turn) -> tuple[float, TurnInput]:
        if not turn.sent:
            # Ordered over this connection, and not gone out: it is the connection that is stuck.
            stuck = turn.ordered_on == self._link.generation and self._link.state is LinkState.READY
            again = stuck and turn.record.deliveries < self._rules.max_deliveries
            event = TurnInput.OVERDUE if again else TurnInput.UNDELIVERED
            return turn.waiting_since + self._rules.patience_s, event
        if self.turns.calls:
            return self.turns.tools_due(), self.overdue(turn)
        return turn.alive_at + self._silence_s(turn), self.overdue(turn)

    def _silence_s(self, turn: Turn) -> float:
        """How long the model may be silent."""
        return self._rules.work_timeout_s if turn.at_work else self._rules.reply_timeout_s

    def _settled_at(self) -> float:
        """When the end of a turn has trailed what was heard for long enough."""
        if self.turn is None:
            return self._entered + self._rules.settle_s
        if self.turn.at_work:
            return self._entered + self._rules.work_timeout_s
        return max(self._entered, self.turn.result_at) + self._rules.settle_s

    def overdue(self, turn: Turn) -> TurnInput:
        """What a missing answer amounts to: once more, or the end."""
        return TurnInput.OVERDUE if self.turns.may_be_sent_again(turn) else TurnInput.NO_ANSWER

    # --- the person

    def press(self) -> None:
        """The button is pressed. The longest utterance is not gone on with: another one begins."""
        if self.state is TurnState.TAIL and self.now >= self._longest_at():
            self.step(self._due()[1])
        tap_s = self._rules.tap_s if self._button.stops else 0.0  # no window for what may be a tap
        self._min_press_s = max(self._rules.min_press_s, tap_s)
        self.step(TurnInput.PRESS)

    def take_back(self) -> None:
        """The press was none, or the button is gone: what was waited for is waited for."""
        waited = self.state is TurnState.ARMED and self._hold.after in self.turns.unanswered
        self._hold.at_rest = False
        self.step(TurnInput.TAKEN_BACK if waited else TurnInput.RELEASE)

    def mute(self) -> None:
        """The microphone goes off: what is being said stays here, what was said goes out."""
        if self.state is TurnState.TAIL:
            said = self.turn is not None and self.turn.captured
            self.step(TurnInput.TAIL_OVER if said else TurnInput.STOP)
        self.step(TurnInput.MUTED)

    def tap(self) -> None:
        """A tap, hands free: it opens a conversation or ends it, or it is for what is heard."""
        match self.state:
            case TurnState.OPEN:
                self.step(TurnInput.HANG_UP)
            case TurnState.REPLYING:
                self.step(TurnInput.CUT_IN)
            case TurnState.IDLE | TurnState.SETTLING if not self.playing.explains:
                self.step(TurnInput.CONVERSE)
            case _:
                self.step(TurnInput.STOP)

    def converse(self) -> None:
        """A program opens a conversation: what a text is answered is given up for it."""
        if self.state in {TurnState.THINKING, TurnState.SPEAKING}:
            self.step(TurnInput.STOP)
        self.step(TurnInput.CONVERSE)

    @property
    def pauses(self) -> bool:
        """Whether, hands free, nobody has said anything since the last answer, and none comes."""
        turn = self.turn
        if self.state is not TurnState.OPEN or turn is None:
            return False
        return not (turn.heard or turn.at_work or self.turns.calls or self.turns.settles)

    def voice(self, turn: Turn, *, speaks: bool | None = None) -> None:
        """The server has heard somebody in a turn that is streamed to it."""
        self._hands_free.voice(turn, speaks=speaks)

    def refuse_press(self, why: fx.Notice) -> None:
        """The button is pressed in vain; it silences all the same.

        In an answer that is what it is for, where the person knows that nobody listens.
        """
        known = self.playing.explains
        known = known or (why is fx.Notice.MUTED and self.state in _ANSWERING)
        if self.state is not TurnState.THINKING:
            self.step(TurnInput.STOP)
        if not known:
            self.telling.tell(why)

    def warn(self, notice: fx.Notice) -> None:
        """Tell it in the next pause, which is now where nothing is going on."""
        self.telling.owe(notice)
        if self.state is TurnState.IDLE and not self.telling.speaker_lost:
            self.telling.tell()

    def end_conversation(self, why: fx.Notice) -> None:
        """Listen no more by itself: after what is being said, and its answer; then tell why."""
        heard = self.turn is not None and self.turn.heard
        if self.state is TurnState.REPLYING or (self.state is TurnState.OPEN and not heard):
            self.telling.owe(why)
            self.step(TurnInput.HANG_UP)

    @property
    def touch(self) -> Touch:
        """What it is to press the button now: of an answer or an explanation it may be the end."""
        match self.state:
            case TurnState.SPEAKING | TurnState.REPLYING:
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
        taken = self.state in _ANSWERING or self.state in CAPTURING
        return not taken and self.telling.cue(cue)

    def think_aloud(self) -> None:
        """Tell now and then that an answer is being waited for."""
        if self.now >= self.cue_at():
            self._cue_at = self.now + self._rules.thinking_cue_s
            self.cue(fx.Cue.THINKING)

    def cue_at(self) -> float:
        """When :meth:`think_aloud` has something to say; infinity for never."""
        return self._cue_at if self.state is TurnState.THINKING else FOREVER

    def _longest_at(self) -> float:
        return self._hold.pressed_at + self._rules.max_utterance_s

    def say(self, what: SayRequested) -> bool:
        """Begin a turn of text; False while another one is under way."""
        self._said = what
        return self.step(TurnInput.SAY)

    # --- facts that need no transition

    def captured(self, number: int) -> None:
        """The utterance has its first sound."""
        if self.state is TurnState.ARMED and number == self._numbers:
            self._hold.captured = True
        elif (turn := self.turns.find(number)) is not None:
            turn.captured = True
            self.deliver()

    def answered_in_vain(self, number: int) -> None:
        """The answer began to come as its connection was given up: it will be another answer."""
        turn = self.expected
        if turn is not None and turn.number == number and not turn.answered:
            self.hush()
            self.expect(turn)

    def tools_called(self, call_ids: tuple[str, ...]) -> None:
        """Blocking calls are pending: no realtime input until they are answered."""
        self.turns.calls |= dict.fromkeys(call_ids, self.now)

    def tools_done(self, call_ids: tuple[str, ...]) -> None:
        """These calls are answered or cancelled."""
        for call_id in call_ids:
            self.turns.calls.pop(call_id, None)
        for turn in self.turns.waiting():
            turn.open_calls -= set(call_ids)
        if self.turn is not None:
            self.turn.alive_at = self.turn.result_at = self.now
            if self.turn.silent_since is not None:
                self.turn.silent_since = self.now
        self.deliver()

    def ends_its_call(self, turn: Turn) -> bool:
        """Whether a turnComplete that comes now is that of the call which has just been answered.

        Some models complete a turn that calls a tool, and answer in the next (livekit/agents#3192).
        """
        is_so = self.now - turn.result_at < self._rules.call_end_s
        turn.result_at = -FOREVER  # one call, one end
        return is_so

    def tool_executed(self, number: int) -> None:
        """A tool of that turn has run: from now on its utterance is not sent again."""
        if (turn := self.turns.find(number)) is None:
            return
        turn.tool_ran = True
        if self.turns.is_on_the_way(turn):
            return
        if turn in self.turns.unanswered:  # its connection was lost before
            self.turns.lose(turn)
        elif self.state is TurnState.THINKING:
            self.step(TurnInput.NO_ANSWER)

    def link_lost(self) -> None:
        """The connection is gone, with what was pending on it."""
        if unfinished := self.turns.link_lost():
            self._out.append(fx.CancelTools(unfinished))
        self.step(TurnInput.LINK_LOST)

    def deliver(self) -> None:
        """Have sent what is not on this connection yet, where an answer is still wanted."""
        if self.state not in {TurnState.IDLE, TurnState.SPEAKING, TurnState.SETTLING}:
            self.turns.deliver()

    # --- actions: the gate

    def _arm(self) -> None:
        self.turns.close_books(Outcome.ANSWERED)
        self._open_gate(at_rest=not self.playing.sounds)

    def _barge_in(self) -> None:
        self.turns.close_books(Outcome.STOPPED)
        self._open_gate()

    def _speak_on(self) -> None:
        waited = self.turn
        if waited is not None:
            self.turns.unanswered.append(waited)
        if len(self.turns.unanswered) > self._rules.max_unanswered:
            self.turns.lose(self.turns.unanswered[0])
        self._open_gate(after=waited)

    def _take_back(self) -> None:
        self._out.append(fx.DiscardUtterance(self._numbers))
        turn = self.turns.unanswered.pop()
        if not turn.sent:
            turn.waiting_since = self.now
        self._begin(turn)
        if self._link.refusal is not None:
            self.step(TurnInput.REFUSED)

    def _open_gate(self, *, at_rest: bool = False, after: Turn | None = None) -> None:
        self.hush()
        self._hold = Hold(self.now, at_rest, after)
        self.turns.current = None
        number = self.next_number()
        earliest = max(
            self.now - self._rules.preroll_s, self.playing.ended_at + self._rules.echo_guard_s
        )
        self._out.append(fx.OpenGate(number, min(self.now, earliest)))
        self.call_link(sure=False)

    def _disarm(self) -> None:
        self._out.append(fx.DiscardUtterance(self._numbers))
        self.turns.let_go(Outcome.STOPPED)
        if self._hold.at_rest and self.input is TurnInput.RELEASE:
            self.cue(fx.Cue.NOTHING)
        self.telling.tell()

    def _open(self) -> None:
        for turn in self.turns.unanswered:
            self.turns.write(turn.record, Outcome.SPOKEN_ON)
        self._link.held(self.now, self._out)
        record = TurnRecord(self._numbers, self._link.model, self._hold.pressed_at)
        self._begin(Turn(record, captured=self._hold.captured))

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
        self.telling.tell(fx.Notice.NO_MICROPHONE)

    def _mute(self) -> None:
        self._abandon(Outcome.STOPPED)
        self.telling.tell()

    def _abandon(self, outcome: Outcome) -> None:
        """End what is being said, and the waiting for answers to what was said before."""
        if self.turn is None:
            self._out.append(fx.DiscardUtterance(self._numbers))
        self.turns.abandon(outcome)
        self.hush()

    # --- actions: delivery

    def _ask(self) -> None:
        self.turns.close_books(Outcome.ANSWERED)
        self.hush()
        record = TurnRecord(self.next_number(), self.model, self.now, released_at=self.now)
        record.utterance_ended_at = self.now
        record.kind = Kind.ANNOUNCEMENT if self._said.read_out else Kind.TEXT
        self._begin_to_wait()
        self.call_link()
        self._begin(Turn(record, text=self._said.text, complete=True, waiting_since=self.now))

    def _begin_to_wait(self) -> None:
        every_s = self._rules.thinking_cue_s
        self._cue_at = self.now + every_s if every_s > 0 else FOREVER

    def call_link(self, *, sure: bool = True) -> None:
        """Somebody needs a connection now; not ``sure``: it may have been a tap."""
        self._link.busy = self._link.urgent = True
        self._link.press(self.now, self._out, sure=sure)

    def _begin(self, turn: Turn) -> None:
        self.turns.current = turn
        self.expect(turn)
        self.deliver()

    def expect(self, turn: Turn) -> None:
        """Let the reply of ``turn`` be played, from its beginning."""
        self.expected = turn
        self._out.append(fx.ExpectReply(turn.number))

    def _retry(self) -> None:
        if self.turn is None:
            return
        if not self.turns.may_be_sent_again(self.turn):
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
        why, turn = self.input, self.turn
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
            self._link.unanswered(self.now)
        self.turns.let_go(outcome)
        self.turns.close_books(outcome)
        self.hush()
        self.telling.tell(notice)
        self._restart("no answer to what was said")  # the next press gets another connection

    def _tell_refusal(self) -> None:
        self.telling.tell(self._link.refusal)

    # --- actions: the reply

    def _hear(self) -> None:
        if self.turn is None:
            return
        self.turn.answered = True
        self.turn.record.first_reply_at = self.now
        self.turn.silent_since = None if self.playing.reply else self.now
        self.turns.let_go(Outcome.SPOKEN_ON)
        if self.telling.speaker_lost:
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
        self.telling.heard()
        self.turns.close_books(Outcome.ANSWERED)
        self.telling.tell()

    def _end_silent(self) -> None:
        self.turns.let_go(Outcome.SPOKEN_ON)
        self.turns.close_books(Outcome.SILENT)
        self.telling.tell(fx.Notice.NO_REPLY)

    def _end_cut(self) -> None:
        self.turns.drop_following()
        self.turns.close_books(Outcome.CUT)
        self.telling.tell(fx.Notice.ANSWER_CUT)

    def _end_unheard(self) -> None:
        self.turns.drop_following()
        self.turns.close_books(Outcome.CUT)
        self.hush()
        self.telling.unheard()

    def _end_shutdown(self) -> None:
        self.turns.let_go(Outcome.SHUTDOWN)
        self.turns.close_books(Outcome.SHUTDOWN)
        self.hush()

    def _stop(self) -> None:
        self.turns.let_go(Outcome.STOPPED)
        self.turns.close_books(Outcome.STOPPED)
        self.hush()
        self.telling.tell()

    def _hush(self) -> None:
        self.hush()

    def hush(self) -> None:
        """Silence at once; nothing is to be played."""
        self.telling.hush()
        self.expected = None

    # --- inside

    def _restart(self, reason: str) -> None:
        self._link.restart(Failure(FailureKind.TIMEOUT, reason), self.now, self._out)
