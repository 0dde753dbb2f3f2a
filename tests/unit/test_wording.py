"""What people read."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from speakerd.config.settings import VARIABLES
from speakerd.conversation.core import Core
from speakerd.conversation.effects import Notice
from speakerd.conversation.events import Device
from speakerd.service.wording import missing_line, notice_line, status_line


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


@pytest.mark.parametrize("device", [Device.MICROPHONE, Device.SPEAKER])
def test_a_missing_device_names_an_option_that_exists(device: Device) -> None:
    option = re.search(r"SPEAKERD_\w+", missing_line(device, "no such device"))
    assert option is not None
    assert option[0] in VARIABLES
