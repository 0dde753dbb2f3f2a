"""What the options tell the model in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.config.instruction import doubts, instruction, time_zone
from speakerd.config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def settings(**options: object) -> Settings:
    return Settings.model_validate({"gemini_api_key": "k", **options})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ""),
        ({"system_instruction": "Be brief."}, "Be brief."),
        ({"language": "de-DE"}, "Answer in the language with the BCP-47 code de-DE."),
        (
            {"system_instruction": "Be brief.", "language": "de"},
            "Be brief.\nAnswer in the language with the BCP-47 code de.",
        ),
        (
            {"language": "de, en-GB"},
            (
                "People here speak the languages with the BCP-47 codes de, en-GB: answer in the "
                "one that you are spoken to in, and in doubt in the first of them."
            ),
        ),
        (
            {
                "system_instruction": "In {place} ({time_zone}) live {names}.",
                "place": "Bonn",
                "names": "Ada, Alan",
            },
            "In Bonn (Europe/Berlin) live Ada, Alan.",
        ),
        (
            {"system_instruction": 'Say {plaice} and {"json": {}}.', "place": "Bonn"},
            'Say {plaice} and {"json": {}}.',
        ),
    ],
)
def test_it_has_what_is_set(options: dict[str, object], told: str) -> None:
    assert instruction(settings(**options), "Europe/Berlin") == told


def test_the_file_comes_after_the_text(tmp_path: Path) -> None:
    file = tmp_path / "instruction.txt"
    file.write_text("\ufeffYou live in {place}.\nBe kind.\n\n", encoding="utf-8")
    chosen = settings(
        system_instruction="Be brief.", system_instruction_file=str(file), place="Bonn"
    )
    assert instruction(chosen, "UTC") == "Be brief.\nYou live in Bonn.\nBe kind."


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"system_instruction": "{time_zone}"}, []),
        ({"system_instruction": "{place}", "place": "Bonn"}, []),
        (
            {"system_instruction": "{plaice} {xyzzy}"},
            [
                (
                    "the system instruction has {plaice}, which is no placeholder; "
                    "did you mean {place}?"
                ),
                "the system instruction has {xyzzy}, which is no placeholder",
            ],
        ),
        (
            {"system_instruction": "{Place} {time-zone}"},
            [
                f"the system instruction has {{{name}}}, which is no placeholder; "
                f"did you mean {{{meant}}}?"
                for name, meant in (("Place", "place"), ("time-zone", "time_zone"))
            ],
        ),
        (
            {"system_instruction": "{place}"},
            ["the system instruction has {place}, and SPEAKERD_PLACE is not set"],
        ),
        (
            {"names": "Ada"},
            ["SPEAKERD_NAMES does nothing without {names} in the system instruction"],
        ),
    ],
)
def test_what_is_odd_about_it_is_told(options: dict[str, object], lines: list[str]) -> None:
    assert list(doubts(settings(**options))) == lines


def test_the_time_zone_is_the_machines(tmp_path: Path) -> None:
    assert time_zone(tmp_path) == "UTC"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert time_zone(tmp_path) == "Europe/Berlin"
    assert time_zone(tmp_path, ":Asia/Tokyo") == "Asia/Tokyo"


def test_a_time_that_is_nobodys_zone_is_utc(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/etc/some-file")
    assert time_zone(tmp_path) == "UTC"
