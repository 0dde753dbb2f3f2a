"""A rotary encoder, for the volume, on two GPIO lines.

Its outputs A and B connect the lines to ground in turn, its common pin is on ground. gpiozero
decodes the four states of a step, on the pin library's thread, and forgives what bounces between
two of them (RotaryEncoder in gpiozero's input_devices.py): a step counts when the knob has come to
rest again, clockwise is A before B.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from speakerd.panel.claim import DEVICES, FIRST_RETRY_S, Claim, gpiozero_alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OPTION = "SPEAKERD_KNOB_PINS"
_GATHER_S = 0.05  # a hand turns up to a hundred steps a second: a volume has no use for each


class GpioKnob:
    """The encoder on the BCM lines ``pins``, A and B.

    ``turned`` is told the steps, more than 0 clockwise: the first at once, those of the next 50 ms
    together. ``ready`` is called when both lines are open, ``lost`` with the reason why they are
    not, once for each, while they are tried again. All are called from foreign threads, and not
    after :meth:`stop`. No thread runs while nobody turns it.
    """

    def __init__(
        self,
        pins: tuple[int, int],
        turned: Callable[[int], None],
        *,
        ready: Callable[[], None],
        lost: Callable[[str], None],
        devices: Path = DEVICES,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._pins = pins
        self._turned = turned
        self._ready = ready
        self._turning = threading.Lock()  # of what follows
        self._steps = 0  # not told yet
        self._gathering: threading.Timer | None = None  # steps are gathered until it ends
        self._encoder: Any = None
        self._lock = threading.Lock()  # of the encoder, between the claim and stop
        self._claim = Claim(
            " and ".join(f"GPIO{pin}" for pin in pins),
            _OPTION,
            self._open,
            lost,
            devices=devices,
            first_retry_s=first_retry_s,
        )

    def start(self) -> None:
        """Begin to look after the lines. Does not block: gpiozero is imported by a thread."""
        self._claim.start()

    def stop(self) -> None:
        """Let go of the lines, within 1 s; nothing is told afterwards."""
        self._claim.stop()
        with self._turning:
            gathering = self._gathering
        if gathering is not None:
            gathering.cancel()
            gathering.join()
        with self._lock:
            if self._encoder is not None:
                self._encoder.close()
                self._encoder = None

    def _open(self) -> None:
        """Open the lines. Raises whatever the pin library raises."""
        with gpiozero_alone() as gpiozero:
            if self._claim.stopping.is_set():
                return
            encoder = gpiozero.RotaryEncoder(*self._pins, max_steps=0)
            with self._lock, self._turning:  # a step that comes now is told after ``ready``
                if self._claim.stopping.is_set():
                    encoder.close()
                    return
                encoder.when_rotated_clockwise = self._clockwise
                encoder.when_rotated_counter_clockwise = self._counter_clockwise
                self._encoder = encoder
                self._ready()

    def _clockwise(self) -> None:
        self._step(1)

    def _counter_clockwise(self) -> None:
        self._step(-1)

    def _step(self, step: int) -> None:
        with self._turning:
            if self._claim.stopping.is_set():
                return
            self._steps += step
            if self._gathering is None:
                self._tell()

    def _tell(self) -> None:
        """Tell the steps that there are, and gather the next ones."""
        self._turned(self._steps)
        self._steps = 0
        self._gathering = threading.Timer(_GATHER_S, self._gathered)
        self._gathering.daemon = True
        self._gathering.start()

    def _gathered(self) -> None:
        with self._turning:
            self._gathering = None
            if self._steps and not self._claim.stopping.is_set():
                self._tell()
