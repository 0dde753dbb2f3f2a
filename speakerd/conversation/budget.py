"""How much of the day's budget is left: what a day may cost before the speaker refuses to talk."""

from __future__ import annotations

import enum

#: The share of it at which somebody should hear of it.
NEAR = 0.8


class Budget(enum.Enum):
    """How much is left; the values are those of the status."""

    FINE = "fine"  # enough, or nobody counts
    NEAR = "near"  # the end is near: it is told once
    SPENT = "spent"  # nothing: no turn begins any more


def budget_at(spent: float, daily: float) -> Budget:
    """What is left of ``daily`` when so much is ``spent``, in one currency; 0: there is no limit.

    Neither is negative.
    """
    if not daily or spent < NEAR * daily:
        return Budget.FINE
    return Budget.NEAR if spent < daily else Budget.SPENT
