"""The button: from raw edges and control commands to what the person means by them.

Three modes, each a table: hold it while you speak; tap it before and after; or either, by how
long it is down. The button on its GPIO line and the keys of a keypad are one hand: what one of them
begins, another may end. The control socket holds the same logical button; it is held while either
does. One that is stuck (down at the start, or beyond the longest utterance) and one whose sentence
has come to nothing is spent: it means nothing more until it has been let go.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from speakerd.conversation.contact import Contact
from speakerd.conversation.events import Trigger
from speakerd.conversation.rules import FOREVER, ButtonMode, TurnTaking

if TYPE_CHECKING:
    from speakerd.conversation.rules import Rules


class Gesture(enum.Enum):
    """What the person means."""

    PRESS = "press"  # speaks from here on
    RELEASE = "release"  # has spoken
    TAKE_BACK = "take back"  # has meant nothing by the press
    STOP = "stop"  # wants to hear no more of the answer
    TAP = "tap"  # hands free: begins a conversation, ends it, or speaks into an answer


class Phase(enum.Enum):
    """Where the hand is."""

    UP = "up"  # up, or down and spent
    HELD = "held"  # down, and the person speaks
    RESUMED = "resumed"  # down, and the person goes on with the sentence that had just ended
    LATCHED = "latched"  # up, and the person speaks: it was tapped
    INTERRUPTING = "interrupting"  # down in an answer: by how long it is, it is a stop or a press
    DOUBTED = "doubted"  # down again so soon: by how long it is, it is nothing or a press
    STOPPING = "stopping"  # down while an answer is awaited: a stop, when it is up again
    TAPPING = "tapping"  # down, hands free: a tap, when it is up again


class Touch(enum.Enum):
    """What the finger does."""

    DOWN = "down"
    DOWN_IN_ANSWER = "down in an answer"  # or in an explanation
    DOWN_IN_THOUGHT = "down in thought"  # an answer is awaited
    DOWN_IN_TAIL = "down in the tail"
    DOWN_IN_RING = "down in ringing"  # of a timer
    DOWN_AGAIN = "down again"  # so soon after it has ended something that a tap belongs to that
    GLITCH = "glitch"  # up again, sooner than any hand
    TAP = "tap"  # up again, and it was down for less than a tap may last
    LIFT = "lift"  # up again, later


_P, _T, _G = Phase, Touch, Gesture

_TAPPED = {
    (_P.LATCHED, _T.DOWN): (_P.UP, _G.RELEASE),
    (_P.LATCHED, _T.DOWN_IN_ANSWER): (_P.UP, _G.RELEASE),
    (_P.LATCHED, _T.DOWN_IN_THOUGHT): (_P.UP, _G.RELEASE),
    (_P.LATCHED, _T.DOWN_IN_TAIL): (_P.UP, _G.RELEASE),
    (_P.HELD, _T.GLITCH): (_P.UP, _G.TAKE_BACK),
    (_P.HELD, _T.TAP): (_P.LATCHED, None),
}

#: For each mode: what a touch leads to, and what it means. Other touches cannot be. What goes down
#: and leads to UP is spent.
MODES: dict[ButtonMode, dict[tuple[Phase, Touch], tuple[Phase, Gesture | None]]] = {
    ButtonMode.HOLD: {
        (_P.UP, _T.DOWN): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_ANSWER): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_THOUGHT): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_TAIL): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_RING): (_P.UP, _G.STOP),
        (_P.UP, _T.DOWN_AGAIN): (_P.HELD, _G.PRESS),
        (_P.HELD, _T.GLITCH): (_P.UP, _G.TAKE_BACK),
        (_P.HELD, _T.TAP): (_P.UP, _G.RELEASE),
        (_P.HELD, _T.LIFT): (_P.UP, _G.RELEASE),
    },
    ButtonMode.TOGGLE: _TAPPED
    | {
        (_P.UP, _T.DOWN): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_ANSWER): (_P.UP, _G.STOP),
        (_P.UP, _T.DOWN_IN_THOUGHT): (_P.STOPPING, None),
        (_P.UP, _T.DOWN_IN_TAIL): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_RING): (_P.UP, _G.STOP),
        (_P.UP, _T.DOWN_AGAIN): (_P.UP, None),
        (_P.HELD, _T.LIFT): (_P.LATCHED, None),
        (_P.STOPPING, _T.GLITCH): (_P.UP, None),
        (_P.STOPPING, _T.TAP): (_P.UP, _G.STOP),
        (_P.STOPPING, _T.LIFT): (_P.UP, _G.STOP),
    },
    ButtonMode.AUTO: _TAPPED
    | {
        (_P.UP, _T.DOWN): (_P.HELD, _G.PRESS),
        (_P.UP, _T.DOWN_IN_ANSWER): (_P.INTERRUPTING, _G.PRESS),
        (_P.UP, _T.DOWN_IN_THOUGHT): (_P.INTERRUPTING, _G.PRESS),
        (_P.UP, _T.DOWN_IN_TAIL): (_P.RESUMED, _G.PRESS),
        (_P.UP, _T.DOWN_IN_RING): (_P.UP, _G.STOP),
        (_P.UP, _T.DOWN_AGAIN): (_P.DOUBTED, _G.PRESS),
        (_P.RESUMED, _T.GLITCH): (_P.UP, _G.RELEASE),
        (_P.RESUMED, _T.TAP): (_P.UP, _G.RELEASE),
        (_P.RESUMED, _T.LIFT): (_P.UP, _G.RELEASE),
        (_P.HELD, _T.LIFT): (_P.UP, _G.RELEASE),
        (_P.INTERRUPTING, _T.GLITCH): (_P.UP, _G.TAKE_BACK),
        (_P.INTERRUPTING, _T.TAP): (_P.UP, _G.STOP),
        (_P.INTERRUPTING, _T.LIFT): (_P.UP, _G.RELEASE),
        (_P.DOUBTED, _T.GLITCH): (_P.UP, _G.TAKE_BACK),
        (_P.DOUBTED, _T.TAP): (_P.UP, _G.TAKE_BACK),
        (_P.DOUBTED, _T.LIFT): (_P.UP, _G.RELEASE),
    },
}
#: The same hands free, where a touch is a tap, however long it is.
HANDS_FREE: dict[tuple[Phase, Touch], tuple[Phase, Gesture | None]] = {
    (_P.UP, _T.DOWN): (_P.TAPPING, None),
    (_P.UP, _T.DOWN_IN_ANSWER): (_P.TAPPING, None),
    (_P.UP, _T.DOWN_IN_THOUGHT): (_P.TAPPING, None),
    (_P.UP, _T.DOWN_IN_RING): (_P.UP, _G.STOP),
    (_P.UP, _T.DOWN_AGAIN): (_P.UP, None),
    (_P.TAPPING, _T.GLITCH): (_P.UP, None),
    (_P.TAPPING, _T.TAP): (_P.UP, _G.TAP),
    (_P.TAPPING, _T.LIFT): (_P.UP, _G.TAP),
}
#: In which nobody speaks.
_SILENT = {Phase.UP, Phase.STOPPING, Phase.TAPPING}
#: What the tables mean themselves; a press and a release depend on the control socket, too.
_PLAIN = {Gesture.STOP, Gesture.TAP, Gesture.TAKE_BACK}


class Button:
    """The hand's triggers by their mode, merged with the control socket's, which is always held."""

    def __init__(self, rules: Rules) -> None:
        self._contacts = {trigger: Contact(rules.debounce_s) for trigger in Trigger}
        self._phase = Phase.UP
        self._last = Trigger.BUTTON  # the one that the hand has moved last
        self._down_at = 0.0
        self._deaf_until = -FOREVER  # a touch before that belongs to what has been ended
        self._control_down = False
        self._control_spent = False
        self.reload(rules)

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on; nobody speaks."""
        self._rules = rules
        for contact in self._contacts.values():
            contact.debounce_s = rules.debounce_s
        self._phase, self._deaf_until = Phase.UP, -FOREVER
        hands_free = rules.turn_taking is TurnTaking.CONVERSATION
        self._table = HANDS_FREE if hands_free else MODES[rules.button_mode]

    @property
    def held(self) -> bool:
        """Whether somebody speaks, as far as the button knows."""
        controlled = self._control_down and not self._control_spent
        return self._phase not in _SILENT or controlled

    @property
    def stops(self) -> bool:
        """Whether it may turn out that the press was not meant as one."""
        return self._phase in {Phase.INTERRUPTING, Phase.DOUBTED}

    def edge(
        self,
        trigger: Trigger,
        now: float,
        *,
        pressed: bool,
        down: Touch = Touch.DOWN,
    ) -> Gesture | None:
        """Take a raw edge; ``down`` is the touch that going down would be now."""
        was_down = self._down
        if self._contacts[trigger].edge(now, pressed=pressed):
            self._last = trigger
        return self._moved(now, down) if self._down != was_down else None

    def wake(self, now: float, *, down: Touch = Touch.DOWN) -> Gesture | None:
        """When a bounce is over: take the level that remained, if it is another."""
        was_down = self._down
        for trigger, contact in self._contacts.items():
            if contact.wake(now):
                self._last = trigger
        return self._moved(now, down) if self._down != was_down else None

    def deadline(self) -> float:
        """When :meth:`wake` has something to look at; infinity for never."""
        return min(contact.deadline() for contact in self._contacts.values())

    def control(self, *, pressed: bool) -> Gesture | None:
        """Take a press or a release of the control socket."""
        before = self.held
        self._control_down = pressed
        self._control_spent = self._control_spent and pressed
        return self._gesture(before)

    def lost(self, trigger: Trigger) -> Gesture | None:
        """The trigger is gone: nobody holds what is not there, and nobody has let go of it."""
        gesture = self._begin(trigger)
        return Gesture.TAKE_BACK if gesture is Gesture.RELEASE else gesture

    def held_at_start(self, trigger: Trigger) -> Gesture | None:
        """It was down when it was first looked at: spent until it is let go."""
        return self._begin(trigger, closed=True)

    def spend(self, now: float, *, too_long: bool = False, ringing: bool = False) -> None:
        """Nobody speaks, whatever the button says: it has to be let go and pressed anew.

        ``too_long``: the sentence was ended for the person, whose own end of it comes late.
        ``ringing``: what was pressed before was not meant to end that.
        """
        if self._phase in {Phase.STOPPING, Phase.TAPPING} and not ringing:
            return
        if too_long and self._phase is Phase.LATCHED:
            self._deaf_until = now + self._rules.late_tap_s
        self._phase = Phase.UP
        self._spend_contacts()
        self._control_spent = self._control_down

    @property
    def _down(self) -> bool:
        return any(contact.down for contact in self._contacts.values())

    def _spend_contacts(self) -> None:
        for contact in self._contacts.values():
            contact.spend()

    def _begin(self, trigger: Trigger, *, closed: bool = False) -> Gesture | None:
        before = self.held
        self._contacts[trigger].begin(closed=closed, spent=True)
        if not self._down and (self._phase is not Phase.LATCHED or trigger is self._last):
            self._phase = Phase.UP
        return self._gesture(before)

    def _moved(self, now: float, down: Touch) -> Gesture | None:
        """The hand is down or up now."""
        before, phase = self.held, self._phase
        if not self._down:
            touch = self._let_go(now)
        elif phase is Phase.UP and now < self._deaf_until and down is not Touch.DOWN_IN_RING:
            if down is Touch.DOWN_IN_ANSWER:  # it is not given up for a tap that came twice
                self._spend_contacts()
                return None
            touch = Touch.DOWN_AGAIN
        else:
            touch = down
        if self._down:
            self._down_at = now
        self._phase, gesture = self._table[phase, touch]
        if self._phase is Phase.UP:
            self._spend_contacts()
        if phase is Phase.LATCHED or gesture in {Gesture.STOP, Gesture.TAP}:
            self._deaf_until = now + self._rules.double_tap_s
        if gesture in _PLAIN and not (gesture is Gesture.TAKE_BACK and self.held):
            return gesture
        return self._gesture(before)

    def _let_go(self, now: float) -> Touch:
        """Which touch it is to be up now; of a glitch it is known after the bounce only."""
        lasted_s = max(contact.edge_at for contact in self._contacts.values()) - self._down_at
        if lasted_s < self._rules.glitch_s:
            return Touch.GLITCH
        return Touch.TAP if now - self._down_at < self._rules.tap_s else Touch.LIFT

    def _gesture(self, before: bool) -> Gesture | None:
        if self.held == before:
            return None
        return Gesture.PRESS if self.held else Gesture.RELEASE
