"""The button: the GPIO chip, the library that leads to it, who else wants the line, a press.

While a daemon runs the line is its own, and it is asked. Otherwise the line is opened as it would
open it, by the same code.
"""

from __future__ import annotations

import contextlib
import queue
import re
import tempfile
import time
from typing import TYPE_CHECKING

from speakerd import config
from speakerd.conversation.events import ButtonEdge, ButtonHeldAtStart, DeviceLost, DeviceReady
from speakerd.doctor.account import UNIT, device_nodes, who_runs
from speakerd.doctor.asking import silent, told_of
from speakerd.doctor.configuration import place
from speakerd.doctor.findings import fail, ok, warn
from speakerd.errors import UnavailableError
from speakerd.panel.button import GpioButton
from speakerd.panel.libraries import library
from speakerd.panel.lines import (
    Seen,
    from_debugfs,
    from_gpioinfo,
    from_pinctrl,
    named,
    spare,
)
from speakerd.panel.overlays import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from speakerd.conversation.events import Event
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import DaemonPort, System
    from speakerd.panel.overlays import Claim

_AREA = "button"
_FACTORY = "GPIOZERO_PIN_FACTORY"
_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
_LINES = 28  # of the header
_INCLUDE = re.compile(r"^include\s+(\S+)\s*$", re.MULTILINE)
_PRESS_S = 10.0
_OPENING_S = 15.0  # a small board takes seconds to import a pin library
#: What lgpio calls itself towards the kernel, and with it speakerd.
_LGPIO = frozenset(("lg", "lgpio"))
_ELSEWHERE = "`speakerd press` and `speakerd release` are a button, too"


def check_chip(system: System) -> Iterator[Finding]:
    """Whether there are GPIO lines, and whether the service may use them."""
    factory = _factory(system)
    if factory == "mock":
        what = f"{_FACTORY}=mock: made-up pins, which nobody can press"
        where = place(system.loaded, _FACTORY) if system.loaded else _env_file(system)
        yield warn(_AREA, what, f"take {_FACTORY} out of {where}")
        return
    model = _model(system)
    chips = _chips(system)
    if chips:
        yield ok(_AREA, f"GPIO chips on {model or 'this machine'}: {len(chips)}")
        yield from device_nodes(system, _AREA, chips, "gpio")
    elif factory:
        yield ok(_AREA, f"no GPIO of this machine's; {_FACTORY}={factory} may lead elsewhere")
    elif "Raspberry Pi" in model:
        yield fail(_AREA, f"no GPIO chip on {model}", "sudo apt full-upgrade && sudo reboot")
    else:  # not a fault: who has no pins uses the control socket
        yield warn(_AREA, "this machine has no GPIO", _ELSEWHERE)


def check_library(system: System) -> Iterator[Finding]:
    """Whether the library for the pins is there."""
    if not _has_pins(system):
        return
    found = library(_factory(system))
    if found:
        yield ok(_AREA, f"pins by {found}")
    else:
        yield fail(
            _AREA, "there is no library for the pins", "sudo make install, which builds lgpio"
        )


def check_conflicts(system: System) -> Iterator[Finding]:
    """Whether the board's own configuration gives the line away."""
    pin = _pin(system)
    if pin is None or not _chips(system):
        return
    path, taken = _claims(system)
    mine = [claim for claim in taken if pin in claim.pins]
    for claim in mine:
        what = f"{named(pin)} is also taken by {claim.setting} in {path}"
        yield warn(_AREA, what, f"{_move(system, pin)}; or take that line out, and reboot")
    if path and not mine:
        yield ok(_AREA, f"nothing that is known of in {path} takes {named(pin)}")


def check_line(system: System) -> Iterator[Finding]:
    """Whether the line can be had, is at rest, and follows a press."""
    pin = _pin(system)
    if pin is None or not _has_pins(system):
        return
    seen = _seen(system, pin)
    if seen.function:
        what = f"{named(pin)} serves as {seen.function} now, not as a button"
        yield warn(_AREA, what, _move(system, pin))
    if system.daemon is not None:
        yield from _daemons_line(system, system.daemon, pin, seen)
    elif seen.holder:
        what = f"{named(pin)} is in use by {seen.holder}"
        stop = "sudo speakerd doctor, if it is speakerd's" if seen.holder in _LGPIO else "stop that"
        yield fail(_AREA, what, f"{stop}; or {_move(system, pin)}")
    else:
        yield from _own_line(system, pin)


CHECKS = (check_chip, check_library, check_conflicts, check_line)


# --- the line, through the daemon or by ourselves


def _daemons_line(system: System, daemon: DaemonPort, pin: int, seen: Seen) -> Iterator[Finding]:
    try:
        word = told_of(daemon, "button")
    except UnavailableError as error:
        yield silent(_AREA, error)
        return
    if word == "starting":
        what = f"the daemon is still opening {named(pin)}"
        yield warn(_AREA, what, "speakerd doctor, once more in some seconds")
    elif word != "ready":
        yield _lost(system, pin, word)
    elif seen.low:
        yield _stuck(pin)
    elif system.person is None:
        yield ok(_AREA, f"the daemon has {named(pin)} open")
    else:
        system.person.tell(_please_press(pin))
        try:
            pressed = daemon.wait_for_press(_PRESS_S)
        except UnavailableError as error:
            yield silent(_AREA, error)
        else:
            yield _pressed(pin) if pressed else _unpressed(pin)


