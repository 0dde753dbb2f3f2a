"""Which library leads gpiozero to the pins, without importing it: lgpio makes files when it is."""

from __future__ import annotations

import importlib.metadata
import importlib.util

#: gpiozero's names for its pin factories, in the order it tries them, and what they import.
_LIBRARIES = {"lgpio": "lgpio", "rpigpio": "RPi", "pigpio": "pigpio"}
#: On PyPI, and empty: pip takes it where it may not build the real one.
_EMPTY_LGPIO = "0.0.0"


def library(factory: str) -> str:
    """The library for ``factory``, the value of GPIOZERO_PIN_FACTORY, as a name and a version.

    Without one it is what gpiozero would choose; "" where that is none, or one that is not there.
    """
    if factory and factory not in _LIBRARIES:
        return factory  # native, mock or somebody's own: gpiozero's, or not ours to judge
    for name in [factory] if factory else _LIBRARIES:
        if importlib.util.find_spec(_LIBRARIES[name]) is None:
            continue
        version = _version(name)
        if name != "lgpio" or not version.startswith(_EMPTY_LGPIO):
            return f"{name} {version}".strip()
    return ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version({"rpigpio": "RPi.GPIO"}.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return ""
