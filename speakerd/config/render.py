"""The options as text: the example env file and the tables of docs/configuration.md.

Pure functions of the fields of :class:`~speakerd.config.settings.Settings`; ``python -m
speakerd.config`` writes what they return, and a test keeps files and fields equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.settings import VARIABLES, Settings, allowed, variable_of
from speakerd.config.sources import LIBRARY_VARIABLES, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.config import Loaded

#: Every option, under the heading where a person looks for it.
GROUPS: dict[str, tuple[str, ...]] = {
    "The key": ("gemini_api_key",),
    "The model": (
        "model",
        "fallback_models",
        "voice",
        "language",
        "system_instruction",
        "search",
        "tools",
        "thinking_level",
    ),
    "Microphone and speaker": (
        "capture_device",
        "playback_device",
        "prebuffer_ms",
        "prebuffer_max_ms",
        "wake_ms",
        "keep_awake_s",
    ),
    "Sounds": ("earcon_volume", "thinking_sound", "prompts"),
    "The volume": ("mixer", "mixer_control", "volume", "volume_max", "volume_step"),
    "The button": (
        "button_pin",
        "button_mode",
        "tap_ms",
        "double_tap_ms",
        "late_tap_ms",
        "debounce_ms",
        "glitch_ms",
        "min_press_ms",
        "preroll_ms",
        "tail_ms",
        "echo_guard_ms",
        "max_utterance_s",
    ),
    "More buttons": (
        "second_button_pin",
        "second_button",
        "volume_up_pin",
        "volume_down_pin",
        "repeat_after_ms",
        "repeat_every_ms",
        "knob_pins",
        "mute_pin",
    ),
    "A foot switch or a keypad": ("keypad", "keypad_keys"),
    "The light": ("led_pins", "led_smooth", "led_brightness", "led_active_high"),
    "The connection": (
        "link",
        "linger_s",
        "reply_timeout_s",
        "patience_s",
        "conversation_timeout_s",
    ),
    "The service": ("control_socket", "state_directory", "log_level", "log_transcripts"),
}
LIBRARY_HEADING = "What the libraries read"
BEGIN = "<!-- made by python -m speakerd.config, from the fields of Settings -->"
END = "<!-- end of what is made -->"

_MASKED = "********"

_HEADER = """\
# speakerd's configuration: /etc/speakerd/speakerd.env, for user root and group speakerd (0640).
# It has the syntax of systemd's EnvironmentFile=. A variable in the environment wins over this
# file. What is commented out shows the default. `speakerd config` shows what is in effect.
"""


def example_env_file() -> str:
    """The whole of ``systemd/speakerd.env.example``: every option with its default."""
    blocks = [_HEADER]
    for heading, options in GROUPS.items():
        blocks.append(f"# --- {heading}\n")
        blocks.extend(_example(option) for option in options)
    blocks.append(f"# --- {LIBRARY_HEADING}\n")
    blocks.extend(f"# {doc}\n#{name}=\n" for name, doc in LIBRARY_VARIABLES.items())
    return "\n".join(blocks)


def options_tables() -> str:
    """The part of ``docs/configuration.md`` between :data:`BEGIN` and :data:`END`, with both."""
    lines = [BEGIN]
    for heading, options in GROUPS.items():
        lines += ["", f"### {heading}", "", *_table(options)]
    lines += ["", f"### {LIBRARY_HEADING}", "", "| variable | what it is for |", "|---|---|"]
    lines += [f"| `{name}` | {doc} |" for name, doc in LIBRARY_VARIABLES.items()]
    return "\n".join([*lines, "", END])


def with_options_tables(page: str) -> str:
    """``page`` with the part between :data:`BEGIN` and :data:`END` made anew."""
    before, rest = page.split(BEGIN)
    return before + options_tables() + rest.split(END)[1]


def default_text(option: str) -> str:
    """The default of a field, as it would be written in an env file; empty for none."""
    field = Settings.model_fields[option]
    if field.is_required() or field.default is None:
        return ""
    if isinstance(field.default, tuple):
        return ",".join(map(str, field.default))
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default)


def shown(value: object) -> str:
    """The value of a field for people, on one line: a secret is masked, nothing is ``-``."""
    if hasattr(value, "get_secret_value"):
        return _MASKED
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    text = "" if value is None else str(value)
    return repr(text) if "\n" in text else text or "-"


def in_effect(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """(variable, origin, value) of everything that is in effect; the key is not shown."""
    for variable, option in VARIABLES.items():
        origin = loaded.provenance[variable]
        if variable not in loaded.problems:
            yield variable, origin, shown(getattr(loaded.settings, option))
        elif origin is Origin.DEFAULT:
            yield variable, "-", "not found"
        else:
            yield variable, origin, "cannot be used"
    for variable, text in loaded.library.items():
        origin = loaded.provenance[variable]
        yield variable, origin, "cannot be used" if variable in loaded.problems else text


def _example(option: str) -> str:
    return (
        f"# {Settings.model_fields[option].description}\n"
        f"# Allowed: {allowed(option)}.\n"
        f"#{variable_of(option)}={default_text(option)}\n"
    )


def _table(options: tuple[str, ...]) -> Iterator[str]:
    yield "| variable | default | what it is for | allowed |"
    yield "|---|---|---|---|"
    for option in options:
        default = f"`{text}`" if (text := default_text(option)) else ""
        description = Settings.model_fields[option].description
        yield f"| `{variable_of(option)}` | {default} | {description} | {allowed(option)} |"
