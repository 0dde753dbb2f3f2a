"""One connection of the Live API as a pure protocol: frames and the time in, frames and closes out.

No asyncio, no sockets, no clock. Whoever drives a :class:`Connection` calls ``receive`` for each
frame, ``wake`` no later than ``deadline()``, ``ended`` when the socket is gone, and after each of
them carries out what ``take()`` gives, in order. Times are seconds of any monotonic clock.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from speakerd.simulator import catalogue, faults, schema
from speakerd.simulator.audio import (
    NATIVE_RATE_HZ,
    REPLY_RATE_HZ,
    resample,
)
from speakerd.simulator.catalogue import BAD_ARGUMENT, Closing, Refused
from speakerd.simulator.faults import Moment, Phase, Planned
from speakerd.simulator.machine import AUTOMATIC_TABLE, TABLE, Action, Input, State
from speakerd.simulator.protojson import parse
from speakerd.simulator.records import ConnectionRecord, Outcome, TurnRecord
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
    audio_message,
    plan,
    spoken_tokens,
    turn_complete,
)
from speakerd.simulator.sessions import PastTurn, Session
from speakerd.simulator.setup import Configuration, Credential, authorize, configure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speakerd.simulator.world import World

#: What one utterance may hold at most: the model's context window, 131,072 tokens at 25 a second
#: of audio, is more; this bounds what the simulator keeps.
LONGEST_UTTERANCE_S = 600.0
#: Rates a client may state; the documentation names 16 kHz and "other rates".
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8_000, 48_000


@dataclass(frozen=True, slots=True)
class Send:
    """Send one binary frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close with this code and reason."""

    closing: Closing


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset TCP."""


@dataclass(frozen=True, slots=True)
class Deafen:
    """Stop reading from the socket, for good."""


Output: TypeAlias = Send | Hangup | Reset | Deafen


