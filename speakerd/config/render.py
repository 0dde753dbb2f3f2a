"""The options as text: the example env file and the tables of docs/configuration.md.

Pure functions of the fields of :class:`~speakerd.config.settings.Settings`; ``python -m
speakerd.config`` writes what they return, and a test keeps files and fields equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.settings import AREAS, VARIABLES, Settings, allowed
from speakerd.config.sources import LIBRARY_VARIABLES, Origin, variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.config import Loaded

LIBRARY_HEADING = "What the libraries read"
BEGIN = "<!-- made by python -m speakerd.config, from the fields of Settings -->"
END = "<!-- end of what is made -->"

_MASKED = "********"

_HEADER = """\
# speakerd's configuration: /etc/speakerd/speakerd.env, for user root and group speakerd (0640).
# It has the syntax of systemd's EnvironmentFile=. A variable in the environment wins over this
# file. What is commented out shows the default. `speakerd config` shows what is in effect.
# A comment needs a line of its own: behind a value it is part of it.
"""


def example_env_file() -> str:
    """The whole of ``systemd/speakerd.env.example``: every option with its default."""
    blocks = [_HEADER]
    for area in AREAS:
        blocks.append(f"# --- {area.heading()}\n")
        blocks.extend(map(_example, area.options()))
    blocks.append(f"# --- {LIBRARY_HEADING}\n")
    blocks.extend(f"# {doc}\n#{name}=\n" for name, doc in LIBRARY_VARIABLES.items())
    return "\n".join(blocks)


def options_tables() -> str:
    """The part of ``docs/configuration.md`` between :data:`BEGIN` and :data:`END`, with both."""
    lines = [BEGIN]
    for area in AREAS:
        lines += ["", f"### {area.heading()}", "", *_table(area.options())]
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
    return "" if field.is_required() else _written(field.default)


def shown(settings: Settings, option: str) -> str:
    """The value of a field for people, on one line: a secret is masked, nothing is ``-``."""
    value = getattr(settings, option)
    if hasattr(value, "get_secret_value"):
        return _MASKED
    text = _written(value)
    if not text:  # an empty text would be the default
        return "none" if default_text(option) else "-"
    return text if text.isprintable() else repr(text)


def in_effect(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """(variable, origin, value) of everything that is in effect; the key is not shown."""
    for variable, option in VARIABLES.items():
        origin = loaded.provenance[variable]
        if variable not in loaded.problems:
            yield variable, origin, shown(loaded.settings, option)
        elif origin is Origin.DEFAULT:
            yield variable, "-", "not found"
        else:
            yield variable, origin, "cannot be used"
    for variable, text in loaded.library.items():
        origin = loaded.provenance[variable]
        yield variable, origin, "cannot be used" if variable in loaded.problems else text


def _written(value: object) -> str:
    """A value as it is written in an env file; empty for none."""
    if isinstance(value, tuple):
        return ",".join("=".join(each) if isinstance(each, tuple) else str(each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


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
