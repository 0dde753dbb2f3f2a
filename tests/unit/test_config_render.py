"""The files that are made from the fields are as the fields are; python -m speakerd.config."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakerd.config import __main__, envfile, load
from speakerd.config.changes import compare
from speakerd.config.render import example_env_file, in_effect, options_tables
from speakerd.config.settings import AREAS, VARIABLES, Settings
from speakerd.config.sources import LIBRARY_VARIABLES, variable_of
from tests.unit.test_daemon_settings import CHOSEN

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


def test_what_is_shown_can_be_written_like_that() -> None:
    chosen = {variable_of(option): str(value) for option, value in CHOSEN.items()}
    del chosen["SPEAKERD_TOKEN_URL"]  # which does not go with a command
    loaded = load({"SPEAKERD_ENV_FILE": "/dev/null", **chosen})
    shown = {name: text for name, origin, text in in_effect(loaded) if origin == "environment"}
    assert set(shown) == set(chosen)
    assert load({"SPEAKERD_ENV_FILE": "/dev/null", **shown}).settings.model_dump() == (
        loaded.settings.model_dump()
    )


@pytest.mark.parametrize(
    ("variable", "written", "shown"),
    [
        (
            "SPEAKERD_SAFETY",
            "Hate_Speech = none,harassment=only-high",
            "hate-speech=none,harassment=only-high",
        ),
        ("SPEAKERD_TOOLS", "none", "none"),
        ("SPEAKERD_NAMES", "Ada,Alan\nTuring", r"'Ada,Alan\nTuring'"),
        ("SPEAKERD_PLACE", "\x1b[31mthe kitchen", r"'\x1b[31mthe kitchen'"),
    ],
)
def test_it_is_shown_on_one_line_as_it_is_read(variable: str, written: str, shown: str) -> None:
    environ = {"SPEAKERD_ENV_FILE": "/dev/null", "GEMINI_API_KEY": "k"}
    old, new = load(environ), load({**environ, variable: written})
    assert (variable, "environment", shown) in in_effect(new)
    before = next(text for name, _, text in in_effect(old) if name == variable)
    assert compare(old, new).lines == (f"{variable}: {before} -> {shown}",)
