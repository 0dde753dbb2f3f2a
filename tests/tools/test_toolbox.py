"""What is made of a tool's function: its declaration, and the call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from speakerd.config import kinds
from speakerd.conversation.core import Core
from speakerd.conversation.effects import Refused
from speakerd.conversation.events import (
    MuteRequested,
    ToolCall,
    VolumeRequested,
    VolumeStepped,
)
from speakerd.conversation.rules import Rules
from speakerd.tools import toolbox
from speakerd.tools.tool import Result, SpeakerPort, Tool
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from speakerd.conversation.events import Event
    from speakerd.conversation.status import Status
    from speakerd.conversation.timer import Missed, Pending


class FakeSpeaker:
    """Notes what it is asked."""

    def __init__(self, volume: int | None = 40, refusal: str = "") -> None:
        self.volume = volume
        self.highest_volume = 80
        self.unmuted_by = ""
        self.refusal = refusal
        self.asked: list[Event] = []

    @property
    def status(self) -> Status:
        raise NotImplementedError

    @property
    def now(self) -> datetime:
        raise NotImplementedError

    def clock(self, seconds: float) -> float:
        raise NotImplementedError

    @property
    def timers(self) -> tuple[Pending, ...]:
        raise NotImplementedError

    @property
    def missed(self) -> tuple[Missed, ...]:
        raise NotImplementedError

    def acts(self) -> None:
        raise NotImplementedError

    def ask(self, event: Event) -> str | None:
        assert isinstance(event, VolumeRequested | VolumeStepped)  # and none that unmutes
        if not self.refusal:
            self.asked.append(event)
        return self.refusal or None


def lamp(
    speaker: SpeakerPort,
    on: Annotated[bool, Field(description="lit or dark")],
    colour: str = "white",
) -> Result:
    """Switch the lamp,
    or give it a colour.
    """
    del speaker
    return {"lamp": f"{colour} {on}"}


def test_a_function_declares_itself() -> None:
    tool = Tool.of(lamp)
    assert (tool.name, tool.description) == ("lamp", "Switch the lamp, or give it a colour.")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "on": {"type": "boolean", "description": "lit or dark"},
            "colour": {"type": "string"},
        },
        "required": ["on"],
    }


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        ({"on": True}, {"lamp": "white True"}),
        ({"on": False, "colour": "red"}, {"lamp": "red False"}),
        ({}, {"error": "on: Field required"}),
        ({"on": True, "loud": 3}, {"error": "loud: Extra inputs are not permitted"}),
    ],
)
def test_a_call_has_the_arguments_that_were_declared(
    args: dict[str, object], answer: dict[str, object]
) -> None:
    assert Tool.of(lamp).do(FakeSpeaker(), args) == answer


def call(speaker: FakeSpeaker, name: str, **args: Any) -> Result:  # noqa: ANN401 - as the model
    answer = Toolbox.of(["volume"]).call(ToolCall("id", name, args), speaker)
    assert isinstance(answer, Mapping)
    return answer


@pytest.mark.parametrize(
    ("name", "args", "asked", "answer"),
    [
        ("set_volume", {"percent": 30}, VolumeRequested(30), {"asked_for_percent": 30}),
        ("set_volume", {"percent": 30.0}, VolumeRequested(30), {"asked_for_percent": 30}),
        ("set_volume", {"percent": 100}, VolumeRequested(80), {"asked_for_percent": 80}),
        ("change_volume", {"by_percent": 10}, VolumeStepped(10), {"asked_for_change_percent": 10}),
        (
            "change_volume",
            {"by_percent": -100},
            VolumeStepped(-100),
            {"asked_for_change_percent": -100},
        ),
    ],
)
def test_the_model_turns_the_volume(
    name: str, args: dict[str, int], asked: Event, answer: dict[str, int]
) -> None:
    speaker = FakeSpeaker()
    assert call(speaker, name, **args) == {**answer, "highest_percent": 80}
    assert speaker.asked == [asked]


@pytest.mark.parametrize("volume", [0, 40])
def test_the_model_is_told_the_volume(volume: int) -> None:
    speaker = FakeSpeaker(volume)
    assert call(speaker, "get_volume") == {"volume_percent": volume, "highest_percent": 80}
    assert speaker.asked == []


def test_a_volume_that_is_not_known_is_no_number() -> None:
    assert set(call(FakeSpeaker(None), "get_volume")) == {"error"}


def test_a_refusal_is_told_to_the_model() -> None:
    assert call(FakeSpeaker(refusal="no mixer"), "set_volume", percent=3) == {"error": "no mixer"}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("set_volume", {"percent": 101}),
        ("set_volume", {"percent": "loud"}),
        ("set_volume", {"percent": "30"}),
        ("set_volume", {"percent": 30.5}),
        ("set_volume", {"percent": True}),
        ("set_volume", {}),
        ("change_volume", {"by_percent": -101}),
        ("unmute", {}),
    ],
)
def test_what_cannot_be_is_an_error_and_does_nothing(name: str, args: dict[str, object]) -> None:
    speaker = FakeSpeaker()
    assert set(call(speaker, name, **args)) == {"error"}
    assert speaker.asked == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(["get_volume", "set_volume", "change_volume"]),
    st.dictionaries(st.sampled_from(["percent", "by_percent"]) | st.text(), _JSON, max_size=3),
)
def test_whatever_the_model_says_the_volume_stays_in_its_bounds(
    name: str, args: dict[str, Any]
) -> None:
    speaker = FakeSpeaker()
    assert isinstance(Toolbox.of(["volume"]).call(ToolCall("id", name, args), speaker), dict)
    for event in speaker.asked:
        if isinstance(event, VolumeRequested):
            assert 0 <= event.percent <= 80
        else:
            assert isinstance(event, VolumeStepped)
            assert -100 <= event.percent <= 100


def test_every_set_can_be_chosen() -> None:
    names = {name for each in get_args(kinds.Tools)[0].__args__ for name in get_args(each)}
    assert names == set(toolbox.SETS)
    functions = [function.__name__ for each in toolbox.SETS.values() for function in each]
    assert len(set(functions)) == len(functions)


def test_the_built_in_ones_are_made_once() -> None:
    """Each is a model of pydantic's, which takes long, and every reload asks for all of them."""
    first, again = Toolbox.of(toolbox.SETS), Toolbox.of(toolbox.SETS)
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_nothing_that_is_not_switched_on_is_declared_or_done() -> None:
    assert Toolbox.of([]).declarations() == ()
    answer = Toolbox.of([]).call(ToolCall("id", "set_volume", {"percent": 3}), FakeSpeaker())
    assert answer == {"error": "there is no tool 'set_volume'"}


