"""The hands of the model: its calls, carried out and answered."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.daemon.translate import unmuted_by
from speakerd.live.messages import is_sane
from speakerd.tools.tool import LIMIT_S, Scheduling
from speakerd.tools.toolbox import cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import TypeAlias

    from speakerd.config.settings import Settings
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Missed, Pending
    from speakerd.tools.toolbox import Toolbox

    Answer: TypeAlias = Mapping[str, object]
    Respond: TypeAlias = Callable[[int, int, ev.ToolCall, Answer, Scheduling], None]

log = logging.getLogger(__name__)

#: An answer is part of the conversation from then on, and paid for in each turn: no longer one.
_MOST_BYTES = 16 * 1024
#: So many answers are remembered, for a server that asks the same once more.
_REMEMBERED = 64


class Hands:
    """Executes calls by the tools of ``settings``; slow ones beside everything else.

    ``tell`` hands the core an event, and gives what came of it; ``respond(generation, turn, call,
    answer, scheduling)`` sends an answer to the server. ``toolbox`` has the tools of settings;
    ``now()`` is what the clock on the wall shows.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[ev.Event], Iterable[fx.Effect]],
        status: Callable[[], Status],
        respond: Respond,
        *,
        toolbox: Callable[[Settings], Toolbox],
        now: Callable[[], datetime],
    ) -> None:
        self._tell = tell
        self._status = status
        self._respond = respond
        self._make_toolbox = toolbox
        self._now = now
        self._working: dict[str, _Working] = {}  # by the id of the call
        self._answered: OrderedDict[str, tuple[ev.ToolCall, Answer]] = OrderedDict()  # so too
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Have other tools from now on."""
        self._toolbox = self._make_toolbox(settings)
        self._highest_volume = settings.volume_max
        self._unmuted_by = unmuted_by(settings)

    @property
    def toolbox(self) -> Toolbox:
        """The tools that there are now."""
        return self._toolbox

    def run(self, order: fx.RunTools) -> None:
        """Carry out each call that is still wanted, and answer all of them, sooner or later.

        One that was carried out is not so once more: whoever asks again gets the same answer.
        """
        for call in order.calls:
            work = _Work(order, call, self._toolbox, time.monotonic())
            before, answer = self._answered.get(call.id, (None, {}))
            if (working := self._working.get(call.id)) is not None:
                working.work = dataclasses.replace(working.work, order=order)  # who asked last
                work.log("asked for again, and not done twice")
            elif call == before:
                work.log("asked for again, and not done twice")
                self._send(work, answer)
            elif order.too_many:
                self._send(work, _TOO_MANY)
                work.log("not done: the model calls without end")
            elif not order.execute:
                self._send(work, cancelled(call), Scheduling.SILENT)
                work.log("not done: nobody waits for it any longer")
            else:
                self._begin(work)

    def cancel(self, call_ids: Iterable[str], *, told: bool = False) -> None:
        """Leave these calls alone, as far as they are not carried out.

        ``told``: the model still waits for them, and is told so.
        """
        for call_id in call_ids:
            if (working := self._leave(call_id)) is None:
                continue
            work, answer = working.work, cancelled(working.work.call, begun=True)
            work.log("cancelled")
            if working.reach.acted:
                self._remember(work.call, answer)
            if told:
                self._send(work, answer, Scheduling.SILENT)

    def close(self) -> None:
        """Leave all of them alone."""
        self.cancel(tuple(self._working))

    def _begin(self, work: _Work) -> None:
        call = work.call
        log.debug("the model calls %s with %r", work.name, dict(call.args))
        reach = _Reach(
            self._tell, self._status, self._now, self._highest_volume, self._unmuted_by, work
        )
        if work.slow:
            doing = asyncio.create_task(_do(work, reach), name=f"tool {work.name}")
            limit = asyncio.get_running_loop().call_later(work.limit_s, self._give_up, call.id)
            self._working[call.id] = _Working(work, reach, doing, limit)
            doing.add_done_callback(functools.partial(self._ended, call.id))
            return
        try:
            answer = _finished(work.toolbox.call(call, reach))
        except Exception:
            log.exception("the tool %s failed", work.name)
            answer = _FAILED
        self._answer(work, answer)

    def _give_up(self, call_id: str) -> None:
        """The time of a call is over, whether its tool lets itself be cancelled or not."""
        if (working := self._leave(call_id)) is not None:
            limit_s = working.work.limit_s
            error = f"it took longer than {limit_s:g} s, and was given up"
            self._answer(working.work, {"error": error})

    def _leave(self, call_id: str) -> _Working | None:
        working = self._working.pop(call_id, None)
        if working is not None:
            working.limit.cancel()
            working.doing.cancel()
        return working

    def _ended(self, call_id: str, doing: asyncio.Task[Answer]) -> None:
        error = None if doing.cancelled() else doing.exception()
        working = self._working.get(call_id)
        if working is None or working.doing is not doing:
            return  # it was left alone
        self._leave(call_id)
        if error is not None or doing.cancelled():
            log.error("the tool %s failed", working.work.name, exc_info=error)
        failed = error is not None or doing.cancelled()
        self._answer(working.work, _FAILED if failed else doing.result())

    def _answer(self, work: _Work, answer: Answer) -> None:
        answer = _fitting(answer, work)
        work.log("not done" if "error" in answer else "done")
        if "error" in answer:  # whatever somebody else's server says there
            log.debug("the model is told of %s: %.300r", work.name, answer["error"])
        self._remember(work.call, answer)
        self._send(work, answer)

    def _remember(self, call: ev.ToolCall, answer: Answer) -> None:
        self._answered[call.id] = call, answer
        while len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    def _send(self, work: _Work, answer: Answer, scheduling: Scheduling | None = None) -> None:
        """Answer; of what nobody waits for nothing is to be said."""
        order = work.order
        told = scheduling or work.scheduling
        self._respond(order.generation, order.turn, work.call, answer, told)


_TOO_MANY: Answer = {
    "error": "there were too many calls for one question: call no more, and say what there is"
}
_FAILED: Answer = {"error": "it failed; the journal of the speaker says why"}


def _finished(answer: Answer | Awaitable[Answer]) -> Answer:
    if isinstance(answer, Awaitable):
        raise TypeError("it has to be awaited, and does not say that it is slow")
    return answer


async def _do(work: _Work, reach: _Reach) -> Answer:
    doing = work.toolbox.call(work.call, reach)
    return await doing if isinstance(doing, Awaitable) else doing


def _fitting(answer: Answer, work: _Work) -> Answer:
    """The answer as plain JSON, if it is one that the server takes."""
    size_bytes, pieces = 0, []
    try:
        encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
        for piece in encoder.iterencode(dict(answer)):
            pieces.append(piece)
            size_bytes += len(piece.encode(errors="replace"))
            if size_bytes > _MOST_BYTES:
                return {"error": f"its result is longer than {_MOST_BYTES // 1024} KiB"}
        plain: Answer = json.loads("".join(pieces))
    except Exception as error:  # noqa: BLE001 - a tool may give anything
        log.warning("the result of the tool %s is not fit for JSON: %s", work.name, error)
        return _FAILED
    if not is_sane(plain):
        log.warning("the result of the tool %s is not what a server takes", work.name)
        return _FAILED
    return plain


@dataclass(frozen=True, slots=True)
class _Work:
    """One call, from when it came on."""

    order: fx.RunTools
    call: ev.ToolCall
    toolbox: Toolbox
    came_at: float

    @property
    def name(self) -> str:
        """For the journal: what the server calls one that is not there does not go to it."""
        return self.call.name if self.toolbox.find(self.call.name) else "a tool that is not there"

    @property
    def slow(self) -> bool:
        tool = self.toolbox.find(self.call.name)
        return tool is not None and tool.slow

    @property
    def limit_s(self) -> float:
        tool = self.toolbox.find(self.call.name)
        return LIMIT_S if tool is None else tool.limit_s

    @property
    def scheduling(self) -> Scheduling:
        tool = self.toolbox.find(self.call.name)
        return Scheduling.WHEN_IDLE if tool is None else tool.scheduling

    def log(self, outcome: str) -> None:
        took_ms = (time.monotonic() - self.came_at) * 1000
        log.info("the model calls %s: %s (%.0f ms)", self.name, outcome, took_ms)


@dataclass(slots=True)
class _Working:
    """A slow call under way."""

    work: _Work
    reach: _Reach
    doing: asyncio.Task[Answer]
    limit: asyncio.TimerHandle


class _Reach:
    """What one call can reach of the speaker."""

    def __init__(
        self,
        tell: Callable[[ev.Event], Iterable[fx.Effect]],
        status: Callable[[], Status],
        now: Callable[[], datetime],
        highest_volume: int,
        unmuted_by: str,
        work: _Work,
    ) -> None:
        self._tell = tell
        self._status = status
        self._clock = now
        self._executed = ev.ToolExecuted(work.order.generation, work.order.turn, work.call.id)
        self.acted = False  # something was done that may not be done twice
        self.highest_volume = highest_volume
        self.unmuted_by = unmuted_by

    @property
    def status(self) -> Status:
        """What is going on."""
        return self._status()

    @property
    def volume(self) -> int | None:
        """In percent; None: it is not known."""
        return self._status().volume

    @property
    def now(self) -> datetime:
        """What the clock on the wall shows."""
        return self._clock()

    def clock(self, seconds: float) -> float:
        """So many seconds from now, by the core's clock."""
        return time.monotonic() + seconds

    @property
    def timers(self) -> tuple[Pending, ...]:
        """What will ring."""
        self._clock()  # they cannot be listed before somebody has looked at it
        return self._status().timers

    @property
    def missed(self) -> tuple[Missed, ...]:
        """What has rung in vain."""
        return self._status().missed

    def ask(self, event: ev.Event) -> str | None:
        """Hand the core a wish; why it is refused, or None."""
        refused = (effect for effect in self._tell(event) if isinstance(effect, fx.Refused))
        reason = next((effect.reason for effect in refused), None)
        if reason is None:
            self.acts()
        return reason

    def acts(self) -> None:
        """What was asked must not be sent again."""
        if not self.acted:
            self.acted = True
            self._tell(self._executed)
