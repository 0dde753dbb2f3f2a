"""Every row of the table of faults, each with the real SDK over a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.faults.page import PAGE, broken_links, made_anew
from tests.faults.story import Story
from tests.faults.table import ROWS, Row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_the_person_is_answered_or_told(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Simulator(SimulatorOptions(speed=0, **row.simulator)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        await Story(row, simulator, tmp_path).play(caplog)


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.id for row in ROWS]
    assert len(set(names)) == len(names) >= 60


def test_the_page_says_what_the_tests_assert() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == made_anew(page), "run python -m tests.faults"
    assert list(broken_links()) == []
