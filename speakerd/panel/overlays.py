"""Which GPIO lines a Raspberry Pi's config.txt gives away, and to what.

From the reference of the overlays in Raspberry Pi's Linux (arch/arm/boot/dts/overlays/README) and,
where that does not name the lines, from the overlays beside it; the conditions of config.txt from
its documentation (conditional filters). What is not in the table is not known: the kernel has the
last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Claim:
    """Lines (BCM numbers) that the ``setting`` of config.txt takes, written as it is there."""

    setting: str
    pins: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Overlay:
    """``pins`` it takes always; ``params`` that name a pin, with the default (None: no pin)."""

    pins: frozenset[int] = frozenset()
    params: Mapping[str, int | None] = field(default_factory=dict)
    choice: frozenset[int] = frozenset()  # unless a parameter such as pins_4_5 names others
    ctsrts: frozenset[int] = frozenset()  # only with this parameter


def _at(*pins: int, **params: int | None) -> _Overlay:
    return _Overlay(frozenset(pins), {name.replace("__", "-"): at for name, at in params.items()})


def _either(*pins: int) -> _Overlay:
    return _Overlay(choice=frozenset(pins))


def _uart(first: int) -> _Overlay:
    return _Overlay(frozenset((first, first + 1)), ctsrts=frozenset((first + 2, first + 3)))


_I2S = (18, 19, 20, 21)
_SPI0 = (7, 8, 9, 10, 11)
_OVERLAYS: dict[str, _Overlay] = {
    # one line, or a few
    "act-led": _at(gpio=None),
    "dht11": _at(gpiopin=4),
    "fsm-demo": _at(7, 8, 25),
    "goodix": _at(interrupt=4, reset=17),
    "gpio-charger": _at(gpio=4),
    "gpio-fan": _at(gpiopin=12),
    "gpio-hog": _at(gpio=26),
    "gpio-ir": _at(gpio_pin=18),
    "gpio-ir-tx": _at(gpio_pin=18),
    "gpio-key": _at(gpio=3),
    "gpio-led": _at(gpio=19),
    "gpio-poweroff": _at(gpiopin=26),
    "gpio-shutdown": _at(gpio_pin=3),
    "pps-gpio": _at(gpiopin=18),
    "rotary-encoder": _at(pin_a=4, pin_b=17),
    "vc4-kms-dsi-lt070me05000": _at(reset=17, enable=4, dcdc__en=5),
    "w1-gpio": _at(gpiopin=4),
    "w1-gpio-pullup": _at(gpiopin=4, extpullup=5),
    # PWM, analogue audio
    "audremap": _either(12, 13),
    "pwm": _at(pin=18),
    "pwm-2chan": _at(pin=18, pin2=19),
    "pwm-ir-tx": _at(gpio_pin=18),
    # I2C
    "i2c0": _either(0, 1),
    "i2c1": _either(2, 3),
    "i2c3": _either(4, 5),
    "i2c4": _either(8, 9),
    "i2c5": _either(12, 13),
    "i2c6": _either(22, 23),
    "i2c-gpio": _at(i2c_gpio_sda=23, i2c_gpio_scl=24),
    "i2c-rtc-gpio": _at(i2c_gpio_sda=23, i2c_gpio_scl=24),
    # SPI
    "spi0-1cs": _at(9, 10, 11, cs0_pin=8),
    "spi0-2cs": _at(9, 10, 11, cs0_pin=8, cs1_pin=7),
    "spi1-1cs": _at(19, 20, 21, cs0_pin=18),
    "spi1-2cs": _at(19, 20, 21, cs0_pin=18, cs1_pin=17),
    "spi1-3cs": _at(19, 20, 21, cs0_pin=18, cs1_pin=17, cs2_pin=16),
    "spi3-1cs": _at(1, 2, 3, cs0_pin=0),
    "spi3-2cs": _at(1, 2, 3, cs0_pin=0, cs1_pin=24),
    "spi3-1cs-pi5": _at(5, 6, 7, cs0_pin=4),
    "spi3-2cs-pi5": _at(5, 6, 7, cs0_pin=4, cs1_pin=25),
    "spi4-1cs": _at(5, 6, 7, cs0_pin=4),
    "spi4-2cs": _at(5, 6, 7, cs0_pin=4, cs1_pin=25),
    "spi5-1cs": _at(13, 14, 15, cs0_pin=12),
    "spi5-2cs": _at(13, 14, 15, cs0_pin=12, cs1_pin=26),
    "spi6-1cs": _at(19, 20, 21, cs0_pin=18),
    "spi6-2cs": _at(19, 20, 21, cs0_pin=18, cs1_pin=27),
    "gc9a01": _at(*_SPI0, 18, 25, 27),
    "mcp2515-can0": _at(*_SPI0, interrupt=25),
    "mcp2515-can1": _at(*_SPI0, interrupt=25),
    "qca7000": _at(*_SPI0, int_pin=23),
    "ssd1306-spi": _at(*_SPI0, dc_pin=24, reset_pin=25),
    "ssd1327-spi": _at(*_SPI0, dc_pin=24, reset_pin=25),
    "ssd1331-spi": _at(*_SPI0, dc_pin=24, reset_pin=25),
    "ssd1351-spi": _at(*_SPI0, dc_pin=24, reset_pin=25),
    # UART
    "disable-bt": _at(14, 15),
    "miniuart-bt": _at(14, 15),
    "qca7000-uart0": _at(14, 15),
    "uart0": _at(txd0_pin=14, rxd0_pin=15),
    "uart1": _at(txd1_pin=14, rxd1_pin=15),
    "uart2": _uart(0),
    "uart3": _uart(4),
    "uart4": _uart(8),
    "uart5": _uart(12),
    "uart0-pi5": _Overlay(frozenset((14, 15)), ctsrts=frozenset((16, 17))),
    "uart1-pi5": _uart(0),
    "uart2-pi5": _uart(4),
    "uart3-pi5": _uart(8),
    "uart4-pi5": _uart(12),
    # sound by I2S, with more than its four lines
    "googlevoicehat-soundcard": _at(*_I2S, 16),
    "hifiberry-amp100": _at(*_I2S, 4, 17),
    "iqaudio-dacplus": _at(*_I2S, 22),
    "max98357a": _at(*_I2S, sdmode__pin=4),
    "tc358743-audio": _at(18, 19, 20),
}
#: Families of overlays, by how their names begin.
_FAMILIES: tuple[tuple[tuple[str, ...], _Overlay], ...] = (
    (
        (
            *("adau", "akkordion-", "allo-", "applepi-dac", "audioinjector-", "audiosense-"),
            *("chipdip-dac", "cirrus-wm5102", "dacberry400", "dionaudio-", "draws", "fe-pi-"),
            *("hifiberry-", "i2s-dac", "i2s-master-dac", "interludeaudio-", "iqaudio-"),
            *("justboom-", "mbed-dac", "merus-amp", "pibell", "pifi-", "pisound", "proto-codec"),
            *("respeaker-", "rpi-codeczero", "rpi-dac", "rpi-digiampplus", "rra-digidac1-"),
            *("seeed-", "superaudioboard", "udrc", "ugreen-dabboard", "wm8960-"),
        ),
        _at(*_I2S),
    ),
    (("vc4-kms-dpi-", "dpi"), _at(*range(22))),
)
#: dtparam= of the board itself.
_BASE: dict[str, tuple[int, ...]] = {
    "i2c": (2, 3),
    "i2c_arm": (2, 3),
    "i2c1": (2, 3),
    "i2s": _I2S,
    "spi": _SPI0,
    "uart0": (14, 15),
}
_UART = (14, 15)
_OFF = frozenset(("off", "no", "false", "0"))
_SECTION = re.compile(r"\[(.*)\]")
_CHOICE = re.compile(r"pins_(\d+)_(\d+)")
_MODEL_FILTER = re.compile(r"pi\d.*|cm\d.*")
#: (part of the board's name, the filters that let it in); the first match wins.
_MODELS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Compute Module 5", frozenset(("pi5", "cm5"))),
    ("Pi 500", frozenset(("pi5", "pi500"))),
    ("Pi 5", frozenset(("pi5",))),
    ("Compute Module 4S", frozenset(("pi4", "cm4s"))),
    ("Compute Module 4", frozenset(("pi4", "cm4"))),
    ("Pi 400", frozenset(("pi4", "pi400"))),
    ("Pi 4", frozenset(("pi4",))),
    ("Compute Module 3 Plus", frozenset(("pi3", "cm3", "cm3+"))),
    ("Compute Module 3", frozenset(("pi3", "cm3"))),
    ("Pi 3 Model A Plus", frozenset(("pi3", "pi3+"))),
    ("Pi 3 Model B Plus", frozenset(("pi3", "pi3+"))),
    ("Pi 3", frozenset(("pi3",))),
    ("Pi 2", frozenset(("pi2",))),
    ("Pi Zero 2", frozenset(("pi0", "pi0w", "pi02"))),
    ("Pi Zero W", frozenset(("pi0", "pi0w"))),
    ("Pi Zero", frozenset(("pi0",))),
    ("Compute Module", frozenset(("pi1", "cm1"))),
    ("Raspberry Pi Model", frozenset(("pi1",))),
)


def claims(config: str, model: str) -> list[Claim]:
    """What the text of a config.txt takes on the board that calls itself ``model``.

    Conditions other than on the model may hold or not; they are taken to hold. So are those on the
    model where it is not known.
    """
    board = next((filters for part, filters in _MODELS if part in model), None)
    found: list[Claim] = []
    overlay: tuple[str, dict[str, str]] | None = None  # whose parameters may still follow
    for name, value in _settings(config.splitlines(), board):
        if name == "dtoverlay":
            found.extend(_of_overlay(overlay, board))
            overlay = _overlay_of(value) if value else None
        elif name == "dtparam":
            params = _params_of(value)
            if overlay is not None:
                overlay[1].update(params)
            found.extend(_of_base(params))
        elif name == "enable_uart" and value == "1" and "pi5" not in (board or ()):
            found.append(Claim("enable_uart=1", frozenset(_UART)))
    found.extend(_of_overlay(overlay, board))
    return found


def _settings(lines: Iterable[str], board: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    """The settings that are in force: names and values."""
    in_force = True
    for raw in lines:
        line = raw.partition("#")[0].strip()
        if section := _SECTION.fullmatch(line):
            in_force = _lets_in(section[1].strip().lower(), board, before=in_force)
        elif in_force and "=" in line:
            name, _, value = line.partition("=")
            yield name.strip().lower(), value.strip()


def _lets_in(condition: str, board: frozenset[str] | None, *, before: bool) -> bool:
    """Whether what follows [``condition``] is in force."""
    if condition == "all":
        return True
    if condition in {"none", "tryboot"}:
        return False
    if _MODEL_FILTER.fullmatch(condition):
        return board is None or condition in board
    return before


def _overlay_of(value: str) -> tuple[str, dict[str, str]]:
    name, *params = re.split("[,:]", value)
    return name.strip(), _params_of(",".join(params))


def _params_of(value: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in value.split(",") if each.strip())
    return {name.strip(): text.strip() for name, _, text in pairs}


def _of_base(params: Mapping[str, str]) -> Iterator[Claim]:
    for name, value in params.items():
        if name in _BASE and value.lower() not in _OFF:
            yield Claim(f"dtparam={name}={value or 'on'}", frozenset(_BASE[name]))


def _of_overlay(
    overlay: tuple[str, dict[str, str]] | None, board: frozenset[str] | None
) -> Iterator[Claim]:
    if overlay is None:
        return
    name, params = overlay
    known = _known(name, board)
    if known is None:
        return
    pins = set(known.pins)
    for param, default in known.params.items():
        if (pin := _number(params.get(param), default)) is not None:
            pins.add(pin)
    chosen = [match for param in params if (match := _CHOICE.fullmatch(param))]
    pins |= {int(pin) for match in chosen for pin in match.groups()} if chosen else known.choice
    if "ctsrts" in params:
        pins |= known.ctsrts
    text = "".join(f",{param}={value}" if value else f",{param}" for param, value in params.items())
    yield Claim(f"dtoverlay={name}{text}", frozenset(pins))


def _known(name: str, board: frozenset[str] | None) -> _Overlay | None:
    if "pi5" in (board or ()) and f"{name}-pi5" in _OVERLAYS:
        return _OVERLAYS[f"{name}-pi5"]
    family = (overlay for beginnings, overlay in _FAMILIES if name.startswith(beginnings))
    return _OVERLAYS.get(name) or next(family, None)


def _number(text: str | None, default: int | None) -> int | None:
    try:
        return int(text, 0) if text else default
    except ValueError:
        return default
