"""The kinds of values that options take: how they are written, and which of them are none.

What a validator here raises reads on from the value: ``'5,5', which names a pin twice``.
"""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from speakerd.config import checks, mcp, prices, voices

#: sun_path of unix(7), less its final NUL.
_LONGEST_SOCKET_PATH_BYTES = 107
#: What an instruction has room for; all of it is paid for at every turn.
_LONGEST_TEXT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """A file and what was in it."""

    path: Path
    text: str

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class JsonFile(Text):
    """A file of JSON, and what its text means; equal to another one where the text is."""

    content: Any = field(compare=False, repr=False)


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _named_once(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = dict.fromkeys(name.strip().lower() for name in value.split(","))
    return () if list(names) == ["none"] else tuple(names)


def _paired(value: object) -> object:
    """KEY=use for each, however it is written: ``key_f13 = Talk`` is F13=talk."""
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in value.split(",")]
    return [
        f"{key.strip().upper().removeprefix('KEY_')}{sign}{use.strip().lower()}"
        for key, sign, use in pairs
    ]


def _one_use_each(value: tuple[str, ...]) -> tuple[str, ...]:
    if len({pair.partition("=")[0] for pair in value}) != len(value):
        raise ValueError("which names a key twice")
    return value


def _pairs(value: object) -> object:
    """NAME and value of each, however they are written: ``Hate_Speech = none``."""
    if not isinstance(value, str):
        return value
    named = (part.lower().replace("_", "-").partition("=") for part in value.split(","))
    return [(name.strip(), what.strip()) for name, _, what in named]


def _one_value_each(value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if len(dict(value)) != len(value):
        raise ValueError("which names a category twice")
    return value


def _read(value: object) -> object:
    return _text_of(value) if isinstance(value, str) else value


def _read_servers(value: object) -> object:
    if not isinstance(value, str):
        return value
    file = _text_of(value)
    return mcp.read(file.path, file.text)


def _text_of(value: str) -> Text:
    path = _absolute(Path(value))
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep the start waiting
            raise ValueError("which is no file")
        with path.open("rb") as file:
            content = file.read(_LONGEST_TEXT_BYTES + 1)
        if len(content) > _LONGEST_TEXT_BYTES:
            raise ValueError(f"which has more than {_LONGEST_TEXT_BYTES} bytes")
        return Text(path, content.decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"which cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("which is not UTF-8 text") from None


def _commands(value: object) -> object:
    file = _read(value)
    if not isinstance(file, Text):
        return value
    # it takes its time to be imported, and few have such a file
    from speakerd.config import commandsfile  # noqa: PLC0415 - see above

    return JsonFile(file.path, file.text, commandsfile.read(file.path, file.text))


def _priced(value: object) -> object:
    """kind=USD for each, however it is written: ``Audio_in = 3`` is audio-in=3."""
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in value.split(",")]
    return [
        f"{kind.strip().lower().replace('_', '-')}{sign}{usd.strip()}" for kind, sign, usd in pairs
    ]


def _one_price_each(value: tuple[str, ...]) -> tuple[str, ...]:
    if len({pair.partition("=")[0] for pair in value}) != len(value):
        raise ValueError("which has two prices for one thing")
    return value


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _each_once(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) != len(value):
        raise ValueError("which names a pin twice")
    return value


def _one_or_three(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(value) not in {0, 1, 3}:
        raise ValueError(f"which is {len(value)} pins")
    return value


def _none_or_two(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(value) not in {0, 2}:
        raise ValueError("which is not two pins")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("which does not begin with /")
    return value


def _fits_a_socket(value: Path) -> Path:
    if len(bytes(value)) > _LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(f"which is longer than {_LONGEST_SOCKET_PATH_BYTES} bytes")
    return value


def _can_be_split(value: str) -> str:
    try:
        found = shlex.split(value)
    except ValueError as error:  # a quote that is never closed, a backslash at the end
        raise ValueError(f"in which there is: {error}") from None
    if found and not found[0]:
        raise ValueError("which names no program")
    return value


def _none_or_a_second(value: float) -> float:
    if 0 < value < 1:
        raise ValueError("which is more often than the model looks: once a second")
    return value


def _looks_like_a_key(value: SecretStr) -> SecretStr:
    if reason := checks.no_key(value.get_secret_value()):
        raise ValueError(reason)
    return value


def _gives_tokens(value: SecretStr) -> SecretStr:
    if reason := checks.no_token_url(value.get_secret_value()):
        raise ValueError(reason)
    return value


#: Upper and lower case are the same.
Lowered = BeforeValidator(_lowered)

ApiKey = Annotated[SecretStr, AfterValidator(_looks_like_a_key)]
#: A secret: a password may be in it.
TokenAddress = Annotated[SecretStr, AfterValidator(_gives_tokens)]
Model = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
Models = Annotated[tuple[Model, ...], BeforeValidator(_split)]
#: As it is published, if it is, whatever the case.
Voice = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$"), AfterValidator(voices.as_published)
]
_Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Languages = Annotated[tuple[_Language, ...], BeforeValidator(_split)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Words = Annotated[tuple[_Word, ...], Field(max_length=100), BeforeValidator(_split)]
_Harm = Literal[
    "harassment", "hate-speech", "sexually-explicit", "dangerous-content", "civic-integrity"
]
_Blocked = Literal["low-and-above", "medium-and-above", "only-high", "none"]
#: Categories of harm, and what is blocked of each.
Safety = Annotated[
    tuple[tuple[_Harm, _Blocked], ...], BeforeValidator(_pairs), AfterValidator(_one_value_each)
]
#: A file that is read when the option is.
TextFile = Annotated[Text, BeforeValidator(_read)]
#: Its content: commands by their names, see :mod:`speakerd.config.commandsfile`.
CommandsFile = Annotated[JsonFile, BeforeValidator(_commands)]
#: So too: one that names servers.
ServersFile = Annotated[mcp.Servers, BeforeValidator(_read_servers)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
SocketPath = Annotated[AbsolutePath, AfterValidator(_fits_a_socket)]
#: A program and its arguments; empty for none.
Command = Annotated[str, AfterValidator(_can_be_split)]
#: In seconds; 0 for none.
Interval = Annotated[float, Field(ge=0, le=60), AfterValidator(_none_or_a_second)]
DeviceName = Annotated[str, StringConstraints(min_length=1)]
Pin = Annotated[int, Field(ge=0, le=53)]
_Pins = Annotated[tuple[Pin, ...], BeforeValidator(_split), AfterValidator(_each_once)]
LedPins = Annotated[_Pins, AfterValidator(_one_or_three)]
KnobPins = Annotated[_Pins, AfterValidator(_none_or_two)]
_KeyAndUse = Annotated[
    str, StringConstraints(pattern=r"^[A-Z0-9_]+=(talk|stop|forget|mute|louder|softer)$")
]
#: ``none`` is none of them.
_ToolSet = Literal["volume", "timers", "clock", "speaker"]
Tools = Annotated[tuple[_ToolSet, ...], BeforeValidator(_named_once)]
_OwnPrice = Annotated[
    str, StringConstraints(pattern=rf"^({'|'.join(prices.KINDS)})=[0-9]{{1,6}}(\.[0-9]{{1,6}})?$")
]
OwnPrices = Annotated[
    tuple[_OwnPrice, ...], BeforeValidator(_priced), AfterValidator(_one_price_each)
]
KeyUses = Annotated[tuple[_KeyAndUse, ...], BeforeValidator(_paired), AfterValidator(_one_use_each)]
