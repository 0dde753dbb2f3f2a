"""The file of SPEAKERD_MCP_SERVERS: which servers of the Model Context Protocol the model may use.

::

    {"servers": {
      "home": {"url": "http://homeassistant.local:8123/api/mcp",
               "headers": {"Authorization": "Bearer {credential:home-assistant}"},
               "allow": ["Hass*"], "deny": ["*Vacuum*"], "limit_s": 10},
      "files": {"command": ["/usr/local/bin/some-server"], "environment": {"ROOT": "/srv"}}
    }}

A secret is a systemd credential that the file names; it is read when it is needed, and is never
part of the settings.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - read at runtime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from speakerd.config import jsonfile, sources
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

#: More of them, and the model has more tools than it can choose from.
MOST_SERVERS = 16
#: No tool may take longer: the core waits for little longer than that.
_LONGEST_S = 50.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
_CREDENTIAL = re.compile(r"\{credential:([A-Za-z0-9][A-Za-z0-9._-]*)\}")
#: A name of RFC 9110, 5.6.2, and what an environment may have.
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXTS = "an object of texts by their names"
_PATTERNS = "a list of patterns"
#: What each key of a server is, for one that is something else.
_ALLOWED = {
    "url": "a text",
    "headers": _TEXTS,
    "command": "a list of the absolute path of a program and its arguments",
    "environment": _TEXTS,
    "allow": _PATTERNS,
    "deny": _PATTERNS,
    "limit_s": f"a number of seconds from 1 to {_LONGEST_S:g}",
}


@dataclass(frozen=True, slots=True)
class Server:
    """One of them: at an ``url``, or else a ``command`` that is run, the program first.

    ``headers`` and ``environment`` may name credentials, see :func:`filled`. ``allow`` and ``deny``
    are patterns of the names of its tools; a call may take ``limit_s``.
    """

    name: str
    url: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    limit_s: float = 30.0

    def allows(self, tool: str) -> bool:
        """Whether the model may have the tool that the server calls so."""
        return _fits(tool, self.allow) and not _fits(tool, self.deny)


@dataclass(frozen=True, slots=True)
class Servers:
    """A file and the servers that it names, in its order."""

    path: Path
    servers: tuple[Server, ...]

    def __str__(self) -> str:
        return str(self.path)


def read(path: Path, text: str) -> Servers:
    """The servers in the ``text`` of a file. Raises ValueError, which names or continues it."""
    return parse(path, jsonfile.parsed(path, text))


def parse(path: Path, found: Any) -> Servers:  # noqa: ANN401 - any JSON
    """The servers in what a file says. Raises ValueError, which reads on from its path."""
    if not isinstance(found, dict) or list(found) != ["servers"]:
        raise ValueError('which is not of the form {"servers": {NAME: {...}, ...}}')
    entries = found["servers"]
    if not isinstance(entries, dict):
        raise ValueError('where "servers" is not of the form {NAME: {...}, ...}')  # noqa: TRY004 - pydantic's
    if len(entries) > MOST_SERVERS:
        raise ValueError(f"which names more than {MOST_SERVERS} servers")
    return Servers(path, tuple(_server(name, entry) for name, entry in entries.items()))


def filled(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with the credentials that it names. Raises ConfigError where one is missing."""

    def content(found: re.Match[str]) -> str:
        name = found[1]
        secret = sources.credential(environ, name)
        if secret is None:
            remedy = f"store it in /etc/credstore/{name}, and add LoadCredential={name} to the unit"
            raise ConfigError(f"there is no credential {name!r}: {remedy}")
        if not secret.strip():
            raise ConfigError(f"the credential {name!r} is empty")
        return secret.strip()

    return _CREDENTIAL.sub(content, text)


def credentials(server: Server) -> tuple[str, ...]:
    """The names of the credentials that it needs, each once."""
    texts = (text for _, text in (*server.headers, *server.environment))
    return tuple(dict.fromkeys(each[1] for text in texts for each in _CREDENTIAL.finditer(text)))


def header(name: str, text: str, environ: Mapping[str, str]) -> str:
    """``text``, :func:`filled`, as the header of that name. Raises ConfigError, also where it would
    be none: whoever refuses it later would show it.
    """
    value = filled(text, environ)
    if not value.isascii() or not value.isprintable():
        what = f"what the credential in {name!r} gives cannot be sent"
        raise ConfigError(f"{what}: it has to be one line of ASCII")
    return value


def secrets(servers: Servers, environ: Mapping[str, str]) -> Iterator[str]:
    """What of them must not be in the journal: headers, and whatever a credential gives."""
    for server in servers.servers:
        yield from secrets_of(server, environ)


