"""``python -m speakerd.config``, in a checkout: makes the files that are made from the fields."""

from __future__ import annotations

from pathlib import Path

from speakerd.config.render import example_env_file, with_options_tables


def main(root: Path) -> None:
    """Write the example env file and the tables of the documentation below ``root``."""
    (root / "systemd/speakerd.env.example").write_text(example_env_file(), encoding="utf-8")
    page = root / "docs/configuration.md"
    page.write_text(with_options_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parents[2])
