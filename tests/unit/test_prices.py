"""The price list: which model has which price, and whose own prices win."""

from __future__ import annotations

import pytest

from speakerd.config.prices import KINDS, Price, price_of
from speakerd.config.settings import Settings

LIVE = Price(audio_in=3.00, text_in=0.75, image_in=1.00, audio_out=12.00, text_out=4.50)
OLDER = Price(audio_in=3.00, text_in=0.50, image_in=3.00, audio_out=12.00, text_out=2.00)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gemini-3.8-live", LIVE),
        ("models/gemini-3.8-live", LIVE),
        ("gemini-3.8-live-001", LIVE),
        ("gemini-3.8-live-latest", LIVE),
        ("gemini-3.8-live-preview", LIVE),
        ("gemini-3.8-live-preview-12-2026", LIVE),
        ("gemini-3.8-live-extended-thinking", LIVE),
        ("gemini-3.8-live-extended-thinking-001", LIVE),
        ("gemini-3.1-flash-live-preview", LIVE),
        ("gemini-2.5-flash-native-audio-preview-12-2025", OLDER),
        ("gemini-2.5-flash-native-audio-preview-09-2025", OLDER),
        ("gemini-2.5-flash-native-audio-latest", OLDER),
        # another model, whatever it costs
        ("gemini-3.8-live-translate", None),
        ("gemini-3.8-live-pro-001", None),
        ("gemini-3.8", None),
        ("gemini-99-live", None),
        ("", None),
    ],
)
def test_releases_of_a_model_have_its_price_and_no_other_model_has(
    model: str, price: Price | None
) -> None:
    assert price_of(model) == price


def test_the_price_of_the_default_model_is_known() -> None:
    assert price_of(Settings.model_fields["model"].default) is not None


def test_ones_own_prices_win_one_by_one() -> None:
    own = price_of("gemini-3.8-live", ("audio-in=2.50", "text-out=0"))
    assert own == Price(audio_in=2.5, text_in=0.75, image_in=1.0, audio_out=12.0, text_out=0.0)


def test_an_unknown_model_needs_all_of_them() -> None:
    all_of_them = tuple(f"{kind}={number}" for number, kind in enumerate(KINDS))
    assert price_of("gemini-99-live", all_of_them[1:]) is None
    assert price_of("gemini-99-live", all_of_them) == Price(0, 1, 2, 3, 4)
