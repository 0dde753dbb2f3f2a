"""Who is measured: speakerd and its peers, behind one interface.

Each is a process of its own with the same version of Python, the same card and the same server, and
a :mod:`finger <tests.bench.finger>` on its button; the frameworks have environments of their own.
What becomes of a press is seen from outside, by the server and the card, for all of them alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from speakerd.audio.phrases import phrases
from speakerd.demo.process import DaemonProcess
from speakerd.errors import UnavailableError
from speakerd.simulator.records import Outcome
from tests.bench import finger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import Simulator
    from speakerd.simulator.records import ConnectionRecord, TurnRecord

T = TypeVar("T")

SPEAKERD = "speakerd"
#: The peer that everybody is compared with.
BARE = "bare"
FLOOR = "floor"
PIPECAT = "pipecat"
LIVEKIT = "livekit"
#: In the order of the table.
NAMES = (SPEAKERD, BARE, FLOOR)
#: They come behind these, and are measured only where somebody asks for them.
FRAMEWORKS = (PIPECAT, LIVEKIT)

_ROOT = Path(__file__).parents[2]
_PEERS = {
    BARE: "tests.bench.peers.bare",
    FLOOR: "tests.bench.peers.floor",
    PIPECAT: "tests.bench.peers.with_pipecat",
    LIVEKIT: "tests.bench.peers.with_livekit",
}
#: `make bench-peers` makes them. All others run on this interpreter.
INTERPRETERS = {name: _ROOT / ".venv-peers" / name / "bin" / "python" for name in FRAMEWORKS}
#: speakerd is measured as it is shipped; a scenario may say otherwise.
_OPTIONS = {
    "SPEAKERD_LINGER_S": "3600",  # the link stays up, as the peers' does
}
_PATIENCE_S = 30.0
_NOTICES_S = 120.0  # for all of them; a few seconds, usually


@dataclass(frozen=True, slots=True)
class Stage:
    """The surroundings that all contenders share. The simulator runs in ``loop``, not here."""

    card: StandInCard
    simulator: Simulator
    loop: asyncio.AbstractEventLoop
    cache: Path  # where speakerd keeps its spoken notices from one start to the next
    names: Sequence[str] = NAMES  # of those who are measured, in the order of the table

    def wait_for(self, condition: Callable[[], T | None], timeout_s: float = _PATIENCE_S) -> T:
        """What ``condition`` gives once it is true; the simulator looks after all that happens.

        Raises UnavailableError.
        """
        waiting = self.simulator.wait_for(condition, timeout_s)
        try:
            return cast("T", asyncio.run_coroutine_threadsafe(waiting, self.loop).result())
        except TimeoutError:
            raise UnavailableError("the server has waited for something in vain") from None

    def turn(self, number: int) -> TurnRecord | None:
        """The turn of this ``number``, once it has begun: the first has number 1.

        livekit-agents ends an utterance twice, the second time with an empty clientContent. That
        interrupts the answer, as a rule before its first byte, and begins a turn of its own; what
        it is answered belongs here.
        """
        turn, asked_again = (self._numbered(one) for one in (number, number + 1))
        if (
            turn is None
            or turn.outcome is not Outcome.INTERRUPTED
            or asked_again is None
            or (asked_again.kind, asked_again.text) != ("text", "")
        ):
            return turn
        return dataclasses.replace(
            turn,
            reply=asked_again.reply,
            reply_chunks=asked_again.reply_chunks,
            first_reply_at=asked_again.first_reply_at,
            outcome=asked_again.outcome,
        )

    def _numbered(self, number: int) -> TurnRecord | None:
        return next((one for one in self.simulator.turns if one.number == number), None)


class Contender:
    """A program that runs, and the finger on its button. Made by :func:`running`."""

    def __init__(
        self, name: str, pid: int, began_at: float, stage: Stage, hand: socket.socket
    ) -> None:
        self.name = name
        self.pid = pid
        self.began_at = began_at  # just before its exec
        self._stage = stage
        self._hand = hand

    def press(self) -> float:
        """Press the button, and hold it; the time of the edge."""
        return self._touch(finger.DOWN)

    def release(self) -> float:
        """Let go of the button; the time of the edge."""
        return self._touch(finger.UP)

    def wait_for_line(self) -> float:
        """When the program had its button open, and any press before this had come to it."""
        self._tell(finger.LOOK)
        self._hand.settimeout(_PATIENCE_S)
        try:
            answer = self._hand.recv(1)
        except TimeoutError:
            raise UnavailableError("it does not open its button") from None
        if not answer:
            raise UnavailableError("it has ended")
        return time.monotonic()

    def wait_for_connection(self) -> ConnectionRecord:
        """Its newest connection, once it is set up."""
        return self._stage.wait_for(self._connection)

    def wait_for_disconnection(self) -> None:
        """Return when it has no connection any more."""
        self._stage.wait_for(lambda: self._stage.simulator.open_connections == 0)

    def _connection(self) -> ConnectionRecord | None:
        for one in reversed(self._stage.simulator.connections):
            if one.opened_at > self.began_at and one.ready_at is not None:
                return one
        return None

    def _touch(self, edge: bytes) -> float:
        at = time.monotonic()
        self._tell(edge)
        return at

    def _tell(self, what: bytes) -> None:
        try:
            self._hand.send(what)
        except BrokenPipeError:
            raise UnavailableError("it has ended") from None


class Daemon(Contender):
    """speakerd, which has books of its own besides what is seen from outside."""

    def __init__(self, process: DaemonProcess, stage: Stage, hand: socket.socket) -> None:
        super().__init__(SPEAKERD, process.pid, process.began_at, stage, hand)
        self.process = process


@contextlib.contextmanager
def running(
    name: str, stage: Stage, options: Mapping[str, str] | None = None, *, wait: bool = True
) -> Iterator[Contender]:
    """The contender ``name``, just started; ``options`` are speakerd's, which is READY (``wait``).

    Raises UnavailableError with its last words if it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory:
        if name == SPEAKERD:
            starting = _daemon(Path(directory), stage, dict(options or {}), wait=wait)
        else:
            starting = _peer(name, Path(directory), stage)
        with starting as contender:
            yield contender


