"""The camera, where there is one."""

from __future__ import annotations

from pydantic import Field

from speakerd.config.kinds import Command, Interval
from speakerd.config.options.area import Area, words


class TheCamera(Area):
    """A camera."""

    camera_command: Command = Field(
        "",
        description="A command that writes one JPEG to its standard output, run when somebody "
        "presses to talk, so that the model sees what it is asked about. Then: "
        "sudo speakerd-camera --apply",
        json_schema_extra=words("a program and its arguments, quoted as in a shell, but no shell"),
    )
    camera_interval_s: Interval = Field(
        0,
        description="How often it is run again while the button is held; with 0 it is not.",
        json_schema_extra=words("0, or a number of seconds from 1 to 60"),
    )
