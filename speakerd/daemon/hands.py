"""The hands of the model: its calls, carried out and answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.tools.toolbox import Toolbox, cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from speakerd.config.settings import Settings
    from speakerd.conversation.status import Status

    Respond = Callable[[int, int, ev.ToolCall, Mapping[str, object]], None]

log = logging.getLogger(__name__)


class Hands:
    """Executes calls by the tools of ``settings``.

    ``tell`` hands the core an event, and gives what came of it; ``respond(generation, turn, call,
    answer)`` sends an answer to the server.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[ev.Event], Iterable[fx.Effect]],
        status: Callable[[], Status],
        respond: Respond,
    ) -> None:
        self._tell = tell
        self._status = status
        self._respond = respond
        self._acted = False  # the call has done something: what was asked must not be sent again
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Have other tools from now on."""
        self._toolbox = Toolbox(settings.tools)
        self.highest_volume = settings.volume_max

    @property
    def volume(self) -> int | None:
        """In percent; None: it is not known."""
        return self._status().volume

    def ask(self, event: ev.Event) -> str | None:
        """Hand the core a wish; why it is refused, or None."""
        refused = (effect for effect in self._tell(event) if isinstance(effect, fx.Refused))
        reason = next((effect.reason for effect in refused), None)
        self._acted = self._acted or reason is None
        return reason

    def run(self, order: fx.RunTools) -> None:
        """Carry out each call that is still wanted, and answer all of them."""
        for call in order.calls:
            answer = self._carry_out(order, call) if order.execute else cancelled(call)
            self._respond(order.generation, order.turn, call, answer)

    def _carry_out(self, order: fx.RunTools, call: ev.ToolCall) -> Mapping[str, object]:
        self._acted = False
        answer = self._toolbox.call(call, self)
        # whatever the server calls one that is not there does not go to a terminal
        name = call.name if call.name in self._toolbox else "a tool that is not there"
        log.info("the model calls %s: %s", name, "not done" if "error" in answer else "done")
        if self._acted:
            self._tell(ev.ToolExecuted(order.generation, order.turn, call.id))
        return answer
