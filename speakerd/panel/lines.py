"""GPIO lines as people and the kernel see them: pins of the header, holders, levels.

Lines are BCM numbers. The kernel's tools are read as they print: ``gpioinfo`` of libgpiod 1 and 2,
``pinctrl`` of Raspberry Pi, and /sys/kernel/debug/gpio.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The 40-pin header, pin 1 and pin 2 first: the BCM lines in both of its rows.
_ODD = (None, 2, 3, 4, None, 17, 27, 22, None, 10, 9, 11, None, 0, 5, 6, 13, 19, 26, None)
_EVEN = (None, None, None, 14, 15, 18, None, 23, 24, None, 25, 8, 7, 1, None, 12, None, 16, 20, 21)
_HEADER = {
    line: 2 * place + first
    for first, row in ((1, _ODD), (2, _EVEN))
    for place, line in enumerate(row)
    if line is not None
}
#: Lines for a button, those first that nothing but a button is usually wired to.
_FOR_A_BUTTON = (17, 27, 22, 23, 24, 25, 5, 6, 16, 26, 12, 13)
#: Of the chips on a Raspberry Pi only the one behind the header has so many lines.
_HEADER_CHIP_LINES = 54
#: What pinctrl says of a line that is free.
_FREE = frozenset(("input", "output", "none", "gpio", ""))

_CHIP = re.compile(r"^gpiochip\d+ - (\d+) lines:$", re.MULTILINE)
_PINCTRL = re.compile(r"^\s*(\d+):.*\|\s*(hi|lo|--)\s*//\s*\S+\s*=\s*(.*?)\s*$", re.MULTILINE)
_DEBUG = re.compile(r"^ *gpio-\d+ +\(([^|)]*)\|([^)]*)\)\s+(?:in|out)\s+(hi|lo)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a line; empty or None where it is not."""

    holder: str = ""  # as it calls itself: lg, gpio-keys, spi0 CS0
    function: str = ""  # what the line serves as, where that is not a plain one: PCM_CLK
    low: bool | None = None


def named(pin: int) -> str:
    """The line as people find it: GPIO17 (pin 11)."""
    return f"GPIO{pin} (pin {_HEADER[pin]})" if pin in _HEADER else f"GPIO{pin}"


def spare(taken: frozenset[int]) -> int | None:
    """A line for a button that is not among ``taken``."""
    return next((pin for pin in _FOR_A_BUTTON if pin not in taken), None)


def from_gpioinfo(text: str, pin: int) -> Seen:
    """What ``gpioinfo`` says of the line."""
    parts = _CHIP.split(text)
    for count, lines in zip(parts[1::2], parts[2::2], strict=True):
        if int(count) >= _HEADER_CHIP_LINES:
            return Seen(_holder(lines, pin))
    return Seen()


def from_pinctrl(text: str, pin: int) -> Seen:
    """What ``pinctrl get`` says of the line."""
    for number, level, function in _PINCTRL.findall(text):
        if int(number) == pin:
            plain = function.lower() in _FREE
            return Seen(
                function="" if plain else function, low=None if level == "--" else level == "lo"
            )
    return Seen()


def from_debugfs(text: str, pin: int) -> Seen:
    """What /sys/kernel/debug/gpio says of the line; it has those that are in use."""
    for name, holder, level in _DEBUG.findall(text):
        if name.strip() == f"GPIO{pin}":
            return Seen(holder.strip(), low=level == "lo" if holder.strip() else None)
    return Seen()


def _holder(lines: str, pin: int) -> str:
    line = re.search(rf"^\s*line\s+{pin}:(.*)$", lines, re.MULTILINE)
    if line is None:
        return ""
    if second := re.search(r'consumer=(?:"([^"]*)"|(\S+))', line[1]):  # libgpiod 2
        return second[1] or second[2]
    first = re.match(r'\s*(?:"[^"]*"|unnamed)\s+(?:"([^"]*)"|(kernel))', line[1])  # libgpiod 1
    return (first[1] or first[2]) if first else ""
