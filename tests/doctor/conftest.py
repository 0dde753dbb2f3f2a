"""A machine for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doctor.healthy import Healthy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Healthy:
    env_file = tmp_path / "etc/speakerd/speakerd.env"
    monkeypatch.setattr("speakerd.config.sources.DEFAULT_ENV_FILE", env_file)
    return Healthy(tmp_path)
