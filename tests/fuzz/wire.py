"""From bytes to events the way a frame really goes: google-genai's session, then our connection.

The coroutine that receives is stepped by hand: it waits for nothing but frames, so that there is
no need of an event loop, and the time is the world's.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
from typing import TYPE_CHECKING, Any, cast

from google.genai.live import AsyncSession
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close

from speakerd.audio.pcm import PLAYABLE_RATES_HZ
from speakerd.conversation import events as ev
from speakerd.live.attribution import Attribution
from speakerd.live.connection import Connection, Outlets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from speakerd.errors import Failure

#: What may come of one message at most, whatever is in it.
MAX_HANDLE_BYTES = 8 * 1024
MAX_TEXT = 10_000
MAX_CALLS = 64
MAX_CALL_CHARACTERS = 64 * 1024
MAX_NAME = 1024
MAX_DEPTH = 32
MAX_LINE = 300
#: How many unreadable messages of a connection are told singly, and then how many there were.
MAX_LINES = 3 + 1
LONGEST_GO_AWAY_S = 3600.0
MAX_TOKENS = 2**31 - 1


class _NextFrame:
    def __await__(self) -> Generator[None]:
        yield


class _Socket:
    """Gives what is put into it, then closes."""

    def __init__(self) -> None:
        self.frame: bytes | None = None
        self.over = False

    async def recv(self, decode: bool | None = None) -> bytes:
        assert decode is False
        while self.frame is None:
            if self.over:
                close = Close(1000, "")
                raise ConnectionClosedOK(close, close, rcvd_then_sent=True)
            await _NextFrame()
        frame, self.frame = self.frame, None
        return frame


class _Api:
    vertexai = False


class _WorldsTime(Attribution):
    """An attribution that looks at the clock of the world."""

    clock: Callable[[], float]

    def about(self, now: float) -> int:  # noqa: ARG002 - that is the machine's clock
        return super().about(self.clock())


class Receiver:
    """The receiving half of one connection; what comes of a frame is judged, then passed on."""

    def __init__(self, generation: int, outlets: Outlets, clock: Callable[[], float]) -> None:
        self._outlets = outlets
        self._socket = _Socket()
        self.attribution = _WorldsTime()
        self.attribution.clock = clock
        connection = Connection(generation, Outlets(self._post, self._play, self._transcript))
        connection._attribution = self.attribution
        session = AsyncSession(cast("Any", _Api()), cast("Any", self._socket))
        self._receiving: Coroutine[None, None, Failure] = connection._receive(session)
        self._receiving.send(None)

    def feed(self, frame: bytes) -> None:
        """Let ``frame`` arrive. Raises what breaks the connection, or AssertionError."""
        self._socket.frame = frame
        try:
            self._receiving.send(None)
        except StopIteration as end:
            raise AssertionError(f"one message has ended the connection: {end.value}") from None
        assert self._socket.frame is None, "the frame was not taken"

    def close(self) -> None:
        """Let the server close the connection, if nothing has broken it."""
        self._socket.over = True
        if inspect.getcoroutinestate(self._receiving) == inspect.CORO_CLOSED:
            return
        try:
            self._receiving.send(None)
        except StopIteration:
            return
        raise AssertionError("the end of the connection was not noticed")

    # --- what every fact must be like, whatever it was made of

    def _post(self, event: ev.Event) -> None:
        match event:
            case ev.HandleIssued():
                assert 0 < len(event.handle.encode()) <= MAX_HANDLE_BYTES
            case ev.GoAwayReceived():
                assert math.isfinite(event.time_left_s)
                assert 0.0 <= event.time_left_s <= LONGEST_GO_AWAY_S
            case ev.UsageReported():
                usage = event.usage
                for count in (usage.prompt_tokens, usage.response_tokens, usage.total_tokens):
                    assert type(count) is int
                    assert 0 <= count <= MAX_TOKENS
            case ev.ToolCallReceived():
                assert 0 < len(event.calls) <= MAX_CALLS
                for call in event.calls:
                    _judge_call(call)
            case ev.ToolCallsCancelled():
                for call_id in event.call_ids:
                    assert 0 < len(call_id) <= MAX_NAME
            case _:
                pass
        self._outlets.post(event)

    def _play(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        assert turn >= 0
        assert type(pcm) is bytes
        assert pcm
        assert type(rate_hz) is int
        assert rate_hz in PLAYABLE_RATES_HZ
        return self._outlets.play(turn, pcm, rate_hz)

    def _transcript(self, side: str, turn: int, text: str) -> None:
        assert side in {"heard", "spoken"}
        assert 0 < len(text.encode()) <= 4 * MAX_TEXT
        assert len(text) <= MAX_TEXT
        self._outlets.transcript(side, turn, text)


def _judge_call(call: ev.ToolCall) -> None:
    assert 0 < len(call.id.encode()) <= MAX_NAME
    assert 0 < len(call.name.encode()) <= MAX_NAME
    text = json.dumps(call.args, ensure_ascii=False, allow_nan=False)  # and it can be passed on
    assert len(text.encode()) <= 4 * MAX_CALL_CHARACTERS
    assert _depth(call.args) <= MAX_DEPTH


def _depth(args: object) -> int:
    if isinstance(args, (dict, list)):
        parts = args.values() if isinstance(args, dict) else args
        return 1 + max(map(_depth, parts), default=0)
    return 0


class Lines(logging.Handler):
    """Counts what the connection logs, and looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        assert len(line) <= MAX_LINE, line
        assert line.isprintable(), line
        assert record.exc_info is None
        self.count += 1
