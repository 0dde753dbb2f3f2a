"""From texts to settings: which source each value comes from, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from speakerd.config.jsonfile import JsonFileError
from speakerd.config.settings import VARIABLES, Settings, allowed
from speakerd.config.sources import API_KEY, SECRETS, Origin, text_of, variable_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


class _Texts(PydanticBaseSettingsSource):
    """One source of variables."""

    def __init__(self, settings_cls: type[BaseSettings], texts: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._texts = texts

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002 - pydantic-settings' signature
        field_name: str,
    ) -> tuple[str, str, bool]:
        """The text, empty where there is none; the name; whether it is JSON."""
        return text_of(self._texts, variable_of(field_name)), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value}


def read(
    sources: Mapping[Origin, Mapping[str, str]], where: Mapping[Origin, str]
) -> tuple[Settings, dict[str, str]]:
    """The settings that ``sources`` make, earlier ones winning, and what is wrong with them.

    ``where`` says in words what each source is. The problems are one line each, or one for each
    mistake in a file, by variable; what has one is at its default in the settings.
    """
    try:
        return _made_of(sources), {}
    except ValidationError as error:
        found = {str(each["loc"][0]): each for each in reversed(error.errors())}
    problems = {
        variable: _problem(option, found[option], sources, where)
        for variable, option in VARIABLES.items()
        if option in found
    }
    rest = {
        origin: {name: text for name, text in texts.items() if name not in problems}
        for origin, texts in sources.items()
    }
    return _made_of(rest), problems


def _made_of(sources: Mapping[Origin, Mapping[str, str]]) -> Settings:
    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_defaults: PydanticBaseSettingsSource,
            **_named_defaults: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Texts(settings_cls, texts) for texts in sources.values())

    return Sourced()


def origin_of(sources: Mapping[Origin, Mapping[str, str]], variable: str) -> Origin:
    """The source that gives ``variable``."""
    given = (origin for origin, texts in sources.items() if text_of(texts, variable))
    return next(given, Origin.DEFAULT)


def _problem(
    option: str,
    error: ErrorDetails,
    sources: Mapping[Origin, Mapping[str, str]],
    where: Mapping[Origin, str],
) -> str:
    """One line about one option, or about each mistake in its file; never quotes a secret."""
    variable = variable_of(option)
    if error["type"] == "value_error" and isinstance(error["ctx"]["error"], JsonFileError):
        return "\n".join(f"{variable}: {line}" for line in error["ctx"]["error"].lines)
    origin = origin_of(sources, variable)
    # what our own validators raise reads on from the value; pydantic's words are for programmers
    reason = f"{error['ctx']['error']}" if error["type"] == "value_error" else ""
    if variable == API_KEY:
        return f"{variable} in {where[origin]} {reason}"
    if variable in SECRETS:
        return f"{variable} in {where[origin]} {reason}; allowed: {allowed(option)}"
    value = text_of(sources[origin], variable)
    shown = repr(value if len(value) <= 60 else f"{value[:57]}...")
    said = f"{shown}, {reason}" if reason else shown
    return f"{variable} in {where[origin]} is {said}; allowed: {allowed(option)}"
