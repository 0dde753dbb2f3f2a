"""What is known of each model, and what is assumed of the others."""

from __future__ import annotations

import pytest

from speakerd.config.settings import Settings
from speakerd.errors import Feature
from speakerd.live import models
from speakerd.live.models import AS_IT_LIKES, Thinking

LIVE, THINKER = "gemini-3.8-live", "gemini-3.8-live-extended-thinking"
LEGACY, NATIVE = "gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-preview-12-2025"
LATER = "gemini-4-live"


@pytest.mark.parametrize(
    ("kin", "model"),
    [
        ("models/gemini-3.8-live", LIVE),
        ("gemini-3.8-live-001", LIVE),
        ("gemini-3.8-live-extended-thinking-preview", THINKER),
        ("gemini-2.5-flash-native-audio-latest", NATIVE),
        ("gemini-3.1-flash-live", LEGACY),
    ],
)
def test_kin_takes_what_its_family_takes(kin: str, model: str) -> None:
    assert models.of(kin) is models.of(model)
    assert models.of(kin) is not models.UNKNOWN


def test_any_other_is_asked_for_what_it_can_refuse_in_words() -> None:
    assert models.of(LATER) is models.UNKNOWN
    assert models.UNKNOWN.lacks == {Feature.AFFECTIVE_DIALOG, Feature.PROACTIVE_AUDIO}


def test_the_default_model_is_known() -> None:
    assert models.of(Settings(gemini_api_key="k").model) is models.of(LIVE)


@pytest.mark.parametrize(
    ("model", "wish", "taken"),
    [
        (LIVE, AS_IT_LIKES, None),
        (LIVE, Thinking("low"), None),
        (LIVE, Thinking(budget_tokens=0), None),
        (THINKER, AS_IT_LIKES, Thinking("low")),
        (THINKER, Thinking("high"), Thinking("high")),
        (THINKER, Thinking("minimal"), Thinking("low")),
        (THINKER, Thinking(budget_tokens=512), Thinking("low")),
        (LEGACY, AS_IT_LIKES, None),
        (LEGACY, Thinking("minimal"), Thinking("minimal")),
        (LEGACY, Thinking("high", 512), Thinking("high")),
        (NATIVE, Thinking("high", 512), Thinking(budget_tokens=512)),
        (NATIVE, Thinking(budget_tokens=0), Thinking(budget_tokens=0)),
        (LATER, Thinking("medium"), Thinking("medium")),
    ],
)
def test_each_thinks_in_its_own_way(model: str, wish: Thinking, taken: Thinking | None) -> None:
    assert models.of(model).thinking(wish) == taken


@pytest.mark.parametrize(
    ("model", "quick", "slow"),
    [
        (LIVE, ("BLOCKING", True), ("NON_BLOCKING", False)),
        (THINKER, ("NON_BLOCKING", False), ("NON_BLOCKING", False)),
        (LEGACY, (None, True), (None, True)),
        (NATIVE, ("BLOCKING", True), ("NON_BLOCKING", False)),
        (LATER, (None, True), (None, True)),
    ],
)
def test_each_calls_functions_in_its_own_way(
    model: str, quick: tuple[str | None, bool], slow: tuple[str | None, bool]
) -> None:
    traits = models.of(model)
    assert (traits.behavior(slow=False), traits.blocks(slow=False)) == quick
    assert (traits.behavior(slow=True), traits.blocks(slow=True)) == slow


@pytest.mark.parametrize("feature", [Feature.AFFECTIVE_DIALOG, Feature.PROACTIVE_AUDIO])
def test_the_version_that_is_being_tried_out_is_for_what_needs_it(feature: Feature) -> None:
    assert models.of(NATIVE).version(frozenset({feature, Feature.VOICE})) == "v1alpha"
    assert models.of(NATIVE).version(frozenset({Feature.VOICE})) == "v1beta"
    assert models.of(LIVE).version(frozenset(Feature)) == "v1beta"