class Connection:
    """The server's side of one connection."""

    def __init__(
        self, record: ConnectionRecord, credential: Credential, world: World, now: float
    ) -> None:
        self.record = record
        self._credential = credential
        self._world = world
        self._options = world.options
        self._out: list[Output] = []
        self._now = now
        self._state = State.SETUP
        self._config: Configuration | None = None
        self._session: Session | None = None
        self._silent = False
        self._window: TurnRecord | None = None  # the open window, or what was heard so far
        self._in_utterance: deque[Planned] = deque()  # faults to come while it is spoken
        self._replies: deque[Reply] = deque()  # the first is under way
        self._calls: dict[str, str] = {}  # the name of each pending call, by its id
        self._answered_calls: set[str] = set()  # responses to these are late, not wrong
        self._texts: list[str] = []  # clientContent whose turn is not complete yet
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._idle_at = _later(now, self._options.idle_timeout_s)
        if self._options.go_away_after_s is not None:
            warning = faults.GoAway(self._options.go_away_time_left_s)
            self._at(self._options.go_away_after_s, lambda: self._act(warning))

    # --- what the server shell calls

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._state

    def receive(self, frame: str | bytes, now: float) -> None:
        """Take one frame of the client."""
        self._now = now
        if self._state is State.CLOSED:
            return
        self._idle_at = _later(now, self._options.idle_timeout_s)
        try:
            for input_, value in self._inputs(frame):
                self.record.received[input_.value] += 1
                self._take_input(input_, value)
        except Refused as refusal:
            self._close(refusal.closing)

    def wake(self, now: float) -> None:
        """Do what is due at ``now``."""
        self._now = now
        while self._state is not State.CLOSED and self._wake_once():
            pass

    def deadline(self) -> float | None:
        """When :meth:`wake` must be called at the latest; None: only after something else."""
        if self._state is State.CLOSED:
            return None
        dues = [at for at, _ in self._timers]
        dues += [at for at in (self._idle_at, self._reply_due_at()) if at is not None]
        return min(dues, default=None)

    def act(self, act: faults.Act, now: float) -> None:
        """Carry out a fault now."""
        self._now = now
        if self._state is not State.CLOSED:
            self._act(act)

    def ended(self, now: float, code: int | None, reason: str) -> None:
        """The socket is gone; ``code`` and ``reason`` are the close frame's, if there was one."""
        self._now = now
        if self.record.closed_at is None:
            self._record_end("client", code, reason)

    def take(self) -> list[Output]:
        """What is to be done, in order; it is forgotten here."""
        out = self._out
        self._out = []
        return out

    # --- inputs

    def _inputs(self, frame: str | bytes) -> list[tuple[Input, Any]]:
        message = parse(frame, schema.CLIENT_MESSAGE)
        if len(message) != 1:
            raise Refused(BAD_ARGUMENT)
        [(kind, value)] = message.items()
        if kind != "realtime_input":
            if kind == "setup" and self.record.setup is None:
                self.record.setup = json.loads(frame)["setup"]
            return [(_MESSAGES[kind], value)]
        if "media_chunks" in value and self._config is not None:
            value = self._media_chunks(value)
        inputs = [(_REALTIME[name], value[name]) for name in _REALTIME if name in value]
        # A false audioStreamEnd says nothing; activityStart and activityEnd are messages.
        return [(input_, given) for input_, given in inputs if given is not False]

    def _media_chunks(self, value: dict[str, Any]) -> dict[str, Any]:
        """The deprecated form of audio and video: only its first chunk counts."""
        assert self._config is not None
        if not self._config.traits.media_chunks:
            raise Refused(catalogue.MEDIA_CHUNKS)
        chunks = value["media_chunks"]
        mime = chunks[0].get("mime_type", "") if chunks else ""
        return value | (
            {"audio" if mime.startswith("audio/") else "video": chunks[0]} if chunks else {}
        )

    def _take_input(self, input_: Input, value: Any) -> None:
        if self._state is State.CLOSED:
            return
        automatic = self._config is not None and self._config.automatic
        cell = (AUTOMATIC_TABLE if automatic else TABLE)[self._state][input_]
        if isinstance(cell, Closing):
            raise Refused(cell)
        self._ACTIONS[cell](self, value)

    # --- setup

    def _set_up(self, setup: dict[str, Any]) -> None:
        self._world.new_setup(self.record.setup or {})
        planned = self._script(Phase.SETUP)
        wait_s = max((one.after_s for one in planned), default=0.0)
        for one in planned:
            if isinstance(one.fault, faults.Act):
                self._act_after(one)
        if wait_s:
            self._at(wait_s, lambda: self._answer_setup(setup))
        else:
            self._answer_setup(setup)

    def _answer_setup(self, setup: dict[str, Any]) -> None:
        if self._state is State.CLOSED:
            return
        try:
            authorize(self._credential, self._options.keys)
            config = configure(setup, self._options.models, self._credential.version)
            self._session = self._join(config)
        except Refused as refusal:
            self._close(refusal.closing)
            return
        self._config = config
        self._state = State.IDLE
        self.record.ready = True
        self._say({"setupComplete": {}})
        if self._session.model != config.model:
            self._close(catalogue.INTERNAL)
            return
        context = f"resumed with {len(self._session.history)} turns" if config.handle else "fresh"
        mode = "automatic" if config.automatic else "manual"
        self._note(f"set up: {config.model}, {mode} activity, {context}")
        self._issue_handle()
        if self._options.handle_interval_s is not None:
            self._at(self._options.handle_interval_s, self._issue_again)
        self._become_idle()

    def _join(self, config: Configuration) -> Session:
        key = self._credential.key.rpartition("/")[2]
        if config.handle is None:
            return Session(key, config.model)
        self.record.resumed_handle = config.handle
        return self._world.sessions.resume(config.handle, key, self._now)

    # --- the activity window

    def _open(self, _value: object) -> None:
        config = self._configured()
        if config.interruptible:
            self._interrupt()
        self._window = turn = self._new_turn("speech")
        turn.activity_start_at = self._now
        self._state = State.WINDOW
        self._note(f"turn {turn.number}: activityStart")
        self._in_utterance = deque(self._script(Phase.UTTERANCE, turn))
        self._act_in_utterance()

    def _hear(self, blob: Mapping[str, Any]) -> None:
        turn = self._window
        assert turn is not None
        rate_hz, pcm = _rate_hz(blob), blob.get("data", b"")
        turn.chunk_bytes.append(len(pcm))
        if turn.first_audio_at is None:
            turn.first_audio_at = self._now
            turn.rate_hz = rate_hz
        turn.utterance += pcm if rate_hz == turn.rate_hz else resample(pcm, rate_hz, turn.rate_hz)
        if turn.utterance_s > LONGEST_UTTERANCE_S:
            raise Refused(BAD_ARGUMENT)
        self._act_in_utterance()

    def _act_in_utterance(self) -> None:
        while self._window is not None and self._in_utterance:
            if self._in_utterance[0].after_s > self._window.utterance_s:
                return
            fault = self._in_utterance.popleft().fault
            if isinstance(fault, faults.Act):
                self._act(fault)

    def _discard(self, blob: Mapping[str, Any]) -> None:
        _rate_hz(blob)
        self.record.discarded_chunks += 1
        self.record.discarded_bytes += len(blob.get("data", b""))

    def _listen(self, blob: Mapping[str, Any]) -> None:
        if self._window is None:
            self._window = self._new_turn("speech")
        self._hear(blob)

    def _answer_heard(self, _value: object) -> None:
        if self._window is not None:
            self._interrupt()
            self._answer(None)

    def _answer(self, _value: object) -> None:
        turn, self._window = self._window, None
        assert turn is not None
        turn.activity_end_at = self._now
        self._note(
            f"turn {turn.number}: activityEnd after {turn.utterance_s:.2f} s of speech "
            f"in {len(turn.chunk_bytes)} chunks"
        )
        self._world.heard(turn)
        if self._options.reply is None:
            pcm = resample(bytes(turn.utterance), turn.rate_hz, REPLY_RATE_HZ)
        else:
            pcm = self._world.voice if turn.utterance else b""
        self._reply(turn, pcm)

    # --- turns of text, and content

    def _ask(self, text: str) -> None:
        self._interrupt()
        turn = self._new_turn("text")
        turn.text = text
        turn.activity_end_at = self._now
        self._note(f"turn {turn.number}: text of {len(text)} letters")
        self._reply(turn, self._world.voice)

    def _add(self, content: Mapping[str, Any]) -> None:
        self._interrupt()
        texts = [
            part.get("text", "")
            for turn in content.get("turns", [])
            for part in turn.get("parts", [])
        ]
        self._texts += texts
        if content.get("turn_complete"):
            text = " ".join(self._texts)
            self._texts.clear()
            self._ask(text)

    def _accept(self, _value: object) -> None:
        """Nothing to do: it was read, counted and found well-formed."""

    # --- answering

    def _new_turn(self, kind: str) -> TurnRecord:
        history = self._session.history if self._session is not None else ()
        return self._world.new_turn(
            self.record.number, kind, tuple(past.number for past in history)
        )

    def _reply(self, turn: TurnRecord, pcm: bytes) -> None:
        config = self._configured()
        seconds = {"seconds": turn.utterance_s}
        order = Order(
            pcm=pcm,
            heard=self._options.heard.format(**seconds)
            if config.transcribe_input and turn.utterance
            else "",
            spoken=self._options.spoken.format(**seconds) if config.transcribe_output else "",
            thinking=tuple(self._script(Phase.THINKING, turn)),
            replying=tuple(self._script(Phase.REPLY, turn)),
        )
        reply = Reply(turn, plan(order, self._options, self._world.random), self._options)
        self._replies.append(reply)
        self._state = State.GENERATING
        if len(self._replies) == 1:
            reply.begin(self._now)
            self._say_not_resumable()
        self.wake(self._now)

    def _reply_due_at(self) -> float | None:
        return self._replies[0].due_at() if self._replies else None

    def _step(self, reply: Reply, item: Item) -> None:
        match item:
            case Say(message):
                self._say(message)
            case Speak(pcm):
                self._speak(reply.turn, pcm)
            case Call(call):
                self._call(reply, call)
            case Happen(act):
                self._act(act)
            case Complete():
                self._complete(reply.turn)
            case End(outcome):
                self._finish(reply, outcome)

    def _speak(self, turn: TurnRecord, pcm: bytes) -> None:
        if not self._say(audio_message(pcm)):
            return
        if turn.first_reply_at is None:
            turn.first_reply_at = self._now
            self._note(f"turn {turn.number}: the answer begins")
        turn.reply += pcm

    def _complete(self, turn: TurnRecord) -> None:
        tokens = self._session.tokens if self._session is not None else 0
        bare = {"serverContent": {"turnComplete": True}}
        if self._say(turn_complete(tokens, turn) if turn.reply else bare):
            turn.completed_at = self._now

    def _finish(self, reply: Reply, outcome: Outcome) -> None:
        self._replies.popleft()
        self._close_turn(reply.turn, outcome)
        if self._replies:
            self._replies[0].begin(self._now)
            return
        if self._state is State.GENERATING:
            self._state = State.IDLE
        if outcome is Outcome.COMPLETE:
            self._issue_handle()
        if self._state is State.IDLE:
            self._become_idle()

    def _close_turn(self, turn: TurnRecord, outcome: Outcome) -> None:
        turn.outcome = outcome
        config, session = self._configured(), self._session
        if session is not None:
            tokens = spoken_tokens(turn) + round(turn.reply_s * 25)
            session.remember(
                PastTurn(turn.number, tokens), config.trigger_tokens, config.target_tokens
            )
        self._note(f"turn {turn.number}: {outcome.value}, {turn.reply_s:.2f} s of answer")

    def _interrupt(self) -> None:
        """The client cuts what is being answered and what would be answered next."""
        if self._calls:
            self._say({"toolCallCancellation": {"ids": list(self._calls)}})
            self._answered_calls.update(self._calls)
            self._calls.clear()
        if not self._replies:
            return
        current = self._replies[0]
        for chunk in current.late_audio(self._options.late_audio_chunks):
            self._speak(current.turn, chunk.pcm)
        self._say({"serverContent": {"interrupted": True}})
        self._complete(current.turn)
        while self._replies:
            self._close_turn(self._replies.popleft().turn, Outcome.INTERRUPTED)
        self._state = State.IDLE
        self._issue_handle()

    # --- tool calls

    def _call(self, reply: Reply, call: faults.ToolCall) -> None:
        call_id = f"function-call-{self._world.random.getrandbits(64)}"
        self._calls[call_id] = call.name
        function = {"id": call_id, "name": call.name, "args": dict(call.args)}
        self._say({"toolCall": {"functionCalls": [function]}})
        self._note(f"turn {reply.turn.number}: calls {call.name}")
        if call.name not in self._configured().non_blocking:
            reply.waiting = True
            self._state = State.TOOL_PENDING

    def _take_result(self, value: Mapping[str, Any]) -> None:
        for response in value.get("function_responses", []):
            call_id = response.get("id", "")
            if call_id not in self._calls:
                if call_id not in self._answered_calls:
                    raise Refused(BAD_ARGUMENT)
                continue
            if not response.get("will_continue"):
                self._answered_calls.add(call_id)
                name = self._calls.pop(call_id)
                self._take_one_result(name, response)

    def _take_one_result(self, name: str, response: dict[str, Any]) -> None:
        turn = self._replies[0].turn if self._replies else self._world.last_turn
        if turn is not None:
            turn.tool_responses.append(response)
        self._note(f"the result of {name}")
        blocking = set(self._calls.values()) - self._configured().non_blocking
        if self._state is State.TOOL_PENDING and not blocking:
            self._state = State.GENERATING
            self._replies[0].go_on(self._now)
            self.wake(self._now)
        elif name in self._configured().non_blocking:
            self._follow_up(response)

    def _follow_up(self, response: Mapping[str, Any]) -> None:
        """The model talks about a result it did not wait for, unless told not to."""
        scheduling = response.get("scheduling") or response.get("response", {}).get("scheduling")
        if scheduling == "SILENT" or self._state is State.WINDOW:
            return
        if scheduling in {"INTERRUPT", "INTERRUPTED"}:
            self._interrupt()
        turn = self._new_turn("tool")
        turn.activity_end_at = self._now
        self._reply(turn, self._world.voice)

    # --- handles

    def _say_not_resumable(self) -> None:
        if self._configured().resumption:
            self._say({"sessionResumptionUpdate": {}})

    def _issue_handle(self) -> None:
        resumable = not self._replies and self._state in {State.IDLE, State.WINDOW}
        if not self._configured().resumption or not resumable or self._session is None:
            return
        handle = self._world.sessions.issue(self._session)
        if self._say({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}):
            self.record.handles.append(handle)

    def _issue_again(self) -> None:
        assert self._options.handle_interval_s is not None
        self._issue_handle()
        self._at(self._options.handle_interval_s, self._issue_again)

    # --- time

    def _at(self, after_s: float, what: Callable[[], None]) -> None:
        self._timers.append((self._now + after_s, what))

    def _wake_once(self) -> bool:
        """Do the one thing that is due first; whether there was one."""
        due = [timer for timer in self._timers if timer[0] <= self._now]
        if due:
            first = min(due, key=lambda timer: timer[0])
            self._timers.remove(first)
            first[1]()
            return True
        reply_at = self._reply_due_at()
        if reply_at is not None and reply_at <= self._now:
            self._step(self._replies[0], self._replies[0].take())
            return True
        if self._idle_at is not None and self._idle_at <= self._now:
            self._idle_at = _later(self._now, self._options.idle_timeout_s)
            if not self._replies:
                self._close(catalogue.ABORTED)
            return True
        return False

    def _become_idle(self) -> None:
        for one in self._script(Phase.IDLE):
            if isinstance(one.fault, faults.Act):
                self._act_after(one)

    # --- faults

    def _script(self, phase: Phase, turn: TurnRecord | None = None) -> list[Planned]:
        number = turn.number if turn is not None else None
        found = self._world.script.faults(Moment(phase, self.record.number, number))
        return sorted(found, key=lambda planned: planned.after_s)

    def _act_after(self, planned: Planned) -> None:
        assert isinstance(planned.fault, faults.Act)
        act = planned.fault
        if planned.after_s:
            self._at(planned.after_s, lambda: self._act(act))
        else:
            self._act(act)

    def _act(self, act: faults.Act) -> None:
        if not isinstance(act, faults.Pause):
            self._note(f"makes happen: {act}")
        match act:
            case faults.Close(code, reason):
                self._close(Closing(code, reason))
            case faults.Abort():
                self._record_end("server", None, "")
                self._out.append(Reset())
            case faults.GoAway(time_left_s, closes):
                self._say({"goAway": {"timeLeft": f"{time_left_s:g}s"}})
                if closes:
                    self._at(time_left_s, lambda: self._close(catalogue.ABORTED))
            case faults.Silence(pongs):
                self._silent = True
                if not pongs:
                    self._out.append(Deafen())
            case faults.Inject(message):
                self._send(message if isinstance(message, bytes) else _encode(message))
            case faults.Pause():
                pass

    # --- outputs

    def _configured(self) -> Configuration:
        assert self._config is not None
        return self._config

    def _note(self, text: str) -> None:
        self._world.note(self.record.number, text)

    def _say(self, message: Mapping[str, Any]) -> bool:
        return self._send(_encode(message))

    def _send(self, data: bytes) -> bool:
        """Whether it goes out."""
        if self._silent or self._state is State.CLOSED:
            return False
        self._out.append(Send(data))
        return True

    def _close(self, closing: Closing) -> None:
        if self._state is State.CLOSED or self._silent:
            return
        self._record_end("server", closing.code, closing.reason)
        self._out.append(Hangup(closing))

    def _record_end(self, by: str, code: int | None, reason: str) -> None:
        record = self.record
        record.closed_at, record.closed_by = self._now, by
        record.close_code, record.close_reason = code, reason
        self._state = State.CLOSED
        turns = [reply.turn for reply in self._replies]
        for turn in [*turns, *([self._window] if self._window is not None else [])]:
            turn.outcome = Outcome.LOST
        self._replies.clear()
        self._timers.clear()
        self._window = None
        if self._session is not None:
            self._session.end(self._now)
        self._note(f"closed by the {by}: {code or 'no close frame'} {reason}".rstrip())

    _ACTIONS: Mapping[Action, Callable[[Connection, Any], None]] = {
        Action.SET_UP: _set_up,
        Action.OPEN: _open,
        Action.HEAR: _hear,
        Action.DISCARD: _discard,
        Action.ANSWER: _answer,
        Action.ASK: _ask,
        Action.ADD: _add,
        Action.TAKE_RESULT: _take_result,
        Action.ACCEPT: _accept,
        Action.LISTEN: _listen,
        Action.ANSWER_HEARD: _answer_heard,
    }


