"""One connection of the Live API as a pure protocol: frames and the time in, frames and closes out.

No asyncio, no sockets, no clock. Whoever drives a :class:`Connection` calls ``receive`` for each
frame, ``wake`` no later than ``deadline()``, ``ended`` when the socket is gone, and after each of
them carries out what ``take()`` gives, in order. Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.simulator import catalogue, faults, messages, protojson
from speakerd.simulator.catalogue import Closing, Refused
from speakerd.simulator.conversation import Conversation
from speakerd.simulator.faults import Phase
from speakerd.simulator.machine import TABLE, Input, State
from speakerd.simulator.sessions import Session
from speakerd.simulator.setup import Configuration, Credential, authorize, configure
from speakerd.simulator.wire import Output, Wire

if TYPE_CHECKING:
    from speakerd.simulator.records import ConnectionRecord
    from speakerd.simulator.world import World


class Connection:
    """The server's side of one connection, from the upgrade to the end."""

    def __init__(
        self, record: ConnectionRecord, credential: Credential, world: World, now: float
    ) -> None:
        self.record = record
        self._credential = credential
        self._world = world
        self._options = world.options
        self._wire = Wire(record, world, now)
        self._conversation: Conversation | None = None
        self._set_up = False  # the setup message has come
        self._idle_since = now
        if self._options.go_away_after_s is not None:
            warning = faults.GoAway(self._options.go_away_time_left_s)
            self._wire.at(self._options.go_away_after_s, lambda: self._wire.act(warning))

    @property
    def state(self) -> State:
        """Where the connection is."""
        if self._wire.closed:
            return State.CLOSED
        return State.SETUP if self._conversation is None else self._conversation.state

    def receive(self, frame: str | bytes, now: float) -> None:
        """Take one frame of the client; after the end it is ignored."""
        self._wire.tell(now)
        if self._wire.closed:
            return
        self._idle_since = now
        try:
            self._receive(frame)
        except Refused as refusal:
            self._wire.close(refusal.closing)
        self._advance()

    def wake(self, now: float) -> None:
        """Do what is due at ``now``."""
        self._wire.tell(now)
        self._advance()

    def act(self, act: faults.Act, now: float) -> None:
        """Let a fault happen now."""
        self._wire.tell(now)
        self._wire.act(act)
        self._advance()

    def ended(self, now: float, *, by: str, code: int, reason: str) -> None:
        """The socket is gone; ``code`` is 1006 if there was no close frame."""
        self._wire.tell(now)
        if not self._wire.closed:
            self._wire.end(by, code, reason)
        self._advance()

    def deadline(self) -> float | None:
        """When :meth:`wake` must be called at the latest; None: only after something else."""
        if self._wire.closed:
            return None
        dues = (self._wire.deadline(), self._step_at(), self._idle_at())
        return min((at for at in dues if at is not None), default=None)

    def take(self) -> list[Output]:
        """What is to be done, in order; it is forgotten here."""
        return self._wire.take()

    # --- time

    def _advance(self) -> None:
        """Do all that is due, the oldest first."""
        now = self._wire.now
        while (due := self.deadline()) is not None and due <= now:
            if due == self._wire.deadline():
                self._wire.wake()
            elif self._conversation is not None and due == self._step_at():
                self._conversation.step()
                self._idle_since = now  # the quiet counts from the end of the answer
            else:
                self._idle_since = now
                self._wire.close(catalogue.ABORTED)
        conversation = self._conversation
        if self._wire.closed and conversation is not None and not conversation.closed:
            conversation.lost()

    def _step_at(self) -> float | None:
        return None if self._conversation is None else self._conversation.due_at()

    def _idle_at(self) -> float | None:
        if self._options.idle_timeout_s is None or self.state is State.GENERATING:
            return None
        return self._idle_since + self._options.idle_timeout_s

    # --- input

    def _receive(self, frame: str | bytes) -> None:
        message = protojson.load(frame)
        setup = message.get("setup")
        if isinstance(setup, dict) and not self._set_up:
            self.record.setup = setup
            self._world.new_setup(setup)
        conversation = self._conversation
        takes_chunks = conversation is None or conversation.takes_media_chunks
        for input_, value in messages.inputs(message, media_chunks=takes_chunks):
            self.record.received[input_.value] += 1
            if conversation is not None and not self._wire.closed:
                conversation.take(input_, value)
            elif conversation is None:
                self._take_setup(input_, value)

    def _take_setup(self, input_: Input, value: Any) -> None:  # noqa: ANN401 - depends on input_
        cell = TABLE[State.SETUP][input_]
        if isinstance(cell, Closing) or self._set_up:
            raise Refused(catalogue.BAD_ARGUMENT)
        self._set_up = True
        planned = self._wire.script(Phase.SETUP)
        for one in planned:
            self._wire.act_after(one)
        late_s = max((one.after_s for one in planned), default=0.0)
        if late_s:
            self._wire.at(late_s, lambda: self._answer_setup(value))
        else:
            self._answer_setup(value)

    def _answer_setup(self, setup: dict[str, Any]) -> None:
        if self._wire.closed:
            return
        try:
            now, tokens = self._wire.now, self._world.tokens
            key = authorize(self._credential, self._options.keys, tokens, now)
            config = configure(setup, self._options.models, self._credential)
            session = self._join(config, key)
        except Refused as refusal:
            self._wire.close(refusal.closing)
            return
        self._conversation = Conversation(self._wire, config, session, self._world)
        self.record.ready = self._wire.say({"setupComplete": {}})
        self.record.ready_at = self._wire.now if self.record.ready else None
        context = f"resumed with {len(session.history)} turns" if config.handle else "fresh"
        mode = "manual" if config.detection is None else "automatic"
        self._wire.note(f"set up: {config.model}, {mode} activity, {context}")
        if session.model == config.model:
            self._conversation.begin()
        else:
            self._wire.close(catalogue.INTERNAL)

    def _join(self, config: Configuration, key: str) -> Session:
        if config.search and not self._options.search:
            raise Refused(catalogue.QUOTA)
        if self._credential.is_token:
            self._join_by_token(self._credential.key, fresh=config.handle is None)
        if config.handle is None:
            return Session(key, config.model)
        self.record.resumed_handle = config.handle
        session = self._world.sessions.resume(config.handle, key, self._wire.now)
        if not config.traits.keeps_history:
            session.lose_told()
        return session

    def _join_by_token(self, name: str, *, fresh: bool) -> None:
        """A token lets nobody stay for longer than it lasts."""
        now, tokens = self._wire.now, self._world.tokens
        if fresh:
            tokens.begin(name, now)
        left_s = tokens.find(name, now).expires_at - now
        self._wire.at(left_s, lambda: self._wire.close(catalogue.TOKEN_EXPIRED))
