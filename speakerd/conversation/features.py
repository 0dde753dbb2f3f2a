"""Which part of the setup the server refuses: found out by doing without it, once.

A key without quota for search, a model that does not think: a speaker that talks without these is
better than one that does not talk. Whether it was that is known when a setup without it is
accepted; if it is refused as well, something else is the matter, and nothing is left out. What the
server has named is left out for good; what was only suspected is asked for again after a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation.rules import FOREVER
from speakerd.errors import Failure, FailureKind, Feature

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


#: What a refusal that names nothing is for, most likely: what few people ask for, then tools, for
#: which nobody has asked.
_LIKELIEST = (
    frozenset(
        {
            Feature.AFFECTIVE_DIALOG,
            Feature.PROACTIVE_AUDIO,
            Feature.TEMPERATURE,
            Feature.MEDIA_RESOLUTION,
            Feature.SAFETY,
            Feature.LANGUAGE_HINTS,
            Feature.VOCABULARY,
            Feature.HISTORY,
        }
    ),
    frozenset({Feature.TOOLS}),
)
_HISTORY = frozenset({Feature.HISTORY})


class Features:
    """What of ``in_use`` (the optional parts of the setup) is left out of the next one."""

    def __init__(self, in_use: AbstractSet[Feature], ask_again_s: float) -> None:
        self._in_use = frozenset(in_use)
        self._ask_again_s = ask_again_s
        self._ask_again_at = FOREVER
        self._named: frozenset[Feature] = frozenset()
        self.left_out: frozenset[Feature] = frozenset()
        self.refused: frozenset[Feature] = frozenset()  # a setup without them was accepted
        self._choked = 0  # connections that were told how it went before, closed in a row

    def leave_out(self, now: float) -> frozenset[Feature]:
        """What a setup that is made now has to do without."""
        if now >= self._ask_again_at:
            self._ask_again_at = FOREVER
            self.left_out &= self._named
        return self.left_out

    def suspect(self, failure: Failure, now: float, *, resumed: bool = False) -> bool:
        """Take a refusal; whether to try once more, without what may be the reason for it.

        ``resumed``: it was asked to resume a session, and to be told nothing.
        """
        suspects = self._in_use & _suspects(failure)
        if resumed:
            suspects -= _HISTORY
        if failure.feature is None and failure.kind is FailureKind.SETUP:
            likeliest = (suspects & group - self.left_out for group in _LIKELIEST)
            suspects = next((group for group in likeliest if group), suspects)
        if suspects - self.left_out:
            self.left_out |= suspects
            if failure.feature is None or failure.kind is FailureKind.QUOTA:
                self._ask_again_at = now + self._ask_again_s
            else:
                self._named |= suspects
            return True
        self.refused -= suspects  # it is refused without them all the same
        self.left_out = self.refused
        self._named &= self.refused
        return False

    def choked(self, failure: Failure, now: float) -> bool:
        """Take the close of a connection that was told how it went before and answered nothing.

        Whether to try once more, without telling: at once if the server has refused something, the
        second time in a row if it has trouble, which may be of another kind.
        """
        if failure.code is None or failure.kind not in {FailureKind.SETUP, FailureKind.SERVER}:
            return False
        self._choked += 1
        return (failure.kind is FailureKind.SETUP or self._choked > 1) and self.without_history(now)

    def without_history(self, now: float) -> bool:
        """Tell no session how it went before, for a while; whether that is anything new."""
        is_new = Feature.HISTORY in self._in_use - self.left_out
        if is_new:
            self.left_out |= _HISTORY
            self._ask_again_at = now + self._ask_again_s
        return is_new

    def answered(self) -> None:
        """The server has answered a turn: whatever it was told, it has taken."""
        self._choked = 0

    def accepted(self) -> None:
        """The setup was accepted as it was."""
        self.refused = self.left_out


def _suspects(failure: Failure) -> frozenset[Feature]:
    """What a setup may have been refused for: what the server names, or else anything."""
    if failure.feature is not None:
        return frozenset({failure.feature})
    if failure.code is None:  # nobody has read the setup
        return frozenset()
    match failure.kind:
        case FailureKind.QUOTA:  # search has a quota of its own, and the text is the same
            return frozenset({Feature.SEARCH})
        case FailureKind.SETUP:
            return frozenset(Feature)
        case _:
            return frozenset()
