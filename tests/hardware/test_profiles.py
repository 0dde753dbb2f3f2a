"""Every profile: its pins, its overlay, its options, its asound.conf."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from speakerd import config
from speakerd.audio.cards import cards_of
from speakerd.config import boards, envfile
from speakerd.config.boards import Board, BoardError
from speakerd.config.settings import VARIABLES
from speakerd.panel.lines import named
from speakerd.panel.overlays import claims
from tests.hardware.alsa import Alsa, complaints, rehearsal

HARDWARE = Path(__file__).parents[2] / "hardware"
FIRMWARE = tomllib.loads((HARDWARE / "firmware-overlays.toml").read_text(encoding="utf-8"))
NAMES = boards.names()
MODELS = ("Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 5 Model B Rev 1.0")
I2S = {18, 19, 20, 21}

with_alsa = pytest.mark.skipif(shutil.which("aplay") is None, reason="needs alsa-utils")


@pytest.fixture(params=NAMES)
def board(request: pytest.FixtureRequest) -> Board:
    return boards.load(request.param)


def taken(board: Board, model: str = MODELS[0]) -> set[int]:
    config_txt = "\n".join(board.overlay.lines)
    return {pin for claim in claims(config_txt, model) for pin in claim.pins}


def test_all_boards_of_the_issue_are_there() -> None:
    assert NAMES == [
        "adafruit-voice-bonnet",
        "google-aiy-voice-kit-v1",
        "google-aiy-voice-kit-v2",
        "hifiberry-dac",
        "hifiberry-dacplus",
        "i2s-mems-max98357a",
        "iqaudio-dac",
        "raspberry-pi-dac-plus",
        "respeaker-2mic-hat",
        "usb-sound-card",
    ]


def test_it_says_that_nobody_has_tried_it(board: Board) -> None:
    assert board.verified == "not on hardware"


# --- pins


def test_every_line_is_on_the_header(board: Board) -> None:
    for pin in board.lines:
        assert "(pin " in named(pin)


@pytest.mark.parametrize("model", MODELS)
def test_button_and_led_have_lines_of_their_own(board: Board, model: str) -> None:
    own = [pin for pins in board.pins.values() for pin in pins]
    assert len(own) == len(set(own))
    assert not set(own) & taken(board, model)
    assert not set(own) & (I2S | {0, 1})  # 0 and 1 are the EEPROM's of a HAT


def test_every_line_that_the_overlay_takes_is_told(board: Board) -> None:
    assert taken(board) <= set(board.lines)


def test_the_options_name_the_lines_of_button_and_led(board: Board) -> None:
    (button,) = board.pins["SPEAKERD_BUTTON_PIN"]
    assert board.lines[button] == "button"
    leds = [pin for pin, use in board.lines.items() if use in {"LED", "LED of the button"}]
    assert list(board.pins.get("SPEAKERD_LED_PINS", ())) == leds


def test_wires_lead_to_lines_that_serve_for_that(board: Board) -> None:
    for part in board.parts:
        for wire in part.wires:
            if wire.to in {"GND", "3V3", "5V"}:
                continue
            pin = int(wire.to.removeprefix("GPIO"))
            use = board.lines[pin]
            if part.name == "Push button":
                assert use == "button"
            elif part.name == "LED":
                assert use == "LED"
                assert "Ω" in wire.through, "an LED without a resistor burns"
            else:
                assert pin in I2S


def test_what_is_not_plugged_on_is_wired_once(board: Board) -> None:
    wired = [wire.to for part in board.parts for wire in part.wires if wire.to.startswith("GPIO")]
    single = [to for to in wired if int(to.removeprefix("GPIO")) not in {18, 19}]
    assert len(single) == len(set(single))
    on_a_board = {"hifiberry-dac", "hifiberry-dacplus", "iqaudio-dac", "raspberry-pi-dac-plus"}
    by_hand = {"usb-sound-card", "i2s-mems-max98357a", *on_a_board}
    assert bool(wired) is (board.name in by_hand)


def test_the_amplifier_is_not_the_drivers_who_switches_it_off_with_the_microphone() -> None:
    parts = boards.load("i2s-mems-max98357a").parts
    (amplifier,) = (part for part in parts if "amplifier" in part.name)
    assert {wire.to for wire in amplifier.wires} == {"5V", "GND", "GPIO18", "GPIO19", "GPIO21"}
    for name in ("google-aiy-voice-kit-v1", "i2s-mems-max98357a"):
        told = [quirk.what for quirk in boards.load(name).quirks]
        assert any("when a capture ends while something plays" in what for what in told)


def test_where_a_board_covers_the_header_there_is_a_way_to_its_pins() -> None:
    for name in ("hifiberry-dac", "hifiberry-dacplus"):
        board = boards.load(name)
        assert any("Stacking header" in part.name for part in board.parts)
        assert any("covers the header" in quirk.what for quirk in board.quirks)


# --- overlays


@pytest.mark.parametrize(
    ("name", "overlay", "card", "control"),
    [
        ("hifiberry-dac", "hifiberry-dac", "sndrpihifiberry", "SoftMaster"),
        ("hifiberry-dacplus", "hifiberry-dacplus-std", "sndrpihifiberry", "Digital"),
        ("iqaudio-dac", "iqaudio-dacplus", "IQaudIODAC", "Digital"),
        ("raspberry-pi-dac-plus", "rpi-dacplus", "DAC", "Digital"),
    ],
)
def test_dacs_that_look_alike_are_told_apart(
    name: str, overlay: str, card: str, control: str
) -> None:
    board = boards.load(name)
    assert board.overlay.names == (overlay,)
    assert board.cards == (card, "Device")
    assert board.env["SPEAKERD_MIXER_CONTROL"] == control


def test_the_overlay_is_in_the_firmware_or_it_says_where_it_is(board: Board) -> None:
    for name in board.overlay.names:
        assert (name in FIRMWARE["names"]) is not bool(board.overlay.get)
    for line in board.overlay.lines:
        assert re.fullmatch(r"dtoverlay=[a-z0-9][\w,=-]*", line)
        assert len(line) <= 98  # the longest line that older firmware reads
    assert FIRMWARE["source"].startswith("https://github.com/raspberrypi/firmware/")


def test_every_quirk_has_a_source(board: Board) -> None:
    assert board.quirks
    for quirk in board.quirks:
        assert quirk.source == "not known" or quirk.source.startswith("https://")


# --- options


def test_the_options_are_speakerds_and_right(board: Board, tmp_path: Path) -> None:
    env = tmp_path / "speakerd.env"
    lines = [f"{name}={value}" for name, value in board.env.items()]
    env.write_text("\n".join(["GEMINI_API_KEY=key", *lines]), encoding="utf-8")
    assert envfile.parse(env.read_text(encoding="utf-8")) == {
        "GEMINI_API_KEY": "key",
        **board.env,
    }
    loaded = config.load({"SPEAKERD_ENV_FILE": str(env)})
    assert loaded.warnings == ()
    assert set(board.env) <= set(VARIABLES)
    assert {"SPEAKERD_CAPTURE_DEVICE", "SPEAKERD_PLAYBACK_DEVICE"} <= set(board.env)


def test_the_mixer_is_that_of_one_of_its_cards(board: Board, tmp_path: Path) -> None:
    for number, card in enumerate(board.cards):
        (tmp_path / f"asound/card{number}").mkdir(parents=True)
        (tmp_path / f"asound/card{number}/id").write_text(card)
    (found,) = cards_of(board.env["SPEAKERD_MIXER"], tmp_path)
    assert found.id == board.cards[0]
    control = board.env.get("SPEAKERD_MIXER_CONTROL")
    assert (control == "SoftMaster") is ("SoftMaster Playback Volume" in board.asound)


@pytest.mark.parametrize("name", boards.names())
def test_one_is_told_where_the_name_of_a_usb_card_stands(name: str) -> None:
    board = boards.load(name)
    told = [quirk.what for quirk in board.quirks if "name of a USB card" in quirk.what]
    assert len(told) == ("Device" in board.cards)
    for what in told:
        assert "/etc/asound.conf" in what
        assert "SPEAKERD_MIXER" in what
        assert ("stays" in what) is (board.env["SPEAKERD_MIXER"] != "hw:CARD=Device")


# --- asound.conf


def test_sound_is_shared_in_both_directions(board: Board) -> None:
    assert "type dmix" in board.asound
    assert "type dsnoop" in board.asound
    cards = re.findall(r'(?:CARD=|card ")(\w+)', board.asound)
    assert set(cards) == set(board.cards)
    assert all(len(card) <= 15 for card in board.cards)  # what the kernel cuts them to
    assert board.asound.count("ipc_perm 0660") == 2  # or other users' players are locked out
    assert len(set(re.findall(r"ipc_key (\d+)", board.asound))) == 2


@with_alsa
def test_alsa_has_nothing_against_it_but_that_its_cards_are_not_here(
    board: Board, tmp_path: Path
) -> None:
    assert complaints(tmp_path, board.asound_conf) == []


@with_alsa
def test_default_plays_and_hears_as_speakerd_does(board: Board, tmp_path: Path) -> None:
    alsa = Alsa(tmp_path, rehearsal(board.asound_conf))
    for done in (alsa.plays("default"), alsa.hears("default")):
        assert (done.returncode, done.stderr) == (0, "")


@with_alsa
@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("ipc_perm", "ipc_prem", "Unknown field ipc_prem"),
        ("period_size", "period_sise", "Unknown field period_sise"),
        ("S32_LE", "S33_LE", "unknown format S33_LE"),
        ("rate 48000", "rate fast", "invalid type for rate"),
        ("ipc_gid audio", "ipc_gid audience", "must be a valid group"),
        ("bindings { 0 0 1 1 }", "bindings { 0 0 1 x }", "slave channel"),
        ("bindings { 0 0 1 1 }", "bindings { 0 0 1 1", "Unexpected"),
        ('slave.pcm "speakerd_volume"', 'slave.pcm "speakerd_vol"', "Unknown PCM speakerd_vol"),
        ('        card "', '        crd "', "Unknown field crd"),
        ("min_dB", "mindB", "Unknown field mindB"),
        ("type dmix", "type dmax", "dmax"),
        ("0.1 15.0", "0.x 15.0", "Invalid argument"),
    ],
)
def test_what_is_wrong_with_an_asound_conf_is_seen(
    tmp_path: Path, right: str, wrong: str, words: str
) -> None:
    text = boards.load("google-aiy-voice-kit-v1").asound_conf
    assert right in text
    found = complaints(tmp_path, text.replace(right, wrong))
    assert any(words in line for line in found), found


# --- the one that is set up


def test_the_card_that_hears_is_the_last_of_the_board_that_is_set_up(tmp_path: Path) -> None:
    assert (boards.set_up(tmp_path), boards.hearing("default", tmp_path)) == ("", "default")
    name = tmp_path / "etc/speakerd/board/name"
    name.parent.mkdir(parents=True)
    name.write_text("hifiberry-dac\n", encoding="utf-8")
    assert boards.set_up(tmp_path) == "hifiberry-dac"
    assert boards.hearing("default", tmp_path) == "hw:CARD=Device"
    assert boards.hearing("plughw:CARD=Mine", tmp_path) == "plughw:CARD=Mine"
    name.write_text("gramophone\n", encoding="utf-8")  # a later version's
    assert boards.hearing("default", tmp_path) == "default"


# --- the parser


PROFILE = (HARDWARE / "boards/usb-sound-card.toml").read_text(encoding="utf-8")


def test_a_board_that_is_not_there() -> None:
    with pytest.raises(BoardError, match="there is no board gramophone; there are: adafruit-voice"):
        boards.load("gramophone")


def test_a_name_that_is_a_path() -> None:
    with pytest.raises(BoardError, match="there is no board"):
        boards.load("../boards/usb-sound-card")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title", "usb: Expected"),
        (PROFILE.replace("title = ", "titel = "), "titel"),
        (PROFILE.replace("[env]", "[environment]"), "'env' is missing"),
        (PROFILE.replace("what = ", "says = "), "says"),
        (PROFILE.replace("17 = ", "seventeen = "), "seventeen"),
    ],
)
def test_a_profile_that_is_none(text: str, words: str) -> None:
    with pytest.raises(BoardError, match=words):
        boards.parse("usb", text)


def test_an_installation_has_them_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE, encoding="utf-8")
    monkeypatch.setattr(boards, "_INSTALLED", tmp_path)
    assert boards.names() == ["mine"]
    assert boards.load("mine").name == "mine"
