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
        return next((effect.reason for effect in refused), None)

    def run(self, order: fx.RunTools) -> None:
        """Carry out each call that is still wanted, and answer all of them."""
        for call in order.calls:
            if order.execute:
                answer = self._toolbox.call(call, self)
                outcome = "not done" if "error" in answer else "done"
                log.info("the model calls %s: %s", call.name, outcome)
                if "error" not in answer:
                    self._tell(ev.ToolExecuted(order.generation, order.turn, call.id))
            else:
                answer = cancelled(call)
            self._respond(order.generation, order.turn, call, answer)
