"""What the model may do with the speaker itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.conversation.budget import Budget
from speakerd.conversation.events import ToolCall
from speakerd.conversation.status import Status
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from speakerd.conversation.events import Event
    from speakerd.tools.tool import Result

HELD = Status("thinking", "ready", "fresh", "gemini-a", 3, 0, (), None, (), volume=40)


@dataclass
class FakeSpeaker:
    """Notes what it is asked, and refuses it if it is to."""

    status: Status = HELD
    unmuted_by: str = "the second button"
    refusal: str | None = None
    volume: int | None = None
    highest_volume: int = 100
    asked: list[Event] = field(default_factory=list)

    def acts(self) -> None:
        raise NotImplementedError

    def ask(self, event: Event) -> str | None:
        self.asked.append(event)
        return self.refusal


def call(speaker: FakeSpeaker, name: str, **args: Any) -> Result:  # noqa: ANN401 - as the model
    answer = Toolbox.of(["speaker"]).call(ToolCall("id", name, args), speaker)
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
