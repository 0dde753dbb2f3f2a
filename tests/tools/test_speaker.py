"""What the model may do with the speaker itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.conversation.budget import Budget
from speakerd.conversation.events import (
    ForgetRequested,
    LeaveRequested,
    RepeatRequested,
    ToolCall,
)
from speakerd.conversation.status import Status
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from speakerd.conversation.events import Event
    from speakerd.conversation.timer import Missed, Pending
    from speakerd.tools.tool import Result

HELD = Status("thinking", "ready", "fresh", "gemini-a", 3, 0, (), None, (), volume=40)

NOW = datetime.fromtimestamp(0, UTC)


@dataclass
class FakeSpeaker:
    """Notes what it is asked, and refuses it if it is to."""

    status: Status = HELD
    unmuted_by: str = "the second button"
    refusal: str | None = None
    volume: int | None = None
    highest_volume: int = 100
    now: datetime = NOW
    timers: tuple[Pending, ...] = ()
    missed: tuple[Missed, ...] = ()
    asked: list[Event] = field(default_factory=list)

    def clock(self, seconds: float) -> float:
        raise NotImplementedError

    def acts(self) -> None:
        raise NotImplementedError

    def ask(self, event: Event) -> str | None:
        self.asked.append(event)
        return self.refusal


def call(speaker: FakeSpeaker, name: str, **args: Any) -> Result:  # noqa: ANN401 - as the model
    answer = Toolbox.of(["speaker"], hands_free=True).call(ToolCall("id", name, args), speaker)
    assert isinstance(answer, Mapping)
    return answer


# --- its state


def test_how_it_is_can_be_asked() -> None:
    speaker = FakeSpeaker()
    assert call(speaker, "get_speaker_state") == {
        "microphone": "on",
        "volume_percent": 40,
        "listens": "to who holds the button",
        "model": "gemini-a",
    }
    assert speaker.asked == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"muted": True}, {"microphone": "off"}),
        ({"volume": None}, {"volume_percent": "not known"}),
        ({"volume": 0}, {"volume_percent": 0}),
        ({"tapped": True}, {"listens": "to who taps the button"}),
        (
            {"conversing": True},
            {"listens": "by itself, until a tap of the button or silence ends the conversation"},
        ),
        ({"budget": Budget.NEAR}, {"budget": "most of what today may cost is spent"}),
    ],
)
def test_it_is_told_as_it_is(changes: dict[str, Any], told: dict[str, object]) -> None:
    answer = call(FakeSpeaker(replace(HELD, **changes)), "get_speaker_state")
    assert answer.items() >= told.items()


# --- the mute


def test_it_is_muted_and_told_what_undoes_it() -> None:
    speaker = FakeSpeaker()
    answer = call(speaker, "mute_microphone")
    assert speaker.asked == [LeaveRequested(mute=True)]
    assert "the second button" in str(answer["say"])


def test_what_no_button_would_undo_is_not_done() -> None:
    speaker = FakeSpeaker(unmuted_by="")
    assert "no button" in str(call(speaker, "mute_microphone")["error"])
    assert speaker.asked == []


def test_what_is_off_stays_off() -> None:
    speaker = FakeSpeaker(replace(HELD, muted=True))
    assert call(speaker, "mute_microphone") == {"microphone": "off already"}
    assert speaker.asked == []


def test_a_mute_that_is_refused_is_told() -> None:
    assert call(FakeSpeaker(refusal="no"), "mute_microphone") == {"error": "no"}


@pytest.mark.parametrize(
    "args", [{"on": False}, {"mute": False}, {"off": "no"}, {"undo": True}, {"microphone": "on"}]
)
def test_no_argument_makes_it_anything_but_a_mute(args: dict[str, Any]) -> None:
    speaker = FakeSpeaker()
    assert set(call(speaker, "mute_microphone", **args)) == {"error"}
    assert speaker.asked == []


# --- the end of a conversation


def test_a_conversation_is_ended() -> None:
    speaker = FakeSpeaker(replace(HELD, conversing=True))
    assert call(speaker, "end_conversation")["conversation"] == "over after your answer"
    assert speaker.asked == [LeaveRequested()]


def test_what_is_no_conversation_is_not_ended() -> None:
    speaker = FakeSpeaker(refusal="no conversation is open")
    assert call(speaker, "end_conversation") == {"error": "no conversation is open"}


def test_where_a_button_is_held_there_is_nothing_to_end() -> None:
    names = [[tool.name for tool in Toolbox.of(["speaker"], hands_free=it)] for it in (False, True)]
    assert set(names[1]) - set(names[0]) == {"end_conversation"}


# --- forgetting


@pytest.mark.parametrize("conversing", [False, True])
def test_a_conversation_is_forgotten_and_one_that_is_open_is_over_for_that(
    conversing: bool,
) -> None:
    speaker = FakeSpeaker(replace(HELD, conversing=conversing))
    assert "forgotten" in str(call(speaker, "forget_conversation")["conversation"])
    assert speaker.asked == [*([LeaveRequested()] if conversing else []), ForgetRequested()]


def test_what_is_not_forgotten_is_told() -> None:
    assert call(FakeSpeaker(refusal="no"), "forget_conversation") == {"error": "no"}


# --- the last answer again


def test_the_last_answer_is_asked_for() -> None:
    speaker = FakeSpeaker()
    assert "again" in str(call(speaker, "repeat_last_answer")["last_answer"])
    assert speaker.asked == [RepeatRequested()]


def test_what_is_not_there_is_said_by_the_model() -> None:
    answer = call(FakeSpeaker(refusal="there is none"), "repeat_last_answer")
    assert answer == {"error": "there is none; say it again yourself, if you know what it was"}
