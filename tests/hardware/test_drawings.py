"""The drawings: they are those of the profiles, and can be read."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from speakerd.config import boards
from speakerd.panel.lines import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

HARDWARE = Path(__file__).parents[2] / "hardware"
SVG = "{http://www.w3.org/2000/svg}"

#: From a point to another one, to the right or downwards.
Segment = tuple[tuple[float, float], tuple[float, float]]


@pytest.fixture(scope="module")
def draw() -> Iterator[ModuleType]:
    """The generator, which lives beside the profiles."""
    spec = importlib.util.spec_from_file_location("draw", HARDWARE / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("name", boards.names())
def test_the_drawing_is_up_to_date(draw: ModuleType, name: str) -> None:
    path = HARDWARE / f"drawings/{name}.svg"
    assert path.read_text(encoding="utf-8") == draw.drawing(boards.load(name)), (
        "run: python hardware/draw.py"
    )


def test_there_is_no_drawing_of_a_board_that_is_gone() -> None:
    assert sorted(path.stem for path in (HARDWARE / "drawings").iterdir()) == boards.names()


def test_another_pin_is_another_drawing(draw: ModuleType) -> None:
    text = (HARDWARE / "boards/usb-sound-card.toml").read_text(encoding="utf-8")
    moved = boards.parse("usb-sound-card", text.replace("GPIO17", "GPIO22").replace("17 =", "22 ="))
    assert draw.drawing(moved) != draw.drawing(boards.load("usb-sound-card"))


def test_the_header_is_the_one_the_doctor_knows(draw: ModuleType) -> None:
    for pin, name in draw.PINS.items():
        if name.startswith("GPIO"):
            assert named(int(name.removeprefix("GPIO"))) == f"{name} (pin {pin})"
    assert len(draw.PINS) == 40
    assert [pin for pin, name in draw.PINS.items() if name == "GND"] == [
        *(6, 9, 14, 20, 25, 30, 34, 39)
    ]


@pytest.mark.parametrize("name", boards.names())
def test_every_wire_of_the_profile_is_drawn(draw: ModuleType, name: str) -> None:
    board = boards.load(name)
    wires = [wire for part in board.parts for wire in part.wires]
    root = ET.fromstring(draw.drawing(board))  # noqa: S314 - it is our own
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert len(wired(root)) == len(wires)
    for wire in wires:
        assert wire.terminal in texts
        assert any(text and text.startswith(f"{wire.to} (pin ") for text in texts)
    assert texts.count("330 Ω") == sum(wire.through == "330 Ω" for wire in wires)
    for pin, use in board.lines.items():
        assert f"GPIO{pin}: {use}" in texts
    assert any(text and text.startswith("Verified: not on hardware.") for text in texts)


@pytest.mark.parametrize("name", boards.names())
def test_no_wire_hides_another(draw: ModuleType, name: str) -> None:
    root = ET.fromstring(draw.drawing(boards.load(name)))  # noqa: S314 - it is our own
    paths = wired(root)
    for number, one in enumerate(paths):
        for other in paths[number + 1 :]:
            if one.split(" ")[0] == other.split(" ")[0] and one[:12] == other[:12]:
                continue  # from the same pin
            for a in segments(one):
                for b in segments(other):
                    assert not overlap(a, b), f"{one} and {other}"


@pytest.mark.parametrize("name", boards.names())
def test_everything_is_on_the_page(draw: ModuleType, name: str) -> None:
    root = ET.fromstring(draw.drawing(boards.load(name)))  # noqa: S314 - it is our own
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter(f"{SVG}text"):
        assert element.text is not None
        x, y = float(element.attrib["x"]), float(element.attrib["y"])
        letters = len(element.text) * float(element.attrib["font-size"]) * 0.6
        match element.attrib["text-anchor"]:
            case "start":
                assert x + letters <= width, element.text
            case "end":
                assert x - letters >= 0, element.text
        assert 0 < y < height


def wired(root: ET.Element) -> list[str]:
    """The paths of the wires, without their white edges."""
    paths = root.iter(f"{SVG}path")
    return [path.attrib["d"] for path in paths if path.attrib["stroke"] != "#ffffff"]


def segments(path: str) -> list[Segment]:
    """Its parts that run along a row or a lane."""
    x = y = 0.0
    found = []
    for kind, text in re.findall(r"([MLHV])([\d. ]+)", path):
        values = [float(value) for value in text.split()]
        before = (x, y)
        if kind in "ML":
            x, y = values
        elif kind == "H":
            (x,) = values
        else:
            (y,) = values
        if kind in "HV":
            found.append((min(before, (x, y)), max(before, (x, y))))
    return found


def overlap(a: Segment, b: Segment) -> bool:
    """Whether both run along the same line, one upon the other."""
    for along, across in ((0, 1), (1, 0)):
        on_one_line = len({point[across] for point in (*a, *b)}) == 1
        if on_one_line and max(a[0][along], b[0][along]) < min(a[1][along], b[1][along]):
            return True
    return False