class Muted:
    """A muted speaker that grants all it is asked, and what that comes to in a core."""

    unmuted_by = "the second button"
    highest_volume = 100
    now = datetime.fromtimestamp(0, UTC)
    timers: tuple[Pending, ...] = ()
    missed: tuple[Missed, ...] = ()

    def __init__(self) -> None:
        self.core = Core(Rules())
        self.core.handle(MuteRequested(on=True), 0.0)

    @property
    def status(self) -> Status:
        return self.core.status

    @property
    def volume(self) -> int | None:
        return 40

    def clock(self, seconds: float) -> float:
        return 1.0 + seconds

    def acts(self) -> None:
        """It is sent once only."""

    def ask(self, event: Event) -> str | None:
        orders = self.core.handle(event, 1.0)
        refusals = [order.reason for order in orders if isinstance(order, Refused)]
        return refusals[0] if refusals else None


ALL = Toolbox.of(toolbox.SETS, hands_free=True)
_ARGUMENTS = st.dictionaries(
    st.sampled_from(["percent", "by_percent", "on", "mute", "muted", "off"]) | st.text(),
    _JSON,
    max_size=3,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([each["name"] for each in ALL.declarations()]),
            st.just({}) | _ARGUMENTS,
        ),
        max_size=6,
    )
)
def test_no_tool_undoes_a_mute(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever is called, in whatever order, by whatever arguments."""
    speaker = Muted()
    for name, args in calls:
        ALL.call(ToolCall("id", name, args), speaker)
        assert speaker.status.muted


def test_only_one_tool_speaks_of_a_mute_and_it_takes_no_arguments() -> None:
    declared = ALL.declarations()
    named = {each["name"]: each for each in declared if "mute" in str(each).lower()}
    assert set(named) == {"mute_microphone"}
    assert named["mute_microphone"]["parameters"]["properties"] == {}
