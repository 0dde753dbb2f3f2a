"""speakerd-camera: tries the camera's command, and lets the service use a camera.

    sudo speakerd-camera           takes a picture, tells how long that took and how large it is
    sudo speakerd-camera FILE      and keeps it
    sudo speakerd-camera --apply   lets the service open cameras if the env file names a command

It takes the picture as who calls it, outside the service's sandbox. The unit may open no camera:
where SPEAKERD_CAMERA_COMMAND is set, a drop-in allows it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.camera.program import Program
from speakerd.commands import CommandError
from speakerd.config.dropins import CAMERA
from speakerd.errors import ConfigError, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

#: More than that is longer on its way than it is worth: 2 s on a line that takes 1 Mbit/s.
_LARGE_KIB = 200


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="speakerd-camera", description="Try the camera.")
    parser.add_argument("file", nargs="?", type=Path, help="where the picture is to be kept")
    parser.add_argument("--apply", action="store_true", help="let the service open cameras")
    chosen = parser.parse_args(arguments)
    if chosen.apply and chosen.file:
        parser.error("--apply takes no file")
    os.umask(0o022)  # root's may be stricter, and systemd is not the only one to read it
    root = Path(os.environ.get("DESTDIR") or "/")
    try:
        if chosen.apply:
            CAMERA.apply(root, print)
        else:
            _try(root, chosen.file)
    except KeyboardInterrupt:
        pass
    except (CommandError, ConfigError) as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(reason(error, " ".join(["sudo speakerd-camera", *arguments])))
    return 0


def _refused(why: str) -> int:
    print(f"speakerd: {why}", file=sys.stderr)
    return 1


def _try(root: Path, file: Path | None) -> None:
    """Raises CommandError, ConfigError and OSError."""
    try:
        command = shlex.split(CAMERA.wanted(root))
    except ValueError as error:
        raise ConfigError(f"{CAMERA.option}: {error}") from None
    if not command:
        raise ConfigError(f"{CAMERA.option} names no command")
    began = time.monotonic()
    picture = asyncio.run(_picture(command))
    took_s, kib = time.monotonic() - began, len(picture) // 1024
    print(f"A picture of {kib} KiB, after {took_s:.1f} s.")
    if kib > _LARGE_KIB:
        print("A smaller one is sooner there: 768 pixels are as many as the model looks at.")
    if file is not None:
        file.write_bytes(picture)


async def _picture(command: Sequence[str]) -> bytes:
    return await Program(command).picture()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
