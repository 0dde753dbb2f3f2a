"""Words of a stranger's: cut to a length, and fit for a line of the journal or of a setup."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from speakerd.config.secret import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: As much of a reason as fits into a line.
_MOST_LETTERS = 160
_MOST_LETTERS_OF_A_NAME = 64
_STRANGE = re.compile(r"[^A-Za-z0-9_.-]")


def one_line(text: str, most_letters: int = _MOST_LETTERS) -> str:
    """``text`` in one line of printable letters, no longer than that, without our secrets."""
    line = " ".join(redact(text[: 8 * most_letters]).split())
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
    return line if len(line) <= most_letters else f"{line[: most_letters - 3]}..."


def fitting(text: str, most_bytes: int) -> str:
    """As much of the beginning of ``text`` as takes ``most_bytes`` in JSON."""
    text = text[:most_bytes]
    while (size_bytes := len(json.dumps(text))) > most_bytes:
        text = text[: len(text) * most_bytes // size_bytes]
    return text


class Names:
    """What the tools of servers are called: a name once given stays, whoever else comes or goes.

    Gemini takes 64 of a-z, A-Z, 0-9 and ``_.-``, a letter or ``_`` first (the reference of
    FunctionDeclaration). A tool keeps its own name where nobody has it; else it gets that of its
    server before it.
    """

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}

    def give(self, server: str, tool: str, reserved: Collection[str]) -> str:
        """The name of that tool, none of the ``reserved`` ones."""
        mine = server, tool
        known = self._given.get(mine)
        if known is not None and known not in reserved:
            return known
        others = {name for key, name in self._given.items() if key != mine}
        free = (name for name in _names(*mine) if name not in others and name not in reserved)
        self._given[mine] = next(free)
        return self._given[mine]

    def keep(self, server: str, tools: Collection[str]) -> None:
        """Of that server no others are remembered than these."""
        gone = [key for key in self._given if key[0] == server and key[1] not in tools]
        for key in gone:
            del self._given[key]


def _names(server: str, tool: str) -> Iterator[str]:
    yield _fit(tool)
    long = f"{server.replace('-', '_')}_{tool}"
    yield _fit(long)
    number = 0
    while True:
        digest = hashlib.sha256(f"{long}\0{number}".encode()).hexdigest()[:6]
        yield f"{_fit(long)[: _MOST_LETTERS_OF_A_NAME - 7]}_{digest}"
        number += 1


def _fit(name: str) -> str:
    fit = _STRANGE.sub("_", name)[:_MOST_LETTERS_OF_A_NAME]
    return fit if fit[:1].isalpha() or fit[:1] == "_" else f"_{fit}"[:_MOST_LETTERS_OF_A_NAME]
