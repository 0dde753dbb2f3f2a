"""A file of JSON that an option names: what it says, or what is wrong with it, line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from speakerd.config import rights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class JsonFileError(ValueError):
    """What is wrong in a file, a line each; the lines name the file, the place and the remedy."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("; ".join(self.lines))


def parsed(path: Path, text: str) -> Any:  # noqa: ANN401 - any JSON
    """The ``text`` of the file at ``path``, which gives its author power over this machine.

    Raises :class:`JsonFileError`, also where somebody else may write the file.
    """
    if reason := rights.others_change(path):
        raise JsonFileError([reason])
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise JsonFileError([f"{path}:{error.lineno}: this is not JSON: {error.msg}"]) from None
    except (ValueError, RecursionError) as error:
        raise JsonFileError([f"{path}: this cannot be used: {error}"]) from None


def shown(value: object) -> str:
    """A value in one line of bounded length, as it is written."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{shown(key)} is in one object twice")
        found[key] = value
    return found
