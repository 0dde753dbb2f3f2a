"""What the light shows of a status, worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.core import Core
from speakerd.conversation.light import Light, light_of
from speakerd.errors import Failure, FailureKind

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
        (replace(IDLE, state="error", muted=True), Light.ERROR),
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


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_of_trouble_has_a_light(kind: FailureKind) -> None:
    assert light_of(troubled(kind)) in {Light.OFFLINE, Light.ERROR, Light.IDLE}
