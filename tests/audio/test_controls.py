"""Which mixer a PCM has, which control is its volume, and which are in the way of its sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio.controls import Control, Side, choose, in_the_way, mixer_of, why_none

if TYPE_CHECKING:
    from pathlib import Path

FULL, MUTED, ZERO = Side(True, 100), Side(False, 80), Side(True, 0)
#: What a USB headset has, with the sidetone off, as it should be.
HEADSET = (
    Control("Speaker", playback=FULL),
    Control("Mic", playback=Side(False, 0), capture=FULL),
    Control("Auto Gain Control", playback=Side(False)),
)
#: A codec with two outputs and three inputs, of which one each is in use.
CODEC = (
    Control("Headphone", playback=ZERO),
    Control("Speaker", playback=FULL),
    Control("Playback", playback=Side(None, 100)),
    Control("Capture", capture=FULL),
    Control("Mic", capture=FULL),
    Control("Line", capture=MUTED),
    Control("Mic Boost", capture=Side(None, 0)),
    Control("Analogue", playback=Side(None, 0)),
)


def replaced(controls: tuple[Control, ...], changed: Control) -> list[Control]:
    return [changed if each.name == changed.name else each for each in controls]


@pytest.mark.parametrize("card", [(), HEADSET, CODEC], ids=["none", "headset", "codec"])
@pytest.mark.parametrize("capture", [True, False])
def test_a_card_as_it_should_be_lets_sound_through(
    card: tuple[Control, ...], capture: bool
) -> None:
    assert in_the_way(card, capture=capture) == []


@pytest.mark.parametrize("side", [MUTED, ZERO, Side(False), Side(None, 0)])
@pytest.mark.parametrize("name", ["Speaker", "Gadget 2000 Out"])
def test_the_only_control_is_in_the_way_whatever_it_is_called(name: str, side: Side) -> None:
    only = Control(name, playback=side, capture=FULL)
    assert in_the_way([only], capture=False) == [only]
    assert in_the_way([only], capture=True) == []


def test_what_all_sound_passes_is_in_the_way() -> None:
    speaker = Control("Speaker", playback=ZERO)
    assert in_the_way(replaced(HEADSET, speaker), capture=False) == [speaker]
    capture = Control("Capture", capture=Side(False, 50))
    assert in_the_way(replaced(CODEC, capture), capture=True) == [capture]
    volume = Control("Playback", playback=ZERO)
    assert in_the_way(replaced(CODEC, volume), capture=False) == [volume]


def test_of_outputs_side_by_side_one_is_enough() -> None:
    off = Control("Speaker", playback=MUTED)
    found = in_the_way(replaced(CODEC, off), capture=False)
    assert [each.name for each in found] == ["Headphone", "Speaker"]


def test_of_inputs_side_by_side_one_is_enough() -> None:
    off = Control("Mic", capture=MUTED)
    found = in_the_way(replaced(CODEC, off), capture=True)
    assert [each.name for each in found] == ["Mic", "Line"]


#: WM8960 after a reset, as alsa-lib counts: what is "Boost" here is a switch of the microphones.
BOOSTS = [
    Control(f"{side} Input Mixer Boost", playback=Side(on=False)) for side in ("Left", "Right")
]
WM8960 = (
    Control("Playback", playback=Side(None, 100)),
    Control("Left Output Mixer PCM", playback=Side(on=True)),
    Control("Capture", capture=FULL),
    Control("Left Boost Mixer LINPUT1", playback=Side(on=True)),
    *BOOSTS,
)


def test_switches_of_the_microphones_that_alsa_lib_counts_to_what_is_played() -> None:
    assert in_the_way(WM8960, capture=True) == BOOSTS
    assert in_the_way(WM8960, capture=False) == []
    assert (
        in_the_way([Control(each.name, playback=Side(on=True)) for each in BOOSTS], capture=True)
        == []
    )


@pytest.mark.parametrize(
    ("control", "capture", "command"),
    [
        (Control("Speaker", playback=MUTED), False, "sset 'Speaker' playback 80% unmute"),
        (Control("Line Out", 1, Side(None, 0)), False, "sset 'Line Out,1' playback 80%"),
        (Control("Mic", capture=Side(False)), True, "sset 'Mic' capture cap"),
        (Control("Mic", 0, FULL, MUTED), True, "sset 'Mic' capture 80% cap"),
        (BOOSTS[0], True, "sset 'Left Input Mixer Boost' playback unmute"),
    ],
)
def test_the_command_says_what_the_control_can_do(
    control: Control, capture: bool, command: str
) -> None:
    assert control.amixer("hw:Device", capture=capture, volume="80%") == (
        f"amixer -D hw:Device {command}"
    )


def test_the_mixer_of_a_pcm_is_that_of_its_card(tmp_path: Path) -> None:
    (tmp_path / "asound/card1").mkdir(parents=True)
    (tmp_path / "asound/card1/id").write_text("Device\n")
    for device in ("hw:1,0", "plughw:CARD=Device,DEV=0"):
        assert mixer_of(device, tmp_path) == "hw:Device"
    for device in ("default", "kitchen", "hw:CARD=Gone,DEV=0"):
        assert mixer_of(device, tmp_path) == "default"


# --- the volume


def volumes(*names: str) -> list[Control]:
    return [Control(name, playback=Side(None, 50)) for name in names]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        # HiFiBerry DAC+, IQaudIO, Allo: sound/soc/codecs/pcm512x.c
        (("Analogue", "Analogue Playback Boost", "Digital"), "Digital"),
        # wm8960: ReSpeaker, Adafruit Voice Bonnet
        (("Headphone", "Speaker", "Speaker AC", "Speaker DC", "Playback", "Capture"), "Playback"),
        # rt5645 of the Voice Kit v2
        (("Headphone", "Speaker", "DAC1", "IN Boost", "Mono ADC"), "DAC1"),
        # da7213: IQaudIO Codec
        (("Headphone", "Lineout", "Mic 1", "Aux", "DAC", "DAC EQ1"), "DAC"),
        (("PCM",), "PCM"),  # bcm2835, USB
        (("Headphone",), "Headphone"),  # bcm2835
        (("Mic", "Speaker", "Auto Gain Control"), "Speaker"),  # USB headset
        (("Headphone", "Speaker"), "Speaker"),
        (("Master", "PCM"), "Master"),
        (("SoftMaster",), "SoftMaster"),
        (("SoftMaster", "Digital"), "Digital"),  # left over from another asound.conf
        (("SoftMaster", "Headphone"), "SoftMaster"),
        (("Mic", "Sidetone", "UMC204HD Output"), "UMC204HD Output"),  # whatever USB calls it
        (("Beep", "Mic Boost", "Line"), None),
        ((), None),
    ],
)
def test_the_control_that_all_sound_passes_is_the_volume(
    names: tuple[str, ...], chosen: str | None
) -> None:
    found = choose(volumes(*names))
    assert (found.name if found else None) == chosen


def test_the_volume_needs_a_playback_volume() -> None:
    only_switch = Control("Digital", playback=Side(on=True))
    only_capture = Control("PCM", capture=FULL)
    speaker = Control("Speaker", playback=FULL)
    assert choose([only_switch, only_capture]) is None
    assert choose([only_switch, only_capture, speaker]) is speaker


TWINS = [Control("PCM", index, playback=FULL) for index in (0, 1)]


@pytest.mark.parametrize(
    ("name", "index"), [("", 0), ("PCM", 0), ("PCM,0", 0), ("PCM,1", 1), (" PCM,1 ", 1)]
)
def test_a_control_can_be_named(name: str, index: int) -> None:
    assert choose([*TWINS, *volumes("Speaker")], name) is TWINS[index]


def test_a_name_with_a_comma_is_a_name() -> None:
    found = volumes("Left, Right")
    assert choose(found, "Left, Right") is found[0]


@pytest.mark.parametrize("name", ["Digital", "pcm", "PCM,2", "Capture"])
def test_a_name_that_is_not_there_tells_what_is_there(name: str) -> None:
    found = [*TWINS, Control("Capture", capture=FULL)]
    assert choose(found, name) is None
    assert why_none(found, name) == (
        f"there is no playback volume {name}; SPEAKERD_MIXER_CONTROL may be PCM, PCM,1"
    )


def test_why_there_is_no_volume() -> None:
    assert why_none([]) == "it has no playback volume; docs/volume.md has a way to give it one"
    assert why_none([], "PCM") == (
        "there is no playback volume PCM; SPEAKERD_MIXER_CONTROL may be none"
    )
    assert why_none(volumes("Mic")) == (
        "none of its controls (Mic) looks like the volume; name one by SPEAKERD_MIXER_CONTROL"
    )


def test_a_twin_is_mended_by_its_index() -> None:
    twin = Control("PCM", 1, playback=MUTED)
    assert twin.amixer("hw:0", capture=False, volume="80%") == (
        "amixer -D hw:0 sset 'PCM,1' playback 80% unmute"
    )
