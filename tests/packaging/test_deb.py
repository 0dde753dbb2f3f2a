"""The Debian package, without a Python environment in it: lifecycle.sh tries a real one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.packaging.stubs import CHECKOUT, Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")

VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    machine = Machine(tmp_path_factory.mktemp("deb"))
    done = machine.run("deb.sh")
    assert done.returncode == 0, done.stderr
    assert machine.called("lintian --allow-root --fail-on error")
    return machine.checkout / f"dist/speakerd_{VERSION}_arm64.deb"


def field(package: Path, name: str) -> str:
    return subprocess.check_output(["dpkg-deb", "-f", str(package), name], text=True).strip()


def members(package: Path) -> dict[str, tuple[str, str]]:
    """Mode and owner of each file."""
    listing = subprocess.check_output(["dpkg-deb", "-c", str(package)], text=True)
    rows = (line.split(None, 5) for line in listing.splitlines())
    return {row[5].split(" -> ")[0]: (row[0], row[1]) for row in rows}


def control(package: Path, name: str) -> str:
    return subprocess.check_output(["dpkg-deb", "-I", str(package), name], text=True)


def test_what_it_is_and_what_it_needs(package: Path) -> None:
    assert field(package, "Package") == "speakerd"
    assert field(package, "Version") == VERSION
    assert field(package, "Architecture") == "arm64"
    assert int(field(package, "Installed-Size")) > 0
    assert re.search(r"^python3\.\d+, libasound2 \(", field(package, "Depends"))
    assert not re.search(r"@[A-Z]+@", control(package, "control"))


def test_where_its_files_are_and_whose(package: Path) -> None:
    files = members(package)
    for path in (
        "./opt/speakerd/bin/speakerd",
        "./opt/speakerd/bin/speakerd-board",
        "./opt/speakerd/bin/speakerd-keypad",
        "./opt/speakerd/bin/speakerd-camera",
        "./opt/speakerd/share/speakerd/speakerd-camera.conf",
        "./opt/speakerd/share/speakerd/speakerd-mcp.conf",
        "./opt/speakerd/share/speakerd/boards/usb-sound-card.toml",
        "./usr/bin/speakerd",
        "./usr/bin/speakerd-board",
        "./usr/bin/speakerd-keypad",
        "./usr/bin/speakerd-camera",
        "./usr/lib/systemd/system/speakerd.service",
        "./usr/lib/sysusers.d/speakerd.conf",
        "./usr/lib/udev/rules.d/60-speakerd.rules",
        "./etc/speakerd/speakerd.env.example",
        "./usr/share/doc/speakerd/copyright",
        "./usr/share/doc/speakerd/changelog.gz",
    ):
        assert path in files
    assert {owner for _, owner in files.values()} == {"root/root"}
    assert all(mode[5] != "w" and mode[8] != "w" for mode, _ in files.values() if mode[0] != "l")
    assert files["./opt/speakerd/bin/speakerd"][0] == "-rwxr-xr-x"


def test_it_runs_from_where_the_unit_says(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", str(package), str(tmp_path / "x")], check=True)
    program = (tmp_path / "x/opt/speakerd/bin/speakerd").read_text(encoding="utf-8")
    assert program.startswith("#!/opt/speakerd/bin/python -I\n")
    program = (tmp_path / "x/opt/speakerd/bin/speakerd-board").read_text(encoding="utf-8")
    assert program.startswith("#!/opt/speakerd/bin/python -I\n")
    unit = (tmp_path / "x/usr/lib/systemd/system/speakerd.service").read_bytes()
    assert unit == (CHECKOUT / "systemd/speakerd.service").read_bytes()
    assert b"ExecStart=/opt/speakerd/bin/speakerd " in unit


def test_dpkg_never_asks_about_the_configuration(package: Path) -> None:
    # the example may change with any version; what a person edits is not dpkg's
    assert control(package, "conffiles").split() == ["/etc/speakerd/speakerd.env.example"]
    assert "./etc/speakerd/speakerd.env" not in members(package)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_maintainers_scripts_are_in_it_and_are_shell(name: str, package: Path) -> None:
    script = control(package, name)
    assert script == (CHECKOUT / "systemd/deb" / name).read_text(encoding="utf-8")
    assert script.startswith("#!/bin/sh\nset -e\n")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_every_override_of_lintian_has_its_reason() -> None:
    reason = False
    for line in (CHECKOUT / "systemd/deb/speakerd.lintian-overrides").read_text().splitlines():
        assert line.startswith(("# ", "speakerd: "))
        reason = reason or line.startswith("# ")
        assert reason, line
