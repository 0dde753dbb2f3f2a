"""The syntax of systemd's ``EnvironmentFile=``, as systemd.exec(5) of systemd 254 and later has it.

    # a comment, and so is a line that begins with ;
    NAME=interior blanks stay, outer ones go; \\ keeps the character after it
    NAME='verbatim, also over several lines'
    NAME="as in a shell: \\" \\\\ \\$ \\` are escapes, and nothing is expanded"
    NAME=a line that ends with a backslash \\
    goes on in the next one

Quotes count only where the value begins. A name given twice has its last value. A ``#`` behind a
value is part of it. Where systemd skips what it cannot read, this raises: a setting that is
silently not there helps nobody.
"""

from __future__ import annotations

import re

_BLANK = re.compile(r"(?:[ \t\r\n]+|[#;][^\r\n]*)*")  # blank lines and comments
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r"[ \t]*(?:'([^']*)'|\"((?:[^\"\\]|\\.)*)\")", re.DOTALL)
_UNQUOTED = re.compile(r"[ \t]*((?:[^\\\r\n]|\\.)*?)[ \t]*(?:(?=[\r\n])|\\?\Z)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|[ \t])#")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r"\\([\"\\`$\n])")


class Variables(dict[str, str]):
    """The values by their names; ``commented`` are those that seem to end with a comment."""

    def __init__(self) -> None:
        super().__init__()
        self.commented: set[str] = set()


class EnvFileError(ValueError):
    """What is wrong, and in which ``line`` (counted from 1); never quotes the file: it has keys."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def parse(text: str) -> Variables:
    """The variables that ``text`` sets. Raises :class:`EnvFileError`."""
    text = text.replace("\r\n", "\n")
    values = Variables()
    at = _skip_blank(text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        end = min((i for i in (text.find("=", at), text.find("\n", at)) if i >= 0), default=-1)
        name = text[at:end].strip() if end >= 0 and text[end] == "=" else None
        if name is None:
            raise EnvFileError(line, "NAME=value expected, but there is no '='")
        if not _NAME.fullmatch(name):
            hint = "; leave out 'export'" if name.startswith("export ") else ""
            raise EnvFileError(
                line, f"a name is made of letters, digits and underscores, before '='{hint}"
            )
        values[name], bare, at = _value(text, end + 1, line)
        values.commented.discard(name)
        if _COMMENT.search(bare):
            values.commented.add(name)
        if "\0" in values[name]:
            raise EnvFileError(line, f"the value of {name} holds a NUL")
        at = _skip_blank(text, at)
    return values


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _value(text: str, at: int, line: int) -> tuple[str, str, int]:
    """The value that begins at ``at``, what of it is not quoted, and where it ends.

    It is any number of quoted parts, then one that is not.
    """
    parts: list[str] = []
    while (match := _QUOTED.match(text, at)) is not None:
        single, double = match.groups()
        parts.append(_ESCAPED_IN_QUOTES.sub(_unescaped, double) if single is None else single)
        at = match.end()
    rest = _UNQUOTED.match(text, at)
    raw = rest[1] if rest else ""
    if rest is None or raw[:1] in {"'", '"'}:
        raise EnvFileError(line, "a quote is opened and never closed")
    parts.append(_ESCAPED.sub(_unescaped, raw))
    return "".join(parts), raw, rest.end()


def _unescaped(match: re.Match[str]) -> str:
    """The character after a backslash; both are gone where it is the end of the line."""
    return "" if match[1] == "\n" else match[1]
