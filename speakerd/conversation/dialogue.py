"""The dialogue: runs the turn machine.

It decides which input a fact or the time amounts to. The actions of the table are carried out, as
effects, by :mod:`~speakerd.conversation.pushtotalk`, :mod:`~speakerd.conversation.handsfree`,
:mod:`~speakerd.conversation.texts` and :mod:`~speakerd.conversation.answer`; what all of them stand
on is in :mod:`~speakerd.conversation.stage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.answer import Answer
from speakerd.conversation.button import Touch
from speakerd.conversation.handsfree import HandsFree
from speakerd.conversation.pushtotalk import PushToTalk
from speakerd.conversation.rules import FOREVER
from speakerd.conversation.stage import Stage
from speakerd.conversation.texts import Texts
from speakerd.conversation.turn import TRANSITIONS, TurnInput, TurnState

if TYPE_CHECKING:
    from speakerd.conversation.button import Button
    from speakerd.conversation.link import Link
    from speakerd.conversation.memory import Clock, Playing, Turn
    from speakerd.conversation.rules import Rules


#: The states in which the gate is open.
CAPTURING = frozenset((TurnState.ARMED, TurnState.LISTENING, TurnState.TAIL, TurnState.OPEN))
#: Those in which an answer is being heard.
_ANSWERING = frozenset((TurnState.SPEAKING, TurnState.REPLYING))


class Dialogue:
    """The turn machine. ``out`` collects the orders."""

    def __init__(
        self, rules: Rules, clock: Clock, link: Link, button: Button, out: list[fx.Effect]
    ) -> None:
        self._button = button
        self._stage = Stage(rules, clock, link, out)
        self.telling = self._stage.telling
        self.turns = self._stage.turns
        self.texts = Texts(self._stage)
        self.state = TurnState.IDLE
        self._entered = 0.0
        self._min_press_s = rules.min_press_s  # of the last press
        self._hands_free = HandsFree(self._stage)
        parts = PushToTalk(self._stage, button), self.texts, Answer(self._stage), self._hands_free
        self._actions = dict(row for part in parts for row in part.actions().items())

    @property
    def _rules(self) -> Rules:
        return self._stage.rules

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on; no turn is under way."""
        if not rules.keeps_answers:
            self.turns.forget_answer()
        self.turns.rules = rules

    @property
    def now(self) -> float:
        """The time."""
        return self._stage.now

    @property
    def turn(self) -> Turn | None:
        """The one under way, or the last one."""
        return self.turns.current

    @property
    def expected(self) -> Turn | None:
        """The one whose reply the speaker may play."""
        return self._stage.expected

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
        self._stage.input = event
        if (next_event := self._actions[action]()) is not None:
            self.step(next_event)
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
                at, event = self._stage.hold.pressed_at + self._min_press_s, TurnInput.HELD
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
            stuck = self.turns.is_on_the_way(turn)
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
        if self.turn.at_work or self.turns.calls:
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
        waited = self.state is TurnState.ARMED and self._stage.hold.after in self.turns.unanswered
        self._stage.hold.at_rest = False
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
        if (event := self._hands_free.voice(turn, speaks=speaks)) is not None:
            self.step(event)

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

    def hush(self) -> None:
        """Silence at once, whatever sounds."""
        self._stage.hush()

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
            self._stage.wait()
            self.cue(fx.Cue.THINKING)

    def cue_at(self) -> float:
        """When :meth:`think_aloud` has something to say; infinity for never."""
        return self._stage.cue_at if self.state is TurnState.THINKING else FOREVER

    def _longest_at(self) -> float:
        return self._stage.hold.pressed_at + self._rules.max_utterance_s

    def say(self) -> bool:
        """Begin the next of the texts that wait, if it may begin now; whether it has."""
        return self.texts.may_begin(self.state) and self.step(TurnInput.SAY)

    # --- facts that need no transition

    def captured(self, number: int) -> None:
        """The utterance has its first sound."""
        if self.state is TurnState.ARMED and number == self._stage.number:
            self._stage.hold.captured = True
        elif (turn := self.turns.find(number)) is not None:
            turn.captured = True
            self.deliver()

    def answered_in_vain(self, number: int) -> None:
        """The answer began to come as its connection was given up: it will be another answer."""
        turn = self.expected
        if turn is not None and turn.number == number and not turn.answered:
            self._stage.hush()
            self._stage.expect(turn)

    def tools_called(self, call_ids: tuple[str, ...]) -> None:
        """Blocking calls are pending: no realtime input until they are answered."""
        self.turns.calls |= dict.fromkeys(call_ids, self.now)

    def tools_done(self, call_ids: tuple[str, ...], *, in_silence: bool) -> None:
        """These calls are answered or cancelled; ``in_silence``: the model says nothing of it."""
        for call_id in call_ids:
            self.turns.calls.pop(call_id, None)
        for turn in self.turns.waiting():
            turn.open_calls -= set(call_ids)
            if in_silence:
                turn.calling -= set(call_ids)
        if (current := self.turn) is not None:
            current.alive_at = self.now
            if current.silent_since is not None:
                current.silent_since = self.now
            if not in_silence:
                current.result_at = self.now
                current.call_ended = False
            elif current.call_ended and not current.open_calls:
                self._end_of_calls(current)
        self.deliver()

    def give_connection_up(self, reason: str) -> None:
        """Have another one made; what was asked is told to be unanswered, and not asked again."""
        if self.turn is not None:
            self.turn.runaway = True
        self._stage.restart_link(reason)

    def _end_of_calls(self, turn: Turn) -> None:
        """The turn is over: it has waited for nothing but calls of which nothing is said."""
        turn.call_ended = False
        if turn.answered:
            self.end_answer(turn)
        else:
            turn.turn_done = True
            self.step(TurnInput.SILENT_END)

    def end_answer(self, turn: Turn) -> None:
        """All of the answer has come."""
        turn.turn_done = True
        self.step(TurnInput.REPLY_ENDED)
        self.step(TurnInput.TURN_COMPLETE)

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
            self._stage.order(fx.CancelTools(unfinished))
        self.step(TurnInput.LINK_LOST)

    def deliver(self) -> None:
        """Have sent what is not on this connection yet, where an answer is still wanted."""
        if self.state not in {TurnState.IDLE, TurnState.SPEAKING, TurnState.SETTLING}:
            self.turns.deliver()
