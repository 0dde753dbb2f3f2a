"""The camera: its program is there, the service may open cameras, and the last picture was one.

None is taken here: that is done only while somebody holds the button, or by speakerd-camera.
"""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING

from speakerd.config.dropins import CAMERA
from speakerd.doctor.account import UNIT, is_hidden, who_runs
from speakerd.doctor.asking import told_of_part
from speakerd.doctor.findings import ok, warn
from speakerd.doctor.voice import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

_AREA = "camera"
_RESTART = f"sudo systemctl restart {UNIT}"
_TRY = "sudo speakerd-camera"
#: Whose package is not called as they are.
_PACKAGES = {"rpicam-jpeg": "rpicam-apps", "rpicam-still": "rpicam-apps"}
_IN_DEBIAN = {"fswebcam", "ffmpeg", "curl", *_PACKAGES}


def check(system: System) -> Iterator[Finding]:
    """Nothing where none is configured."""
    settings = system.loaded.settings if system.loaded is not None else None
    if settings is None or not settings.camera_command:
        return
    service = who_runs(system).service
    yield _program(system, shlex.split(settings.camera_command)[0], service=service)
    dropin = system.root / CAMERA.path
    if service and not (dropin.is_symlink() or dropin.exists()):
        what = f"the service may open no camera of this machine: /{CAMERA.path} is missing"
        yield warn(_AREA, what, f"sudo speakerd-camera --apply && {_RESTART}")
    elif system.daemon is not None:
        yield told_of_part(
            system.daemon,
            _AREA,
            well="the daemon knows of no trouble with it",
            ill="the last picture failed",
            remedy=_TRY,
        )


CHECKS = (check,)


def _program(system: System, path: str, *, service: bool) -> Finding:
    name = PurePath(path).name
    if service and is_hidden(path):
        what = f"{path} is hidden from the service, as all of /home is: nothing is seen"
        install = f"sudo install {shlex.quote(path)} /usr/local/bin/"
        remedy = f"{install}, and SPEAKERD_CAMERA_COMMAND={shlex.quote(name)} ..."
        return warn(_AREA, what, remedy)
    places = [path] if "/" in path else [f"/{folder}/{path}" for folder in FOLDERS]
    found = next((place for place in places if (system.root / place[1:]).is_file()), None)
    if found is not None:
        return ok(_AREA, f"pictures are taken by {found}")
    package = f"sudo apt install {_PACKAGES.get(name, name)}" if name in _IN_DEBIAN else ""
    other = f"set SPEAKERD_CAMERA_COMMAND to a program that is there; {_TRY} tries it"
    return warn(_AREA, f"{path} is not there: nothing is seen", package or other)
