"""A machine to install on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.stubs import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One for each test."""
    return Machine(tmp_path)
