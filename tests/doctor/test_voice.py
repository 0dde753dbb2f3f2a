"""The check of the voice, with the very faults it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import voice
from tests.doctor.made_up import Machine, lines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def found(machine: Machine) -> list[str]:
    return lines(voice.check(machine.system()))


@pytest.mark.parametrize("place", ["usr/bin/espeak-ng", "usr/local/bin/espeak-ng"])
def test_one_that_speaks(machine: Machine, place: str) -> None:
    machine.write(place, "")
    assert found(machine) == [f"OK voice: failures are told in words, by /{place}"]


def test_the_program_is_missing(machine: Machine) -> None:
    what = "espeak-ng is not there: failures are not told in words"
    remedy = "sudo apt install espeak-ng && sudo systemctl restart speakerd"
    assert found(machine) == [f"WARN voice: {what} -> {remedy}"]


@pytest.mark.parametrize(
    "options", [{"SPEAKERD_PROMPTS": "false"}, {"SPEAKERD_EARCON_VOLUME": "0"}]
)
def test_where_it_is_not_wanted_there_is_nothing_to_say(
    machine: Machine, options: dict[str, str]
) -> None:
    machine.options |= options
    assert found(machine) == []
    machine.configured = False
    assert found(machine) == []
