"""The leak guard, tried on tests that leak in every way it knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]

SHARED = """
import asyncio, os, socket, threading, time
import pytest
import tests.guard

never = threading.Event()
kept = []
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str) -> pytest.RunResult:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(SHARED + body)
    return pytester.runpytest_subprocess("-p", "tests.guard", "-p", "no:cacheprovider")


def test_each_kind_of_leak_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(
        pytester,
        monkeypatch,
        """
        tests.guard.PATIENCE_S = 0.1

        async def test_task():
            kept.append(asyncio.create_task(asyncio.Event().wait(), name="orphan"))

        async def test_task_of_a_fixture(started):
            pass

        @pytest.fixture
        async def started():
            kept.append(asyncio.create_task(asyncio.sleep(3600), name="foundling"))
            yield

        async def test_timer():
            asyncio.get_running_loop().call_later(3600, print)

        def test_thread():
            threading.Thread(target=never.wait, name="runaway", daemon=True).start()

        def test_descriptor():
            kept.append(os.open(os.devnull, os.O_RDONLY))

        async def test_socket():
            kept.append(socket.socket())
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(passed=6, errors=6)
    result.stdout.fnmatch_lines_random(
        [
            "*task *name='orphan'*",
            "*task *name='foundling'*",
            "*timer *print*",
            "*thread *runaway*",
            "*file descriptor *: /dev/null",
            "*file descriptor *: socket:*",
        ]
    )


def test_what_ends_or_was_there_before_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(
        pytester,
        monkeypatch,
        """
        @pytest.fixture(scope="session")
        def service():
            with socket.socket():
                stopping = threading.Event()
                thread = threading.Thread(target=stopping.wait)
                thread.start()
                yield
                stopping.set()
                thread.join()

        def test_session_fixture(service):
            pass

        def test_thread_that_is_just_finishing():
            threading.Timer(0.1, lambda: None).start()

        def test_descriptor_that_a_finishing_thread_closes():
            threading.Timer(0.1, os.close, [os.open(os.devnull, os.O_RDONLY)]).start()

        async def test_task_that_is_just_finishing():
            kept.append(asyncio.create_task(asyncio.sleep(0.1)))

        async def test_cancelled():
            asyncio.create_task(asyncio.sleep(3600)).cancel()
            asyncio.get_running_loop().call_later(3600, print).cancel()

        async def test_thread_pool_of_the_loop():
            await asyncio.to_thread(time.monotonic)
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(passed=6)
