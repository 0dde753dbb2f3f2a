"""Every option: what it is for, its unit, its range, its default.

The example env file and the table in docs/configuration.md are made from these fields, see
:mod:`speakerd.config.render`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from speakerd.config import checks
from speakerd.config.sources import API_KEY, DEFAULT_CONTROL_SOCKET, PREFIX, Origin
from speakerd.config.sources import text_of as _text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

#: sun_path of unix(7), less its final NUL.
_LONGEST_SOCKET_PATH_BYTES = 107
_LATER_BUTTON_MODES = {"toggle", "auto"}


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _button_mode(value: object) -> object:
    if value in _LATER_BUTTON_MODES:
        raise ValueError("which comes with a later version")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("which does not begin with /")
    return value


def _fits_a_socket(value: Path) -> Path:
    if len(bytes(value)) > _LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(f"which is longer than {_LONGEST_SOCKET_PATH_BYTES} bytes")
    return value


def _looks_like_a_key(value: SecretStr) -> SecretStr:
    if reason := checks.no_key(value.get_secret_value()):
        raise ValueError(reason)
    return value


_Model = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
_AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
_SocketPath = Annotated[_AbsolutePath, AfterValidator(_fits_a_socket)]
_DeviceName = Annotated[str, StringConstraints(min_length=1)]


def _words(allowed: str) -> dict[str, Any]:
    """What is allowed, for a field whose type and bounds do not say it."""
    return {"allowed": allowed}


class Settings(BaseSettings):
    """The options of one speaker. Made by :func:`speakerd.config.load`.

    Made directly, it takes what it is given and looks nowhere else.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gemini_api_key: Annotated[SecretStr, AfterValidator(_looks_like_a_key)] = Field(
        description="The key of your Gemini project, from https://aistudio.google.com/apikey",
        json_schema_extra=_words("an API key"),
    )

    model: _Model = Field(
        "gemini-3.8-live",
        description="The model to talk with.",
        json_schema_extra=_words("the name of a Live API model"),
    )
    fallback_models: Annotated[tuple[_Model, ...], BeforeValidator(_split)] = Field(
        (),
        description="Models to try, in this order, when the server does not know that one.",
        json_schema_extra=_words("names of Live API models with commas between them"),
    )
    voice: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$")] = Field(
        "",
        description="The voice that answers, such as Kore or Puck; without it, the model's own.",
        json_schema_extra=_words("the name of a prebuilt voice"),
    )
    language: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")
    ] = Field(
        "",
        description="The language of the conversation; without it, the model hears which it is.",
        json_schema_extra=_words("a BCP-47 code such as en-US or de"),
    )
    system_instruction: str = Field(
        "",
        description="What the model is told before every conversation.",
        json_schema_extra=_words("any text"),
    )

    search: bool = Field(
        default=False,
        description="Whether the model may look things up with Google Search.",
        json_schema_extra=_words("true or false"),
    )
    thinking_level: Annotated[
        Literal["", "minimal", "low", "medium", "high"], BeforeValidator(_lowered)
    ] = Field(
        "",
        description="How much the model thinks before it answers; without it, as it likes.",
        json_schema_extra=_words("minimal, low, medium or high"),
    )

    capture_device: _DeviceName = Field(
        "default",
        description="The microphone.",
        json_schema_extra=_words("a PCM name of ALSA such as plughw:CARD=Device"),
    )
    playback_device: _DeviceName = Field(
        "default",
        description="The speaker.",
        json_schema_extra=_words("a PCM name of ALSA such as plughw:CARD=sndrpihifiberry"),
    )
    prebuffer_ms: int = Field(
        120,
        ge=0,
        le=2000,
        description="How much of an answer is queued before it begins to play.",
    )

    button_pin: int = Field(
        17,
        ge=0,
        le=53,
        description="The GPIO of the button, by its BCM number; the other end goes to ground.",
    )
    button_mode: Annotated[
        Literal["hold"], BeforeValidator(_button_mode), BeforeValidator(_lowered)
    ] = Field("hold", description="How the button works: hold it while you speak.")
    debounce_ms: int = Field(
        30, ge=0, le=500, description="How long the button may bounce after it has moved."
    )
    min_press_ms: int = Field(
        250,
        ge=0,
        le=2000,
        description="A shorter press sends nothing; during an answer it stops it.",
    )
    preroll_ms: int = Field(
        300,
        ge=0,
        le=5000,
        description="How much sound from before the press is sent with it; "
        "with 0 the microphone is off while nobody speaks.",
    )
    tail_ms: int = Field(
        300, ge=0, le=3000, description="How long the microphone stays open after the release."
    )
    echo_guard_ms: int = Field(
        100,
        ge=0,
        le=2000,
        description="How far the pre-roll keeps from what the speaker itself was playing.",
    )
    max_utterance_s: float = Field(
        60, ge=1, le=600, description="After this long a held button counts as stuck."
    )

    reply_timeout_s: float = Field(
        15,
        ge=1,
        le=120,
        description="How long the model may be silent before it is asked once more.",
    )
    patience_s: float = Field(
        20,
        ge=1,
        le=600,
        description="How long what was said waits for a connection before it is given up, aloud.",
    )
    link: Annotated[Literal["on-demand", "always"], BeforeValidator(_lowered)] = Field(
        "on-demand",
        description="Whether the connection is made at the press, or kept all the time.",
    )
    linger_s: float = Field(
        60,
        ge=0,
        le=3600,
        description="How long an on-demand connection is kept for a follow-up.",
    )
    conversation_timeout_s: float = Field(
        0,
        ge=0,
        le=604800,
        description="How long after its last turn a conversation is forgotten; with 0 it never is.",
    )

    control_socket: _SocketPath = Field(
        DEFAULT_CONTROL_SOCKET,
        description="Where speakerd press, say, status and the like reach the daemon.",
        json_schema_extra=_words("an absolute path of at most 107 bytes, in an existing folder"),
    )
    state_directory: _AbsolutePath | None = Field(
        None,
        description="Where the conversation is kept across restarts; "
        "without it, systemd's $STATE_DIRECTORY, or nowhere.",
        json_schema_extra=_words("an absolute path"),
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)
    ] = Field("info", description="How much goes to the journal.")
    log_transcripts: bool = Field(
        default=False,
        description="Whether what was said, and what was answered, goes to the journal.",
        json_schema_extra=_words("true or false"),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing ambient: :func:`read` names the sources."""
        return (init_settings,)


def variable_of(option: str) -> str:
    """The environment variable of a field of :class:`Settings`."""
    return API_KEY if option == "gemini_api_key" else f"{PREFIX}{option.upper()}"


VARIABLES = {variable_of(option): option for option in Settings.model_fields}


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
        return _text_of(self._texts, variable_of(field_name)), field_name, False

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

    ``where`` says in words what each source is. The problems are one line each, by variable;
    what has one is at its default in the settings, and the key a text that is none.
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
    if API_KEY in problems:
        rest[Origin.DEFAULT][API_KEY] = "none"
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
    given = (origin for origin, texts in sources.items() if _text_of(texts, variable))
    return next(given, Origin.DEFAULT)


def _problem(
    option: str,
    error: ErrorDetails,
    sources: Mapping[Origin, Mapping[str, str]],
    where: Mapping[Origin, str],
) -> str:
    """One line about one option; never quotes a secret."""
    variable = variable_of(option)
    if error["type"] == "missing":
        return (
            f"{variable} is missing: store it with `sudo speakerd key`, "
            f"or set it in {where[Origin.FILE]}"
        )
    origin = origin_of(sources, variable)
    # what our own validators raise reads on from the value; pydantic's words are for programmers
    reason = f"{error['ctx']['error']}" if error["type"] == "value_error" else ""
    if variable == API_KEY:
        return f"{variable} in {where[origin]} {reason}"
    value = _text_of(sources[origin], variable)
    shown = repr(value if len(value) <= 60 else f"{value[:57]}...")
    said = f"{shown}, {reason}" if reason else shown
    return f"{variable} in {where[origin]} is {said}; allowed: {allowed(option)}"
