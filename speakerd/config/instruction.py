"""The system instruction: what the options tell the model before every conversation."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from speakerd.config.sources import variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speakerd.config.settings import Settings

_PLACEHOLDER = re.compile(r"\{([A-Za-z_-]+)\}")
#: What may stand in braces, and the option that it is from; none: this machine knows.
_OPTIONS = {"place": "place", "names": "names", "time_zone": ""}


def instruction(settings: Settings, time_zone: str) -> str:
    """The text and the file, placeholders replaced, and the languages; empty for nothing.

    ``time_zone`` is a name such as Europe/Berlin.
    """
    values = {
        "place": settings.place,
        "names": ", ".join(settings.names),
        "time_zone": time_zone,
    }
    written = _PLACEHOLDER.sub(lambda each: values.get(each[1], each[0]), _written(settings))
    return "\n".join(part for part in (written, _languages(settings.language)) if part)


def doubts(settings: Settings) -> Iterator[str]:
    """One line for what does nothing, or not what it seems to."""
    used = set(_PLACEHOLDER.findall(_written(settings)))
    for name in sorted(used - _OPTIONS.keys()):
        near = difflib.get_close_matches(name.lower(), _OPTIONS, n=1)
        hint = f"; did you mean {{{near[0]}}}?" if near else ""
        yield f"the system instruction has {{{name}}}, which is no placeholder{hint}"
    for name, option in _OPTIONS.items():
        if not option:
            continue
        variable = variable_of(option)
        if name in used and not getattr(settings, option):
            yield f"the system instruction has {{{name}}}, and {variable} is not set"
        elif name not in used and getattr(settings, option):
            yield f"{variable} does nothing without {{{name}}} in the system instruction"


def time_zone(root: Path, environ_tz: str = "") -> str:
    """The name of the zone by ``TZ`` or by etc/localtime below ``root``; UTC if it has none."""
    if name := environ_tz.removeprefix(":"):
        return name
    try:
        target = (root / "etc/localtime").readlink()
    except OSError:
        return "UTC"
    return str(target).partition("zoneinfo/")[2] or "UTC"


def _written(settings: Settings) -> str:
    file = settings.system_instruction_file
    texts = (settings.system_instruction, file.text.strip() if file is not None else "")
    return "\n".join(text for text in texts if text)


def _languages(codes: tuple[str, ...]) -> str:
    match codes:
        case ():
            return ""
        case (code,):
            return f"Answer in the language with the BCP-47 code {code}."
        case _:
            listed = ", ".join(codes)
            return (
                f"People here speak the languages with the BCP-47 codes {listed}: "
                "answer in the one that you are spoken to in, and in doubt in the first of them."
            )
