"""Texts that are to be asked or read out, one after the other, as soon as nobody speaks."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from speakerd.conversation.turn import TurnState

if TYPE_CHECKING:
    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.events import SayRequested

#: The states in which a turn of text may begin.
_FREE = {TurnState.IDLE, TurnState.SETTLING}


class Texts:
    """Waits with each for the end of a turn, and of what is being explained by sound."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._waiting: collections.deque[SayRequested] = collections.deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, text: SayRequested) -> None:
        """Let it be said after those that wait already."""
        self._waiting.append(text)

    def clear(self) -> None:
        """Say none of them."""
        self._waiting.clear()

    def begin(self) -> bool:
        """Begin the next one, if it may begin now; whether it has."""
        telling = self._dialogue.telling
        explaining = telling.playing.explains and not telling.speaker_lost
        if not self._waiting or self._dialogue.state not in _FREE or explaining:
            return False
        self._dialogue.say(self._waiting.popleft())
        return True
