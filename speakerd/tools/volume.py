"""The volume, by word of mouth. The mute is not among the tools: the microphone that a person has
switched off the model cannot switch on.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from speakerd.conversation.events import VolumeRequested, VolumeStepped
from speakerd.tools.tool import Result, SpeakerPort  # noqa: TC001 - read at runtime


def _no_word(value: object) -> object:
    if isinstance(value, bool | str):  # pydantic would make numbers of them
        raise ValueError("a whole number is wanted")  # noqa: TRY004 - what pydantic takes
    return value


_Percent = BeforeValidator(_no_word)


def get_volume(speaker: SpeakerPort) -> Result:
    """Tell how loud the speaker is, in percent, and how loud it may be at most."""
    if speaker.volume is None:
        return {"error": "the volume of this speaker is not known"}
    return {"volume_percent": speaker.volume, "highest_percent": speaker.highest_volume}


def set_volume(
    speaker: SpeakerPort,
    percent: Annotated[
        int, Field(ge=0, le=100, description="0 is silent, 100 the loudest"), _Percent
    ],
) -> Result:
    """Set how loud the speaker is, where a person names a certain volume."""
    wanted = min(percent, speaker.highest_volume)
    if reason := speaker.ask(VolumeRequested(wanted)):
        return {"error": reason}
    return {"asked_for_percent": wanted, "highest_percent": speaker.highest_volume}


def change_volume(
    speaker: SpeakerPort,
    by_percent: Annotated[
        int,
        Field(
            ge=-100,
            le=100,
            description="above 0 is louder, below 0 softer; 10 or -10 where nobody names a number",
        ),
        _Percent,
    ],
) -> Result:
    """Make the speaker louder or softer than it is, where a person asks for that."""
    if reason := speaker.ask(VolumeStepped(by_percent)):
        return {"error": reason}
    return {"asked_for_change_percent": by_percent, "highest_percent": speaker.highest_volume}


TOOLS = (get_volume, set_volume, change_volume)