def secrets_of(server: Server, environ: Mapping[str, str]) -> Iterator[str]:
    """What of one must not be told, the words of it one by one: a line has no more of it."""
    for name, text in (*server.headers, *server.environment):
        found = [each[1] for each in _CREDENTIAL.finditer(text)]
        for credential in found:
            with contextlib.suppress(ConfigError):  # told when the server needs it
                secret = (sources.credential(environ, credential) or "").strip()
                yield from dict.fromkeys((secret, *secret.split()))
        if not found and (name, text) in server.headers:
            yield from text.split()  # its scheme, "Bearer", is too short to be looked for


def doubts(servers: Servers) -> Iterator[str]:
    """One line for each secret that stands in the file itself."""
    for server in servers.servers:
        for name, text in server.headers:
            if name.lower() == "authorization" and not _CREDENTIAL.search(text):
                better = f'"{name}": "Bearer {{credential:NAME}}"'
                yield f"{servers.path} has a secret of server {server.name!r} in it: use {better}"


class _Entry(BaseModel):
    """A server as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str = ""
    headers: dict[str, str] = {}
    command: list[Annotated[str, StringConstraints(min_length=1)]] = []
    environment: dict[str, str] = {}
    allow: list[str] = ["*"]
    deny: list[str] = []
    limit_s: float = Field(30.0, ge=1, le=_LONGEST_S)


def _server(name: str, entry: Any) -> Server:  # noqa: ANN401 - whatever JSON has there
    if not _NAME.fullmatch(name):
        how = "at most 24 of a-z, 0-9 and -, a letter or digit first"
        raise ValueError(f"where the server {name!r} needs another name: {how}")
    try:
        given = _Entry.model_validate(entry)
    except ValidationError as error:
        raise ValueError(f"where server {name!r} {_told(error.errors()[0])}") from None
    if reason := _wrong(given):
        raise ValueError(f"where server {name!r} {reason}")
    return Server(
        name,
        given.url,
        tuple(given.headers.items()),
        tuple(given.command),
        tuple(given.environment.items()),
        tuple(given.allow),
        tuple(given.deny),
        given.limit_s,
    )


def _told(error: ErrorDetails) -> str:
    """What pydantic has found, without the value, which may be a secret."""
    where = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "extra_forbidden":
            return f"has {where!r}, which is none of {', '.join(_Entry.model_fields)}"
        case "model_type":
            return 'is not of the form {"url": ...} or {"command": [...]}'
        case _:
            key = str(error["loc"][0])
            return f"has {where!r} wrong: {key} has to be {_ALLOWED[key]}"


def _wrong(given: _Entry) -> str:
    """Why this is no server, if it is none; reads on from its name."""
    if bool(given.url) == bool(given.command):
        return 'needs either "url" or "command"'
    return _wrong_address(given) if given.url else _wrong_command(given)


def _wrong_address(given: _Entry) -> str:
    try:
        parts = urlsplit(given.url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # of a port or a bracket
        known = False
    if not known or not given.url.isprintable() or " " in given.url:
        return 'has an "url" that is none: http[s]://HOST[:PORT]/PATH'
    if "@" in urlsplit(given.url).netloc or "{credential:" in given.url:
        return 'has a secret in its "url": use "headers"'
    if given.environment:
        return 'has an "environment", which is for a "command"; an url may have "headers"'
    if any(not text.isascii() or not text.isprintable() for text in given.headers.values()):
        return 'has "headers" with letters that cannot be sent: use ASCII'
    return _wrong_pairs("headers", given.headers, _HEADER)


def _wrong_command(given: _Entry) -> str:
    if given.headers:
        return 'has "headers", which are for an "url"; a command may have an "environment"'
    if not given.command[0].startswith("/"):
        return f'has a "command" whose program, {given.command[0]!r}, does not begin with /'
    if any("{credential:" in word for word in given.command):
        return 'has a credential in its "command", where everybody sees it: use "environment"'
    if any("\0" in word for word in (*given.command, *given.environment.values())):
        return "has a NUL in its command or its environment"
    return _wrong_pairs("environment", given.environment, _VARIABLE)


def _wrong_pairs(key: str, pairs: Mapping[str, str], names: re.Pattern[str]) -> str:
    for name, text in pairs.items():
        if not names.fullmatch(name):
            return f'has {name!r} in "{key}", which cannot be a name there'
        if "{credential" in _CREDENTIAL.sub("", text):
            return f'has {name!r} in "{key}" wrong: a credential is {{credential:NAME}}'
    return ""


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
