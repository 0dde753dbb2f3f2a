"""The time and the date, which no network has to be asked for."""

from __future__ import annotations

from speakerd.tools.tool import Result, SpeakerPort  # noqa: TC001 - read at runtime


def get_time(speaker: SpeakerPort) -> Result:
    """Tell the time of day, the date and the weekday where the speaker is."""
    now = speaker.now
    return {
        "time": now.strftime("%H:%M:%S"),
        "date": now.date().isoformat(),
        "weekday": now.strftime("%A"),
        "time_zone": str(now.tzinfo),
    }


TOOLS = (get_time,)
