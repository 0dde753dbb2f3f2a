"""ALSA's mixers, looked at through pyalsaaudio; their volumes are left as they are.

Any number of programs may have a mixer open: looking disturbs nobody.
"""

from __future__ import annotations

import collections
from typing import Any

import alsaaudio

from speakerd.audio.alsa import hush_alsa_lib
from speakerd.audio.controls import Control, Side
from speakerd.errors import DeviceError


def read_controls(mixer: str) -> list[Control]:
    """What ``mixer`` has; a card may well have none.

    Raises :class:`~speakerd.errors.DeviceError` where it cannot be opened.
    """
    hush_alsa_lib()
    found = []
    twins: collections.Counter[str] = collections.Counter()
    try:
        for name in alsaaudio.mixers(device=mixer):
            found.append(_control(mixer, name, twins[name]))
            twins[name] += 1
    except alsaaudio.ALSAAudioError as error:
        reason = str(error).partition(" [")[0]
        raise DeviceError(f"the mixer {mixer}: {reason}") from error
    return found


def _control(mixer: str, name: str, index: int) -> Control:
    element: Any = alsaaudio.Mixer(control=name, id=index, device=mixer)
    try:
        switches, volumes = element.switchcap(), element.volumecap()
        playback = Side(
            not all(element.getmute()) if "Playback Mute" in switches else None,
            max(element.getvolume(alsaaudio.PCM_PLAYBACK))
            if "Playback Volume" in volumes
            else None,
        )
        capture = Side(
            any(element.getrec()) if "Capture Mute" in switches else None,
            max(element.getvolume(alsaaudio.PCM_CAPTURE)) if "Capture Volume" in volumes else None,
        )
    finally:
        element.close()
    return Control(name, index, *(None if side == Side() else side for side in (playback, capture)))
