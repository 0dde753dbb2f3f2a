"""What a reload changes: two configurations compared, in words and for whoever applies it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from speakerd.config.render import shown
from speakerd.config.settings import VARIABLES
from speakerd.config.sources import API_KEY, LIBRARY_VARIABLES, SECRETS, Origin

if TYPE_CHECKING:
    from speakerd.config import Loaded

#: What a running daemon is bound to: it listens there, and keeps its conversation there.
_AT_START_ONLY = frozenset({"control_socket", "state_directory"})


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """``lines`` say what is different from now on, ``restart`` what needs a restart for it.

    ``options`` are the fields of Settings that differ, ``loaded`` is what to live by: the new
    configuration, but for what needs a restart.
    """

    options: frozenset[str]
    lines: tuple[str, ...]
    restart: tuple[str, ...]
    loaded: Loaded


def compare(old: Loaded, new: Loaded) -> Changes:
    """What changes for a daemon that lives by ``old`` when it reads ``new``."""
    differ = {
        option: variable
        for variable, option in VARIABLES.items()
        if getattr(old.settings, option) != getattr(new.settings, option)
    }
    kept = {option for option in differ if option in _AT_START_ONLY}
    if "gemini_api_key" in differ and _is_another_credential(old, new):
        kept.add("gemini_api_key")
    lines = [_line(option, old, new) for option in differ if option not in kept]
    restart = [_line(option, old, new) for option in differ if option in kept]
    restart += [
        f"{name}: {old.library.get(name) or '-'} -> {new.library.get(name) or '-'}"
        for name in LIBRARY_VARIABLES  # read once, when the libraries are imported
        if old.library.get(name) != new.library.get(name)
    ]
    stay = {option: getattr(old.settings, option) for option in kept}
    loaded = dataclasses.replace(
        new,
        settings=new.settings.model_copy(update=stay),
        library=old.library,
        provenance={
            **new.provenance,
            **{differ[option]: old.provenance[differ[option]] for option in kept},
        },
    )
    return Changes(frozenset(differ) - kept, tuple(lines), tuple(restart), loaded)


def _is_another_credential(old: Loaded, new: Loaded) -> bool:
    """Whether the key is the credential as it was, and as it is: systemd copies it at the start."""
    return old.provenance[API_KEY] is new.provenance[API_KEY] is Origin.CREDENTIAL


def _line(option: str, old: Loaded, new: Loaded) -> str:
    """One change in words; never quotes a secret."""
    variable = next(name for name, each in VARIABLES.items() if each == option)
    if variable in SECRETS:
        if getattr(new.settings, option) is None:
            return f"{variable}: none any longer"
        return f"{variable}: another one, from the {new.provenance[variable]}"
    was, is_now = (shown(each.settings, option) for each in (old, new))
    if was == is_now:
        return f"{variable}: what is in {is_now}"
    fresh = "; a fresh conversation begins" if option == "model" else ""
    return f"{variable}: {was} -> {is_now}{fresh}"
