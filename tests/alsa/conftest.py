"""One stand-in sound card for all tests here: real alsa-lib, real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.demo.soundcard import StandInCard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _session_card() -> Iterator[StandInCard]:
    with StandInCard() as card, pytest.MonkeyPatch.context() as patch:
        for name, value in card.environment().items():
            patch.setenv(name, value)
        yield card


@pytest.fixture
def card(_session_card: StandInCard) -> StandInCard:
    """The card, in this process' environment."""
    return _session_card
