"""``speakerd demo``: one conversation, from the button to the loudspeaker.

Without arguments nothing of it needs hardware or a key: a stand-in sound card, recorded speech
and the Live API simulator around the real daemon. With ``--card`` it is your sound card and your
voice, with GEMINI_API_KEY in the environment it is Gemini. ``--parrot`` is for a speaker that was
just wired: see :mod:`speakerd.demo.parrot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
import wave
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.config.options.model import TheInstruction, TheMemory, TheModel, WhatItMayDo
from speakerd.config.sources import variable_of
from speakerd.demo import parrot, speech, timeline, verdict
from speakerd.demo.process import DaemonProcess
from speakerd.demo.soundcard import DAC_RATE_HZ, StandInCard
from speakerd.errors import UnavailableError
from speakerd.service import client
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

API_KEY = "GEMINI_API_KEY"
#: How long a turn may take from the press to its end: Gemini may think, a Pi is slow.
TURN_TIMEOUT_S = 90.0
#: What follows the last sample through the card's own buffers.
TRAIL_S = 0.3
_SAMPLE_BYTES = 2
#: What is heard is to be the reply alone.
_NO_EARCONS = {"SPEAKERD_EARCON_VOLUME": "0"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the demo."""
    parser.add_argument(
        "--card",
        metavar="PCM",
        help="use this ALSA PCM as microphone and speaker, with Enter as the button",
    )
    parser.add_argument(
        "--parrot",
        action="store_true",
        help="repeat your own words, with the card, button and lamp of the env file; needs no key",
    )


def run(args: argparse.Namespace) -> int:
    """Hold the conversation; 0 only if the reply was heard in full, or the parrot ended well."""
    if args.parrot:
        with _ended_by_signals():
            return parrot.run(args.card, _running_simulator)
    if args.card and not sys.stdin.isatty():
        raise UnavailableError("with --card Enter is the button, but there is no terminal")
    with _ended_by_signals():
        return _run(args.card)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Whatever ends the demo, also a closed terminal, ends all that it has started.

    Ctrl-C does so by itself; the exit code is that of shells, 128 and the signal's number.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, _frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # the way out is not disturbed
        raise SystemExit(128 + number)

    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(card: str | None) -> int:
    directory = Path(tempfile.mkdtemp(prefix="speakerd-demo-"))
    with contextlib.ExitStack() as stack:
        simulator: Simulator | None = None
        environment = {"GPIOZERO_PIN_FACTORY": "mock"} | _chosen()
        if os.environ.get(API_KEY):
            _say("Live API", "Gemini, with your key")
        else:
            simulator = stack.enter_context(_running_simulator())
            environment |= simulator.environment()
            _say("Live API", f"a simulator that repeats what it hears ({API_KEY} is not set)")
        hold = _with_own_card if card else _with_stand_in_card
        return hold(directory, environment, card or "", simulator)


def _chosen() -> dict[str, str]:
    """What the person has chosen of the model; devices and places are the demo's own."""
    areas = (TheModel, TheInstruction, WhatItMayDo, TheMemory)
    names = [variable_of(option) for area in areas for option in area.options()]
    return {name: os.environ[name] for name in names if name in os.environ}


@contextlib.contextmanager
def _running_simulator() -> Iterator[Simulator]:
    """A simulator with a thread and a loop of its own.

    The main thread is the person's: only there does Ctrl-C interrupt what waits for them.
    """
    started: Future[Simulator] = Future()
    stopping: Future[None] = Future()

    async def serve() -> None:
        async with Simulator() as simulator:
            started.set_result(simulator)
            await asyncio.wrap_future(stopping)

    with ThreadPoolExecutor(1, "simulator") as thread:
        serving = thread.submit(lambda: asyncio.run(serve()))
        try:
            either: tuple[Future[Any], ...] = (started, serving)
            wait(either, return_when=FIRST_COMPLETED)
            if not started.done():
                serving.result()  # raises what it failed with
            yield started.result()
        finally:
            stopping.set_result(None)
    serving.result()


# --- with the stand-in card: everything can be checked


