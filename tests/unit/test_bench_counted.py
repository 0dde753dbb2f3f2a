"""The work whose instructions the bench counts: that it is done, and has an end."""

from __future__ import annotations

import pytest

from tests.bench.counted import WORK, Counter


@pytest.mark.parametrize("name", WORK)
def test_all_work_is_marked_before_between_and_behind(name: str) -> None:
    marks: list[str] = []
    counter = Counter(2, lambda: marks.append(name))
    WORK[name](counter)
    assert counter.done
    assert len(marks) == 3
