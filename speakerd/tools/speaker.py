"""The speaker itself, by word of mouth.

What is asked for here is done at once or when the answer has been heard, and the result says which.
The model speaks of each result: one that it was told in silence would leave a person who has asked
for something with nothing to hear, where it has said nothing before.
"""

from __future__ import annotations

from speakerd.conversation.budget import Budget
from speakerd.tools.tool import Result, SpeakerPort  # noqa: TC001 - read at runtime

_BUDGETS = {
    Budget.FINE: {},
    Budget.NEAR: {"budget": "most of what today may cost is spent"},
    Budget.SPENT: {"budget": "all of what today may cost is spent"},
}


def get_speaker_state(speaker: SpeakerPort) -> Result:
    """Tell how this speaker is: its microphone, its volume, when it listens, and what it runs."""
    status = speaker.status
    if status.conversing:
        listens = "by itself, until a tap of the button or silence ends the conversation"
    else:
        listens = f"to who {'taps' if status.tapped else 'holds'} the button"
    return {
        "microphone": "off" if status.muted else "on",
        "volume_percent": "not known" if status.volume is None else status.volume,
        "listens": listens,
        "model": status.model,
        **_BUDGETS[status.budget],
    }


TOOLS = (get_speaker_state,)
