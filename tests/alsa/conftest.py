"""One stand-in sound card for all tests here: real alsa-lib, real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.demo.soundcard import StandInCard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _session_card() -> Iterator[StandInCard]:
    with StandInCard() as card:
        yield card


@pytest.fixture
def card(_session_card: StandInCard, monkeypatch: pytest.MonkeyPatch) -> StandInCard:
    """The card, in this process' environment."""
    for name, value in _session_card.environment().items():
        monkeypatch.setenv(name, value)
    return _session_card
