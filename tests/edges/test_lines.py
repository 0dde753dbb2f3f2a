"""GPIO lines as the kernel's tools print them."""

from __future__ import annotations

import pytest

from speakerd.panel.lines import Seen, from_debugfs, from_gpioinfo, from_pinctrl, named, spare

GPIOINFO_1 = """\
gpiochip0 - 54 lines:
\tline   0:     "ID_SDA"       unused   input  active-high
\tline   4:  "GPIO_GCLK"     "onewire@0"   output  active-high [used open-drain]
\tline  16:     "GPIO16"       kernel   input  active-high [used]
\tline  17:     "GPIO17"         "lg"   input  active-high [used pull-up]
\tline  27:      unnamed   "Shutdown button"   input   active-low [used]
gpiochip1 - 8 lines:
\tline   0:      "BT_ON"   "shutdown"  output  active-high [used]
\tline   5:        "CAM"   "regulator"  output  active-high [used]
"""
GPIOINFO_2 = """\
gpiochip4 - 54 lines:
\tline   0:\t"ID_SDA"        \tinput
\tline   4:\t"GPIO4"         \tinput active-low consumer="onewire@0"
\tline  16:\t"GPIO16"        \tinput consumer=kernel
\tline  17:\t"GPIO17"        \tinput bias=pull-up edges=both consumer="lg"
\tline  27:\tunnamed         \tinput consumer="Shutdown button" event-clock=realtime
gpiochip10 - 32 lines:
\tline   5:\t"PWR"           \tinput consumer="pwr_button"
"""
PINCTRL = """\
17: ip    pu | hi // GPIO17 = input
18: a0    pn | lo // GPIO18 = PCM_CLK
27: ip    pu | lo // GPIO27 = input
22: no    pd | -- // GPIO22 = none
"""
DEBUG = """\
gpiochip0: GPIOs 512-565, parent: platform/3f200000.gpio, pinctrl-bcm2835:
 gpio-512 (ID_SDA              )
 gpio-529 (GPIO17              |lg                  ) in  hi IRQ
 gpio-539 (GPIO27              |Shutdown button     ) in  lo IRQ ACTIVE LOW
"""


@pytest.mark.parametrize("text", [GPIOINFO_1, GPIOINFO_2], ids=["libgpiod 1", "libgpiod 2"])
def test_gpioinfo_names_who_holds_a_line_of_the_header(text: str) -> None:
    holders = [from_gpioinfo(text, pin).holder for pin in (0, 4, 5, 16, 17, 27)]
    assert holders == ["", "onewire@0", "", "kernel", "lg", "Shutdown button"]


@pytest.mark.parametrize("text", ["", "gpioinfo: error: Permission denied", "gpiochip1 - 8 lines:"])
def test_without_an_answer_of_gpioinfo_nothing_is_known(text: str) -> None:
    assert from_gpioinfo(text, 17) == Seen()


@pytest.mark.parametrize(
    ("pin", "seen"),
    [
        (17, Seen(low=False)),
        (18, Seen(function="PCM_CLK", low=True)),
        (27, Seen(low=True)),
        (22, Seen()),
        (7, Seen()),
    ],
)
def test_pinctrl_tells_level_and_function(pin: int, seen: Seen) -> None:
    assert from_pinctrl(PINCTRL, pin) == seen


@pytest.mark.parametrize(
    ("pin", "seen"),
    [
        (17, Seen("lg", low=False)),
        (27, Seen("Shutdown button", low=True)),
        (1, Seen()),
    ],
)
def test_the_kernels_own_list_tells_holder_and_level(pin: int, seen: Seen) -> None:
    assert from_debugfs(DEBUG, pin) == seen


@pytest.mark.parametrize(
    ("line", "pin"),
    [(2, 3), (3, 5), (4, 7), (14, 8), (17, 11), (18, 12), (27, 13), (1, 28), (12, 32), (21, 40)],
)
def test_a_line_is_named_by_its_pin(line: int, pin: int) -> None:
    """As on the header's drawing in hardware/README.md, and on Raspberry Pi's own."""
    assert named(line) == f"GPIO{line} (pin {pin})"


def test_a_line_that_is_not_on_the_header_has_no_pin() -> None:
    assert named(40) == "GPIO40"


def test_a_spare_line_is_one_that_nobody_wants() -> None:
    assert spare(frozenset()) == 17
    assert spare(frozenset((17, 27, 5))) == 22
    assert spare(frozenset(range(28))) is None
