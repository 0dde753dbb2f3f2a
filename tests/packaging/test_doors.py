"""A door in the sandbox is open while the env file says so, whoever installs, upgrades, removes."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.doors import CAMERA, DOORS, KEYPAD, Door, configure
from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from tests.packaging.stubs import Machine

BOTH = "\n".join(each.line for each in DOORS)


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def door(request: pytest.FixtureRequest) -> Door:
    return request.param  # type: ignore[no-any-return]


def test_it_is_open_while_the_env_file_says_so(machine: Machine, door: Door) -> None:
    configure(machine, door.line)
    assert door.applied(machine) == f"/{door.dropin}: {door.told}\n"
    assert door.leads_to(machine) == door.target
    assert "sudo systemctl restart speakerd" in door.applied(machine)
    configure(machine, door.line.partition("=")[0] + "=")
    assert door.applied(machine) == f"/{door.dropin}: {door.told_closed}\n"
    assert not (machine.root / door.dropin).parent.exists()
    assert door.applied(machine) == ""


def test_what_somebody_else_has_put_there_stays(machine: Machine, door: Door) -> None:
    path = machine.root / door.dropin
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\n", encoding="utf-8")
    configure(machine, door.line)
    assert "is not speakerd's" in door.applied(machine)
    configure(machine, "")
    door.applied(machine)
    assert machine.text(door.dropin) == "[Service]\n"


def test_other_drop_ins_stay(machine: Machine, door: Door) -> None:
    configure(machine, door.line)
    door.applied(machine)
    mine = (machine.root / door.dropin).with_name("override.conf")
    mine.touch()
    configure(machine, "")
    door.applied(machine)
    assert mine.exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SPEAKERD_KEYPAD=' '", False),
        ("\ufeffSPEAKERD_KEYPAD=pedal", True),  # as some editors begin a file
        ("SPEAKERD_KEYPAD=one\nSPEAKERD_KEYPAD=", False),
    ],
)
def test_the_file_is_read_as_the_daemon_reads_it(machine: Machine, text: str, wanted: bool) -> None:
    configure(machine, text)
    KEYPAD.applied(machine)
    assert bool(KEYPAD.leads_to(machine)) is wanted


def test_what_is_wrong_with_the_file_is_one_line(machine: Machine, door: Door) -> None:
    missing = "speakerd: there is no /etc/speakerd/speakerd.env: install speakerd first\n"
    assert door.refused(machine, "--apply") == missing
    configure(machine, "nonsense")
    told = door.refused(machine, "--apply")
    assert told.startswith("speakerd: ")
    assert "speakerd.env:1: " in told


# --- make install, make uninstall, and the Debian package


def test_make_install_does_it_and_starts_the_service_anew(machine: Machine) -> None:
    machine.install()
    assert [door.leads_to(machine) for door in DOORS] == ["", ""]
    configure(machine, BOTH)
    said = machine.install()
    for door in DOORS:
        assert door.told in said
        assert door.leads_to(machine) == door.target
        assert (machine.root / door.target.lstrip("/")).exists()
    assert machine.called("systemctl restart speakerd")
    machine.install()
    assert not machine.called("systemctl restart speakerd")


def test_a_bad_file_does_not_keep_it_from_being_installed(machine: Machine) -> None:
    machine.install()
    configure(machine, "nonsense")
    done = machine.run("install.sh")
    assert done.returncode == 0
    assert "speakerd.env:1: " in done.stderr


def test_a_release_that_knows_nothing_of_it_leaves_no_link(machine: Machine) -> None:
    configure(machine, BOTH)
    machine.install()
    environment = CHECKOUT / "systemd/environment.sh"
    (machine.checkout / "systemd/environment.sh").write_text(
        environment.read_text("utf-8").replace("board keypad camera", "board keypad"),
        encoding="utf-8",
    )
    machine.install()
    assert CAMERA.leads_to(machine) == ""
    assert KEYPAD.leads_to(machine) == KEYPAD.target


def test_uninstalling_takes_them_away(machine: Machine) -> None:
    configure(machine, BOTH)
    machine.install()
    done = machine.run("uninstall.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (machine.root / CAMERA.dropin).parent.exists()
    for door in DOORS:
        assert not (machine.root / f"usr/local/bin/speakerd-{door.name}").is_symlink()


@pytest.mark.parametrize("ours", [True, False])
def test_removing_the_package_takes_its_own_away(machine: Machine, door: Door, ours: bool) -> None:
    link = machine.root / door.dropin
    link.parent.mkdir(parents=True)
    link.symlink_to(door.target if ours else "/etc/mine.conf")
    script = (CHECKOUT / "systemd/deb/postrm").read_text(encoding="utf-8")
    function = re.search(r"^close_doors\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    assert script.count("close_doors") == 2  # it is called, too
    subprocess.run(
        ["sh", "-euc", f"{function[0]}\nclose_doors"],
        check=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(machine.root)},
    )
    assert link.is_symlink() is not ours
