"""``speakerd demo`` as people run it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.demo import speech
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY
from speakerd.simulator.server import Simulator
from tests.audio.contract import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.demo.soundcard import StandInCard

pytestmark = pytest.mark.alsa

PATIENCE_S = 40.0  # with a person's terminal, on which nothing happens for a while

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
    assert "daemon's log: " in line


def test_a_card_of_ones_own_needs_a_terminal(tmp_path: Path) -> None:
    ended = demo(tmp_path, "--card", "default")
    assert (ended.returncode, ended.stdout) == (69, "")
    (line,) = ended.stderr.splitlines()
    assert "no terminal" in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def heeded() -> Iterator[None]:
    """What is started heeds a hangup, also under nohup, whose children would ignore it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_and_all_it_has_started(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
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
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == exit_code
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):  # nobody of that group is left
        os.killpg(process.pid, 0)
    assert [path for path in tmp_path.iterdir() if "demo" not in path.name] == []


# --- with a card of one's own, on a terminal


class Terminal:
    """A person's terminal with ``speakerd demo`` in it."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._master = master
        self._shown = b""

    def read_until(self, text: str, times: int = 1) -> None:
        """Wait until ``text`` is on the screen, so many times."""
        while self.shown.count(text) < times:
            assert self._read(), self.shown

    def read_to_end(self) -> int:
        """The exit code, when it is over."""
        while self._read():
            pass
        return self.process.wait(5)

    def type(self, keys: bytes) -> None:
        """Type, when the program has gone to sleep over its prompt.

        Python's input() prints its prompt before it reads: a Ctrl-C between the two interrupts
        nothing, and it would take a second one.
        """
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S")
        os.write(self._master, keys)

    @property
    def shown(self) -> str:
        return self._shown.decode().replace("\r\n", "\n")

    def _read(self) -> bytes:
        assert select.select([self._master], [], [], PATIENCE_S)[0], self.shown
        try:
            more = os.read(self._master, 4096)
        except OSError:  # EIO: nobody has the terminal open any more
            more = b""
        self._shown += more
        return more


@contextlib.contextmanager
def terminal_with(directory: Path, *args: str, **environment: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    with (
        contextlib.ExitStack() as stack,
        subprocess.Popen(
            ("setsid", "--ctty", sys.executable, "-m", "speakerd", "demo", *args),
            env=os.environ | {"TMPDIR": str(directory), "HOME": str(directory)} | environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        ) as process,
    ):
        os.close(slave)
        stack.callback(os.close, master)
        try:
            yield Terminal(master, process)
        finally:
            process.kill()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with terminal_with(tmp_path, "--card", "null") as terminal:
        yield terminal


FIRST = "Press Enter, then speak. "
SECOND = "Press Enter when you have said it. "


def assert_nobody_is_left(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def speak(card: StandInCard, words: bytes) -> None:
    said_at = card.play_into_microphone(words)
    time.sleep(max(0.0, said_at - time.monotonic()))  # what a person says takes its time


def test_enter_is_the_button(tmp_path: Path, card: StandInCard) -> None:
    config = tmp_path / "asound.conf"
    config.write_text(
        f"<{card.environment()['ALSA_CONFIG_PATH']}>\n"
        "pcm.my_card {\n"
        "    type asym\n"
        f"    capture.pcm {card.capture_device}\n"
        f"    playback.pcm {card.playback_device}\n"
        "}\n"
    )
    with terminal_with(tmp_path, "--card", "my_card", ALSA_CONFIG_PATH=str(config)) as terminal:
        terminal.read_until(FIRST)
        terminal.type(b"\n")
        terminal.read_until(SECOND)
        speak(card, speech.load(speech.RECORDINGS[:1]))
        terminal.type(b"\n")
        assert terminal.read_to_end() == 0
        assert "ms  release\n" in terminal.shown
        assert "The reply was played to its end: " in terminal.shown
        assert_nobody_is_left(terminal.process.pid)


@pytest.mark.parametrize("prompt", [FIRST, SECOND])
def test_ctrl_c_at_a_prompt_ends_everything(terminal: Terminal, prompt: str) -> None:
    terminal.read_until(FIRST)
    if prompt == SECOND:
        terminal.type(b"\n")
        terminal.read_until(SECOND)
    terminal.type(b"\x03")
    assert terminal.read_to_end() == 130
    assert terminal.shown.endswith(f"{prompt}^C")
    assert_nobody_is_left(terminal.process.pid)


def test_ctrl_d_at_a_prompt_ends_everything_with_a_word(terminal: Terminal) -> None:
    terminal.read_until(FIRST)
    terminal.type(b"\x04")
    assert terminal.read_to_end() == 69
    (line,) = terminal.shown.split(FIRST)[1].split("\n")[1:-1]
    assert line == "speakerd: the input ended, but Enter is the button"
    assert_nobody_is_left(terminal.process.pid)


# --- the parrot, on a speaker that was just wired


KEY = "AIzaSyMine-and-nobody-elses"


def env_file(directory: Path, **options: str) -> str:
    path = directory / "installed.env"
    lines = [f"SPEAKERD_{name}={text}\n" for name, text in options.items()]
    path.write_text("".join([f"GEMINI_API_KEY={KEY}\n", *lines]))
    return str(path)


def environments_of_children(session: int) -> Iterator[bytes]:
    """Of all processes that the first one of a terminal's session has started."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if os.getsid(int(process.name)) == session != int(process.name):
                yield (process / "environ").read_bytes()


