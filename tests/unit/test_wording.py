"""What people read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakerd.conversation.core import Core
from speakerd.conversation.effects import Notice
from speakerd.service.wording import notice_line, status_line


@pytest.mark.parametrize("notice", list(Notice))
def test_every_notice_has_one_line(notice: Notice) -> None:
    line = notice_line(notice)
    assert line
    assert "\n" not in line


def test_the_status_says_what_is_missing() -> None:
    status = replace(
        Core().status,
        devices=(("microphone", "ready"), ("speaker", "unplugged"), ("button", "starting")),
    )
    assert status_line(status) == "idle, link down, speaker missing"
