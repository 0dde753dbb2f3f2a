"""The check of the keypad, with the very faults it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import keypad
from tests.doctor.made_up import INSTALLED, Daemon, Machine, lines
from tests.fakes.inputs import FakePorts
from tests.packaging.doors import KEYPAD

if TYPE_CHECKING:
    from pathlib import Path

APPLY = "sudo speakerd-keypad --apply && sudo systemctl restart speakerd.service"
THERE = "OK keypad: footswitch is /dev/input/event0"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One with an installed speaker and a foot switch that it may use."""
    machine = Machine(tmp_path)
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.options["SPEAKERD_KEYPAD"] = "footswitch"
    FakePorts(tmp_path).add("PCsensor FootSwitch")
    (tmp_path / KEYPAD.dropin).parent.mkdir(parents=True)
    (tmp_path / KEYPAD.dropin).symlink_to(KEYPAD.target)
    machine.daemon = Daemon()
    machine.daemon.status["parts"] = {"keypad": "ready"}
    return machine


def found(machine: Machine) -> list[str]:
    return lines(keypad.check(machine.system()))


def test_one_that_works(machine: Machine) -> None:
    assert found(machine) == [THERE, "OK keypad: the daemon listens to it"]


def test_without_one_there_is_nothing_to_say(machine: Machine) -> None:
    machine.options.clear()
    assert found(machine) == []
    machine.configured = False
    assert found(machine) == []


def test_the_drop_in_is_missing(machine: Machine) -> None:
    (machine.root / KEYPAD.dropin).unlink()
    what = f"the service may not read input devices: /{KEYPAD.dropin} is missing"
    assert found(machine) == [THERE, f"FAIL keypad: {what} -> {APPLY}"]


def test_where_no_service_is_installed_it_is_for_who_runs_it(machine: Machine) -> None:
    machine.run.outputs.clear()
    machine.daemon = None
    (machine.root / KEYPAD.dropin).unlink()
    (words,) = found(machine)[1:]
    assert words.startswith("OK keypad: user ")
    assert words.endswith(" may use it")


def test_it_is_not_plugged_in(machine: Machine) -> None:
    machine.options["SPEAKERD_KEYPAD"] = "pedal"
    assert machine.daemon is not None
    machine.daemon.status["parts"] = {"keypad": "pedal: no input device is called so; plug it in"}
    assert found(machine) == [
        (
            "WARN keypad: no input device is pedal"
            " -> plug it in; or set SPEAKERD_KEYPAD to a part of a name that speakerd-keypad lists"
        ),
        "WARN keypad: the daemon has none: pedal: no input device is called so -> plug it in",
    ]


def test_a_key_that_is_none(machine: Machine) -> None:
    machine.options["SPEAKERD_KEYPAD_KEYS"] = "B=talk,SPAECBAR=stop"
    assert found(machine)[1] == (
        "FAIL keypad: SPEAKERD_KEYPAD_KEYS: no key is called SPAECBAR"
        " -> speakerd-keypad --watch tells what yours are called"
    )


def test_a_daemon_that_says_nothing_more(machine: Machine) -> None:
    assert machine.daemon is not None
    machine.daemon.gone = True
    assert found(machine)[1].startswith("WARN keypad: the daemon has said nothing for 5 s")
