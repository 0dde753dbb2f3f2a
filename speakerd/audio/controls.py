"""A mixer's controls as plain data: which one is the volume, and which lets no sound through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio.cards import PROC, cards_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Side:
    """A control's part in one direction."""

    on: bool | None = None  # of any channel; None: there is no switch
    volume_percent: int | None = None  # of the loudest channel; None: there is no volume

    @property
    def stops_sound(self) -> bool:
        """Whether it is muted or at zero."""
        return self.on is False or self.volume_percent == 0


@dataclass(frozen=True, slots=True)
class Control:
    """A simple mixer control, as ``amixer`` counts them: by name, and index where it has twins."""

    name: str
    index: int = 0
    playback: Side | None = None
    capture: Side | None = None

    def side(self, *, capture: bool) -> Side | None:
        """Its part in one direction, whichever alsa-lib counts it to; None where it has none."""
        if self.name in _MISPLACED and self.capture is None:
            return self.playback if capture else None
        return self.capture if capture else self.playback

    def amixer(self, mixer: str, *, capture: bool, volume: str) -> str:
        """The command that switches it on in one direction and sets its volume (such as 80%)."""
        side = self.side(capture=capture) or Side()
        as_capture = capture and side is not self.playback
        words = ["capture" if as_capture else "playback"]
        if side.volume_percent is not None:
            words.append(volume)
        if side.on is not None:
            words.append("cap" if as_capture else "unmute")
        return f"amixer -D {mixer} sset '{self}' {' '.join(words)}"

    def __str__(self) -> str:
        """As ``amixer`` and SPEAKERD_MIXER_CONTROL name it, with the index of a twin."""
        return f"{self.name},{self.index}" if self.index else self.name


#: Switches of what is heard whose names do not say so: alsa-lib counts them to what is played.
#: WM8960: the way of each microphone to the ADC, shut after a reset (sound/soc/codecs/wm8960.c).
_MISPLACED = frozenset(("Left Input Mixer Boost", "Right Input Mixer Boost"))
#: Controls that all sound of a direction passes, by their names in ALSA's drivers (kernel:
#: Documentation/sound/designs/control-names.rst, sound/soc/codecs, sound/usb/mixer.c): one that is
#: off is silence. Others are for one input or output of many, for effects, or fine at zero.
_IN_SERIES = {
    False: frozenset(
        (
            *("Master", "PCM", "Digital", "DAC", "Playback", "SoftMaster", "Softmaster"),
            *("Left Output Mixer PCM", "Right Output Mixer PCM"),
        )
    ),
    True: frozenset(("Capture", "ADC", "ADC PCM", "Digital", "SoftCapture")) | _MISPLACED,
}
#: Controls side by side: it is silent only if none of them is on.
_IN_PARALLEL = {
    False: frozenset(
        ("Speaker", "Headphone", "Headphones", "Headset", "Line Out", "Lineout", "Front", "HDMI")
    ),
    True: frozenset(
        ("Mic", "Internal Mic", "Front Mic", "Rear Mic", "Headset Mic", "Headset", "Line", "Input")
    ),
}

#: Where the volume is best set, by the names in ALSA's drivers. First what all sound passes: a
#: DAC's own volume, then software, which may be left over from another asound.conf and is then
#: not heard. Then outputs side by side: rather the speaker than headphones.
_VOLUMES = (
    *("Digital", "Master", "PCM", "Playback", "DAC", "DAC1", "Front"),
    *("SoftMaster", "Softmaster", "SoftVol", "Softvol"),
    *("Speaker", "Speakers", "Line Out", "Lineout", "HP", "Headphone", "Headphones", "Headset"),
    *("HDMI", "Analogue", "Output"),
)
#: Parts of the names of controls that have a playback volume and are not the volume: what is
#: heard of an input, noises, and filters.
_NO_VOLUME = re.compile(
    r"\b(mic|line|capture|input|aux|cd|beep|side ?tone|loopback|monitor|bypass|boost|bass|treble"
    r"|tone|eq|drc|3d|noise)\b",
    re.IGNORECASE,
)
#: The value of SPEAKERD_MIXER_CONTROL that leaves the volume alone.
NO_CONTROL = "none"


def choose(found: Sequence[Control], name: str = "") -> Control | None:
    """The control that sets the volume of what is played; None where there is none.

    ``name`` is that of a control, as ``amixer`` writes it ("PCM", or "PCM,1" for a twin); without
    it the most fitting one is chosen. :func:`why_none` says what to do when there is none.
    """
    fit = _with_volume(found)
    if name:
        return next((each for each in fit if name.strip() in (str(each), f"{each},0")), None)
    for known in _VOLUMES:
        for each in fit:
            if each.name == known:
                return each
    others = [each for each in fit if not _NO_VOLUME.search(each.name)]
    return others[0] if others else None


def why_none(found: Sequence[Control], name: str = "") -> str:
    """Why :func:`choose` has found none, and what there is, in one line."""
    there = ", ".join(str(each) for each in _with_volume(found))
    if name:
        return (
            f"there is no playback volume {name.strip()}; "
            f"SPEAKERD_MIXER_CONTROL may be {there or NO_CONTROL}"
        )
    if there:
        return (
            f"none of its controls ({there}) looks like the volume; "
            "name one by SPEAKERD_MIXER_CONTROL"
        )
    return "it has no playback volume; docs/volume.md has a way to give it one"


def _with_volume(found: Sequence[Control]) -> list[Control]:
    return [each for each in found if each.playback and each.playback.volume_percent is not None]


def mixer_of(device: str, proc: Path = PROC) -> str:
    """The name of the mixer for the ALSA PCM ``device``: its card's, or else the default one."""
    named = cards_of(device, proc)
    return f"hw:{named[0].id}" if named else "default"


def in_the_way(found: Sequence[Control], *, capture: bool) -> list[Control]:
    """Those controls because of which no sound gets through, if any are."""
    sides = [(each, side) for each in found if (side := each.side(capture=capture)) is not None]
    stopping = [each for each, side in sides if side.stops_sound]
    if len(sides) == 1:  # the only one, whatever it is called
        return stopping
    parallel = [each for each, _ in sides if each.name in _IN_PARALLEL[capture]]
    all_are_off = all(each in stopping for each in parallel)
    return [
        each
        for each in stopping
        if each.name in _IN_SERIES[capture] or (each in parallel and all_are_off)
    ]
