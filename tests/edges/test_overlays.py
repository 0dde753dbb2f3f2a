"""What a config.txt takes, line by line."""

from __future__ import annotations

import pytest

from speakerd.panel.overlays import claims

PI4, PI5 = "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"
I2S = {18, 19, 20, 21}


def taken(config: str, model: str = PI4) -> dict[str, set[int]]:
    return {claim.setting: set(claim.pins) for claim in claims(config, model)}


def test_what_raspberry_pi_os_ships_takes_no_pin() -> None:
    shipped = """
# For more options and information see
# http://rptl.io/configtxt
#dtparam=i2c_arm=on
#dtparam=spi=on
dtparam=audio=on
camera_auto_detect=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
[cm4]
otg_mode=1
[cm5]
dtoverlay=dwc2,dr_mode=host
[all]
"""
    assert taken(shipped) == {}


@pytest.mark.parametrize(
    ("line", "pins"),
    [
        ("dtoverlay=hifiberry-dacplus", I2S),
        ("dtoverlay=hifiberry-amp100", I2S | {4, 17}),
        ("dtoverlay=googlevoicehat-soundcard", I2S | {16}),
        ("dtoverlay=seeed-2mic-voicecard", I2S),
        ("dtoverlay=max98357a", I2S | {4}),
        ("dtoverlay=max98357a,sdmode-pin=16", I2S | {16}),
        ("dtparam=i2s=on", I2S),
        ("dtparam=i2c_arm=on", {2, 3}),
        ("dtparam=spi=on", {7, 8, 9, 10, 11}),
        ("dtoverlay=w1-gpio", {4}),
        ("dtoverlay=w1-gpio,gpiopin=17", {17}),
        ("dtoverlay=w1-gpio,gpiopin=0x11", {17}),
        ("dtoverlay=w1-gpio,gpiopin=whatever", {4}),
        ("dtoverlay=gpio-shutdown", {3}),
        ("dtoverlay=gpio-shutdown,gpio_pin=17,active_low=1", {17}),
        ("dtoverlay=gpio-key,gpio=27,keycode=28", {27}),
        ("dtoverlay=rotary-encoder", {4, 17}),
        ("dtoverlay=rotary-encoder,pin_a=23,pin_b=24", {23, 24}),
        ("dtoverlay=gpio-ir-tx:gpio_pin=17", {17}),
        ("dtoverlay=act-led,gpio=17", {17}),
        ("dtoverlay=pwm-2chan", {18, 19}),
        ("dtoverlay=audremap", {12, 13}),
        ("dtoverlay=audremap,pins_18_19", {18, 19}),
        ("dtoverlay=i2c6,pins_0_1", {0, 1}),
        ("dtoverlay=spi1-2cs", {17, 18, 19, 20, 21}),
        ("dtoverlay=uart3", {4, 5}),
        ("dtoverlay=uart3,ctsrts", {4, 5, 6, 7}),
        ("dtoverlay=disable-bt", {14, 15}),
        ("enable_uart=1", {14, 15}),
        ("dtoverlay=vc4-kms-dpi-hyperpixel4", set(range(22))),
    ],
)
def test_a_line_takes_its_pins_and_is_told_as_it_stands(line: str, pins: set[int]) -> None:
    (setting,) = taken(line)
    assert setting == line.replace(":", ",")
    assert taken(line)[setting] == pins


@pytest.mark.parametrize(
    "line",
    [
        *("", "# dtoverlay=w1-gpio", "dtparam=spi=off", "dtparam=audio=on", "enable_uart=0"),
        *("dtoverlay=act-led", "dtoverlay=vc4-kms-v3d", "dtoverlay=no-such-thing", "nonsense"),
    ],
)
def test_a_line_that_takes_nothing(line: str) -> None:
    assert set().union(*taken(line).values()) == set()


def test_the_parameters_of_an_overlay_may_follow_it() -> None:
    config = "dtoverlay=w1-gpio\ndtparam=gpiopin=17\ndtoverlay=\ndtparam=gpiopin=22\n"
    assert taken(config) == {"dtoverlay=w1-gpio,gpiopin=17": {17}}


def test_a_parameter_of_the_board_counts_also_after_an_overlay() -> None:
    assert {2, 3} in taken("dtoverlay=vc4-kms-v3d\ndtparam=i2c_arm=on\n").values()


def test_the_same_overlay_twice_takes_twice() -> None:
    found = taken("dtoverlay=gpio-led,gpio=5\ndtoverlay=gpio-led,gpio=6\n")
    assert list(found.values()) == [{5}, {6}]


@pytest.mark.parametrize(
    ("section", "model", "counts"),
    [
        ("all", PI4, True),
        ("pi4", PI4, True),
        ("pi5", PI4, False),
        ("pi5", PI5, True),
        ("cm4", PI4, False),
        ("cm4", "Raspberry Pi Compute Module 4 Rev 1.1", True),
        ("pi3+", "Raspberry Pi 3 Model B Plus Rev 1.3", True),
        ("pi3+", "Raspberry Pi 3 Model B Rev 1.2", False),
        ("pi0w", "Raspberry Pi Zero 2 W Rev 1.0", True),
        ("pi02", "Raspberry Pi Zero W Rev 1.1", False),
        ("pi1", "Raspberry Pi Model B Plus Rev 1.2", True),
        ("pi4", "", True),  # an unknown board: it may be that one
        ("none", PI4, False),
        ("tryboot", PI4, False),
        ("EDID=BNQ-BenQ_GL2450", PI4, True),
        ("gpio4=1", PI4, True),
        ("0x12345678", PI4, True),
    ],
)
def test_sections_are_for_some_boards(section: str, model: str, counts: bool) -> None:
    assert bool(taken(f"[{section}]\ndtoverlay=w1-gpio\n", model)) is counts
    after = f"[none]\ndtoverlay=gpio-key\n[{section}]\n[all]\ndtoverlay=w1-gpio\n"
    assert taken(after, model) == {"dtoverlay=w1-gpio": {4}}


def test_conditions_add_up() -> None:
    assert taken("[pi5]\n[gpio4=1]\ndtoverlay=w1-gpio\n", PI4) == {}


def test_on_a_pi_5_it_is_another_chip() -> None:
    assert taken("dtoverlay=uart2\nenable_uart=1\n", PI5) == {"dtoverlay=uart2": {4, 5}}
    assert taken("dtoverlay=uart2\n", PI4) == {"dtoverlay=uart2": {0, 1}}
