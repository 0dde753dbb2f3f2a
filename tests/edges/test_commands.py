"""A command of a person's own, with real processes that do all that one may do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from speakerd.commands import CommandError, MissingError, Runner
from tests.fakes.processes import Noted, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 100_000
HANGS = "sleep 1000 & note $!; wait"


def runner(*command: str, limit_s: float = 30.0) -> Runner:
    return Runner(command, "it", limit_s, MOST_BYTES, ending_s=30.0)


def unkillable(made: Runner) -> Runner:
    made.kill, made.ending_s = (lambda _pid: None), 0.0
    return made


class Scripts(Noted):
    """Makes scripts that ``note`` themselves, and what they start."""

    def runner(self, script: str, limit_s: float = 30.0) -> Runner:
        note = f"note() {{ echo $1 >>{self.file}; }}; note $$"
        return runner("sh", "-c", f"{note}; {script}", limit_s=limit_s)


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    made = Scripts(tmp_path / "pids")
    yield made
    for pid in made.running:
        os.kill(pid, signal.SIGKILL)


async def failure(made: Runner) -> str:
    with pytest.raises(CommandError) as caught:
        await made.run()
    return str(caught.value)


async def cancelled(running: asyncio.Task[bytes]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_no_shell_reads_it() -> None:
    assert await runner("echo", "$HOME", ";", "false", "|").run() == b"$HOME ; false |\n"


async def test_it_is_asked_nothing_and_what_it_complains_of_is_not_what_it_prints() -> None:
    assert await runner("sh", "-c", "cat; echo warning >&2; echo done").run() == b"done\n"


async def test_it_knows_what_we_know_or_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_OURS", "known")
    made = runner("env")
    assert b"OF_OURS=known\n" in await made.run()
    made.environment = {"ONLY": "this"}
    assert await made.run() == b"ONLY=this\n"


async def test_as_much_as_it_may_print() -> None:
    made = runner("head", "-c", str(MOST_BYTES), "/dev/zero")
    assert await made.run() == bytes(MOST_BYTES)


@pytest.mark.parametrize("script", [f"head -c {MOST_BYTES + 1} /dev/zero", "exec cat /dev/zero"])
async def test_one_that_prints_more_is_ended(scripts: Scripts, script: str) -> None:
    said = await failure(scripts.runner(script))
    assert said == "it prints more than 97 KiB; let it print less"
    assert scripts.running == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo one >&2; echo ' two ' >&2; echo >&2; exit 3", "(3): two"),
        ("echo; exit 1", "(1): it does not say why"),
        ("kill -SEGV $$", "(-11): it does not say why"),
        ("echo no auth_tokens/01 AIzaSyTest-key_01 >&2; exit 1", "(1): no [secret] [secret]"),
        ("printf 'x%.0s' $(seq 500) >&2; exit 1", f"(1): {'x' * 160}"),
        ("seq 1 100000 >&2; exit 1", "(1): 100000"),
        (r"printf '10 %%\r20 %%\r' >&2; exit 1", "(1): 20 %"),
        (r"printf 'a\033[31m\377b' >&2; exit 1", "(1): a\N{REPLACEMENT CHARACTER}[31m\ufffdb"),
    ],
)
async def test_one_that_fails_is_told_with_its_last_words(script: str, said: str) -> None:
    assert await failure(runner("sh", "-c", script)) == f"it failed {said}"


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
async def test_one_that_is_not_there(program: str) -> None:
    with pytest.raises(MissingError, match=rf"^it: {program} is not there$"):
        await runner(program, "x").run()


async def test_one_that_may_not_be_run(tmp_path: Path) -> None:
    said = await failure(runner(str(tmp_path)))
    assert said == f"it cannot be started: {tmp_path}: Permission denied"


async def test_one_whose_end_could_not_be_heard_of(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_pid: int) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", none_left)
    said = await failure(scripts.runner("exec sleep 1000"))
    assert said == "it cannot be started: sh: Too many open files"
    assert scripts.running == []


async def test_one_that_hangs_is_ended_with_its_children(scripts: Scripts) -> None:
    assert await failure(scripts.runner(HANGS, 2.0)) == "it is not ready after 2 s"
    assert len(scripts.pids) == 2
    await until(lambda: not scripts.running)


async def test_one_that_nobody_waits_for_any_longer_is_ended_with_its_children(
    scripts: Scripts,
) -> None:
    running = asyncio.create_task(scripts.runner(HANGS).run())
    await until(lambda: len(scripts.running) == 2)  # and the loop goes on meanwhile
    await cancelled(running)
    await until(lambda: not scripts.running)


async def test_so_is_one_that_has_only_just_been_started(scripts: Scripts) -> None:
    """A tap is short: the loop has done nothing since the start, and the child is there."""
    running = asyncio.create_task(scripts.runner(HANGS).run())
    await asyncio.sleep(0)
    while len(scripts.running) < 2:
        time.sleep(0.005)  # noqa: ASYNC251 - the loop is to stand still
    await cancelled(running)
    await until(lambda: not scripts.running)


async def test_what_it_leaves_running_is_ended_with_it(scripts: Scripts) -> None:
    assert await scripts.runner("echo done; sleep 1000 & note $!").run() == b"done\n"
    assert len(scripts.pids) == 2
    await until(lambda: not scripts.running)


@pytest.mark.parametrize("status", [0, 1])
async def test_what_has_left_its_group_holds_nothing_up(scripts: Scripts, status: int) -> None:
    """It has both pipes, and keeps them. Field 5 of stat is the group that is to be left first."""
    left = 'while [ "$(cut -d " " -f 5 /proc/$!/stat)" = $$ ]; do sleep 0.01; done'
    end = f"echo done; echo why >&2; exit {status}"
    made = scripts.runner(f"setsid sleep 1000 & note $!; {left}; {end}")
    if status:
        assert await failure(made) == "it failed (1): why"
    else:
        assert await made.run() == b"done\n"
    assert len(scripts.running) == 1


async def test_one_that_cannot_be_ended_holds_nothing_up_and_no_other_is_started(
    scripts: Scripts, tmp_path: Path
) -> None:
    """As one that waits for a driver that hangs, or to which sudo has given other rights."""
    mended = tmp_path / "mended"
    stuck = unkillable(scripts.runner(f"test -e {mended} || exec sleep 1000", 0.5))
    assert await failure(stuck) == "it is not ready after 0.5 s"
    await until(lambda: scripts.running)
    (pid,) = scripts.pids
    why = f"it hangs: process {pid} cannot be ended; kill it as root, or reboot"
    assert await failure(stuck) == why
    assert scripts.pids == [pid]
    mended.touch()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while len(scripts.pids) < 2:
            await asyncio.sleep(0.005)
            with contextlib.suppress(CommandError):
                assert await stuck.run() == b""


async def test_one_that_cannot_be_ended_is_heard_no_longer(scripts: Scripts) -> None:
    """That ends many: nobody reads what they print."""
    await failure(unkillable(scripts.runner("exec yes")))
    await until(lambda: not scripts.running)
