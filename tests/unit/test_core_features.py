"""A setup that is refused for one of its optional parts is made without it, once."""

from __future__ import annotations

from itertools import pairwise

import pytest

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.link import LinkState
from speakerd.errors import Failure, FailureKind, Feature, classify
from tests.unit.story import Story

RARE = frozenset(
    {
        Feature.AFFECTIVE_DIALOG,
        Feature.PROACTIVE_AUDIO,
        Feature.TEMPERATURE,
        Feature.MEDIA_RESOLUTION,
        Feature.SAFETY,
        Feature.LANGUAGE_HINTS,
        Feature.VOCABULARY,
        Feature.HISTORY,
    }
)
#: All that many ask for.
ALL = frozenset(Feature) - RARE
THINKING = classify(1007, "Thinking level is not supported for this model.")
ARGUMENT = classify(1007, "Request contains an invalid argument.")
QUOTA = classify(1011, "You exceeded your current quota, please check your plan.")


def without(story: Story) -> list[frozenset[Feature]]:
    return [order.without for order in story.all(fx.Connect)]


def started(features: frozenset[Feature] = ALL, models: tuple[str, ...] = ("a",)) -> Story:
    story = Story(features=features, models=models)
    story.tell(ev.Started())
    return story


def test_what_the_server_names_is_left_out_at_once_and_from_then_on() -> None:
    story = started()
    story.close(THINKING)
    assert story.one(fx.Connect).without == {Feature.THINKING}
    assert story.told == []
    story.open()
    assert story.core.status.without == ("thinking",)
    story.fail(FailureKind.NETWORK)
    story.wait(10.0)
    story.press()
    assert without(story) == [frozenset(), {Feature.THINKING}, {Feature.THINKING}]


def test_nothing_is_said_of_a_feature_before_it_is_sure() -> None:
    story = started()
    story.close(THINKING)
    assert story.core.status.without == ()


def test_a_refusal_that_names_nothing_may_be_for_any_of_them() -> None:
    features = frozenset({Feature.VOICE, Feature.COMPRESSION})
    story = started(features)
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == features
    story.open()
    assert story.core.status.without == ("context compression", "voice")


def test_if_it_is_refused_without_them_too_it_was_none_of_them() -> None:
    story = started()
    story.close(ARGUMENT)
    story.close(ARGUMENT)
    story.close(ARGUMENT)
    assert story.told == [fx.Notice.SETUP_REFUSED]
    assert story.core.link_state is LinkState.REFUSED
    assert story.core.status.without == ()
    story.wait(10.0)
    story.press()
    assert without(story) == [frozenset(), {Feature.TOOLS}, ALL, frozenset()]


def test_tools_are_what_it_is_tried_without_first() -> None:
    story = started()
    story.close(ARGUMENT)
    story.open()
    assert story.core.status.without == ("tools",)


def test_before_the_tools_goes_what_few_people_ask_for() -> None:
    story = started(frozenset(Feature))
    for _ in range(3):
        story.close(ARGUMENT)
    story.open()
    assert without(story) == [frozenset(), RARE, RARE | {Feature.TOOLS}, frozenset(Feature)]


def test_a_model_is_not_suspected_for_what_it_was_not_asked() -> None:
    story = Story(
        features=frozenset({Feature.VOICE, Feature.TEMPERATURE}),
        lacks={"a": frozenset({Feature.TEMPERATURE})},
        models=("a", "b"),
    )
    story.tell(ev.Started())
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == {Feature.VOICE}
    story.close(classify(1008, "models/a is not found for API version v1beta"))
    assert story.one(fx.Connect).model == "b"
    story.close(ARGUMENT)
    assert story.one(fx.Connect).without == {Feature.TEMPERATURE}


def test_one_after_the_other_is_left_out() -> None:
    story = started()
    story.close(THINKING)
    story.close(classify(1007, "Voice name X is not available."))
    story.close(QUOTA)
    story.open()
    assert without(story)[-1] == {Feature.THINKING, Feature.VOICE, Feature.SEARCH}
    assert all(less < more for less, more in pairwise(without(story)))


def test_the_handle_is_presented_all_the_while_and_not_doubted() -> None:
    handle = ev.SessionHandle("h", "a")
    story = Story(features=ALL, models=("a",))
    story.tell(ev.Started(handle))
    story.close(THINKING)
    story.close(classify(1007, "Voice name X is not available."))
    story.open()
    assert [order.handle for order in story.all(fx.Connect)] == [handle] * 3
    assert story.core.status.context == "resumed"


def test_a_search_without_quota_is_left_out() -> None:
    story = started()
    story.close(QUOTA)
    story.open()
    assert story.core.status.without == ("search",)
    assert story.told == []


