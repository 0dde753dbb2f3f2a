"""How each state of the speaker looks: a rhythm, and a colour where there are colours.

The rhythm alone tells the states apart, for the colour-blind, and for one LED that is on or off: of
any two, on or off lasts at least twice as long in one as in the other. Nothing flashes more than
three times a second, which some people cannot bear (WCAG 2.2, 2.3.1). Idle is dark: nothing wakes
the processor for it. The colours stay apart where each third of an RGB LED is on or off.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.conversation.light import Light

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAMES_PER_S = 25  # as gpiozero fades


class Kind(enum.Enum):
    """What a pattern does in time."""

    OFF = "off"
    STEADY = "steady"
    BLINK = "blink"
    PULSE = "pulse"  # a blink that fades in and out, where the LED can be dimmed


@dataclass(frozen=True, slots=True)
class Pattern:
    """``colour`` is red, green and blue, each from 0 to 1; ``level`` the brightness, from 0 to 1.

    A period is a fade in, ``on_s``, a fade out and ``off_s``.
    """

    kind: Kind
    colour: tuple[float, float, float] = (0, 0, 0)
    on_s: float = 0
    off_s: float = 0
    fade_in_s: float = 0
    fade_out_s: float = 0
    level: float = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """A ``level`` from 0 to 1 for ``hold_s`` seconds, or for good where that is None."""

    level: float
    hold_s: float | None


_RED, _GREEN, _BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)
_AMBER, _MAGENTA, _WHITE = (1, 0.5, 0), (1, 0, 1), (1, 1, 1)

_DARK = Pattern(Kind.OFF)
PATTERNS: dict[Light, Pattern] = {
    Light.IDLE: _DARK,
    Light.LISTENING: Pattern(Kind.STEADY, _BLUE),
    Light.THINKING: Pattern(Kind.PULSE, _WHITE, fade_in_s=0.48, fade_out_s=0.48),
    Light.SPEAKING: Pattern(Kind.PULSE, _GREEN, on_s=1.2, fade_in_s=0.4, fade_out_s=0.4),
    Light.MUTED: Pattern(Kind.BLINK, _RED, on_s=0.1, off_s=3.9),
    Light.OFFLINE: Pattern(Kind.BLINK, _AMBER, on_s=0.5, off_s=1.5),
    Light.ERROR: Pattern(Kind.BLINK, _MAGENTA, on_s=0.2, off_s=0.2),
    Light.OFF: _DARK,
}


def period(pattern: Pattern, *, smooth: bool) -> tuple[Frame, ...]:
    """What is to be shown, over and over; without ``smooth``, in levels of 0 and 1 only.

    A fade counts half as on and half as off then.
    """
    if pattern.kind is Kind.OFF:
        return (Frame(0, None),)
    if pattern.kind is Kind.STEADY:
        return (Frame(pattern.level if smooth else 1, None),)
    if not smooth:
        half_s = (pattern.fade_in_s + pattern.fade_out_s) / 2
        return Frame(1, pattern.on_s + half_s), Frame(0, pattern.off_s + half_s)
    frames = (
        *_fade_in(pattern.fade_in_s),
        Frame(1, pattern.on_s),
        *reversed(tuple(_fade_in(pattern.fade_out_s))),
        Frame(0, pattern.off_s),
    )
    shown = (frame for frame in frames if frame.hold_s)
    return tuple(Frame(frame.level * pattern.level, frame.hold_s) for frame in shown)


def _fade_in(fade_s: float) -> Iterator[Frame]:
    """From the first glimmer to full: the eye takes the square of a level for half of it or so."""
    count = round(fade_s * _FRAMES_PER_S)
    for number in range(1, count + 1):
        yield Frame((number / count) ** 2, fade_s / count)
