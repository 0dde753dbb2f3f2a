"""The checks of the button, each with the very fault it is there to find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from speakerd.doctor import button
from tests.doctor.made_up import INSTALLED, Daemon, Machine, Person, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

PIN = "GPIO17 (pin 11)"
AGAIN = "sudo systemctl restart speakerd.service"
GPIOINFO = 'gpiochip0 - 54 lines:\n\tline  17:     "GPIO17"  "{holder}"  input  active-low [used]\n'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Raspberry Pi with an installed speaker."""
    machine = Machine(tmp_path)
    machine.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.node("dev/gpiochip0", 0o660, "gpio")
    return machine


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    """Pins that a test can press."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "")
    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.close()


@pytest.fixture
def daemon(machine: Machine) -> Daemon:
    machine.daemon = Daemon()
    return machine.daemon


def move(machine: Machine, pin: str = "GPIO27 (pin 13)", number: int = 27) -> str:
    option = f"SPEAKERD_BUTTON_PIN={number} in {machine.root}/speakerd.env"
    return f"wire the button to {pin}, {option}, then {AGAIN}"


def chip(machine: Machine) -> list[str]:
    return lines(button.check_chip(machine.system()))


def conflicts(machine: Machine) -> list[str]:
    return lines(button.check_conflicts(machine.system()))


def line(machine: Machine) -> list[str]:
    return lines(button.check_line(machine.system()))


# --- the chip


def test_a_raspberry_pi(machine: Machine) -> None:
    assert chip(machine) == [
        "OK button: GPIO chips on Raspberry Pi 4 Model B Rev 1.4: 1",
        "OK button: user speakerd may use it",
    ]


def test_a_user_who_is_not_in_the_group(machine: Machine) -> None:
    machine.run.outputs = {"systemctl show": INSTALLED.replace(" gpio", "")}
    assert chip(machine)[1:] == [
        (
            "FAIL button: user speakerd may not use /dev/gpiochip0 (group gpio, mode 0660)"
            f" -> sudo adduser speakerd gpio && {AGAIN}"
        )
    ]


def test_a_chip_that_udev_has_not_seen(machine: Machine) -> None:
    machine.node("dev/gpiochip0", 0o600, "gpio")
    assert chip(machine)[1].endswith("-> sudo udevadm trigger --subsystem-match=gpio")


def test_a_machine_without_gpio_has_other_buttons(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert chip(machine) == [
        (
            "WARN button: this machine has no GPIO"
            " -> `speakerd press` and `speakerd release` are a button, too"
        )
    ]
    for check in button.CHECKS[1:]:
        assert lines(check(machine.system())) == []


def test_a_raspberry_pi_without_gpio(machine: Machine) -> None:
    (machine.root / "dev/gpiochip0").unlink()
    (found,) = chip(machine)
    assert found.startswith("FAIL button: no GPIO chip on Raspberry Pi 4 Model B Rev 1.4 -> ")


def test_made_up_pins(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.options["GPIOZERO_PIN_FACTORY"] = "mock"
    monkeypatch.setattr(button, "GpioButton", None)  # nobody is asked to press what is not there
    assert chip(machine) == [
        (
            "WARN button: GPIOZERO_PIN_FACTORY=mock: made-up pins, which nobody can press"
            " -> take GPIOZERO_PIN_FACTORY out of the environment"
        )
    ]
    assert line(machine) == []


def test_pins_elsewhere(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.options["GPIOZERO_PIN_FACTORY"] = "pigpio"
    (found,) = chip(machine)
    assert found.startswith("OK button: no GPIO of this machine's; GPIOZERO_PIN_FACTORY=pigpio")


# --- the library


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lgpio 0.2.2.0", "OK button: pins by lgpio 0.2.2.0"),
        ("", "FAIL button: there is no library for the pins -> sudo make install"),
    ],
)
def test_the_library(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setattr(button, "library", lambda _factory: name)
    (found,) = lines(button.check_library(machine.system()))
    assert found.startswith(words)


# --- who else wants the line


@pytest.mark.parametrize("place", ["boot/firmware/config.txt", "boot/config.txt"])
def test_an_overlay_that_takes_the_line(machine: Machine, place: str) -> None:
    machine.write(place, "[all]\ndtoverlay=rotary-encoder\ndtoverlay=gpio-key,gpio=27\n")
    free = move(machine, "GPIO22 (pin 15)", 22)
    assert conflicts(machine) == [
        (
            f"WARN button: {PIN} is also taken by dtoverlay=rotary-encoder in /{place}"
            f" -> {free}; or take that line out, and reboot"
        )
    ]


def test_a_button_on_a_line_of_the_dac(machine: Machine) -> None:
    machine.options["SPEAKERD_BUTTON_PIN"] = "18"
    machine.write("boot/firmware/config.txt", "dtoverlay=hifiberry-dac\n")
    (found,) = conflicts(machine)
    assert "GPIO18 (pin 12) is also taken by dtoverlay=hifiberry-dac" in found
    assert move(machine, PIN, 17) in found


def test_an_overlay_in_a_file_that_is_included(machine: Machine) -> None:
    machine.write("boot/firmware/config.txt", "include hat.txt\ninclude gone.txt\n")
    machine.write("boot/firmware/hat.txt", "dtoverlay=w1-gpio,gpiopin=17\n")
    assert "dtoverlay=w1-gpio,gpiopin=17" in conflicts(machine)[0]


def test_overlays_that_leave_the_line_alone(machine: Machine) -> None:
    assert conflicts(machine) == []  # no config.txt at all
    machine.write("boot/firmware/config.txt", "dtoverlay=hifiberry-dac\n[pi5]\ndtoverlay=goodix\n")
    assert conflicts(machine) == [
        f"OK button: nothing that is known of in /boot/firmware/config.txt takes {PIN}"
    ]


def test_a_line_that_the_kernel_has_given_to_somebody(machine: Machine) -> None:
    machine.run.outputs["gpioinfo"] = GPIOINFO.format(holder="gpio-keys")
    assert line(machine) == [
        f"FAIL button: {PIN} is in use by gpio-keys -> stop that; or {move(machine)}"
    ]


def test_a_line_of_a_daemon_that_does_not_answer_this_user(machine: Machine) -> None:
    machine.write(
        "sys/kernel/debug/gpio", " gpio-529 (GPIO17              |lg          ) in  hi IRQ\n"
    )
    (found,) = line(machine)
    assert f"{PIN} is in use by lg -> sudo speakerd doctor, if it is speakerd's; or " in found


@pytest.mark.usefixtures("pins")
def test_a_line_that_serves_as_something_else(machine: Machine) -> None:
    machine.run.outputs["pinctrl get 17"] = "17: a4    pn | lo // GPIO17 = SPI1_CE1_N"
    assert line(machine)[0] == (
        f"WARN button: {PIN} serves as SPI1_CE1_N now, not as a button -> {move(machine)}"
    )


# --- the line, when no daemon runs


def test_a_line_at_rest(machine: Machine, pins: MockFactory) -> None:
    before = Path.cwd()
    assert line(machine) == [f"OK button: {PIN} can be had, and nobody presses"]
    assert Path.cwd() == before
    with gpiozero.DigitalInputDevice(17, pull_up=True):  # it has been let go
        assert pins.pin(17).pull == "up"


def test_a_press(machine: Machine, pins: MockFactory) -> None:
    machine.person = Person(lambda: pins.pin(17).drive_low())
    assert line(machine) == [f"OK button: {PIN} follows a press"]
    assert machine.person.told == [f"Please press the button at {PIN} now: you have 10 seconds."]


def test_no_press(machine: Machine, pins: MockFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(button, "_PRESS_S", 0.05)
    machine.person = Person(lambda: pins.pin(22).drive_low())  # wired to another line
    (found,) = line(machine)
    assert found.startswith(f"WARN button: no press has come from {PIN} in 0.05 s -> wire the")


def test_a_button_that_is_pressed_all_the_time(machine: Machine, pins: MockFactory) -> None:
    pin = pins.pin(17)
    pin._set_pull = lambda _: None  # the wire to ground is stronger than the pull-up
    pin.drive_low()
    machine.person = Person()
    (found,) = line(machine)
    assert found.startswith(f"FAIL button: {PIN} says that the button is pressed right now -> let")
    assert machine.person.told == []


@pytest.mark.usefixtures("pins")
def test_a_line_that_is_busy(machine: Machine) -> None:
    with gpiozero.LED(17):
        (found,) = line(machine)
    assert found.startswith("FAIL button: GPIO17: ")
    assert found.endswith(f" -> stop what uses it (sudo gpioinfo); or {move(machine)}")


@pytest.mark.usefixtures("pins")
def test_a_line_the_board_has_not(machine: Machine) -> None:
    machine.options["SPEAKERD_BUTTON_PIN"] = "53"
    (found,) = line(machine)
    assert "set SPEAKERD_BUTTON_PIN to a pin of this board" in found


def test_a_line_that_never_opens(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        def __init__(self, *_: object, **__: object) -> None: ...

        def start(self) -> None: ...

        def stop(self) -> None: ...

    monkeypatch.setattr(button, "GpioButton", Hanging)
    monkeypatch.setattr(button, "_OPENING_S", 0.05)
    (found,) = line(machine)
    assert found.startswith(f"FAIL button: {PIN} is not open after 0.05 s -> ")


# --- the line of a running daemon


def test_a_daemon_has_its_line(machine: Machine, daemon: Daemon) -> None:
    machine.run.outputs["gpioinfo"] = GPIOINFO.format(holder="lg")
    assert line(machine) == [f"OK button: the daemon has {PIN} open"]
    assert daemon.asked == ["status"]


@pytest.mark.parametrize(
    ("presses", "words"),
    [(True, f"OK button: {PIN} follows a press"), (False, "WARN button: no press has come from")],
)
def test_a_press_through_the_daemon(
    machine: Machine, daemon: Daemon, presses: bool, words: str
) -> None:
    machine.person = Person()
    daemon.presses = presses
    (found,) = line(machine)
    assert found.startswith(words)
    assert len(machine.person.told) == 1


def test_a_button_of_the_daemons_that_is_stuck(machine: Machine, daemon: Daemon) -> None:
    machine.run.outputs["pinctrl get 17"] = "17: ip    pu | lo // GPIO17 = input"
    assert "is pressed right now" in line(machine)[0]
    assert daemon.status["button"] == "ready"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("starting", f"WARN button: the daemon is still opening {PIN} -> "),
        (
            "GPIO17: can not open gpiochip; the user of speakerd must be in the group gpio",
            "FAIL button: GPIO17: can not open gpiochip -> sudo adduser speakerd gpio && ",
        ),
        (
            "GPIO17: 'GPIO busy'; free it from the other program or overlay, or set X",
            "FAIL button: GPIO17: 'GPIO busy' -> stop what uses it (sudo gpioinfo); or wire ",
        ),
        (
            "GPIO17: No module named 'lgpio'; install lgpio beside speakerd",
            "FAIL button: GPIO17: No module named 'lgpio' -> install lgpio beside speakerd",
        ),
        ("GPIO17: odd", "FAIL button: GPIO17: odd -> sudo gpioinfo shows the lines; or wire "),
    ],
)
def test_what_the_daemon_misses_is_what_its_status_says(
    machine: Machine, daemon: Daemon, word: str, words: str
) -> None:
    daemon.status["button"] = word
    (found,) = line(machine)
    assert found.startswith(words)


def test_a_daemon_that_goes_away_while_it_waits_for_a_press(
    machine: Machine, daemon: Daemon
) -> None:
    machine.person = Person(lambda: setattr(daemon, "gone", True))
    assert line(machine) == [f"WARN button: the daemon has said nothing for 5 s -> {AGAIN}"]


def test_where_no_line_is_left(machine: Machine, daemon: Daemon) -> None:
    daemon.status["button"] = "GPIO17: 'GPIO busy'; free it"
    machine.write(
        "boot/config.txt",
        "dtoverlay=dpi24\n"
        + "".join(f"dtoverlay=gpio-led,gpio={number}\n" for number in range(22, 28)),
    )
    assert line(machine)[0].endswith("give the button a line of its own, by SPEAKERD_BUTTON_PIN")


def test_a_daemon_that_falls_silent(machine: Machine, daemon: Daemon) -> None:
    daemon.gone = True
    assert line(machine) == [f"WARN button: the daemon has said nothing for 5 s -> {AGAIN}"]


def test_without_a_configuration_there_is_no_line_to_look_at(machine: Machine) -> None:
    machine.configured = False
    assert conflicts(machine) + line(machine) == []


def test_all_checks_are_registered() -> None:
    checks = [check for name, check in vars(button).items() if name.startswith("check_")]
    assert list(button.CHECKS) == checks
