"""Which library leads to the pins, on machines that have one, another, or an empty one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from speakerd.panel.libraries import library

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place with libraries for pins."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def install(site: Path, module: str, project: str, version: str) -> None:
    (site / f"{module}.py").touch()
    directory = site / f"{project}-{version}.dist-info"
    directory.mkdir()
    (directory / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    )


def test_there_is_none(site: Path) -> None:
    assert site.is_dir()
    assert [library(name) for name in ("", "lgpio", "rpigpio", "pigpio")] == ["", "", "", ""]


def test_the_first_that_is_there_is_taken(site: Path) -> None:
    install(site, "pigpio", "pigpio", "1.78")
    assert library("") == "pigpio 1.78"
    install(site, "lgpio", "lgpio", "0.2.2.0")
    assert library("") == "lgpio 0.2.2.0"
    assert library("pigpio") == "pigpio 1.78"
    assert library("rpigpio") == ""


def test_the_empty_one_is_none(site: Path) -> None:
    """pip takes it where there is no wheel of the real one and nothing may be built."""
    install(site, "lgpio", "lgpio", "0.0.0.2")
    assert library("") == ""
    install(site, "RPi", "RPi.GPIO", "0.7.1")
    assert library("") == "rpigpio 0.7.1"


def test_a_library_without_a_version_is_one(site: Path) -> None:
    (site / "lgpio.py").touch()
    assert library("") == "lgpio"


def test_what_gpiozero_brings_itself_is_there() -> None:
    assert library("native") == "native"