def _with_stand_in_card(
    directory: Path, environment: dict[str, str], _card: str, simulator: Simulator | None
) -> int:
    spoken = speech.load()
    with StandInCard() as card:
        _say("sound card", "a stand-in: real ALSA, no hardware")
        devices = _devices(card.capture_device, card.playback_device) | _NO_EARCONS
        with DaemonProcess(directory, environment | devices | card.environment()) as daemon:
            _say("daemon", f"speakerd run, ready after {daemon.ready_s:.1f} s")
            _say("you say", f"{_seconds(spoken, speech.RATE_HZ)} of recorded speech")
            start = card.heard_bytes()
            with _turn(daemon) as turn:
                turn.press()
                _sleep_until(card.play_into_microphone(spoken))
                turn.release()
                ledger = turn.wait()
            card.wait_heard(card.heard_bytes() + _bytes(TRAIL_S))
            heard = card.heard(start)
        print(*timeline.lines(ledger), sep="\n")
        path = directory / "heard.wav"
        _write_wav(path, verdict.trimmed(heard))
        print(f"\nWhat was heard: {path}")
        sent = simulator.turns[-1] if simulator and simulator.turns else None
        problem = verdict.reply_problem(ledger, heard, bytes(sent.reply) if sent else None)
        if problem is None and sent is not None:
            problem = verdict.utterance_problem(bytes(sent.utterance), spoken)
        problem = problem or verdict.exit_problem(daemon.exit_code)
    if problem is not None:
        print(f"FAILED: {problem}. The daemon's log: {daemon.log}", file=sys.stderr)
        return 1
    every = "every sample of it" if simulator else "to its end"
    print(f"The reply was heard in full: {ledger['reply_s']:.1f} s, {every}.")
    return 0


# --- with a card of one's own: the person is the judge


def _with_own_card(
    directory: Path, environment: dict[str, str], card: str, _simulator: Simulator | None
) -> int:
    _say("sound card", card)
    with DaemonProcess(directory, environment | _devices(card, card)) as daemon:
        status = client.request(daemon.socket, {"command": "status"})
        for device in ("microphone", "speaker"):
            if status[device] != "ready":
                raise UnavailableError(f"{device}: {status[device]}")
        _say("daemon", f"speakerd run, ready after {daemon.ready_s:.1f} s")
        with _turn(daemon) as turn:
            _wait_for_enter("\nPress Enter, then speak. ")
            turn.press()
            _wait_for_enter("Press Enter when you have said it. ")
            turn.release()
            ledger = turn.wait()
    print(*timeline.lines(ledger), sep="\n")
    problem = verdict.turn_problem(ledger) or verdict.exit_problem(daemon.exit_code)
    if problem is not None:
        print(f"FAILED: {problem}. The daemon's log: {daemon.log}", file=sys.stderr)
        return 1
    print(f"\nThe reply was played to its end: {ledger['reply_s']:.1f} s.")
    return 0


def _wait_for_enter(prompt: str) -> None:
    try:
        input(prompt)
    except EOFError:
        print()  # the cursor is still behind the prompt
        raise UnavailableError("the input ended, but Enter is the button") from None


# --- one turn over the control socket


@dataclass(slots=True)
class _Turn:
    daemon: DaemonProcess
    events: Iterator[dict[str, object]]

    def press(self) -> None:
        client.request(self.daemon.socket, {"command": "press"})

    def release(self) -> None:
        client.request(self.daemon.socket, {"command": "release"})

    def wait(self) -> dict[str, Any]:
        """The ledger of the turn, when it is over."""
        for event in self.events:
            if event.get("event") == "turn":
                return event
        raise UnavailableError(f"the daemon has gone away; it said:\n{self.daemon.last_words()}")


@contextlib.contextmanager
def _turn(daemon: DaemonProcess) -> Iterator[_Turn]:
    """A turn whose end is listened for before it begins; it begins when there is a connection."""
    with client.subscribe(daemon.socket, timeout_s=TURN_TIMEOUT_S) as events:
        status = client.request(daemon.socket, {"command": "status"})
        while status["link"] != "ready":
            if status["last_error"] is not None:
                raise UnavailableError(
                    f"no connection: {status['last_error']} (speakerd doctor looks why). "
                    f"The daemon's log: {daemon.log}"
                )
            next(events, None)
            status = client.request(daemon.socket, {"command": "status"})
        yield _Turn(daemon, events)


# --- small things


def _devices(capture: str, playback: str) -> dict[str, str]:
    return {"SPEAKERD_CAPTURE_DEVICE": capture, "SPEAKERD_PLAYBACK_DEVICE": playback}


def _say(what: str, text: str) -> None:
    print(f"{what + ':':<12} {text}", flush=True)


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


def _bytes(seconds: float) -> int:
    return int(seconds * DAC_RATE_HZ) * _SAMPLE_BYTES


def _seconds(pcm: bytes, rate_hz: int) -> str:
    return f"{len(pcm) / _SAMPLE_BYTES / rate_hz:.1f} s"


def _write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(DAC_RATE_HZ)
        file.writeframes(pcm)
