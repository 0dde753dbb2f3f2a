"""What happens on a connection once it is set up: windows, turns, answers, handles.

Pure, as :mod:`~speakerd.simulator.connection` is, which owns it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from speakerd.simulator import messages
from speakerd.simulator.audio import REPLY_RATE_HZ, resample
from speakerd.simulator.calls import Calls
from speakerd.simulator.catalogue import ABORTED, BAD_ARGUMENT, SCHEDULING, Closing, Refused
from speakerd.simulator.detection import Detector, Sensitivity, Speech
from speakerd.simulator.faults import CancelCalls, Pause, Phase, Planned, ToolCall, ToolCalls
from speakerd.simulator.machine import AUTOMATIC_TABLE, TABLE, Action, Input, State
from speakerd.simulator.records import Chunk, Outcome, Picture, Tokens, TurnRecord
from speakerd.simulator.reply import (
    Call,
    Complete,
    End,
    Happen,
    Item,
    Order,
    Reply,
    Say,
    Speak,
    plan,
)
from speakerd.simulator.sessions import TOLD, PastTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.simulator.sessions import Session
    from speakerd.simulator.setup import Configuration
    from speakerd.simulator.wire import Wire
    from speakerd.simulator.world import World

#: Bounds what the simulator keeps; the model's context holds more.
LONGEST_UTTERANCE_S = 600.0
#: The Live API takes one picture a second.
MOST_PICTURES = 600

Value: TypeAlias = Any  # of an input, as protojson read it


class Conversation:
    """The server's side of one connection after setupComplete."""

    def __init__(self, wire: Wire, config: Configuration, session: Session, world: World) -> None:
        self.closed = False  # lost() has been called
        self._wire = wire
        self._config = config
        self._session = session
        self._world = world
        self._options = world.options
        self._table = TABLE if config.detection is None else AUTOMATIC_TABLE
        self._detector = Detector(config.detection or Sensitivity())
        self._waits = config.history  # for what was said before
        self._limited = False  # by the pictures in it
        self._seen: list[Picture] = []  # while nobody spoke: they belong to the next turn
        self._heard: TurnRecord | None = None  # the turn whose utterance is being heard
        self._utterance_faults: deque[Planned] = deque()
        self._texts: list[str] = []  # clientContent whose turn is not complete yet
        self._replies: deque[Reply] = deque()  # the first is under way
        self._calls = Calls(config.non_blocking, world.random)
        self._last_turn: TurnRecord | None = None  # that was begun
        wire.on_calls = self._act_on_calls

    def begin(self) -> None:
        """The client knows that it is set up."""
        self._issue_handle()
        if self._options.handle_interval_s is not None:
            self._issue_every(self._options.handle_interval_s)
        if not self._waits:
            self._become_idle()

    @property
    def state(self) -> State:
        """Where it is. A window may be open while an answer goes on (``NO_INTERRUPTION``)."""
        if self.closed:
            return State.CLOSED
        if self._waits:
            return State.HISTORY
        if self._calls.blocking:
            return State.TOOL_PENDING
        if self._heard is not None:
            return State.WINDOW
        return State.GENERATING if self._replies else State.IDLE

    @property
    def takes_media_chunks(self) -> bool:
        """Whether the model takes the deprecated ``mediaChunks``."""
        return self._config.traits.media_chunks

    def take(self, input_: Input, value: Value) -> None:
        """Take one input. Raises :class:`Refused` for one that the table refuses."""
        cell = self._table[self.state][input_]
        if isinstance(cell, Closing):
            raise Refused(cell)
        self._ACTIONS[cell](self, value)

    def lost(self) -> None:
        """The connection has ended."""
        self.closed = True
        self._session.lost_calls = self._calls.open
        self._session.end(self._wire.now)
        turns = [reply.turn for reply in self._replies]
        turns += [] if self._heard is None else [self._heard]
        for turn in turns:
            turn.outcome = Outcome.LOST

    # --- being spoken to

    def _open(self, _value: Value) -> None:
        if self._config.interruptible:
            self._interrupt()
        self._heard = turn = self._new_turn("speech")
        turn.pictures += self._seen
        self._seen.clear()
        self._utterance_faults = deque(self._wire.script(Phase.UTTERANCE, turn))
        turn.activity_start_at = self._wire.now
        self._wire.note(f"turn {turn.number}: activityStart")
        self._act_in_utterance(turn)

    def _detect(self, blob: Value) -> None:
        self._notice(self._detector.feed(*messages.audio(blob)))

    def _end_stream(self, _value: Value) -> None:
        if self._config.traits.stream_end:
            self._notice(self._detector.flush())

    def _notice(self, pieces: list[Speech]) -> None:
        """The server has heard speech, and acts as if the client had said so."""
        for speech in pieces:
            if speech.began_s is not None:
                self._tell_activity("ACTIVITY_START", speech.began_s)
                self._open(None)
            self._keep(bytes(speech.pcm), self._detector.rate_hz)
            if self._wire.closed:
                return
            if speech.ended_s is not None:
                self._tell_activity("ACTIVITY_END", speech.ended_s)
                self._answer(None)

    def _tell_activity(self, kind: str, offset_s: float) -> None:
        if self._config.traits.voice_activity:
            self._wire.say(messages.voice_activity(kind, offset_s))

    def _hear(self, blob: Value) -> None:
        self._keep(*messages.audio(blob))

    def _keep(self, pcm: bytes, rate_hz: int) -> None:
        turn = self._heard
        if turn is None:
            self._wire.record.discarded_chunks += 1
            self._wire.record.discarded_bytes += len(pcm)
            return
        turn.chunk_bytes.append(len(pcm))
        turn.chunk_at.append(self._wire.now)
        if turn.first_audio_at is None:
            turn.first_audio_at = self._wire.now
            turn.rate_hz = rate_hz
        turn.utterance += pcm if rate_hz == turn.rate_hz else resample(pcm, rate_hz, turn.rate_hz)
        if turn.utterance_s > LONGEST_UTTERANCE_S:
            raise Refused(BAD_ARGUMENT)
        self._act_in_utterance(turn)

    def _see(self, blob: Value) -> None:
        data, mime_type = messages.picture(blob)
        self._limit_session()
        turn = self._heard
        if turn is None and self._config.detection is not None and self._config.traits.all_video:
            self._seen = [*self._seen, Picture(data, mime_type, 0)][-MOST_PICTURES:]
            return
        if turn is None:
            self._wire.record.discarded_pictures += 1
            return
        turn.pictures.append(Picture(data, mime_type, len(turn.utterance)))
        if len(turn.pictures) > MOST_PICTURES:
            raise Refused(BAD_ARGUMENT)
        self._wire.note(f"turn {turn.number}: a picture of {len(data)} bytes")

    def _limit_session(self) -> None:
        """With pictures, a session whose context is not compressed ends early."""
        limit_s = self._options.video_session_s
        if self._limited or limit_s is None or self._config.trigger_tokens is not None:
            return
        self._limited = True
        age_s = self._wire.now - self._wire.record.opened_at
        self._wire.at(max(0.0, limit_s - age_s), lambda: self._wire.close(ABORTED))

    def _act_in_utterance(self, turn: TurnRecord) -> None:
        faults = self._utterance_faults
        while faults and faults[0].after_s <= turn.utterance_s:
            self._wire.act_after(Planned(faults.popleft().fault))

    def _answer(self, _value: Value) -> None:
        turn = cast("TurnRecord", self._heard)  # the table answers in a window only
        self._heard = None
        turn.activity_end_at = self._wire.now
        self._wire.note(
            f"turn {turn.number}: activityEnd after {turn.utterance_s:.2f} s of speech "
            f"in {len(turn.chunk_bytes)} chunks"
            + (f", with {len(turn.pictures)} pictures" if turn.pictures else "")
        )
        self._world.heard(turn)
        if self._options.reply is None:
            self._reply(turn, resample(bytes(turn.utterance), turn.rate_hz, REPLY_RATE_HZ))
        else:
            self._reply(turn, self._world.voice if turn.utterance else b"")

    def _ask(self, text: Value) -> None:
        if self._config.traits.answers_text:
            self._answer_text(text)

    def _answer_text(self, text: str) -> None:
        self._interrupt()
        turn = self._new_turn("text")
        turn.text = text
        turn.activity_end_at = self._wire.now
        self._wire.note(f"turn {turn.number}: text of {len(text)} letters")
        self._reply(turn, self._world.voice)

    def _remember(self, content: Value) -> None:
        history = self._wire.record.history
        history += messages.contents(content, strict=True)
        if not content.get("turn_complete"):
            return
        self._waits = False
        self._wire.note(f"told a history of {len(history)} contents")
        if history:
            words = " ".join(text for _, text in history)
            self._remember_turn(TOLD, Tokens(text=messages.tokens_of(words)))
        self._become_idle()

    def _add(self, content: Value) -> None:
        if not self._config.traits.content:
            raise Refused(BAD_ARGUMENT)
        # "A message here will interrupt any current model generation" (API reference).
        self._interrupt()
        self._texts += [text for _, text in messages.contents(content)]
        if content.get("turn_complete"):
            text = " ".join(self._texts)
            self._texts.clear()
            self._answer_text(text)

    def _accept(self, _value: Value) -> None:
        """Nothing to do: it has been read, counted and found well-formed."""

    # --- answering

    def _new_turn(self, kind: str) -> TurnRecord:
        context = tuple(past.number for past in self._session.history)
        turn = self._world.new_turn(self._wire.record.number, kind, context)
        self._last_turn = turn
        return turn

    @property
    def _waits_for_lost_calls(self) -> bool:
        return bool(self._session.lost_calls) and self._config.traits.waits_for_lost_calls

    def _end_lost_calls(self) -> None:
        """What the model has waited for over a resumption is over, and nothing is said to it."""
        self._session.lost_calls = frozenset()
        self._wire.say({"serverContent": {"turnComplete": True}})

    def _reply(self, turn: TurnRecord, pcm: bytes) -> None:
        """Answer ``turn`` with ``pcm``, after the answers that are under way."""
        if self._waits_for_lost_calls:  # it is taken for the end of that exchange
            self._end_lost_calls()
            turn.outcome = Outcome.COMPLETE
            return
        config, options, seconds = self._config, self._options, turn.utterance_s
        heard = options.heard.format(seconds=seconds) if turn.utterance else ""
        order = Order(
            pcm=pcm,
            heard=heard if config.transcribe_input else "",
            spoken=options.spoken.format(seconds=seconds) if config.transcribe_output else "",
            thinking=tuple(self._wire.script(Phase.THINKING, turn)),
            replying=tuple(self._wire.script(Phase.REPLY, turn)),
        )
        reply = Reply(turn, plan(order, options, self._world.random), options)
        self._replies.append(reply)
        if reply is self._replies[0]:
            reply.begin(self._wire.now)
            if config.resumption:
                self._wire.say({"sessionResumptionUpdate": {}})

    def due_at(self) -> float | None:
        """When the next step of the answer is due."""
        return self._replies[0].due_at() if self._replies else None

    def step(self) -> None:
        """Take the next step of the answer."""
        reply = self._replies[0]
        item: Item = reply.take()
        match item:
            case Say(message):
                self._wire.say(message)
            case Speak(pcm):
                self._speak(reply.turn, pcm)
            case Call(call):
                self._call(reply.turn, (call,))
            case Happen(Pause(duration_s)):
                reply.hold(self._wire.now + duration_s)
            case Happen(act):
                self._wire.act(act)
            case Complete():
                self._complete(reply.turn)
            case End(outcome):
                self._finish(reply, outcome)

    def _speak(self, turn: TurnRecord, pcm: bytes) -> None:
        if not self._wire.say(messages.model_audio(pcm)):
            return
        if turn.first_reply_at is None:
            turn.first_reply_at = self._wire.now
            self._wire.note(f"turn {turn.number}: the answer begins")
        turn.reply += pcm
        turn.reply_chunks.append(Chunk(self._wire.now, len(pcm)))

    def _complete(self, turn: TurnRecord) -> None:
        context = self._session.tokens.plus(Tokens(text=self._config.instruction_tokens))
        message = messages.turn_complete(turn, context)
        if self._config.traits.interaction_status:
            message["serverContent"]["interactionStatus"] = "IDLE"
        if self._wire.say(message):
            turn.completed_at = self._wire.now

    def _finish(self, reply: Reply, outcome: Outcome) -> None:
        self._replies.popleft()
        self._end_turn(reply.turn, outcome)
        if self._replies:
            self._replies[0].begin(self._wire.now)
            return
        if outcome is Outcome.COMPLETE:
            self._issue_handle()
        if self.state is State.IDLE:
            self._become_idle()

    def _end_turn(self, turn: TurnRecord, outcome: Outcome) -> None:
        turn.outcome = outcome
        spoken = Tokens(audio=messages.tokens_spoken(turn))
        tokens = messages.tokens_heard(turn).plus(spoken)
        self._remember_turn(turn.number, tokens)
        self._wire.note(f"turn {turn.number}: {outcome.value}, {turn.reply_s:.2f} s of answer")

    def _remember_turn(self, number: int, tokens: Tokens) -> None:
        config = self._config
        self._session.remember(
            PastTurn(number, tokens), config.trigger_tokens, config.target_tokens
        )

    def _interrupt(self) -> None:
        """The client cuts what is being answered and what would be answered next."""
        if cancelled := self._calls.cancel():
            self._wire.say({"toolCallCancellation": {"ids": cancelled}})
        if not self._replies:
            return
        current = self._replies[0]
        for chunk in current.late_audio(self._options.late_audio_chunks):
            self._speak(current.turn, chunk.pcm)
        self._wire.say({"serverContent": {"interrupted": True}})
        self._complete(current.turn)
        while self._replies:
            self._end_turn(self._replies.popleft().turn, Outcome.INTERRUPTED)
        self._issue_handle()

    def _become_idle(self) -> None:
        for planned in self._wire.script(Phase.IDLE):
            self._wire.act_after(planned)

    # --- tool calls

    def _act_on_calls(self, act: ToolCalls | CancelCalls) -> None:
        """What a script has wanted, whenever it was."""
        if isinstance(act, CancelCalls):
            self._wire.say({"toolCallCancellation": {"ids": self._calls.cancel(act.ids)}})
            self._go_on()
            return
        turn = self._replies[0].turn if self._replies else self._last_turn
        if turn is None:  # the calls are all there is to it
            turn = self._new_turn("tool")
            turn.outcome = Outcome.COMPLETE if act.ends_turn else Outcome.UNANSWERED
        self._call(turn, act.calls, ends_turn=act.ends_turn)

    def _call(
        self, turn: TurnRecord, calls: tuple[ToolCall, ...], *, ends_turn: bool = False
    ) -> None:
        functions = [self._calls.make(call, turn) for call in calls]
        end = {"serverContent": {"turnComplete": True}} if ends_turn else {}
        self._wire.say({"toolCall": {"functionCalls": functions}} | end)
        self._wire.note(f"turn {turn.number}: calls {', '.join(call.name for call in calls)}")
        if self._calls.blocking and self._replies:
            self._replies[0].waiting = True

    def _go_on(self) -> None:
        """Go on with an answer that has waited, unless it waits for another call."""
        if self._replies and self._replies[0].waiting and not self._calls.blocking:
            self._replies[0].go_on(self._wire.now)

    def _take_result(self, value: Value) -> None:
        for response in value.get("function_responses", []):
            if "scheduling" in response and not self._config.traits.scheduling:
                raise Refused(SCHEDULING)
            if response.get("id") in self._session.lost_calls:
                waits = self._waits_for_lost_calls
                self._session.lost_calls -= {response["id"]}
                if waits and not self._session.lost_calls:
                    self._end_lost_calls()
                continue
            answered = self._calls.answer(response)
            if answered is None:
                continue
            self._wire.note(f"turn {answered.turn.number}: the result of {answered.name}")
            if not answered.blocking or not self._replies:
                self._follow_up(response)
            self._go_on()

    def _follow_up(self, response: Mapping[str, Any]) -> None:
        """The model talks about a result it did not wait for, unless told not to."""
        scheduling = response.get("scheduling") or response.get("response", {}).get("scheduling")
        if scheduling == "SILENT" or self._heard is not None:
            return
        if scheduling in {"INTERRUPT", "INTERRUPTED"}:
            self._interrupt()
        turn = self._new_turn("tool")
        turn.activity_end_at = self._wire.now
        self._reply(turn, self._world.voice)

    # --- handles

    def _issue_handle(self) -> None:
        # While it generates or waits for a tool the session cannot be resumed.
        if not self._config.resumption or self._replies:
            return
        handle = self._world.sessions.issue(self._session)
        if self._wire.say({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}):
            self._wire.record.handles.append(handle)

    def _issue_every(self, interval_s: float) -> None:
        def again() -> None:
            self._issue_handle()
            self._issue_every(interval_s)

        self._wire.at(interval_s, again)

    _ACTIONS: dict[Action, Callable[[Conversation, Value], None]] = {  # noqa: RUF012 - a constant
        Action.OPEN: _open,
        Action.HEAR: _hear,
        Action.DETECT: _detect,
        Action.SEE: _see,
        Action.ANSWER: _answer,
        Action.END_STREAM: _end_stream,
        Action.ASK: _ask,
        Action.REMEMBER: _remember,
        Action.ADD: _add,
        Action.TAKE_RESULT: _take_result,
        Action.ACCEPT: _accept,
    }
