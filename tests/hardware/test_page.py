"""hardware/README.md says what the profiles say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.config import boards

if TYPE_CHECKING:
    from types import ModuleType

HARDWARE = Path(__file__).parents[2] / "hardware"
README = (HARDWARE / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def page() -> ModuleType:
    """The generator, which lives beside the page."""
    spec = importlib.util.spec_from_file_location("page", HARDWARE / "page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(page: ModuleType) -> None:
    assert page.render(README) == README, "run: python hardware/page.py"
    for name in page.BLOCKS:
        assert README.count(f"<!-- begin {name} -->") == 1


def test_a_page_that_is_behind_is_seen(page: ModuleType) -> None:
    behind = README.replace("SPEAKERD_BUTTON_PIN=23", "SPEAKERD_BUTTON_PIN=24")
    assert behind != README
    assert page.render(behind) == README


@pytest.mark.parametrize("which", ["begin", "end"])
@pytest.mark.parametrize("name", ["choice", "details"])
def test_a_page_without_a_marker_is_left_alone(page: ModuleType, name: str, which: str) -> None:
    with pytest.raises(ValueError, match=f"no '<!-- begin {name} -->' with"):
        page.render(README.replace(f"<!-- {which} {name} -->", ""))


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", text.lower()).replace(" ", "-") for text in headings}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif not target.startswith("https://"):
            assert (HARDWARE / target.partition("#")[0]).exists(), target


def test_no_two_boards_have_one_address() -> None:
    links = re.findall(r"^\| \[.*?\]\((#.*?)\)", README, re.M)
    assert len(links) == len(set(links)) == len(boards.names())


@pytest.mark.parametrize("name", boards.names())
def test_every_board_has_its_drawing_and_says_that_nobody_has_tried_it(name: str) -> None:
    assert f"](drawings/{name}.svg)" in README
    assert f"`sudo make install BOARD={name}`. Verified: not on hardware." in README


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("google-aiy-voice-kit-v1", "in the firmware"),
        ("google-aiy-voice-kit-v2", "in its EEPROM; **its driver is in no kernel**"),
        ("respeaker-2mic-hat", "**not in Raspberry Pi OS**"),
        ("usb-sound-card", "none"),
    ],
)
def test_the_choice_says_where_the_overlay_is(name: str, words: str) -> None:
    (row,) = (
        line for line in README.splitlines() if line.startswith("| [") and f"`{name}`" in line
    )
    assert row.split(" | ")[4] == words


def test_the_checklist_ends_with_the_doctor() -> None:
    steps = README[README.index("## Build it") : README.index("## What the installer writes")]
    assert steps.index("doctor --board") < steps.index("`sudo speakerd doctor`")
