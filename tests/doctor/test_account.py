"""Whose rights count, and what the modes of a device node mean for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor.account import Account, who_runs
from tests.doctor.made_up import INSTALLED, SERVICE_UID, Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.write(
        "etc/group",
        "root:x:0:\naudio:x:29:mpd\ngpio:x:997:\nspeakerd:x:64321:\n"
        "plugdev:x:46:pi,speakerd\nbroken line\nodd:x:no number:speakerd\n",
    )
    return machine


def test_the_units_user_has_its_own_groups_and_the_units(machine: Machine) -> None:
    account = who_runs(machine.system())
    assert account == Account(
        "speakerd", SERVICE_UID, frozenset((29, 997, 64321, 46)), service=True
    )


def test_a_unit_without_a_user_is_roots(machine: Machine) -> None:
    machine.run.outputs = {"systemctl show": "LoadState=loaded\nUser=\nSupplementaryGroups="}
    assert who_runs(machine.system()).uid == 0


def test_a_unit_with_a_user_who_is_not_there(machine: Machine) -> None:
    machine.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    account = who_runs(machine.system())
    assert (account.name, account.uid) == ("speakerd", -1)


@pytest.mark.parametrize("said", ["", "LoadState=not-found\nUser=\nSupplementaryGroups="])
def test_without_a_unit_it_is_this_process(machine: Machine, said: str) -> None:
    machine.run.outputs = {"systemctl show": said}
    machine.write("etc/passwd", f"somebody:x:{os.geteuid()}:1::/:\n")
    account = who_runs(machine.system())
    assert (account.name, account.uid, account.service) == ("somebody", os.geteuid(), False)
    assert os.getegid() in account.gids
    (machine.root / "etc/passwd").unlink()
    assert who_runs(machine.system()).name == str(os.geteuid())


@pytest.mark.parametrize(
    ("uid", "mode", "may"),
    [
        (0, 0o000, True),
        (7, 0o600, True),  # the owner
        (7, 0o066, False),  # and what the others may is not the owner's
        (8, 0o060, True),  # a member of the group
        (8, 0o606, False),
        (8, 0o640, False),  # reading alone will not do
        (9, 0o006, True),  # anybody else
        (9, 0o660, False),
    ],
)
def test_the_modes_of_a_node(uid: int, mode: int, may: bool) -> None:
    gids = frozenset((29,)) if uid == 8 else frozenset[int]()
    node = os.stat_result((0o20000 | mode, 1, 1, 1, 7, 29, 0, 0, 0, 0))
    assert Account("somebody", uid, gids, service=True).may_use(node) is may


def test_how_to_join_a_group() -> None:
    service = Account("speakerd", 1, frozenset(), service=True)
    person = Account("pi", 1, frozenset(), service=False)
    assert service.join("audio") == (
        "sudo adduser speakerd audio && sudo systemctl restart speakerd.service"
    )
    assert person.join("audio") == "sudo adduser pi audio, then log in again"
