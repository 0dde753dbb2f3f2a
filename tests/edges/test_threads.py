"""The loop's executor."""

from __future__ import annotations

import asyncio
import threading

import pytest

from speakerd.service.threads import DaemonThreads


async def test_a_call_runs_aside_and_its_result_comes_back() -> None:
    loop = asyncio.get_running_loop()
    names = await loop.run_in_executor(DaemonThreads(), lambda: threading.current_thread().daemon)
    assert names is True


async def test_what_a_call_raises_comes_back() -> None:
    def fail() -> None:
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError, match="planted"):
        await asyncio.get_running_loop().run_in_executor(DaemonThreads(), fail)
