"""The pace of the connections: how soon to try again, and never too often.

Retries back off, with jitter; a press does not wait for that. Whatever happens there is a limit to
the connections of a minute, and the last few of them are for who presses the button: after a
minute of vain retries the network may be back, and the next press must work. What has not even
left this machine does not count: it was no burden to anybody.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from speakerd.conversation.rules import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.rules import Rules

_MINUTE_S = 60.0


class Pace:
    """Counts tries and presses. ``random()`` gives numbers in [0, 1) for the jitter."""

    def __init__(self, rules: Rules, random: Callable[[], float]) -> None:
        self.rules = rules
        self._random = random
        self.tries = 0  # in a row, that led to no stable connection
        self.asked_at = 0.0  # when somebody last began to speak
        self._begun: collections.deque[float] = collections.deque(
            maxlen=rules.max_connects_per_minute
        )
        self._last_at = -FOREVER  # whether it counts or not
        self._pressed = False  # since the last connection was begun
        self._for_press = False  # that one was begun because of a press

    # --- presses

    def press(self, now: float, *, sure: bool) -> float:
        """Somebody is about to speak; returns when to connect for it, as far as it can be helped.

        Not ``sure``: it may be a tap. In bad weather taps must not use up what is for presses.
        """
        self.asked_at = now
        at_half = self._allowed_at(self.rules.max_connects_per_minute // 2)
        self._pressed = self._pressed or sure or at_half <= now
        if self.tries:  # mashing the button does not defeat the backoff
            return self._last_at + self.rules.backoff_first_s
        return now

    @property
    def press_waits(self) -> bool:
        """Whether no connection has been begun since the last press."""
        return self._last_at < self.asked_at

    def keep_press(self) -> None:
        """The connection is to be made once more, at once: a press that is behind it counts on."""
        self._pressed = self._pressed or self._for_press

    # --- connections

    def allowed_at(self) -> float:
        """When the next connection may be begun, by the limit of a minute."""
        most = self.rules.max_connects_per_minute
        return self._allowed_at(most if self._pressed else most - self.rules.connects_for_presses)

    def begin(self, now: float) -> None:
        """A connection is begun."""
        self._begun.append(now)
        self._last_at = now
        self._for_press, self._pressed = self._pressed, False

    def did_not_go_out(self) -> None:
        """Nothing of the last connection has left this machine: it does not count."""
        self._begun.pop()

    def backoff_s(self, *, urgent: bool) -> float:
        """The pause before the next try: none, then doubling with jitter up to the cap."""
        if self.tries <= 1:
            return 0.0
        cap_s = self.rules.backoff_urgent_s if urgent else self.rules.backoff_max_s
        full_s = min(cap_s, self.rules.backoff_first_s * 2.0 ** min(self.tries - 2, 16))
        return full_s * (0.75 + self._random() / 4)

    def quota_s(self) -> float:
        """The pause when the quota is used up."""
        return self.rules.quota_backoff_s * (1 + self._random())

    def _allowed_at(self, most: int) -> float:
        return self._begun[-most] + _MINUTE_S if len(self._begun) >= most else -FOREVER
