"""Every option: what it is for, its unit, its range, its default.

The fields are in :mod:`speakerd.config.options`, area by area. The example env file and the table
in docs/configuration.md are made from them, see :mod:`speakerd.config.render`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args, get_origin

import annotated_types
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from speakerd.config.options.area import Area
from speakerd.config.options.camera import TheCamera
from speakerd.config.options.model import (
    TheInstruction,
    TheKey,
    TheMemory,
    TheModel,
    TurnTaking,
    WhatItMayDo,
)
from speakerd.config.options.panel import FootSwitch, MoreButtons, TheButton, TheLight
from speakerd.config.options.service import TheConnection, TheCost, TheService
from speakerd.config.options.sound import MicrophoneAndSpeaker, Sounds, TheVolume
from speakerd.config.sources import variable_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Settings(
    TheKey,
    TheModel,
    TurnTaking,
    TheInstruction,
    WhatItMayDo,
    TheMemory,
    MicrophoneAndSpeaker,
    Sounds,
    TheVolume,
    TheButton,
    MoreButtons,
    FootSwitch,
    TheLight,
    TheCamera,
    TheConnection,
    TheCost,
    TheService,
    BaseSettings,
):
    """The options of one speaker. Made by :func:`speakerd.config.load`.

    Made directly, it takes what it is given and looks nowhere else.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing ambient: :func:`speakerd.config.reading.read` names the sources."""
        return (init_settings,)


#: All of them, in the order in which they are shown.
AREAS = tuple(base for base in Settings.__bases__ if issubclass(base, Area))
VARIABLES = {variable_of(option): option for area in AREAS for option in area.options()}


def allowed(option: str) -> str:
    """What a field of :class:`Settings` takes, in words."""
    field = Settings.model_fields[option]
    if isinstance(field.json_schema_extra, dict) and "allowed" in field.json_schema_extra:
        return str(field.json_schema_extra["allowed"])
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    unit = {"_ms": "milliseconds", "_s": "seconds"}.get(option[option.rfind("_") :])
    number = "a whole number" if field.annotation is int else "a number"
    bounds = f"from {_bound(field, 'ge')} to {_bound(field, 'le')}"
    return f"{number} of {unit} {bounds}" if unit else f"{number} {bounds}"


def _bound(field: FieldInfo, which: Literal["ge", "le"]) -> str:
    kind = {"ge": annotated_types.Ge, "le": annotated_types.Le}[which]
    return next(f"{getattr(each, which):g}" for each in field.metadata if isinstance(each, kind))
