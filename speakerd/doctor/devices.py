"""A device that cannot be opened, or was lost: what mends it, from what the audio edge says."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
from typing import TYPE_CHECKING

from speakerd.audio.cards import cards
from speakerd.audio.holders import holders
from speakerd.doctor.account import UNIT, who_runs
from speakerd.doctor.findings import fail
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System
    from speakerd.doctor.trial import Alsa, Use

ADD_A_CARD = (
    "plug in a USB one, or name yours in /boot/firmware/config.txt"
    " (such as dtoverlay=hifiberry-dac) and reboot"
)
_NUMBER = re.compile(r"DEV=(\d+)")
_CONVERTER = re.compile(r"use (plug\S+), which converts")


def missing(system: System, use: Use, alsa: Alsa, device: str, message: str) -> Finding:
    """A device that could not be opened, or was lost, from what the audio edge says of it."""
    what = _short(message)
    if converter := _CONVERTER.search(message):
        remedy = write(system, use, converter[1])
    elif _says(message, errno.EBUSY):
        remedy = _free(system, use, device)
    elif _says(message, errno.EACCES, errno.EPERM):
        remedy = who_runs(system).join("audio")
    elif _says(message, errno.ENOENT, errno.ENODEV, errno.ENXIO):
        remedy = _nearest(system, use, alsa, device)
    else:
        tool = "arecord" if use.capture else "aplay"
        file = "/dev/null" if use.capture else "/dev/zero"
        shown = f"{tool} -D {device} --dump-hw-params -d 1 {file}"
        remedy = f"unplug it and plug it in again; {shown} tells what it can do"
    return fail(use.area, what, remedy)


def _says(message: str, *numbers: int) -> bool:
    return any(os.strerror(number) in message for number in numbers)


def _short(message: str) -> str:
    """The message without the advice at its end, in place of which we have a better one."""
    before, _, _ = message.rpartition(": ")
    return before if _CONVERTER.search(message) or _says(before, *errno.errorcode) else message


def _free(system: System, use: Use, device: str) -> str:
    found = holders(device, "c" if use.capture else "p", system.root / "proc")
    if any(holder.name == "speakerd" for holder in found):
        return "it is speakerd's own, which does not answer you: sudo speakerd doctor"
    if not found:
        return "sudo fuser -v /dev/snd/* shows which program to stop"
    who = " and ".join(map(str, found))
    plugin = "dsnoop" if use.capture else "dmix"
    number = _NUMBER.search(device)
    shared = f"plug:'{plugin}:CARD={found[0].card},DEV={number[1] if number else 0}'"
    return f"stop {who}, or let both share it: {write(system, use, shared)}"


def _nearest(system: System, use: Use, alsa: Alsa, device: str) -> str:
    there = [
        name for card in cards(system.root / "proc") for name in card.pcms(capture=use.capture)
    ]
    with contextlib.suppress(DeviceError):  # a card is being pulled out: what is known will do
        there += alsa.named_pcms(use.capture)
    near = difflib.get_close_matches(device, there, n=1, cutoff=0) or there[:1]
    if not near:
        return ADD_A_CARD
    others = [name for name in there if name != near[0]]
    also = f"; there is also {', '.join(others)}" if others else ""
    return f"{write(system, use, near[0])}{also}"


def write(system: System, use: Use, value: str) -> str:
    """How to set the option of ``use`` to ``value``."""
    path = system.loaded.env_file if system.loaded is not None else "the env file"
    apply = "speakerd reload" if system.daemon is not None else f"systemctl restart {UNIT}"
    return f"{use.option}={value} in {path}, then sudo {apply}"


def hardware(system: System, use: Use) -> str | None:
    """A device of some sound card that is there, by its name."""
    found = cards(system.root / "proc")
    return next((name for card in found for name in card.pcms(capture=use.capture)), None)