def _own_line(system: System, pin: int) -> Iterator[Finding]:
    if system.loaded is not None:
        config.export_library_variables(system.loaded)  # gpiozero reads its own
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    # lgpio leaves a pipe where it is imported
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        button = GpioButton(pin, events.put, devices=system.root / "dev")
        button.start()
        try:
            found = _tried(system, pin, events)
        finally:
            button.stop()
    yield found


def _tried(system: System, pin: int, events: queue.SimpleQueue[Event]) -> Finding:
    match _next(events, _OPENING_S, lambda event: not isinstance(event, ButtonEdge)):
        case DeviceLost(reason=reason):
            return _lost(system, pin, reason)
        case ButtonHeldAtStart():
            return _stuck(pin)
        case DeviceReady():
            if system.person is None:
                return ok(_AREA, f"{named(pin)} can be had, and nobody presses")
            system.person.tell(_please_press(pin))
            pressed = _next(events, _PRESS_S, lambda event: event == ButtonEdge(pressed=True))
            return _unpressed(pin) if pressed is None else _pressed(pin)
        case _:
            what = f"{named(pin)} is not open after {_OPENING_S:g} s"
            return fail(_AREA, what, "speakerd doctor, once more, when the machine is less busy")


def _next(
    events: queue.SimpleQueue[Event], timeout_s: float, wanted: Callable[[Event], bool]
) -> Event | None:
    """The next event that is wanted; None where there is none in time."""
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            event = events.get(timeout=left_s)
            if wanted(event):
                return event
    return None


# --- what is said


def _please_press(pin: int) -> str:
    return f"Please press the button at {named(pin)} now: you have {_PRESS_S:g} seconds."


def _pressed(pin: int) -> Finding:
    return ok(_AREA, f"{named(pin)} follows a press")


def _unpressed(pin: int) -> Finding:
    what = f"no press has come from {named(pin)} in {_PRESS_S:g} s"
    remedy = f"wire the button between {named(pin)} and ground, such as pin 9, and try again"
    return warn(_AREA, what, remedy)


def _stuck(pin: int) -> Finding:
    return fail(
        _AREA,
        f"{named(pin)} says that the button is pressed right now",
        "let go; if nobody holds it, it is stuck, of the kind that opens when pressed, or its"
        f" wire touches ground: pull it off {named(pin)} and run speakerd doctor again",
    )


def _lost(system: System, pin: int, reason: str) -> Finding:
    """A line that cannot be had, from what the panel says of it: the reason; the remedy."""
    what, _, remedy = reason.partition("; ")
    if "busy" in what or "in use" in what:
        remedy = f"stop what uses it (sudo gpioinfo); or {_move(system, pin)}"
    elif "group gpio" in remedy:
        remedy = who_runs(system).join("gpio")
    return fail(_AREA, what, remedy or f"sudo gpioinfo shows the lines; or {_move(system, pin)}")


def _move(system: System, pin: int) -> str:
    """How to use another line, one that nobody is known to want."""
    info = system.run(["gpioinfo"]).output
    held = {number for number in range(_LINES) if from_gpioinfo(info, number).holder}
    taken = {number for claim in _claims(system)[1] for number in claim.pins}
    free = spare(frozenset(held | taken | {pin}))
    if free is None:
        return "give the button a line of its own, by SPEAKERD_BUTTON_PIN"
    option = f"SPEAKERD_BUTTON_PIN={free} in {_env_file(system)}"
    return f"wire the button to {named(free)}, {option}, then sudo systemctl restart {UNIT}"


# --- what is looked up


def _pin(system: System) -> int | None:
    return system.loaded.settings.button_pin if system.loaded is not None else None


def _factory(system: System) -> str:
    return system.loaded.library.get(_FACTORY, "") if system.loaded is not None else ""


def _env_file(system: System) -> str:
    return str(system.loaded.env_file) if system.loaded is not None else "the env file"


def _model(system: System) -> str:
    return _text_of(system.root / "proc/device-tree/model").rstrip("\0\n")


def _chips(system: System) -> list[Path]:
    return sorted((system.root / "dev").glob("gpiochip*"))


def _has_pins(system: System) -> bool:
    """Whether there is a real line to be looked at, here or where the pin factory leads."""
    factory = _factory(system)
    return bool(_chips(system) or factory) and factory != "mock"


def _claims(system: System) -> tuple[str, list[Claim]]:
    """The board's configuration, as a path, and what it takes."""
    for name in _CONFIGS:
        path = system.root / name
        if path.is_file():
            return f"/{name}", claims(_with_includes(path), _model(system))
    return "", []


def _with_includes(path: Path) -> str:
    """The text, with the files it includes in their places; these include no others."""

    def included(match: re.Match[str]) -> str:
        return _text_of(path.with_name(match[1]))

    return _INCLUDE.sub(included, _text_of(path))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _seen(system: System, pin: int) -> Seen:
    """What the kernel says of the line, as far as it can be asked."""
    info = from_gpioinfo(system.run(["gpioinfo"]).output, pin)
    control = from_pinctrl(system.run(["pinctrl", "get", str(pin)]).output, pin)
    debug = from_debugfs(_text_of(system.root / "sys/kernel/debug/gpio"), pin)
    low = control.low if control.low is not None else debug.low
    return Seen(info.holder or debug.holder, control.function, low)
