"""What was said in a turn, put together from the pieces in which its transcription comes."""

from __future__ import annotations

#: The journal's word for each side of the conversation.
WORDS = {"heard": "heard", "spoken": "said"}
#: What is kept of one side of one turn, in letters; the rest is cut off.
MOST_LETTERS = 2000
#: How many sides of turns are kept that have not ended; the oldest go first.
_MOST_KEPT = 16


class Transcripts:
    """Collects pieces until their turn is over."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], str] = {}

    def add(self, side: str, turn: int, text: str) -> None:
        """Another piece of what was ``heard`` or ``spoken`` (the side) in that turn."""
        key = (turn, side)
        self._kept[key] = (self._kept.get(key, "") + text)[: MOST_LETTERS + 1]
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def take(self, turn: int) -> list[tuple[int, str, str]]:
        """All there is of that turn and those before, as (turn, side, text of one line)."""
        over = sorted(key for key in self._kept if key[0] <= turn)  # what was heard, comes first
        return [(*key, _line(self._kept.pop(key))) for key in over]


def _line(text: str) -> str:
    cut = text[:MOST_LETTERS] + "..." if len(text) > MOST_LETTERS else text
    return " ".join(cut.split())
