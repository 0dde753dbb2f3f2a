"""Where options come from: the environment, the env file, systemd's credential.

Earlier ones win: what systemd or the shell sets is nearest to the process, and a credential is
what is left where nothing else names a key. Blanks around a value do not count, and an empty
value is no value: the next source is asked. Knows names and texts only, and is quick to import.
"""

from __future__ import annotations

import contextlib
import enum
import grp
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config import envfile
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "SPEAKERD_"
API_KEY = "GEMINI_API_KEY"
CREDENTIAL = "gemini-api-key"
TOKEN_COMMAND = f"{PREFIX}TOKEN_COMMAND"
TOKEN_URL = f"{PREFIX}TOKEN_URL"
#: Never shown.
SECRETS = frozenset({API_KEY, TOKEN_URL})
ENV_FILE = f"{PREFIX}ENV_FILE"
DEFAULT_ENV_FILE = Path("/etc/speakerd/speakerd.env")
STATE_DIRECTORY = f"{PREFIX}STATE_DIRECTORY"
CONTROL_SOCKET = f"{PREFIX}CONTROL_SOCKET"
DEFAULT_CONTROL_SOCKET = Path("/run/speakerd/control.sock")

#: What the env file may set for the libraries, with what it is for.
LIBRARY_VARIABLES = {
    "GOOGLE_GEMINI_BASE_URL": "Another server that speaks the Live API, as https://host[:port].",
    "SSL_CERT_FILE": "The certificates to trust in place of the system's, a PEM file.",
    "GPIOZERO_PIN_FACTORY": "gpiozero's way to the pins: lgpio, rpigpio, pigpio, native, mock.",
}


def variable_of(option: str) -> str:
    """The environment variable of an option, a field of Settings."""
    return API_KEY if option == "gemini_api_key" else f"{PREFIX}{option.upper()}"


class Origin(enum.StrEnum):
    """Where a value comes from, the ones that win first."""

    ENVIRONMENT = "environment"
    FILE = "file"
    CREDENTIAL = "credential"
    DEFAULT = "default"


def text_of(texts: Mapping[str, str], name: str) -> str:
    """The value of variable ``name``, without the blanks around it; empty where there is none."""
    return texts.get(name, "").strip()


def env_file_of(environ: Mapping[str, str]) -> Path:
    """The env file that counts."""
    return Path(text_of(environ, ENV_FILE) or DEFAULT_ENV_FILE)


def read_env_file(environ: Mapping[str, str]) -> envfile.Variables:
    """What the env file sets; nothing where there is none and none was asked for.

    Raises ConfigError where it cannot be read or understood.
    """
    path = env_file_of(environ)
    try:
        return envfile.parse(path.read_text(encoding="utf-8-sig"))  # editors may write a BOM
    except FileNotFoundError:
        if text_of(environ, ENV_FILE):
            raise ConfigError(f"{ENV_FILE}: there is no {path}") from None
        return envfile.Variables()
    except PermissionError:
        raise ConfigError(f"{path}: permission denied; {_readers(path)}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: this is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; see {ENV_FILE}") from None
    except envfile.EnvFileError as error:
        raise ConfigError(f"{path}:{error.line}: {error}") from None


def read_credential(environ: Mapping[str, str]) -> dict[str, str]:
    """The API key as systemd hands it over, if it does. Raises ConfigError."""
    text = credential(environ, CREDENTIAL)
    return {} if text is None else {API_KEY: text}


def credential(environ: Mapping[str, str], name: str) -> str | None:
    """What systemd hands over under that name, None where it does not. Raises ConfigError."""
    directory = text_of(environ, "CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"credential {name}: this is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"credential {name}: {path}: {error.strerror}") from None


def control_socket(environ: Mapping[str, str]) -> Path:
    """Where a daemon with this configuration listens, for those who only want to talk to it.

    An env file that this user may not read, or that is broken, does not keep anybody from
    talking to a daemon at the usual place.
    """
    texts: Mapping[str, str] = {}
    with contextlib.suppress(ConfigError):
        texts = read_env_file(environ)
    chosen = text_of(environ, CONTROL_SOCKET) or text_of(texts, CONTROL_SOCKET)
    return Path(chosen or DEFAULT_CONTROL_SOCKET)


def _readers(path: Path) -> str:
    """Who may read ``path``, as far as this user can find out."""
    try:
        stat = path.stat()
        return (
            f"it is for user {pwd.getpwuid(stat.st_uid).pw_name} "
            f"and group {grp.getgrgid(stat.st_gid).gr_name}"
        )
    except (OSError, KeyError):
        return "it is for user root and group speakerd"
