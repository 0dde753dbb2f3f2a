"""The hands of the model: its calls, carried out and answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.tools.toolbox import Toolbox, cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from speakerd.config.settings import Settings
    from speakerd.conversation.status import Status

    Answer = Mapping[str, object]
    Respond = Callable[[int, int, ev.ToolCall, Answer], None]

log = logging.getLogger(__name__)

#: What takes longer is given up; the core does not wait for longer either.
LIMIT_S = 30.0


class Hands:
    """Executes calls by the tools of ``settings``; slow ones beside everything else.

    ``tell`` hands the core an event, and gives what came of it; ``respond(generation, turn, call,
    answer)`` sends an answer to the server. ``toolbox`` makes the tools.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[ev.Event], Iterable[fx.Effect]],
        status: Callable[[], Status],
        respond: Respond,
        *,
        toolbox: Callable[[Iterable[str]], Toolbox] = Toolbox,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._tell = tell
        self._status = status
        self._respond = respond
        self._make_toolbox = toolbox
        self._limit_s = limit_s
        self._working: dict[str, asyncio.Task[None]] = {}  # by the id of the call
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Have other tools from now on."""
        self._toolbox = self._make_toolbox(settings.tools)
        self._highest_volume = settings.volume_max

    def run(self, order: fx.RunTools) -> None:
        """Carry out each call that is still wanted, and answer all of them, sooner or later."""
        for call in order.calls:
            if not order.execute:
                self._respond(order.generation, order.turn, call, cancelled(call))
                continue
            reach = _Reach(self._tell, self._status, self._highest_volume, order, call)
            answer = self._toolbox.call(call, reach)
            if isinstance(answer, Awaitable):
                self._working[call.id] = asyncio.create_task(
                    self._wait_for(answer, order, call), name=f"tool {call.name}"
                )
            else:
                self._answer(order, call, answer)

    def cancel(self, call_ids: Iterable[str]) -> None:
        """Leave these calls alone, as far as they are not carried out."""
        for call_id in call_ids:
            if (working := self._working.pop(call_id, None)) is not None:
                working.cancel()

    def close(self) -> None:
        """Leave all of them alone."""
        self.cancel(tuple(self._working))

    async def _wait_for(
        self, work: Awaitable[Answer], order: fx.RunTools, call: ev.ToolCall
    ) -> None:
        answer: Answer
        try:
            async with asyncio.timeout(self._limit_s):
                answer = await work
        except TimeoutError:
            answer = {"error": f"it took longer than {self._limit_s:g} s, and was given up"}
        except Exception:
            log.exception("the tool %s failed", call.name)
            answer = {"error": "it failed; the journal of the speaker says why"}
        if self._working.pop(call.id, None) is not None:
            self._answer(order, call, answer)

    def _answer(self, order: fx.RunTools, call: ev.ToolCall, answer: Answer) -> None:
        # whatever the server calls one that is not there does not go to a terminal
        name = call.name if call.name in self._toolbox else "a tool that is not there"
        log.info("the model calls %s: %s", name, "not done" if "error" in answer else "done")
        self._respond(order.generation, order.turn, call, answer)


class _Reach:
    """What one call can reach of the speaker."""

    def __init__(
        self,
        tell: Callable[[ev.Event], Iterable[fx.Effect]],
        status: Callable[[], Status],
        highest_volume: int,
        order: fx.RunTools,
        call: ev.ToolCall,
    ) -> None:
        self._tell = tell
        self._status = status
        self._executed = ev.ToolExecuted(order.generation, order.turn, call.id)
        self._acted = False  # what was asked must not be sent again
        self.highest_volume = highest_volume

    @property
    def volume(self) -> int | None:
        """In percent; None: it is not known."""
        return self._status().volume

    def ask(self, event: ev.Event) -> str | None:
        """Hand the core a wish; why it is refused, or None."""
        refused = (effect for effect in self._tell(event) if isinstance(effect, fx.Refused))
        reason = next((effect.reason for effect in refused), None)
        if reason is None and not self._acted:
            self._acted = True
            self._tell(self._executed)
        return reason
