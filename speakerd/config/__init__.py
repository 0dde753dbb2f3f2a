"""Configuration: what the options are, where they come from, what is wrong with them.

The environment wins over the env file (``SPEAKERD_ENV_FILE``), the env file over a credential of
systemd's, and that over the defaults. :mod:`~speakerd.config.options` has the options, area by
area, :mod:`~speakerd.config.settings` all of them, :mod:`~speakerd.config.kinds` what they take,
:mod:`~speakerd.config.sources` the places, :mod:`~speakerd.config.envfile` the file's syntax,
:mod:`~speakerd.config.reading` what comes of it.
Importing this package is quick; pydantic is imported by :func:`load`.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.config import checks, sources
from speakerd.config.sources import LIBRARY_VARIABLES, Origin, control_socket
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, MutableMapping
    from pathlib import Path

    from speakerd.config.envfile import Variables
    from speakerd.config.settings import Settings

__all__ = [
    "Loaded",
    "Origin",
    "control_socket",
    "examine",
    "export_library_variables",
    "load",
    "refusal",
]


#: How alike (0 to 1) a name without our prefix has to be to the key's to count as mistyped.
_MISTYPED = 0.9


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration; one that :func:`load` returns has no problems and can be used."""

    settings: Settings
    provenance: Mapping[str, Origin]  # of every variable, by its name (SPEAKERD_MODEL, ...)
    library: Mapping[str, str]  # the library variables that are set, by their names
    warnings: tuple[str, ...]  # one line each: what does nothing, or not what it should
    problems: Mapping[str, str]  # lines, by variable; its option is at its default
    env_file: Path  # the one that counts, whether it is there or not


def load(environ: Mapping[str, str]) -> Loaded:
    """Read the configuration from ``environ`` and from where it points.

    Raises ConfigError, with one line for every problem, each naming the variable or the place, and
    then one for every warning, which says that it is one.
    """
    found = examine(environ)
    if found.problems:  # a warning may tell what is behind them: a name that is mistyped
        raise refusal(found.problems.values(), found.warnings)
    return found


def refusal(problems: Iterable[str], warnings: Iterable[str]) -> ConfigError:
    """One line for each; those that are only warnings say so."""
    return ConfigError("\n".join([*problems, *(f"warning: {line}" for line in warnings)]))


def examine(environ: Mapping[str, str]) -> Loaded:
    """The same, with its problems, for whoever only wants to look at it.

    Raises ConfigError only where a source cannot be read at all.
    """
    # pydantic takes its time, and whoever only needs the control socket does without it
    from speakerd.config import together  # noqa: PLC0415 - see above
    from speakerd.config.reading import origin_of, read  # noqa: PLC0415 - see above
    from speakerd.config.settings import VARIABLES  # noqa: PLC0415 - see above

    env_file = sources.env_file_of(environ)
    in_file = sources.read_env_file(environ)
    directory = sources.text_of(environ, "STATE_DIRECTORY").split(":")[0]
    texts: dict[Origin, Mapping[str, str]] = {
        Origin.ENVIRONMENT: environ,
        Origin.FILE: in_file,
        Origin.CREDENTIAL: sources.read_credential(environ),
        Origin.DEFAULT: {sources.STATE_DIRECTORY: directory},
    }
    where = {
        Origin.ENVIRONMENT: "the environment",
        Origin.FILE: str(env_file),
        Origin.CREDENTIAL: f"the credential {sources.CREDENTIAL}",
        Origin.DEFAULT: "systemd's environment",
    }
    names = [*VARIABLES, *LIBRARY_VARIABLES]
    provenance = {name: origin_of(texts, name) for name in names}
    library = {
        name: value
        for name in LIBRARY_VARIABLES
        if (value := sources.text_of(environ, name) or sources.text_of(in_file, name))
    }
    warnings = [*_warnings(environ, in_file, [*names, sources.ENV_FILE], env_file)]
    settings, problems = read(texts, where)

    def said(name: str, value: object, reason: str) -> str:
        return f"{name} in {where[provenance[name]]} is {str(value)!r}, {reason}"

    given = [name for name in together.WAYS_IN if provenance[name] is not Origin.DEFAULT]
    places = {name: where[provenance[name]] for name in given}
    problems = together.no_way_in(places, env_file) | problems
    warnings += together.keys_unused(places)
    for name, check in checks.LIBRARY_CHECKS.items():
        if name in library and (reason := check(library[name])):
            problems[name] = said(name, library[name], reason)
    for name, reason in together.collisions(settings).items():
        problems[name] = said(name, sources.text_of(texts[provenance[name]], name), reason)
    warnings += together.doubts(settings)
    if (path := settings.state_directory) is not None:
        name = sources.STATE_DIRECTORY
        if reason := checks.no_directory(path):
            problems[name] = said(name, path, f"{reason}; allowed: the path of a directory")
        elif reason := checks.unwritable(path):
            warnings.append(said(name, path, f"{reason}: nothing new outlasts a restart"))
    return Loaded(settings, provenance, library, tuple(warnings), problems, env_file)


def export_library_variables(
    loaded: Loaded, environ: MutableMapping[str, str] = os.environ
) -> None:
    """Let the libraries see what the env file sets for them; call it before they are imported."""
    environ.update(loaded.library)


def _warnings(
    environ: Iterable[str], in_file: Variables, known: list[str], env_file: Path
) -> Iterator[str]:
    """One line for every name that looks meant for us and does nothing, or not what it should."""
    for name in sorted(environ):
        if name.upper().startswith(sources.PREFIX) and name not in known:
            yield f"{name} in the environment is not an option{_nearest(name, known)}"
        elif name != sources.API_KEY and difflib.get_close_matches(
            name.upper(), [sources.API_KEY], cutoff=_MISTYPED
        ):
            yield f"{name} in the environment is not an option; did you mean {sources.API_KEY}?"
    for name in sorted(in_file):
        if name == sources.ENV_FILE:
            yield f"{name} in {env_file} does nothing: set it in the environment"
        elif name not in known:
            yield f"{name} in {env_file} is not an option{_nearest(name, known)}"
        elif name in in_file.commented:
            yield (
                f"{name} in {env_file} ends with what looks like a comment and is part of the "
                "value: a comment needs a line of its own, a value that is meant so quotes"
            )


def _nearest(name: str, known: list[str]) -> str:
    """A hint at what may have been meant; the prefix that all share is no likeness."""
    by_rest = {each.removeprefix(sources.PREFIX): each for each in known}
    near = difflib.get_close_matches(name.upper().removeprefix(sources.PREFIX), by_rest, n=1)
    return f"; did you mean {by_rest[near[0]]}?" if near else ""
