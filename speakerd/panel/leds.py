"""The light: one LED, or a red, a green and a blue one, on GPIO lines.

A thread of its own plays the patterns and sleeps until it is told where they stand still. gpiozero
can blink and pulse by itself, but only up to full brightness, what its thread cannot write is lost,
and to end it is to wait for that thread; so of gpiozero only its LEDs are used, plain and with PWM.

What PWM costs: lgpio does it in software. A thread of lgpio switches the line 100 times a second on
and off, and once it has begun it goes on waking 50 times a second until the process ends, whatever
is shown (lgPthTx.c of lg 0.2.2). A smooth LED that is dark, or fully lit, for long is switched
without PWM; that is as little as lgpio allows, and nothing at all with RPi.GPIO. An LED that is not
``smooth`` never wakes anybody while its pattern stands still.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from speakerd.conversation.light import Light
from speakerd.panel.claim import DEVICES, FIRST_RETRY_S, Claim, gpiozero_alone
from speakerd.panel.patterns import PATTERNS, Frame, period

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)

_OPTION = "SPEAKERD_LED_PINS"
_PWM_HZ = 100
_LEAST = 0.01  # lgpio takes whole percents, and rounds down
_LONG_S = 1.0  # for less, PWM is not ended and begun anew


class Lamp:
    """The LED on the BCM line ``pins``, or the three: red, green, blue.

    ``smooth`` ones can be dimmed; ``brightness``, from 0 to 1, is how bright they are at most.
    ``active_high`` ones are lit by a high level. Where the pin library cannot dim, they are on or
    off, and the journal says why. ``ready`` is called when the lines are open, ``lost`` with the
    reason why they are not, once for each, while they are tried again; both on the lamp's thread.
    """

    def __init__(  # noqa: PLR0913 - an LED has no fewer properties
        self,
        pins: tuple[int, ...],
        *,
        smooth: bool,
        brightness: float,
        active_high: bool,
        ready: Callable[[], None],
        lost: Callable[[str], None],
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._pins = pins
        self._smooth = smooth
        self._brightness = brightness
        self._active_high = active_high
        self._ready = ready
        self._light = Light.OFF
        self._changed = threading.Condition()  # the light, or that it is to stop
        self._claim = Claim(
            ", ".join(f"GPIO{pin}" for pin in pins),
            _OPTION,
            self._shine,
            lost,
            devices=devices,
            first_retry_s=first_retry_s,
        )

    def start(self) -> None:
        """Begin to look after the lines. Does not block: gpiozero is imported by a thread."""
        self._claim.start()

    def stop(self) -> None:
        """Turn dark and let go of the lines, within 1 s."""
        with self._changed:
            self._claim.stopping.set()
            self._changed.notify()
        self._claim.stop()

    def show(self, light: Light) -> None:
        """Show this from now on. Does not block; what has not been seen yet is skipped."""
        with self._changed:
            if light is not self._light:
                self._light = light
                self._changed.notify()

    def _shine(self) -> None:
        """Open the lines and show what is to be shown until the end.

        Raises whatever the pin library raises.
        """
        with contextlib.ExitStack() as opened:
            with gpiozero_alone() as gpiozero:
                if self._claim.stopping.is_set():
                    return
                leds = self._opened(gpiozero, opened)
            if self._claim.stopping.is_set():  # it has not been waited for
                return
            self._claim.held()
            self._ready()
            self._play(leds)
            self._write(leds, Light.OFF, Frame(0, None))

    def _opened(self, gpiozero: Any, opened: contextlib.ExitStack) -> list[Any]:  # noqa: ANN401 - it has no types
        if self._smooth:
            try:
                return self._all(gpiozero.PWMLED, opened)
            except gpiozero.PinPWMUnsupported:
                opened.close()
                self._smooth = False
                library = type(gpiozero.Device.pin_factory).__name__
                _log.warning("the LED is on or off, it cannot be dimmed: %s has no PWM", library)
        return self._all(gpiozero.LED, opened)

    def _all(self, made: Callable[..., Any], opened: contextlib.ExitStack) -> list[Any]:
        return [
            opened.enter_context(made(pin, active_high=self._active_high)) for pin in self._pins
        ]

    def _play(self, leds: list[Any]) -> None:
        while not self._claim.stopping.is_set():
            light = self._light
            for frame in itertools.cycle(period(PATTERNS[light], smooth=self._smooth)):
                self._write(leds, light, frame)
                if self._superseded(light, frame.hold_s):
                    break

    def _superseded(self, light: Light, within_s: float | None) -> bool:
        """Whether another light, or none any more, is wanted within that time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._light is not light or self._claim.stopping.is_set(), within_s
            )

    def _write(self, leds: list[Any], light: Light, frame: Frame) -> None:
        colour = PATTERNS[light].colour if len(leds) > 1 else (1,)
        for_long = frame.hold_s is None or frame.hold_s >= _LONG_S
        for led, share in zip(leds, colour, strict=True):
            level = frame.level * share
            if self._smooth:
                dimmed = max(level * self._brightness, _LEAST) if level else 0
                _dim(led, dimmed, for_long=for_long)
            else:
                led.value = level >= 0.5


def _dim(led: Any, level: float, *, for_long: bool) -> None:  # noqa: ANN401 - gpiozero has no types
    """Light a PWMLED at once, without PWM where the level allows and it lasts."""
    if level in {0, 1} and (for_long or led.frequency is None):
        led.frequency = None
    elif led.frequency is None:
        # lgpio begins PWM up to 30 ms from now (lgGpioCreateTxRec): one pulse of it by hand
        led.value = 1
        time.sleep(level / _PWM_HZ)
        led.value = 0
        led.frequency = _PWM_HZ
    led.value = level
