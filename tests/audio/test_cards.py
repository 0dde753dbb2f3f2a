"""The sound cards, read from a /proc that a test has made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio.cards import cards, cards_of

if TYPE_CHECKING:
    from pathlib import Path

LIST = """\
 0 [vc4hdmi        ]: vc4-hdmi - vc4-hdmi
                      vc4-hdmi
 2 [Device         ]: USB-Audio - USB Audio [Device]: best - of all
                      C-Media Electronics Inc. at usb-0000:01:00.0-1.1, full speed
10 [Loopback       ]: Loopback - Loopback
                      Loopback 1
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for number, name in ((10, "Loopback"), (0, "vc4hdmi"), (2, "Device")):
        (tmp_path / f"asound/card{number}").mkdir(parents=True)
        (tmp_path / f"asound/card{number}/id").write_text(f"{name}\n")
    for path in ("card2/pcm0c", "card2/pcm0p", "card0/pcm0p", "card10/pcm1c", "card10/pcm0c"):
        (tmp_path / "asound" / path).mkdir()
    (tmp_path / "asound/cards").write_text(LIST)
    return tmp_path


def test_cards_come_in_their_order_with_what_they_call_themselves(proc: Path) -> None:
    assert [str(card) for card in cards(proc)] == [
        "vc4hdmi (vc4-hdmi)",
        "Device (USB Audio [Device]: best - of all)",
        "Loopback (Loopback)",
    ]


def test_the_devices_of_a_card_are_named_without_its_number(proc: Path) -> None:
    hdmi, usb, loopback = cards(proc)
    assert hdmi.pcms(capture=True) == []
    assert hdmi.pcms(capture=False) == ["plughw:CARD=vc4hdmi,DEV=0"]
    assert usb.pcms(capture=True) == ["plughw:CARD=Device,DEV=0"]
    assert loopback.pcms(capture=True) == [
        "plughw:CARD=Loopback,DEV=0",
        "plughw:CARD=Loopback,DEV=1",
    ]


@pytest.mark.parametrize("device", ["hw:2,0", "plughw:CARD=Device,DEV=0", "plug:'dmix:Device'"])
def test_a_name_leads_to_its_card(proc: Path, device: str) -> None:
    assert [card.id for card in cards_of(device, proc)] == ["Device"]


@pytest.mark.parametrize("device", ["default", "kitchen", "hw:7,0", "hw:CARD=Gone,DEV=0"])
def test_a_name_without_a_card_that_is_there_leads_to_none(proc: Path, device: str) -> None:
    assert cards_of(device, proc) == []


def test_what_cannot_be_read_is_left_out(proc: Path) -> None:
    (proc / "asound/cards").unlink()
    (proc / "asound/card2/id").unlink()
    assert [str(card) for card in cards(proc)] == ["vc4hdmi", "2", "Loopback"]


def test_without_sound_there_is_nothing(tmp_path: Path) -> None:
    assert cards(tmp_path) == []
