"""docs/state-machines.md says what the tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.link import LinkState
from speakerd.conversation.turn import TurnState

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def diagrams() -> ModuleType:
    """The generator, which lives beside the page."""
    spec = importlib.util.spec_from_file_location("diagrams", DOCS / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(diagrams: ModuleType) -> None:
    page = (DOCS / "state-machines.md").read_text(encoding="utf-8")
    assert diagrams.render(page) == page, "run: python docs/diagrams.py"
    for name in diagrams.BLOCKS:
        assert page.count(f"<!-- begin {name} -->") == 1


def test_a_page_that_is_behind_is_seen(diagrams: ModuleType) -> None:
    page = (DOCS / "state-machines.md").read_text(encoding="utf-8")
    behind = page.replace("IDLE --> ARMED", "IDLE --> SPEAKING")
    assert behind != page
    assert diagrams.render(behind) == page


@pytest.mark.parametrize("name", [state.name for state in (*TurnState, *LinkState)])
def test_every_state_is_drawn(diagrams: ModuleType, name: str) -> None:
    drawn = diagrams.turn_diagram() + diagrams.link_diagram()
    assert f"--> {name}" in drawn