_MESSAGES = {
    "setup": Input.SETUP,
    "client_content": Input.CONTENT,
    "tool_response": Input.TOOL_RESPONSE,
    "context_update": Input.CONTEXT_UPDATE,
}
#: In the order in which they are taken when one message has several.
_REALTIME = {
    "activity_start": Input.ACTIVITY_START,
    "audio": Input.AUDIO,
    "video": Input.VIDEO,
    "text": Input.TEXT,
    "activity_end": Input.ACTIVITY_END,
    "audio_stream_end": Input.STREAM_END,
}


def _later(now: float, after_s: float | None) -> float | None:
    return None if after_s is None else now + after_s


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()


def _rate_hz(blob: Mapping[str, Any]) -> int:
    """The rate an audio blob states; 16 kHz if it states none. Raises Refused for other audio."""
    kind, *parameters = (part.strip() for part in blob.get("mime_type", "").lower().split(";"))
    rate = dict(parameter.partition("=")[::2] for parameter in parameters).get("rate")
    if kind != "audio/pcm" or not (rate or str(NATIVE_RATE_HZ)).isdigit():
        raise Refused(BAD_ARGUMENT)
    rate_hz = int(rate or NATIVE_RATE_HZ)
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise Refused(BAD_ARGUMENT)
    return rate_hz
