"""The doctor's look at the sound board: each fault is planted, and found."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from speakerd.config import boards
from speakerd.doctor import board
from tests.doctor.made_up import lines

if TYPE_CHECKING:
    from tests.doctor.healthy import Healthy

KIT = "google-aiy-voice-kit-v1"
CARD = "sndrpigooglevoi"
CONFIG = "boot/firmware/config.txt"
LINE = "dtoverlay=googlevoicehat-soundcard"
AGAIN = f"sudo speakerd-board {KIT}"


def plug(machine: Healthy, *cards: str) -> None:
    for number, name in enumerate(cards):
        machine.write(f"proc/asound/card{number}/id", f"{name}\n")


def set_up(machine: Healthy, name: str) -> None:
    """What speakerd-board leaves, and a boot after it."""
    profile = boards.load(name)
    machine.write("etc/speakerd/board/name", f"{name}\n")
    machine.write("etc/speakerd/board/asound.conf", profile.asound_conf)
    machine.write("etc/asound.conf", profile.asound_conf)
    machine.write(CONFIG, "".join(f"{line}\n" for line in ("[all]", *profile.overlay.lines)))
    for overlay in profile.overlay.names:
        machine.write(f"boot/firmware/overlays/{overlay}.dtbo", "")
    machine.env_file("".join(f"{option}={value}\n" for option, value in profile.env.items()))
    plug(machine, *profile.cards)


@pytest.fixture
def kit(machine: Healthy) -> Healthy:
    set_up(machine, KIT)
    return machine


def found(machine: Healthy, asked: str | None = None) -> list[str]:
    return lines(board.check(dataclasses.replace(machine.system(), board=asked)))


def faults(machine: Healthy, asked: str | None = None) -> list[str]:
    return [line for line in found(machine, asked) if not line.startswith("OK ")]


# --- which board


def test_a_board_that_is_as_it_should_be(kit: Healthy) -> None:
    assert found(kit) == [
        "OK board: Google AIY Voice Kit v1 (Voice HAT) (verified: not on hardware)",
        f"OK board: {LINE} is in /{CONFIG}",
        f"OK board: the sound card {CARD} is there",
        "OK board: SPEAKERD_BUTTON_PIN is 23, and so has the board the button at GPIO23 (pin 16)",
        (
            "OK board: SPEAKERD_LED_PINS is 25, and so has the board the LED of the button at"
            " GPIO25 (pin 22)"
        ),
        "OK board: /etc/asound.conf is the board's",
    ]


@pytest.mark.parametrize("name", boards.names())
def test_nothing_is_said_against_any_board_that_is_set_up(machine: Healthy, name: str) -> None:
    set_up(machine, name)
    assert faults(machine) == []
    assert faults(machine, "") == []
    assert faults(machine, name) == []


def test_without_a_board_nothing_is_said(machine: Healthy) -> None:
    assert found(machine) == []


def test_asked_for_a_board_where_none_is_set_up(machine: Healthy) -> None:
    (line,) = found(machine, "")
    assert line.startswith("WARN board: no board is set up here -> sudo speakerd-board NAME; there")
    assert line.endswith("usb-sound-card")


def test_asked_for_another_board(kit: Healthy) -> None:
    line = f"WARN board: usb-sound-card is not set up here; {KIT} is -> sudo speakerd-board"
    assert f"{line} usb-sound-card" in faults(kit, "usb-sound-card")


def test_asked_for_one_before_any_is_set_up(machine: Healthy) -> None:
    assert f"WARN board: {KIT} is not set up here; no board is -> {AGAIN}" in faults(machine, KIT)


@pytest.mark.parametrize("asked", [None, "gramophone"])
def test_a_board_that_this_version_does_not_know(machine: Healthy, asked: str | None) -> None:
    machine.write("etc/speakerd/board/name", "gramophone\n")
    (line,) = faults(machine, asked)
    assert line.startswith("FAIL board: there is no board gramophone; there are: adafruit-")
    assert line.endswith("-> sudo speakerd-board NAME, with one of these")


# --- the overlay


@pytest.mark.parametrize("text", ["", f"#{LINE}\n", "dtparam=audio=on\n", f"[pi3]\n{LINE}\n"])
def test_an_overlay_that_is_not_loaded(kit: Healthy, text: str) -> None:
    kit.write(CONFIG, text)
    assert faults(kit) == [f"FAIL board: {LINE} is not in /{CONFIG} -> {AGAIN} && sudo reboot"]


@pytest.mark.parametrize("text", [f"{LINE},x=1\n", f"[pi3]\n[all]\n{LINE}\ndtparam=y=2\n"])
def test_an_overlay_that_is_loaded_with_parameters(kit: Healthy, text: str) -> None:
    kit.write(CONFIG, text)
    assert f"OK board: {LINE} is in /{CONFIG}" in found(kit)
    assert faults(kit) == []


def test_the_older_place_of_config_txt(kit: Healthy) -> None:
    (kit.root / CONFIG).unlink()
    kit.write("boot/config.txt", f"{LINE}\n")
    assert faults(kit) == []


def test_a_machine_without_config_txt(kit: Healthy) -> None:
    (kit.root / CONFIG).unlink()
    assert faults(kit) == [
        (
            f"FAIL board: there is no config.txt, in which the board wants {LINE}"
            " -> use a Raspberry Pi with Raspberry Pi OS, or load it by hand"
        )
    ]


def test_an_overlay_that_the_firmware_has_not(kit: Healthy) -> None:
    (kit.root / "boot/firmware/overlays/googlevoicehat-soundcard.dtbo").unlink()
    assert faults(kit) == [
        (
            "FAIL board: there is no googlevoicehat-soundcard.dtbo in /boot/firmware/overlays"
            " -> sudo apt full-upgrade && sudo reboot"
        )
    ]


def test_an_overlay_of_the_vendors_that_is_not_built_yet(machine: Healthy) -> None:
    set_up(machine, "respeaker-2mic-hat")
    (machine.root / "boot/firmware/overlays/respeaker-2mic-v1_0.dtbo").unlink()
    (line,) = faults(machine)
    assert "no respeaker-2mic-v1_0.dtbo" in line
    assert "-> build it from https://github.com/Seeed-Studio/seeed-linux-dtoverlays" in line


def test_an_overlay_of_another_board(kit: Healthy) -> None:
    kit.write(CONFIG, f"dtparam=i2s=on\n{LINE}\ndtoverlay=hifiberry-dac\n")
    (line,) = faults(kit)
    assert line.startswith("WARN board: dtoverlay=hifiberry-dac wants GPIO18 (pin 12), GPIO19 (")
    assert line.endswith(f"-> take that line out of /{CONFIG}, then sudo reboot")


# --- cards


def test_a_card_that_is_not_there(kit: Healthy) -> None:
    (kit.root / "proc/asound/card0/id").write_text("vc4hdmi0\n")
    assert faults(kit) == [
        (
            f"FAIL board: there is no sound card {CARD} -> sudo reboot; if that is done:"
            " press the board onto the header, or check its wires"
        )
    ]


def test_a_card_whose_driver_is_in_no_kernel(machine: Healthy) -> None:
    set_up(machine, "google-aiy-voice-kit-v2")
    (machine.root / "proc/asound/card0/id").write_text("vc4hdmi0\n")
    (line,) = faults(machine)
    assert "if that is done: the overlay is in the bonnet's own EEPROM, but the driver" in line


def test_a_usb_microphone_by_another_name(machine: Healthy) -> None:
    set_up(machine, "hifiberry-dac")
    (machine.root / "proc/asound/card1/id").write_text("Snowball\n")
    assert faults(machine) == [
        (
            "FAIL board: there is no sound card Device; there are: sndrpihifiberry, Snowball"
            " -> plug it in; if it calls itself otherwise, write that into /etc/asound.conf, and"
            " into SPEAKERD_MIXER where that names Device"
        )
    ]


def test_a_usb_microphone_by_another_name_that_was_written_into_asound_conf(
    machine: Healthy,
) -> None:
    set_up(machine, "hifiberry-dac")
    text = boards.load("hifiberry-dac").asound_conf.replace("CARD=Device", "CARD=Snowball")
    machine.write("etc/asound.conf", text)
    (line,) = faults(machine)
    assert line.startswith("FAIL board: there is no sound card Snowball; there are: sndrpihifi")
    (machine.root / "proc/asound/card1/id").write_text("Snowball\n")
    assert faults(machine) == []


@pytest.mark.parametrize("asked", [None, "usb-sound-card"])
@pytest.mark.parametrize(
    "text",
    [
        'pcm.mic { type hw; card "Jabra" }  # and no card "Device"\n',
        "pcm.mic { type hw card Jabra }\n",
        'pcm.mic { type plug; slave.pcm "plughw:Jabra,0" }\n',
        'pcm.mic { type plug; slave.pcm "sysdefault:CARD=Jabra" }\n',
    ],
)
def test_the_names_of_cards_in_an_asound_conf_of_ones_own(
    machine: Healthy, text: str, asked: str | None
) -> None:
    set_up(machine, "usb-sound-card")
    machine.write("etc/asound.conf", text)
    (line,) = faults(machine, asked)
    assert line.startswith("FAIL board: there is no sound card Jabra; there are: Device -> plug")
    (machine.root / "proc/asound/card0/id").write_text("Jabra\n")
    assert faults(machine, asked) == []


def test_an_asound_conf_of_ones_own_that_names_no_card(kit: Healthy) -> None:
    kit.write("etc/asound.conf", "pcm.!default { type hw card 1 }\n")
    (kit.root / "proc/asound/card0/id").write_text("vc4hdmi0\n")
    (line,) = faults(kit)
    assert line.startswith(f"FAIL board: there is no sound card {CARD} -> sudo reboot")


def test_a_usb_card_that_is_not_plugged_in(machine: Healthy) -> None:
    set_up(machine, "usb-sound-card")
    (machine.root / "proc/asound/card0/id").unlink()
    (machine.root / "proc/asound/card0").rmdir()
    (line,) = faults(machine)
    assert line.startswith("FAIL board: there is no sound card Device; there are: none -> plug it")


# --- pins


def test_a_button_at_another_pin(kit: Healthy) -> None:
    env = kit.env_file("SPEAKERD_BUTTON_PIN=17\nSPEAKERD_LED_PINS=25\n")
    assert faults(kit) == [
        (
            "WARN board: SPEAKERD_BUTTON_PIN is 17; the board has the button at GPIO23 (pin 16)"
            f" -> SPEAKERD_BUTTON_PIN=23 in {env}, then sudo systemctl restart speakerd.service"
        )
    ]


def test_an_led_that_nobody_has_set(kit: Healthy) -> None:
    kit.env_file("SPEAKERD_BUTTON_PIN=23\n")
    (line,) = faults(kit)
    assert line.startswith("WARN board: SPEAKERD_LED_PINS is not set; the board has the LED of")


def test_without_a_configuration_there_are_no_pins_to_look_at(kit: Healthy) -> None:
    kit.env_file("nonsense\n")
    assert faults(kit) == []


# --- asound.conf


def test_no_asound_conf(kit: Healthy) -> None:
    (kit.root / "etc/asound.conf").unlink()
    what = "there is no /etc/asound.conf: no other program can share the card"
    assert faults(kit) == [f"WARN board: {what} -> {AGAIN}"]


def test_an_asound_conf_that_was_changed(kit: Healthy) -> None:
    kit.write("etc/asound.conf", "pcm.!default { type null }\n")
    assert "OK board: /etc/asound.conf was changed by you" in found(kit)
    assert faults(kit) == []


def test_an_asound_conf_of_another_version(kit: Healthy) -> None:
    for path in ("etc/asound.conf", "etc/speakerd/board/asound.conf"):
        kit.write(path, "# as it once was\n")
    what = "/etc/asound.conf is another version's, or another board's"
    assert faults(kit) == [f"WARN board: {what} -> {AGAIN}"]


def test_an_asound_conf_that_was_ones_own_before(kit: Healthy) -> None:
    kit.write("etc/asound.conf", "pcm.!default { type null }\n")
    (kit.root / "etc/speakerd/board/asound.conf").unlink()
    assert "OK board: /etc/asound.conf is your own" in found(kit)
    assert faults(kit) == []
