"""The volume, by word of mouth. The mute is not among the tools: what a person has switched off the
model cannot switch on.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from speakerd.conversation.events import VolumeRequested
from speakerd.tools.tool import Result, SpeakerPort  # noqa: TC001 - read at runtime

_UNKNOWN = {"error": "the volume of this speaker cannot be told or set"}


def get_volume(speaker: SpeakerPort) -> Result:
    """Tell how loud the speaker is, in percent, and how loud it may be at most."""
    if speaker.volume is None:
        return _UNKNOWN
    return {"volume_percent": speaker.volume, "highest_percent": speaker.highest_volume}


def set_volume(
    speaker: SpeakerPort,
    percent: Annotated[int, Field(ge=0, le=100, description="0 is silent, 100 the loudest")],
) -> Result:
    """Set how loud the speaker is, where a person names a certain volume."""
    wanted = min(percent, speaker.highest_volume)
    if reason := speaker.ask(VolumeRequested(wanted)):
        return {"error": reason}
    return {"volume_percent": wanted, "highest_percent": speaker.highest_volume}


def change_volume(
    speaker: SpeakerPort,
    by_percent: Annotated[
        int,
        Field(
            ge=-100,
            le=100,
            description="above 0 is louder, below 0 softer; 10 or -10 where nobody names a number",
        ),
    ],
) -> Result:
    """Make the speaker louder or softer than it is, where a person asks for that."""
    if speaker.volume is None:
        return _UNKNOWN
    return set_volume(speaker, min(100, max(0, speaker.volume + by_percent)))


TOOLS = (get_volume, set_volume, change_volume)
