"""Python and the packages: each fault is planted in front of what is really installed."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.doctor.healthy import Healthy

AGAIN = "install speakerd anew: sudo make install, or sudo apt install --reinstall speakerd"


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Python looks first."""
    path = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(path)
    return path


def install(site: Path, name: str, version: str, *, requires: str = "") -> None:
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    (info / "METADATA").write_text(text)


def test_what_the_tests_run_with_is_all_right(machine: Healthy) -> None:
    python, found = machine.found_by(packages.check)
    assert python.startswith("OK python: Python 3.")
    assert f"google-genai {metadata.version('google-genai')}, " in found


def test_an_old_python(machine: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert machine.faults_by(packages.check) == [
        (
            "FAIL python: Python 3.9.2 is too old: 3.11 is the oldest that will do"
            f" -> upgrade to Debian 12 or newer, then {AGAIN}"
        )
    ]


def test_the_oldest_python_is_the_one_that_is_required() -> None:
    oldest = ".".join(map(str, packages.OLDEST_PYTHON))
    assert metadata.metadata("speakerd")["Requires-Python"] == f">={oldest}"


def test_a_package_that_is_too_old(machine: Healthy, site: Path) -> None:
    install(site, "google-genai", "2.9.1")
    assert machine.faults_by(packages.check) == [
        f"FAIL packages: google-genai is 2.9.1, but <4,>=3.3 is needed -> {AGAIN}"
    ]


def test_a_package_that_is_missing(machine: Healthy, site: Path) -> None:
    install(site, "speakerd", "0.1.0", requires="no-such-thing>=1")
    assert machine.faults_by(packages.check) == [
        f"FAIL packages: no-such-thing is not installed -> {AGAIN}"
    ]


def test_an_extra_is_not_required(machine: Healthy, site: Path) -> None:
    install(site, "speakerd", "0.1.0", requires='no-such-thing>=1; extra == "dev"')
    assert machine.faults_by(packages.check) == []


@pytest.mark.parametrize(
    ("package", "module", "reason", "remedy"),
    [
        (
            "pyalsaaudio",
            "alsaaudio",
            "libasound.so.2: cannot open shared object file",
            "sudo apt install libasound2",
        ),
        (
            "systemd-python",
            "systemd",
            "libsystemd.so.0: cannot open shared object file",
            "sudo apt install libsystemd0",
        ),
        ("gpiozero", "gpiozero", "No module named 'colorzero'", AGAIN),
    ],
)
def test_a_package_that_cannot_be_imported(
    machine: Healthy,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    module: str,
    reason: str,
    remedy: str,
) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    (site / f"{module}.py").write_text(f"raise ImportError({reason!r})")
    assert machine.faults_by(packages.check) == [
        f"FAIL packages: {package} cannot be imported: ImportError: {reason} -> {remedy}"
    ]


def test_an_lgpio_that_is_an_empty_shell_is_told_with_the_button(
    machine: Healthy, site: Path
) -> None:
    install(site, "lgpio", "0.0.0.2")
    assert machine.faults_by(packages.check) == []


def test_an_lgpio_without_its_library(
    machine: Healthy, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "lgpio", "0.2.2.0")
    monkeypatch.delitem(sys.modules, "_lgpio", raising=False)
    (site / "_lgpio.py").write_text("raise ImportError('liblgpio.so.1: cannot open')")
    assert machine.faults_by(packages.check) == [
        (
            "FAIL packages: lgpio cannot be imported: ImportError: liblgpio.so.1: cannot open"
            f" -> {AGAIN}"
        )
    ]


def test_a_speakerd_that_is_not_installed(
    machine: Healthy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert machine.faults_by(packages.check) == [
        f"WARN packages: speakerd runs from a directory that it is not installed in -> {AGAIN}"
    ]


@pytest.mark.parametrize(
    ("version", "ranges", "fits"),
    [
        ("3.3", "<4,>=3.3", True),
        ("3.3.0", ">=3.3", True),
        ("3.10.1", ">=3.9", True),
        ("4.0.0", "<4,>=3.3", False),
        ("4", "<4", False),
        ("3.2.9", ">=3.3", False),
        ("2.0.1.post3", ">=2.0.1", True),
        ("235", ">=235", True),
        ("1.0", "", True),
    ],
)
def test_versions(version: str, ranges: str, fits: bool) -> None:
    assert packages.fits(version, ranges) is fits


def test_a_range_of_another_form_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="not understood: ~=3"):
        packages.fits("3.1", "~=3.1")
