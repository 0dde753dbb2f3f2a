"""docs/gemini.md says what speakerd/live/models.py says, and names protocol tests there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speakerd.config import voices
from speakerd.config.options import model
from speakerd.config.settings import VARIABLES
from speakerd.errors import Feature
from speakerd.live import models
from speakerd.live.models import Thinking
from speakerd.live.setup import Wishes, asked

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/gemini.md").read_text(encoding="utf-8")
COLUMNS = (
    "gemini-3.8-live",
    "gemini-3.8-live-extended-thinking",
    "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-latest",
    "gemini-4-live",
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## What they take")[2].partition("\n- ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| capability")
]
#: The tests with connections to the simulator.
OVER_THE_WIRE = "".join(
    path.read_text(encoding="utf-8")
    for room in ("protocol", "faults")
    for path in (ROOT / "tests" / room).glob("test_*.py")
)
#: The rows about a part of the setup, and the wish for it.
WISHES = {
    "voice": (Feature.VOICE, Wishes(voice="Kore")),
    "languages, as hints for what is heard": (Feature.LANGUAGE_HINTS, Wishes(languages=("de",))),
    "names and words that are to be understood": (Feature.VOCABULARY, Wishes(vocabulary=("x",))),
    "thinking, by a level": (Feature.THINKING, Wishes(thinking=Thinking("medium"))),
    "thinking, by tokens": (Feature.THINKING, Wishes(thinking=Thinking(budget_tokens=1))),
    "affective dialog": (Feature.AFFECTIVE_DIALOG, Wishes(affective_dialog=True)),
    "proactive audio": (Feature.PROACTIVE_AUDIO, Wishes(proactive_audio=True)),
    "temperature": (Feature.TEMPERATURE, Wishes(temperature=1.0)),
    "media resolution": (Feature.MEDIA_RESOLUTION, Wishes(media_resolution="low")),
    "safety settings": (Feature.SAFETY, Wishes(safety=(("harassment", "none"),))),
    "Google Search": (Feature.SEARCH, Wishes(search=True)),
    "functions": (
        Feature.TOOLS,
        Wishes(functions=({"name": "f", "description": "", "parameters": {}, "slow": False},)),
    ),
    "compression of the context": (Feature.COMPRESSION, Wishes()),
    "transcriptions of both sides, for `subscribe` and the journal": (
        Feature.TRANSCRIPTION,
        Wishes(),
    ),
    "how it went before, for a session that does not know": (
        Feature.HISTORY,
        Wishes(history=True),
    ),
}


def test_every_part_of_the_setup_has_its_row() -> None:
    assert {feature for feature, _ in WISHES.values()} == set(Feature)
    assert WISHES.keys() <= {row[0] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_true(row: list[str]) -> None:
    capability, options, *takes, test = row
    assert set(re.findall(r"`(SPEAKERD_\w+)`", options)) <= VARIABLES.keys()
    if capability in WISHES:
        feature, wishes = WISHES[capability]
        said = [cell.partition(" ")[0] for cell in takes]
        assert said == ["✓" if feature in asked(wishes, name) else "-" for name in COLUMNS]
    assert f"def {test.strip('`')}(" in OVER_THE_WIRE


def test_every_family_is_on_the_page() -> None:
    assert all(family in PAGE for family in models.FAMILIES)


def test_all_voices_are_named() -> None:
    (named,) = re.findall(r"\*\*Voices\*\*: ([^.]+)\.", PAGE)
    assert re.split(r",\s+", named) == list(voices.PUBLISHED)


def test_every_option_about_the_model_is_on_the_page() -> None:
    areas = (
        *(model.TheModel, model.TurnTaking, model.TheInstruction),
        *(model.WhatItMayDo, model.TheMemory),
    )
    options = {option for area in areas for option in area.options()}
    variables = {name for name, option in VARIABLES.items() if option in options}
    assert variables <= set(re.findall(r"SPEAKERD_\w+", PAGE))
