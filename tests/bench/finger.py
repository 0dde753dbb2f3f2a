"""A finger on the button of any program: ``python -m tests.bench.finger MODULE [ARGUMENT...]``.

Runs MODULE as ``python -m`` would, with gpiozero's mock pins, and a thread that does what it is
told over a socket: it is to the program what lgpio's thread is on a Raspberry Pi. So every program
that is measured gets its edges in the same way, and knows of no other than its own button.

Each byte on the socket (SOCKET_VARIABLE has its path) is one edge, DOWN or UP, of BCM line 17 with
the board's pull-up; LOOK is none, and is answered by OPENED. Before the first of them, the program
is waited for to have opened the line. The thread sleeps in between, and imports nothing that the
program does not.
"""

from __future__ import annotations

import os
import runpy
import socket
import sys
import threading
import time
from typing import Any

SOCKET_VARIABLE = "BENCH_FINGER"
PIN = 17
DOWN = b"d"
UP = b"u"
LOOK = b"l"
OPENED = b"o"
_LOOK_EVERY_S = 0.002  # for a line that is not open yet


def _touch(hand: socket.socket) -> None:
    """Do what is told, until nobody tells any more."""
    if not (edge := hand.recv(1)):
        return
    while (pin := _pin_that_is_watched()) is None:
        time.sleep(_LOOK_EVERY_S)
    while edge:
        if edge == DOWN:
            pin.drive_low()
        elif edge == UP:
            pin.drive_high()
        else:
            hand.send(OPENED)
        edge = hand.recv(1)


def _pin_that_is_watched() -> Any:  # noqa: ANN401 - gpiozero has no types
    """The line, if the program has opened it and said what it does with both edges, or None."""
    # Not imported here: when it is loaded is the program's own affair.
    if (gpiozero := sys.modules.get("gpiozero")) is None:
        return None
    factory = getattr(getattr(gpiozero, "Device", None), "pin_factory", None)
    for info, devices in list(getattr(factory, "_reservations", {}).items()):
        for device in (reference() for reference in devices if info.name == f"GPIO{PIN}"):
            if device is not None and device.when_activated and device.when_deactivated:
                return device.pin
    return None


def main() -> None:
    """Become the program."""
    os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
    hand = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    hand.connect(os.environ.pop(SOCKET_VARIABLE))
    threading.Thread(target=_touch, args=(hand,), name="finger", daemon=True).start()
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
