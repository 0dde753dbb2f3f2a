"""The files that are made from the fields are as the fields are; python -m speakerd.config."""

from __future__ import annotations

from pathlib import Path

from speakerd.config import __main__, envfile, load
from speakerd.config.render import example_env_file, options_tables
from speakerd.config.settings import AREAS, VARIABLES, Settings
from speakerd.config.sources import LIBRARY_VARIABLES

ROOT = Path(__file__).parents[2]


def test_every_option_is_in_exactly_one_area() -> None:
    assert sorted(option for area in AREAS for option in area.options()) == sorted(
        Settings.model_fields
    )


def test_every_option_is_described_in_one_line() -> None:
    for option, field in Settings.model_fields.items():
        assert field.description, option
        assert "\n" not in field.description


def test_the_example_file_is_made_from_the_fields() -> None:
    made = (ROOT / "systemd/speakerd.env.example").read_text(encoding="utf-8")
    assert made == example_env_file()


def test_the_documented_tables_are_made_from_the_fields() -> None:
    assert options_tables() in (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def test_making_the_files_anew_changes_only_what_is_made(tmp_path: Path) -> None:
    (tmp_path / "systemd").mkdir()
    (tmp_path / "docs").mkdir()
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    (tmp_path / "docs/configuration.md").write_text(
        page.replace("`SPEAKERD_VOICE`", "`OUTDATED`"), encoding="utf-8"
    )
    __main__.main(tmp_path)
    assert (tmp_path / "docs/configuration.md").read_text(encoding="utf-8") == page
    assert (tmp_path / "systemd/speakerd.env.example").exists()


def test_the_example_with_everything_uncommented_is_the_defaults(tmp_path: Path) -> None:
    text = "\n".join(
        line.removeprefix("#") if line.startswith("#") and line[1:2].isupper() else line
        for line in example_env_file().splitlines()
    )
    assert set(envfile.parse(text)) == {*VARIABLES, *LIBRARY_VARIABLES}
    file = tmp_path / "speakerd.env"
    file.write_text(text, encoding="utf-8")
    loaded = load({"SPEAKERD_ENV_FILE": str(file), "GEMINI_API_KEY": "k"})
    assert loaded.warnings == ()
    assert loaded.settings.model_dump() == Settings(gemini_api_key="k").model_dump()
