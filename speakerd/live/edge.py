"""The Gemini edge as the daemon sees it: connections by generation, one at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
from typing import TYPE_CHECKING

from speakerd.config.secret import redact
from speakerd.conversation import events as ev
from speakerd.errors import Failure, FailureKind
from speakerd.live import sdk, setup
from speakerd.live.access import Access
from speakerd.live.connection import Connection, Outlets
from speakerd.live.history import NOTHING, Past
from speakerd.live.sending import Result, Spoken, Text, Written
from speakerd.live.transport import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.genai.types import LiveConnectConfig
    from pydantic import SecretStr

    from speakerd.audio.buffers import Utterance
    from speakerd.conversation.events import SessionHandle, ToolCall
    from speakerd.errors import Feature
    from speakerd.live.fetching import Source

log = logging.getLogger(__name__)


class LiveEdge:
    """Carries out Connect, Disconnect and Deliver; everything else comes back as events.

    ``wishes`` are asked of the model at every connection. Connections are made with tokens of
    ``source``, or else with ``api_key``.
    """

    def __init__(
        self,
        outlets: Outlets,
        *,
        api_key: SecretStr | None = None,
        source: Source | None = None,
        wishes: setup.Wishes | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._outlets = outlets
        self._wishes = wishes or setup.Wishes()
        self._timeouts = timeouts or Timeouts()
        self._access = Access(api_key, source, self._timeouts)
        self._told_left_out: tuple[str, tuple[str, ...]] = ("", ())  # of which model, and what
        #: What the session still waits for from the connection before: names of calls by their ids.
        self._open_calls: dict[str, str] = {}
        self._connections: dict[int, tuple[Connection, asyncio.Task[Failure]]] = {}

    def reload(
        self, api_key: SecretStr | None, wishes: setup.Wishes, source: Source | None = None
    ) -> None:
        """Ask for other things, or with another key, from the next connection on."""
        self._access.reload(api_key, source)
        self._wishes = wishes

    async def load(self) -> None:
        """Load the SDK; no connection can be made before. Cancelling leaves it to itself."""
        await sdk.load()
        try:
            await asyncio.to_thread(self._access.prepare)
        except OSError as error:  # the next connection tells of it, and tries it again
            log.debug("the client cannot be made: %s", error)

    def connect(
        self,
        generation: int,
        model: str,
        handle: SessionHandle | None,
        without: frozenset[Feature] = frozenset(),
        past: Past = NOTHING,
    ) -> None:
        """Begin connection ``generation``, without these optional parts of the setup.

        ``past`` is how it went before: a session that begins afresh is told, if it can be.
        """
        manners = setup.manners(self._wishes, model)
        resumed = handle.value if handle else None
        if not setup.takes_history(self._wishes, model, handle=resumed, without=without):
            past = NOTHING
        owed = self._open_calls if resumed else {}
        self._open_calls = {}
        connection = Connection(
            generation, self._outlets, self._timeouts.close_s, manners, owed, past
        )
        self._tell_left_out(model)
        config = functools.partial(
            setup.config,
            self._wishes,
            model,
            handle=resumed,
            without=without,
            history=past is not NOTHING,
        )
        task = asyncio.create_task(
            self._run(connection, model, config, resuming=handle is not None),
            name=f"live connection {generation}",
        )
        self._connections[generation] = (connection, task)
        task.add_done_callback(functools.partial(self._ended, generation))

    def disconnect(self, generation: int) -> None:
        """Close connection ``generation``, or stop trying to open it."""
        if generation in self._connections:
            connection, task = self._connections[generation]
            connection.mute()
            task.cancel()

    def deliver(self, generation: int, turn: int, what: Utterance | Text) -> None:
        """Send an utterance (from its beginning, and as it grows) or a text."""
        item = Written(turn, what) if isinstance(what, Text) else Spoken(turn, what)
        if generation in self._connections:
            self._connections[generation][0].send(item)

    def respond(
        self,
        generation: int,
        turn: int,
        call: ToolCall,
        response: Mapping[str, object],
        scheduling: str = "WHEN_IDLE",
    ) -> None:
        """Send the result of a tool call.

        ``scheduling`` says when the model, if it has not waited, speaks of it: WHEN_IDLE,
        INTERRUPT or SILENT (Live API guide, "Asynchronous function calling").
        """
        if generation in self._connections:
            result = Result(turn, call.id, call.name, response, scheduling)
            self._connections[generation][0].send(result)

    async def close(self) -> None:
        """Close whatever is open; returns when it is, after the close time-out at the latest."""
        tasks = [task for _, task in self._connections.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell_left_out(self, model: str) -> None:
        """Say once what is wished and this model is not asked for."""
        left_out = setup.left_out(self._wishes, model)
        if left_out and (model, left_out) != self._told_left_out:
            log.info("%s does not take %s: left out", model, " and ".join(left_out))
        self._told_left_out = (model, left_out)

    def _ended(self, generation: int, task: asyncio.Task[Failure]) -> None:
        """Report the end of a connection: once, last of all, whatever it was that ended it."""
        connection, _ = self._connections.pop(generation)
        self._open_calls |= connection.calls.open
        failure: Failure | None = None  # our own close
        if not task.cancelled():
            bug = task.exception()
            if bug is None:
                failure = task.result()
            else:
                log.error("the connection failed in a way that nobody foresaw", exc_info=bug)
                failure = Failure(FailureKind.SERVER, f"{type(bug).__name__}: {bug}")
            text = redact(failure.text, self._access.secrets())  # the server may quote the key
            failure = dataclasses.replace(failure, text=text)
        self._outlets.post(ev.ConnectionClosed(generation, failure))

    async def _run(
        self,
        connection: Connection,
        model: str,
        config: Callable[[], LiveConnectConfig],
        *,
        resuming: bool,
    ) -> Failure:
        """The whole life of a connection; it is made once more where a token was to blame."""
        attempt = functools.partial(self._attempt, connection, model, config, resuming=resuming)
        failure = await attempt()
        if not connection.opened and self._access.is_suspect(failure):
            log.debug("tried once more, with a fresh token: %s", failure)
            failure = await attempt()
        return self._access.told(failure, opened=connection.opened)

    async def _attempt(
        self,
        connection: Connection,
        model: str,
        config: Callable[[], LiveConnectConfig],
        *,
        resuming: bool,
    ) -> Failure:
        get = functools.partial(self._access.get, resuming=resuming)
        failure: Failure | None = None
        try:
            failure = await connection.run(get, model, config)
        finally:
            if connection.opened or (failure is not None and failure.code is not None):
                self._access.used(resuming=resuming)
        return failure
