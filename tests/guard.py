"""Fails a test that leaves something behind: an asyncio task or timer, a thread, a file descriptor.

A pytest plugin that conftest.py loads. What was there before the test may stay, so session-scoped
fixtures keep what they hold if the test names them as arguments (they are then made before the
guard looks). What is just finishing gets :data:`PATIENCE_S` to do so.

Tasks and timers are looked for at the end of async tests, in the loop of the test, after all
fixtures but the guard's have been taken down; the loop's own end would cancel them unseen.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PATIENCE_S = 2.0
_POLL_S = 0.01


@dataclass(frozen=True)
class _Held:
    """What this process holds: live threads, and open files as (descriptor, what it points to)."""

    threads: frozenset[threading.Thread]
    files: frozenset[tuple[int, str]]

    @classmethod
    def now(cls) -> _Held:
        return cls(frozenset(filter(_is_live, threading.enumerate())), frozenset(_open_files()))

    def left_since(self, before: _Held) -> list[str]:
        """One line each for what is here and was not there ``before``."""
        return [f"thread {thread!r}" for thread in self.threads - before.threads] + [
            f"file descriptor {number}: {target}"
            for number, target in sorted(self.files - before.files)
        ]


_BEFORE = pytest.StashKey[_Held]()


def _is_live(thread: threading.Thread) -> bool:
    # CPython 3.11 lists a thread that C code started, and that has called Python once, for ever.
    return Path(f"/proc/self/task/{thread.native_id}").exists()


def _open_files() -> Iterator[tuple[int, str]]:
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the names are all there is to it
        try:
            yield int(number), os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - not a path
        except FileNotFoundError:
            continue  # the descriptor that listed the directory


def _left_since(before: _Held) -> list[str]:
    left = _Held.now().left_since(before)
    if left:
        gc.collect()  # closes what only a reference cycle holds open, with a ResourceWarning
    deadline = time.monotonic() + PATIENCE_S
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = _Held.now().left_since(before)
    return left


async def _left_in_loop() -> list[str]:
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=PATIENCE_S)
    timers = [
        timer
        for timer in loop._scheduled  # type: ignore[attr-defined]  # no public list of them
        # asyncio's own belong to a task, and are found as such
        if not timer.cancelled() and not str(timer._callback.__module__).startswith("asyncio.")
    ]
    return [f"task {task!r}" for task in tasks] + [f"timer {timer!r}" for timer in timers]


def _fail_for(left: list[str]) -> None:
    if left:
        pytest.fail("the test left behind\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture
async def loop_guard() -> AsyncIterator[None]:
    """Watches the event loop of an async test."""
    yield
    _fail_for(await _left_in_loop())


@pytest.fixture(autouse=True)
def leak_guard(request: pytest.FixtureRequest) -> None:
    """Notes what the process holds, and watches the test's loop where it has one."""
    request.node.stash[_BEFORE] = _Held.now()
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("loop_guard")


@pytest.hookimpl(wrapper=True, trylast=True)  # within pytest's capture, which moves descriptors
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Looks when the last fixture is down: the event loop is one, and closes after the guard's."""
    yield
    if before := item.stash.get(_BEFORE, None):
        _fail_for(_left_since(before))
