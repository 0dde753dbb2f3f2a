"""SIGTERM and SIGINT end the real daemon, cleanly and within two seconds, whatever it is doing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.demo.process import READY_TIMEOUT_S, DaemonProcess
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.alsa.speakerd_rig import BARE, Speaker, heard_from_now, on, running
from tests.audio.contract import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: What the daemon promises its service manager.
STOPPED_WITHIN_S = 2.0


def assert_clean(process: DaemonProcess, took_s: float) -> None:
    said = process.last_words()
    assert process.exit_code == 0, said
    assert took_s < STOPPED_WITHIN_S, said
    assert "Traceback" not in said
    assert not process.socket.exists()


async def _linked(speaker: Speaker) -> None:
    await speaker.link("ready")


async def _connecting(speaker: Speaker) -> None:
    await speaker.link("connecting")


async def _armed(speaker: Speaker) -> None:
    await speaker.link("ready")
    await speaker.command("press")
    await speaker.state("listening")


async def _listening(speaker: Speaker) -> None:
    await _armed(speaker)
    await speaker.say(bytes(6400))  # 0.2 s: longer than the shortest press


async def _in_the_tail(speaker: Speaker) -> None:
    await _listening(speaker)
    await speaker.command("release")


async def _thinking(speaker: Speaker) -> None:
    await speaker.link("ready")
    await speaker.command("say", text="hello")
    await speaker.state("thinking")


async def _speaking(speaker: Speaker) -> None:
    await speaker.link("ready")
    await speaker.command("say", text="hello")
    await speaker.state("speaking")


async def _refused(speaker: Speaker) -> None:
    await speaker.state("error")


@dataclass(frozen=True)
class Moment:
    """What a daemon is doing, and how it comes to do it."""

    reach: Callable[[Speaker], Awaitable[None]]
    options: dict[str, str] = field(default_factory=dict)
    phase: Phase = Phase.IDLE
    fault: faults.Act | faults.Shape = field(default_factory=faults.Pause)


MOMENTS = {
    "linked": Moment(_linked),
    "half-open": Moment(_linked, fault=faults.Silence(pongs=False)),
    "connecting": Moment(_connecting, phase=Phase.SETUP, fault=faults.Silence()),
    "armed": Moment(_armed, {"SPEAKERD_MIN_PRESS_MS": "2000"}),
    "listening": Moment(_listening),
    "in the tail": Moment(_in_the_tail, {"SPEAKERD_TAIL_MS": "3000"}),
    "thinking": Moment(_thinking, phase=Phase.THINKING, fault=faults.NoReply()),
    "speaking": Moment(_speaking, phase=Phase.REPLY, fault=faults.Silence()),
    "refused": Moment(_refused, {"GEMINI_API_KEY": "AIzaWrongKey"}),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
async def test_a_signal_ends_it(card: StandInCard, tmp_path: Path, moment: Moment) -> None:
    async with Simulator(SimulatorOptions(speed=0)) as simulator:
        simulator.plan.add(moment.phase, moment.fault, after_s=0.1, times=len(SIGNALS))

        async def end(number: signal.Signals) -> None:
            directory = tmp_path / number.name
            options = simulator.environment() | moment.options
            async with running(directory, card, options) as speaker:
                await moment.reach(speaker)
                assert_clean(speaker.process, await speaker.stop(number))

        await asyncio.gather(*map(end, SIGNALS))
        if moment.fault != faults.Silence(pongs=False):  # that one is told of nothing
            await simulator.wait_for(lambda: simulator.open_connections == 0)
    heard = await asyncio.to_thread(heard_from_now, card)
    assert not heard.strip(b"\0")


#: Python runs this file at its start, where it finds it.
RESOLVER_THAT_HANGS = """
import pathlib, socket, threading

def hang(*args, **kwargs):
    pathlib.Path("resolving").touch()
    threading.Event().wait()

socket.getaddrinfo = hang
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_while_google_genai_is_being_imported(
    card: StandInCard, tmp_path: Path, number: signal.Signals
) -> None:
    with DaemonProcess(tmp_path, BARE | on(card)) as process:
        began = time.monotonic()  # ready: now it imports, for half a second on a fast machine
        process.stop(number)
        assert_clean(process, time.monotonic() - began)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_while_a_name_is_being_resolved(
    card: StandInCard, tmp_path: Path, number: signal.Signals
) -> None:
    """Without a network the resolver tries for half a minute, and cannot be interrupted."""
    (tmp_path / "sitecustomize.py").write_text(RESOLVER_THAT_HANGS)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    nowhere = {"PYTHONPATH": path, "GOOGLE_GEMINI_BASE_URL": "https://gemini.invalid"}
    with DaemonProcess(tmp_path, BARE | on(card) | nowhere) as process:
        wait_until((tmp_path / "resolving").exists)
        began = time.monotonic()
        process.stop(number)
        assert_clean(process, time.monotonic() - began)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_before_it_has_begun(
    card: StandInCard, tmp_path: Path, number: signal.Signals
) -> None:
    with DaemonProcess(tmp_path, BARE | on(card), wait=False) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda: "pydantic_core" in maps.read_text())  # it reads its configuration
        began = time.monotonic()
        process.stop(number)
        assert_clean(process, time.monotonic() - began)


#: Python drops what is raised in a finalizer: what the signal's handler raises, too.
SIGNAL_IN_A_FINALIZER = """
import signal, sys

class Finalized:
    def __del__(self):
        signal.raise_signal({number})

class Finder:
    def find_spec(self, name, *_):
        if name == "speakerd.daemon":
            Finalized()

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_where_python_drops_exceptions(
    card: StandInCard, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SIGNAL_IN_A_FINALIZER.format(number=int(number)))
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    bare = DaemonProcess(tmp_path, BARE | on(card) | {"PYTHONPATH": path}).environment()
    ended = subprocess.run(
        [sys.executable, "-m", "speakerd", "run"],
        env=bare,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=READY_TIMEOUT_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_before_it_is_ready(
    card: StandInCard, tmp_path: Path, number: signal.Signals
) -> None:
    with DaemonProcess(tmp_path, BARE | on(card), wait=False) as process:
        wait_until(process.socket.exists)
        began = time.monotonic()
        process.stop(number)
        assert_clean(process, time.monotonic() - began)
