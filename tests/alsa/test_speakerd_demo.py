"""``speakerd demo`` as people run it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import wave
from typing import TYPE_CHECKING

import pytest

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.alsa

MILESTONES = (
    "press: the gate opens",
    "activityStart",
    "first audio sent",
    "release",
    "activityEnd, after the tail",
    "first reply byte",
    "first sample played",
    "drained: all of it was heard",
)


def demo(directory: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it with nothing on stdin, to its end."""
    return subprocess.run(
        (sys.executable, "-m", "speakerd", "demo", *args),
        env=os.environ | {"TMPDIR": str(directory), "HOME": str(directory)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_it_holds_one_conversation_and_shows_it(tmp_path: Path) -> None:
    ended = demo(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    out = ended.stdout
    lines = re.findall(r"^ *(\d+) ms  (.*)$", out, re.MULTILINE)
    assert [text for _, text in lines if text in MILESTONES] == list(MILESTONES)
    times = [int(at) for at, _ in lines]
    assert times == sorted(times)
    (said,) = re.findall(r"^The reply was heard in full: ([\d.]+) s, every", out, re.MULTILINE)
    (heard,) = tmp_path.glob("speakerd-demo-*/heard.wav")
    assert f"What was heard: {heard}" in out
    with wave.open(str(heard)) as sound:
        assert sound.getframerate() == 24_000
        # without the silence of the pre-roll and the tail, and of the recordings' own
        assert 0.6 < sound.getnframes() / 24_000 / float(said) <= 1.01
    assert [path.name for path in tmp_path.iterdir()] == [heard.parent.name]


async def test_a_reply_that_breaks_off_is_a_failure(tmp_path: Path) -> None:
    """With a key in the environment the demo talks to whatever server that leads to."""
    async with Simulator() as simulator:
        simulator.plan.add(Phase.REPLY, faults.Abort(), after_s=0.5)
        ended = await asyncio.to_thread(demo, tmp_path, **simulator.environment())
    assert ended.returncode == 1
    assert "Gemini, with your key" in ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line.startswith("FAILED: the turn ended as 'cut'. The daemon's log: ")
    assert "heard in full" not in ended.stdout


async def test_a_key_that_is_refused_is_said_and_69(tmp_path: Path) -> None:
    async with Simulator() as simulator:
        wrong = simulator.environment() | {"GEMINI_API_KEY": f"not-{DEFAULT_KEY}"}
        ended = await asyncio.to_thread(demo, tmp_path, **wrong)
    assert ended.returncode == 69
    (line,) = ended.stderr.splitlines()
    assert line.startswith("speakerd: no connection: ")
    assert "API key" in line


def test_a_card_of_ones_own_needs_a_terminal(tmp_path: Path) -> None:
    ended = demo(tmp_path, "--card", "default")
    assert (ended.returncode, ended.stdout) == (69, "")
    (line,) = ended.stderr.splitlines()
    assert "no terminal" in line
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_it_and_all_it_has_started(tmp_path: Path) -> None:
    with subprocess.Popen(
        (sys.executable, "-m", "speakerd", "demo"),
        env=os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("you say:"):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):  # nobody of that group is left
        os.killpg(process.pid, 0)
    assert [path for path in tmp_path.iterdir() if "demo" not in path.name] == []
