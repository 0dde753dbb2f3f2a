"""What a foreign tool has answered, as the model gets it: words, and no more than it can use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from speakerd.tools.mcp.words import fitting, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_types import CallToolResult

    from speakerd.tools.tool import Result

#: All of an answer is paid for in each turn that follows; whoever carries it on takes 16 KiB.
_MOST_BYTES = 12 * 1024


def result_of(answer: CallToolResult) -> Result:
    """The words of it, under ``result`` or, where it did not work, under ``error``."""
    text = "\n".join(_told(answer.content))
    if not text and answer.structured_content is not None:
        text = json.dumps(answer.structured_content, ensure_ascii=False)
    told = fitting(text, _MOST_BYTES)
    note = f"only the beginning of {len(text)} letters: ask for less"
    cut = {} if told == text else {"note": note}
    if answer.is_error:
        return {"error": told or "it failed, and does not say why", **cut}
    return {"result": told or "done", **cut}


def _told(content: Iterable[Any]) -> Iterable[str]:
    """What each part says, or what it is where it is no text."""
    for part in content:
        match part.type:
            case "text":
                yield part.text
            case "resource" if hasattr(part.resource, "text"):
                yield part.resource.text
            case "resource_link":
                yield f"(a link to {one_line(str(part.uri))})"
            case _:
                kind = getattr(part, "mime_type", None) or part.type
                yield f"({one_line(str(kind), 40)}, which is left out)"
