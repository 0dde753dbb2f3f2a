"""speakerd-keypad: finds foot switches and keypads, and lets the service use one.

    speakerd-keypad                lists what is plugged in and has keys
    sudo speakerd-keypad --watch   tells what their keys are called as they are pressed
    sudo speakerd-keypad --apply   lets the service use the one that the env file names, or none

The unit may open no input device, because a keyboard is one. Where SPEAKERD_KEYPAD is set, a
drop-in allows it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.config.dropins import KEYPAD
from speakerd.errors import ConfigError, reason
from speakerd.panel import inputs
from speakerd.panel.keypad import name_of, open_device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evdev import InputDevice


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="speakerd-keypad", description="Find foot switches and keypads."
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--watch", action="store_true", help="tell the names of keys as pressed")
    mode.add_argument("--apply", action="store_true", help=f"let the service use {KEYPAD.option}")
    chosen = parser.parse_args(arguments)
    os.umask(0o022)  # root's may be stricter, and systemd is not the only one to read it
    root = Path(os.environ.get("DESTDIR") or "/")
    try:
        if chosen.watch:
            watch(root, open_device)
        elif chosen.apply:
            KEYPAD.apply(root, print)
        else:
            _list(root)
    except KeyboardInterrupt:
        pass
    except ConfigError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(reason(error, " ".join(["sudo speakerd-keypad", *arguments])))
    return 0


def _refused(why: str) -> int:
    print(f"speakerd: {why}", file=sys.stderr)
    return 1


# --- which there are


def _list(root: Path) -> None:
    found = list(inputs.all_of(root))
    if not found:
        print("No input device with keys is plugged in.")
        return
    for path, name in found:
        print(f"{path}  {name or '(no name)'}")
    print(f"A part of a name is enough: {KEYPAD.option}=... in /etc/speakerd/speakerd.env")


def watch(root: Path, opener: Callable[[Path], InputDevice[str]]) -> None:
    """Until Ctrl-C, or until nothing is left to listen to. Raises OSError."""
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
        found = list(inputs.all_of(root))
        for path, name in found:
            device = _opened(path, name, opener)
            if device is not None:
                opened.callback(device.close)
                selector.register(device.fd, selectors.EVENT_READ, device)
        if not found:
            print("No input device with keys is plugged in.")
        if not selector.get_map():
            return
        print("Press the keys that you want to use. Ctrl-C ends it.")
        while selector.get_map():
            for ready, _ in selector.select():
                if not _tell_keys(ready.data):
                    selector.unregister(ready.data.fd)


def _opened(
    path: Path, name: str, opener: Callable[[Path], InputDevice[str]]
) -> InputDevice[str] | None:
    """None, and why, where it cannot be listened to. Raises PermissionError."""
    try:
        device = opener(path)
    except PermissionError:
        raise
    except (OSError, UnicodeDecodeError) as error:  # a name that evdev cannot read
        print(f"{path}: {error}")
        return None
    try:  # of what another program has to itself nothing would be heard
        device.grab()
        device.ungrab()
    except OSError:
        print(f"{name} is in use; if by speakerd: sudo systemctl stop speakerd")
        device.close()
        return None
    return device


def _tell_keys(device: InputDevice[str]) -> bool:
    """What was pressed; False when the device is gone."""
    from evdev import ecodes  # noqa: PLC0415 - slow to import

    try:
        events = list(device.read())
    except OSError:
        print(f"{device.name} has been unplugged")
        return False
    for event in events:
        if event.type == ecodes.EV_KEY and event.value == 1:
            print(f"{name_of(event.code)}  on {device.name}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