def prepare(stage: Stage) -> None:
    """Let speakerd make its spoken notices once; later ones find them, as on a real speaker."""
    if shutil.which("espeak-ng") is None:
        return
    wanted = len(set(phrases("").values()))
    with running(SPEAKERD, stage):
        deadline = time.monotonic() + _NOTICES_S
        while len(list(stage.cache.glob("*.prompt"))) < wanted:
            if time.monotonic() > deadline:
                raise UnavailableError("the spoken notices are not made")
            time.sleep(0.1)


def interpreter(name: str) -> str:
    """The interpreter that runs the contender ``name``."""
    return str(INTERPRETERS.get(name, sys.executable))


def connects_ms(stage: Stage, name: str, times: int) -> list[float]:
    """How long a peer's connections take, made one after another by a program of their own."""
    command = (sys.executable, "-m", "tests.bench.peers.connect", name, str(times + 1))
    done = subprocess.run(
        command,
        env=dict(os.environ) | _surroundings(stage),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [float(line) for line in done.stdout.split()][1:]


@contextlib.contextmanager
def _daemon(
    directory: Path, stage: Stage, options: dict[str, str], *, wait: bool
) -> Iterator[Contender]:
    devices = {
        "SPEAKERD_CAPTURE_DEVICE": stage.card.capture_device,
        "SPEAKERD_PLAYBACK_DEVICE": stage.card.playback_device,
        "CACHE_DIRECTORY": str(stage.cache),
    }
    with _listening(directory / "finger.sock") as listener:
        environment = _surroundings(stage, listener) | devices | _OPTIONS | options
        command = _command("speakerd", "run")
        with (
            DaemonProcess(directory, environment, command=command, wait=wait) as process,
            _accepted(listener) as hand,
        ):
            try:
                yield Daemon(process, stage, hand)
            except UnavailableError as error:
                raise UnavailableError(f"{error}; it said:\n{process.last_words()}") from error


@contextlib.contextmanager
def _peer(name: str, directory: Path, stage: Stage) -> Iterator[Contender]:
    devices = (stage.card.capture_device, stage.card.playback_device)
    path = directory / "peer.log"
    with _listening(directory / "finger.sock") as listener, path.open("wb") as log:
        began_at = time.monotonic()
        process = subprocess.Popen(
            (interpreter(name), *_command(_PEERS[name], *devices)),
            env=dict(os.environ) | _surroundings(stage, listener),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            with _accepted(listener) as hand:
                yield Contender(name, process.pid, began_at, stage, hand)
        except UnavailableError as error:
            said = path.read_text(errors="replace")[-2000:].strip()
            raise UnavailableError(f"{name}: {error}; it said:\n{said}") from error
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _command(*program: str) -> tuple[str, ...]:
    return ("-m", "tests.bench.finger", *program)


def _surroundings(stage: Stage, listener: socket.socket | None = None) -> dict[str, str]:
    """What every contender finds in its environment, with the way to its finger."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    named = {} if listener is None else {finger.SOCKET_VARIABLE: listener.getsockname()}
    environment = stage.card.environment() | stage.simulator.environment()
    return environment | {"PYTHONPATH": path} | named


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(_PATIENCE_S)
        yield listener


@contextlib.contextmanager
def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """The finger, which connects before its program is run. Raises UnavailableError."""
    try:
        hand, _ = listener.accept()
    except TimeoutError:
        raise UnavailableError("it has not started") from None
    with hand:
        yield hand
