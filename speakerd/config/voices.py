"""The voices that Google publishes (Gemini API, "Speech generation", September 2026).

Another name is passed on: there may be more of them by now.
"""

from __future__ import annotations

import difflib

PUBLISHED = (
    *("Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe"),
    *("Autonoe", "Enceladus", "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib"),
    *("Rasalgethi", "Laomedeia", "Achernar", "Alnilam", "Schedar", "Gacrux", "Pulcherrima"),
    *("Achird", "Zubenelgenubi", "Vindemiatrix", "Sadachbia", "Sadaltager", "Sulafat"),
)
_BY_LOWER = {name.lower(): name for name in PUBLISHED}


def as_published(name: str) -> str:
    """``name`` in the letters in which it is published, if it is."""
    return _BY_LOWER.get(name.lower(), name)


def doubt(name: str) -> str:
    """What is odd about the voice ``name``, with the nearest one; empty where nothing is."""
    if not name or name in PUBLISHED:
        return ""
    near = difflib.get_close_matches(name.lower(), _BY_LOWER, n=1)
    hint = f"; did you mean {_BY_LOWER[near[0]]}?" if near else ""
    return f"no voice of that name is published{hint}"
