"""What the model may call.

No tool is declared to the model yet, so it has none to call. Should it try all the same, the call
is answered, because the server takes no input while a call is open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.conversation.events import ToolCall


def refuse(call: ToolCall, *, cancelled: bool) -> Mapping[str, object]:
    """The answer to a call that is not executed: what the model is told."""
    if cancelled:
        return {"error": f"{call.name} was cancelled: nobody waits for it any longer"}
    return {"error": f"there is no tool {call.name!r}"}
