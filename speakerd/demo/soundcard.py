"""A stand-in sound card: real alsa-lib, real time, no hardware.

A private PulseAudio server, reached through ALSA's ``pulse`` plugin, plays the card. Its
microphone is a pipe that a thread feeds at the pace of real time (silence, until something is
played into it), its DAC a null sink whose monitor is recorded. It needs no /dev/snd, no D-Bus
and no sound server of the user's, runs as root as well, and leaves nothing behind.

Sound is S16_LE mono: 16 kHz into the microphone, 24 kHz out of the DAC; both ways are bit-exact
for a program that uses these formats.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MICROPHONE_RATE_HZ = 16_000
DAC_RATE_HZ = 24_000

_SAMPLE_BYTES = 2
_START_TIMEOUT_S = 20.0  # a cold start on a slow board; it takes 0.3 s on a server
_STOP_TIMEOUT_S = 5.0

_ALSA_CONFIG = """\
</usr/share/alsa/alsa.conf>
pcm.{capture} {{
    type pulse
    server "unix:{socket}"
    device "{capture}"
}}
pcm.{playback} {{
    type pulse
    server "unix:{socket}"
    device "{playback}"
}}
"""


class StandInCard:
    """A sound card of software, from ``start()`` (or ``with``) to ``stop()``.

    Programs that are started with :meth:`environment` find the ALSA PCMs named
    :attr:`capture_device` and :attr:`playback_device`. What they play is :meth:`heard`. Raises
    :class:`~speakerd.errors.DeviceError` when PulseAudio is missing or does not come up.
    """

    capture_device = "standin_microphone"
    playback_device = "standin_dac"

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()
        self._directory = Path()
        self._feeder = _Feeder()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bring the card up; returns when it can be opened and records (blocks up to 20 s)."""
        with contextlib.ExitStack() as undo:
            self._directory = Path(
                undo.enter_context(tempfile.TemporaryDirectory(prefix="standin-card-"))
            )
            self._write_alsa_config()
            server = undo.enter_context(self._running("server", *self._server_command()))
            self._wait_until(self._socket.exists, server)
            self._feeder.start(self._fifo)
            undo.callback(self._feeder.stop)
            # PulseAudio reads the pipe only while somebody listens, and would let the next one
            # hear what has been said in the meantime: so somebody always does.
            undo.enter_context(self._running("listener", *self._parec(self.capture_device)))
            undo.enter_context(
                self._running("recorder", *self._parec(f"{self.playback_device}.monitor"))
            )
            self._wait_until(lambda: self.heard_bytes() > 0, server)
            self._cleanup = undo.pop_all()

    def stop(self) -> None:
        """Take the card away, recording and all; harmless when it is not there."""
        self._cleanup.close()

    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to find the card."""
        return {
            "ALSA_CONFIG_PATH": str(self._directory / "asound.conf"),
            "PULSE_COOKIE": str(self._directory / "cookie"),
            "PULSE_RUNTIME_PATH": str(self._directory),  # else libpulse leaves one in /tmp
        }

    def play_into_microphone(self, pcm: bytes) -> float:
        """Let the microphone hear ``pcm`` (S16_LE mono 16 kHz), after what it hears already.

        Returns at once; the result is the time of ``time.monotonic()`` at which its end will
        have been heard, to about 20 ms.
        """
        return self._feeder.play(pcm)

    def heard_bytes(self) -> int:
        """How much the DAC has played, silence included, since the start."""
        return _whole_samples(self._recording.stat().st_size)

    def heard(self, since_bytes: int = 0) -> bytes:
        """What the DAC played (S16_LE mono 24 kHz) since a position of :meth:`heard_bytes`."""
        with self._recording.open("rb") as recording:
            recording.seek(since_bytes)
            pcm = recording.read()
        return pcm[: _whole_samples(len(pcm))]

    def wait_heard(self, position_bytes: int, timeout_s: float = 5.0) -> None:
        """Return when the recording has come to ``position_bytes`` (24 kHz, so 48,000 a second).

        The recording lags some 50 ms behind what the DAC is given. Raises
        :class:`~speakerd.errors.DeviceError` after ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        while self.heard_bytes() < position_bytes:
            if time.monotonic() > deadline:
                raise DeviceError("the stand-in sound card has stopped recording")
            time.sleep(0.01)

    # --- the parts

    @property
    def _socket(self) -> Path:
        return self._directory / "native"

    @property
    def _fifo(self) -> Path:
        return self._directory / "microphone"

    @property
    def _recording(self) -> Path:
        return self._directory / "heard.raw"

    def _write_alsa_config(self) -> None:
        (self._directory / "asound.conf").write_text(
            _ALSA_CONFIG.format(
                socket=self._socket, capture=self.capture_device, playback=self.playback_device
            )
        )

    def _server_command(self) -> tuple[str, ...]:
        # norewinds: without it the first 4-60 ms of every stream are lost
        dac = f"norewinds=1 rate={DAC_RATE_HZ} channels=1 format=s16le"
        microphone = f"file={self._fifo} rate={MICROPHONE_RATE_HZ} channels=1 format=s16le"
        return (
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--use-pid-file=no",
            "--exit-idle-time=-1",
            "--realtime=no",
            "--high-priority=no",
            "--disable-shm=yes",
            "--log-target=stderr",
            "--log-level=warn",
            f"--load=module-null-sink sink_name={self.playback_device} {dac}",
            f"--load=module-pipe-source source_name={self.capture_device} {microphone}",
            # last, so that whoever finds the socket finds the devices
            f"--load=module-native-protocol-unix socket={self._socket} auth-anonymous=1",
        )

    def _parec(self, source: str) -> tuple[str, ...]:
        rate_hz = MICROPHONE_RATE_HZ if source == self.capture_device else DAC_RATE_HZ
        return (
            "parec",
            f"--server=unix:{self._socket}",
            f"--device={source}",
            "--raw",
            f"--rate={rate_hz}",
            "--channels=1",
            "--format=s16le",
            "--latency-msec=20",
        )

    @contextlib.contextmanager
    def _running(self, name: str, program: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        path = shutil.which(program)
        if path is None:
            raise DeviceError(
                f"the stand-in sound card needs {program}:"
                " apt install pulseaudio pulseaudio-utils libasound2-plugins"
            )
        home = str(self._directory)
        environment = os.environ | {
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "PULSE_RUNTIME_PATH": home,
            "PULSE_STATE_PATH": home,
            "PULSE_COOKIE": str(self._directory / "cookie"),
            "LC_ALL": "C",
        }
        out_path = self._recording if name == "recorder" else Path(os.devnull)
        with (
            out_path.open("wb") as out,
            (self._directory / f"{name}.err").open("wb") as err,
        ):
            process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                (path, *args), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_until(self, condition: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not condition():
            if server.poll() is not None or time.monotonic() > deadline:
                words = (self._directory / "server.err").read_text(errors="replace").split("\n")
                raise DeviceError(
                    "the stand-in sound card did not come up; PulseAudio says: "
                    + (" / ".join(line for line in words if line)[-500:] or "nothing")
                )
            time.sleep(0.01)


def _whole_samples(size_bytes: int) -> int:
    return size_bytes - size_bytes % _SAMPLE_BYTES


class _Feeder:
    """The thread that keeps the microphone's pipe filled at the pace of real time."""

    _BLOCK_S = 0.01
    _BLOCK_BYTES = int(MICROPHONE_RATE_HZ * _BLOCK_S) * _SAMPLE_BYTES

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._due = 0.0  # when the next block is written
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, fifo: Path) -> None:
        self._stopping.clear()
        self._due = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(fifo,), name="standin-microphone")
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def play(self, pcm: bytes) -> float:
        with self._lock:
            # What is written when a block is due was heard in the time before it, as with a real
            # microphone: until now there was silence.
            heard_until = self._due - self._BLOCK_S
            if not self._pending:
                silence_s = max(0.0, time.monotonic() - heard_until)
                self._pending += bytes(int(silence_s * MICROPHONE_RATE_HZ) * _SAMPLE_BYTES)
            self._pending += pcm
            return heard_until + len(self._pending) / _SAMPLE_BYTES / MICROPHONE_RATE_HZ

    def _run(self, fifo: Path) -> None:
        # Not blocking: a server that has died must not hold up stop(). PulseAudio keeps the
        # read end open, so there is always a reader to open it for.
        pipe = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        try:
            while not self._stopping.wait(max(0.0, self._due - time.monotonic())):
                # A full pipe or none at all: a card that hangs or is gone hears nothing.
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    os.write(pipe, self._next_block())
        finally:
            os.close(pipe)

    def _next_block(self) -> bytes:
        with self._lock:
            block = bytes(self._pending[: self._BLOCK_BYTES])
            del self._pending[: self._BLOCK_BYTES]
            self._due += self._BLOCK_S
        return block.ljust(self._BLOCK_BYTES, b"\0")
