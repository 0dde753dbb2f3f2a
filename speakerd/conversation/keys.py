"""The other buttons: the second one, those of the volume, the mute switch, those of a keypad."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.conversation.contact import Contact
from speakerd.conversation.events import Key, PadKey
from speakerd.conversation.rules import FOREVER, SecondButton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.conversation.rules import Rules


class Deed(enum.Enum):
    """What the person wants by them."""

    LOUDER = "louder"
    SOFTER = "softer"
    STOP = "stop"
    FORGET = "forget"
    TURN_MUTE = "mute, or no longer"
    MUTE = "mute"
    UNMUTE = "unmute"


_Meaning = Key | PadKey | SecondButton

#: What each does when it goes down; the second button by what it is there for.
_DOWN: dict[_Meaning, Deed] = {
    Key.VOLUME_UP: Deed.LOUDER,
    Key.VOLUME_DOWN: Deed.SOFTER,
    Key.MUTE: Deed.MUTE,
    SecondButton.STOP: Deed.STOP,
    SecondButton.FORGET: Deed.FORGET,
    SecondButton.MUTE: Deed.TURN_MUTE,
    PadKey.VOLUME_UP: Deed.LOUDER,
    PadKey.VOLUME_DOWN: Deed.SOFTER,
    PadKey.STOP: Deed.STOP,
    PadKey.FORGET: Deed.FORGET,
    PadKey.MUTE: Deed.TURN_MUTE,
}
#: What they do when they go up again, if they have not been held.
_UP: dict[_Meaning, Deed] = {Key.MUTE: Deed.UNMUTE, SecondButton.VOLUME: Deed.LOUDER}
#: What they do again and again while they are held.
_HELD: dict[_Meaning, Deed] = {
    Key.VOLUME_UP: Deed.LOUDER,
    Key.VOLUME_DOWN: Deed.SOFTER,
    SecondButton.VOLUME: Deed.SOFTER,
    PadKey.VOLUME_UP: Deed.LOUDER,
    PadKey.VOLUME_DOWN: Deed.SOFTER,
}


@dataclass(slots=True)
class _Line:
    contact: Contact
    again_at: float = FOREVER  # when it has been held for so long that it acts again
    acted: bool = False  # by being held


class Keys:
    """All of them, debounced; each call gives what it amounts to, in order."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        # a keypad has no contacts that bounce, and its knob clicks faster than a contact may
        self._lines = {key: _Line(Contact(0.0)) for key in (*Key, *PadKey)}
        self._due_at = FOREVER  # the first of what the lines wait for
        self.reload(rules)

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on; a second button that means something else is let go."""
        if rules.second_button is not self._rules.second_button:
            second = self._lines[Key.SECOND]
            second.again_at, second.acted = FOREVER, True
            self._look_ahead()
        self._rules = rules
        for key in Key:
            self._lines[key].contact.debounce_s = rules.debounce_s

    def edge(self, key: Key | PadKey, now: float, *, pressed: bool) -> Iterator[Deed]:
        """Take a raw edge."""
        if self._lines[key].contact.edge(now, pressed=pressed):
            yield from self._moved(key, now)
        self._look_ahead()

    def begin(self, key: Key | PadKey, *, pressed: bool) -> Iterator[Deed]:
        """The line has been opened and is like that, or is gone (and so not pressed).

        A switch counts as it is; a button that is down is not pressed for that.
        """
        line = self._lines[key]
        was_down = line.contact.down
        line.contact.begin(closed=pressed)
        line.again_at, line.acted = FOREVER, True
        self._look_ahead()
        if key is Key.MUTE and pressed != was_down:
            yield Deed.MUTE if pressed else Deed.UNMUTE

    def wake(self, now: float) -> Iterator[Deed]:
        """What is due."""
        if now < self._due_at:
            return  # as nearly always: it is asked at every step of the core
        for key, line in self._lines.items():
            if line.contact.wake(now):
                yield from self._moved(key, now)
            if now >= line.again_at:
                line.again_at = now + self._rules.repeat_every_s
                line.acted = True
                yield _HELD[self._meaning(key)]
        self._look_ahead()

    def deadline(self) -> float:
        """When :meth:`wake` has something to look at; infinity for never."""
        return self._due_at

    def _look_ahead(self) -> None:
        lines = self._lines.values()
        self._due_at = min(min(line.contact.deadline(), line.again_at) for line in lines)

    def _moved(self, key: Key | PadKey, now: float) -> Iterator[Deed]:
        line, meaning = self._lines[key], self._meaning(key)
        line.again_at = FOREVER
        if not line.contact.down:
            if meaning in _UP and not (line.acted and meaning in _HELD):
                yield _UP[meaning]
            return
        line.acted = False
        if meaning in _HELD:
            after_s = self._rules.repeat_after_s if meaning in _DOWN else self._rules.tap_s
            line.again_at = now + after_s
        if meaning in _DOWN:
            yield _DOWN[meaning]

    def _meaning(self, key: Key | PadKey) -> _Meaning:
        return self._rules.second_button if key is Key.SECOND else key