def test_a_quota_that_is_used_up_without_search_too_is_told_and_waited_for() -> None:
    story = started()
    story.close(QUOTA)
    story.close(QUOTA)
    assert story.told == [fx.Notice.QUOTA_USED_UP]
    story.wait(10.0)
    story.press()
    assert without(story) == [frozenset(), {Feature.SEARCH}, frozenset()]


def test_a_quota_that_ends_an_open_connection_may_be_that_of_the_search() -> None:
    story = started()
    story.open()
    turn = story.ask()
    story.close(QUOTA)
    assert story.one(fx.Connect).without == {Feature.SEARCH}
    story.open()
    story.sent(turn)
    story.close(QUOTA)
    assert story.told == [fx.Notice.NO_ANSWER, fx.Notice.QUOTA_USED_UP]
    assert story.core.status.without == (), "it was not that of the search"


def test_a_close_in_use_that_names_a_feature_is_a_refusal_of_it() -> None:
    story = started()
    story.open()
    story.ask()
    story.close(THINKING)
    assert story.one(fx.Connect).without == {Feature.THINKING}


def test_what_is_not_in_use_is_not_suspected() -> None:
    story = started(frozenset({Feature.VOICE}))
    story.close(THINKING)
    assert not story.ordered(fx.Connect)
    assert story.told == [fx.Notice.SETUP_REFUSED]


def test_a_refusal_before_the_setup_was_read_says_nothing_of_it() -> None:
    story = started()
    story.close(Failure(FailureKind.SETUP, "the server answered HTTP 400 instead of upgrading"))
    assert not story.ordered(fx.Connect)
    assert story.told == [fx.Notice.SETUP_REFUSED]


def test_a_close_in_use_that_names_nothing_says_nothing_of_the_setup() -> None:
    story = started()
    story.open()
    story.ask()
    story.close(classify(1007, "Precondition check failed."))
    assert without(story)[-1] == frozenset()


@pytest.mark.parametrize("models", [("a", "b"), ("a",)])
def test_another_model_is_asked_for_everything_again(models: tuple[str, ...]) -> None:
    """So is the first one when it is its turn again."""
    story = started(models=models)
    story.close(THINKING)
    story.open()
    story.fail(FailureKind.MODEL)
    story.wait(10.0)
    story.press()
    assert without(story) == [frozenset(), {Feature.THINKING}, frozenset()]
    assert story.all(fx.Connect)[-1].model == models[-1]
    assert story.core.status.without == ()


@pytest.mark.parametrize("failure", [THINKING, ARGUMENT, QUOTA])
def test_a_server_that_refuses_everything_sees_no_storm(failure: Failure) -> None:
    story = started()
    for _ in range(200):
        if story.core.link_state is LinkState.CONNECTING:
            story.close(failure)
        story.wait(0.5)
        story.tap()
    times = story.times(fx.Connect)
    most = story.rules.max_connects_per_minute
    assert all(later - earlier >= 60.0 for earlier, later in zip(times, times[most:], strict=False))


def test_what_was_only_suspected_is_asked_for_again_after_a_while() -> None:
    story = started()
    story.close(ARGUMENT)
    story.close(ARGUMENT)
    story.open()
    story.wait(story.rules.ask_again_s)
    story.press()
    assert without(story)[-2:] == [ALL, frozenset()]
    story.open()
    assert story.core.status.without == ()


def test_what_the_server_has_named_is_not_asked_for_again() -> None:
    story = started()
    story.close(THINKING)
    story.open()
    story.wait(10 * story.rules.ask_again_s)
    story.press()
    assert without(story)[-1] == {Feature.THINKING}


def test_search_is_tried_again_when_there_may_be_a_quota_for_it() -> None:
    story = started()
    story.close(QUOTA)
    story.open()
    story.wait(story.rules.ask_again_s)
    story.press()
    assert without(story)[-1] == frozenset()


def test_a_quota_that_ends_the_upgrade_says_nothing_of_search() -> None:
    story = started()
    story.close(Failure(FailureKind.QUOTA, "the server answered HTTP 429 instead of upgrading"))
    assert not story.ordered(fx.Connect)
    assert story.told == [fx.Notice.QUOTA_USED_UP]


def test_a_name_that_was_wrong_is_forgotten() -> None:
    """It was not for thinking, though that was named; later it may have been, though nothing is."""
    story = started()
    story.close(THINKING)
    story.close(THINKING)
    assert story.told == [fx.Notice.SETUP_REFUSED]
    story.wait(10.0)
    story.press()
    story.close(ARGUMENT)
    story.close(ARGUMENT)
    story.open()
    story.release()
    story.wait(story.rules.ask_again_s)
    story.press()
    assert without(story)[-2:] == [ALL, frozenset()]