def test_a_parrot_repeats_turn_after_turn_without_a_key(tmp_path: Path, card: StandInCard) -> None:
    devices = {"CAPTURE_DEVICE": card.capture_device, "PLAYBACK_DEVICE": card.playback_device}
    installed = env_file(tmp_path, BUTTON_MODE="toggle", MODEL="no-such-model", **devices)
    chosen = {"SPEAKERD_ENV_FILE": installed, "GPIOZERO_PIN_FACTORY": "mock", "GEMINI_API_KEY": KEY}
    with terminal_with(tmp_path, "--parrot", **card.environment(), **chosen) as terminal:
        terminal.read_until("Tap the button, say something, tap it again")
        terminal.read_until("Enter, before and after, does the same as the button.")
        (daemons,) = environments_of_children(terminal.process.pid)
        assert b"GEMINI_API_KEY=" in daemons
        assert KEY.encode() not in daemons
        words = speech.load(speech.RECORDINGS[:1])
        turns = ((words, "heard "), (bytes(len(words)), "nothing was heard: "))
        for number, (spoken, said) in enumerate(turns, 1):
            terminal.type(b"\n")
            terminal.read_until("Speak, then press Enter.", number)
            speak(card, spoken)
            terminal.type(b"\n")
            terminal.read_until(f"turn {number}: {said}")
        terminal.type(b"\x03")
        assert terminal.read_to_end() == 0
        assert_nobody_is_left(terminal.process.pid)
    (directory,) = tmp_path.glob("speakerd-demo-*")
    assert not any(KEY in path.read_text() for path in directory.iterdir() if path.is_file())


def test_a_parrot_without_pins_has_enter_and_ctrl_d(tmp_path: Path) -> None:
    chosen = {"SPEAKERD_ENV_FILE": env_file(tmp_path), "GPIOZERO_PIN_FACTORY": "no-such"}
    with terminal_with(tmp_path, "--parrot", "--card", "null", **chosen) as terminal:
        terminal.read_until("Press Enter, say something, press it again")
        terminal.type(b"\x04")
        assert terminal.read_to_end() == 0
        assert "microphone:  null\nspeaker:     null\nbutton:      GPIO17: " in terminal.shown
        assert_nobody_is_left(terminal.process.pid)


def test_a_parrot_without_its_card_is_one_line_and_69(tmp_path: Path) -> None:
    chosen = {"SPEAKERD_ENV_FILE": env_file(tmp_path), "GPIOZERO_PIN_FACTORY": "mock"}
    ended = demo(tmp_path, "--parrot", "--card", "plughw:CARD=NoSuch", **chosen)
    assert (ended.returncode, ended.stdout) == (69, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("speakerd: microphone: plughw:CARD=NoSuch: ")


def test_a_parrot_with_an_option_that_is_wrong_is_78(tmp_path: Path) -> None:
    installed = env_file(tmp_path, BUTTON_PIN="99")
    ended = demo(tmp_path, "--parrot", SPEAKERD_ENV_FILE=installed)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == (
        f"speakerd: SPEAKERD_BUTTON_PIN in {installed} is '99';"
        " allowed: a whole number from 0 to 53\n"
    )
    assert not list(tmp_path.glob("speakerd-demo-*"))
