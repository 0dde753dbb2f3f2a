"""What the light shows of a status, worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.core import Core
from speakerd.conversation.events import Device, DeviceReady
from speakerd.conversation.light import Light, light_of
from speakerd.conversation.link import LinkState
from speakerd.errors import Failure, FailureKind
from tests.unit.story import NETWORK, Story

if TYPE_CHECKING:
    from speakerd.conversation.status import Status

IDLE = replace(Core().status, state="idle")


def troubled(kind: FailureKind, **more: object) -> Status:
    return replace(IDLE, trouble=Failure(kind, "because"), **more)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("status", "light"),
    [
        (IDLE, Light.IDLE),
        (replace(IDLE, state="listening"), Light.LISTENING),
        (replace(IDLE, state="thinking"), Light.THINKING),
        (replace(IDLE, state="speaking"), Light.SPEAKING),
        (replace(IDLE, state="speaking", muted=True), Light.SPEAKING),
        (replace(IDLE, state="error"), Light.ERROR),
        (replace(IDLE, state="error", muted=True), Light.MUTED),
        (replace(IDLE, muted=True), Light.MUTED),
        (troubled(FailureKind.NETWORK, muted=True), Light.MUTED),
        (troubled(FailureKind.NETWORK), Light.OFFLINE),
        (troubled(FailureKind.TIMEOUT), Light.OFFLINE),
        (troubled(FailureKind.SERVER), Light.OFFLINE),
        (troubled(FailureKind.NETWORK, state="thinking"), Light.THINKING),
        (troubled(FailureKind.QUOTA), Light.ERROR),
        (troubled(FailureKind.KEY), Light.ERROR),
        (troubled(FailureKind.IDLE), Light.IDLE),
    ],
)
def test_what_it_shows(status: Status, light: Light) -> None:
    assert light_of(status) is light


def test_every_kind_of_trouble_has_a_light() -> None:
    shown = {kind: light_of(troubled(kind)) for kind in FailureKind}
    offline = {
        FailureKind.NETWORK,
        FailureKind.TIMEOUT,
        FailureKind.SERVER,
        FailureKind.TOKEN,
    }
    assert {kind for kind, light in shown.items() if light is Light.OFFLINE} == offline
    assert {kind for kind, light in shown.items() if light is Light.IDLE} == {FailureKind.IDLE}
    assert set(shown.values()) == {Light.OFFLINE, Light.IDLE, Light.ERROR}


def test_a_connection_that_nobody_needs_is_not_missed() -> None:
    story = Story()
    for device in Device:
        story.tell(DeviceReady(device))
    story.connected()
    story.answer(story.ask())
    story.wait(5.0)
    story.close(NETWORK)
    story.wait(3600.0)
    assert story.is_in(LinkState.DOWN)
    assert light_of(story.core.status) is Light.IDLE
