"""``speakerd demo --parrot``: your own words back, on a speaker that was just wired.

The daemon runs with the options of the installed env file, and so with the real card, button, lamp
and volume; Gemini is the simulator, which repeats what it hears. No key is asked for or used.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.audio.controls import mixer_of
from speakerd.audio.level import Verdict, measure
from speakerd.config import boards, control_socket, examine, refusal
from speakerd.config.options.model import (
    TheInstruction,
    TheKey,
    TheMemory,
    TheModel,
    WhatItMayDo,
)
from speakerd.config.settings import VARIABLES, Settings
from speakerd.config.sources import (
    STATE_DIRECTORY,
    env_file_of,
    read_env_file,
    text_of,
    variable_of,
)
from speakerd.demo import verdict
from speakerd.demo.process import DaemonProcess
from speakerd.errors import ConfigError, UnavailableError
from speakerd.service import client
from speakerd.simulator.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from speakerd.simulator.server import Simulator

_PIN_FACTORY = "GPIOZERO_PIN_FACTORY"
#: What there is no model for.
_OF_GEMINI = (TheKey, TheModel, TheInstruction, WhatItMayDo, TheMemory)
_NOT_TAKEN = (
    *(option for area in _OF_GEMINI for option in area.options()),
    *("control_socket", "state_directory"),
)
#: What is taken from the environment and the env file.
TAKEN = (VARIABLES.keys() - {variable_of(option) for option in _NOT_TAKEN}) | {_PIN_FACTORY}

#: What the button is for, by its mode: how a sentence begins, and how it ends.
_GESTURES = {
    "hold": ("Hold the button", "let go"),
    "toggle": ("Tap the button", "tap it again"),
    "auto": ("Hold or tap the button", "let go or tap it again"),
}
_ENTER = ("Press Enter", "press it again")
_MUTED = "muted: the microphone is off; open the switch, or press the mute button again"
_UNMUTED = "not muted any more: the microphone is on"
_DEAF = (
    "nothing was heard: the microphone gives digital silence; look at its mute switch, and at the"
    " wires of an I2S one (data, L/R, 3V3)"
)
#: What is nobody's fault, or has a remedy of its own.
_ENDS = {
    "stopped": "you stopped it",
    "spoken-on": "you spoke on before it was answered: both are answered together",
    "empty": "nothing was captured: did the microphone come loose?",
    "silent": _DEAF,
    "shutdown": "that was the end",
}


def configured(environ: Mapping[str, str]) -> tuple[Settings, dict[str, str], tuple[str, ...]]:
    """The settings, the variables that lead a daemon to them, and warnings of one line each.

    Raises ConfigError where the env file cannot be read, or an option that counts here is bad.
    """
    # where its own state is kept is of no interest: it is not used
    environ = {**environ, STATE_DIRECTORY: tempfile.gettempdir()}
    try:
        in_file = read_env_file(environ)
    except ConfigError as error:
        if isinstance(error.__context__, PermissionError):
            raise ConfigError(f"{error}: sudo speakerd demo --parrot") from None
        raise
    found = examine(environ)
    if problems := [line for name, line in found.problems.items() if name in TAKEN]:
        raise refusal(problems, found.warnings)
    texts = {name: text_of(environ, name) or text_of(in_file, name) for name in sorted(TAKEN)}
    return found.settings, {name: text for name, text in texts.items() if text}, found.warnings


def run(card: str | None, simulating: Callable[[], AbstractContextManager[Simulator]]) -> int:
    """Repeat what is said, turn after turn, until Ctrl-C; 0 if all ended well.

    ``card`` is used as microphone and speaker in place of those that are configured;
    ``simulating()`` runs the simulator. Raises ConfigError, and UnavailableError where a device is
    missing or busy.
    """
    environ = dict(os.environ)
    if card is not None:
        environ |= {"SPEAKERD_CAPTURE_DEVICE": card, "SPEAKERD_PLAYBACK_DEVICE": card}
    settings, variables, warnings = configured(environ)
    for warning in warnings:
        print(f"speakerd: warning: {warning}", file=sys.stderr)
    _refuse_beside_a_daemon(control_socket(environ))
    keys = [sys.stdin.fileno()] if sys.stdin is not None and sys.stdin.isatty() else []
    directory = Path(tempfile.mkdtemp(prefix="speakerd-demo-"))
    with (
        simulating() as simulator,
        DaemonProcess(directory, variables | simulator.environment()) as daemon,
    ):
        status = client.request(daemon.socket, {"command": "status"})
        lines = [*introduction(settings, status, env_file_of(environ), terminal=bool(keys))]
        _say([_line("log", daemon.log), *lines])
        with suppress(KeyboardInterrupt):  # the way to end it
            parrot = Parrot(daemon.socket, settings, lambda: _last_utterance(simulator))
            parrot.run(keys, muted=status["muted"] is True)
    if (problem := verdict.exit_problem(daemon.exit_code)) is not None:
        print(f"FAILED: {problem}. The daemon's log: {daemon.log}", file=sys.stderr)
        return 1
    return 0


def introduction(
    settings: Settings, status: Mapping[str, object], env_file: Path, *, terminal: bool
) -> Iterator[str]:
    """What is tried, and what to do. Raises UnavailableError where that cannot be done."""
    for device, option in (
        ("microphone", "SPEAKERD_CAPTURE_DEVICE"),
        ("speaker", "SPEAKERD_PLAYBACK_DEVICE"),
    ):
        if status[device] != "ready":
            raise UnavailableError(f"{device}: {status[device]}; see {option}, or give --card")
    has_button = status["button"] == "ready"
    if not has_button and not terminal:
        raise UnavailableError(
            f"button: {status['button']}; without a terminal there is no Enter in its place"
        )
    found = "" if env_file.exists() else " (which is not there)"
    yield _line("options", f"{env_file}{found}")
    yield _line("Live API", "a simulator that repeats what it hears; no key is used")
    yield _line("microphone", settings.capture_device)
    yield _line("speaker", settings.playback_device)
    yield _line("button", f"GPIO{settings.button_pin}" if has_button else f"{status['button']}")
    parts = status["parts"] if isinstance(status["parts"], dict) else {}
    if status["volume"] is not None:
        parts = parts | {"volume": f"{status['volume']} %"}
    yield from (_line(name, word) for name, word in parts.items())
    if status["muted"]:
        yield _MUTED
    begin, end = _GESTURES[settings.button_mode] if has_button else _ENTER
    yield ""
    yield f"{begin}, say something, {end}: the speaker repeats it. Ctrl-C ends it."
    if has_button and terminal:
        yield "Enter, before and after, does the same as the button."


class Parrot:
    """The turns of the daemon on the control socket ``path``.

    ``utterance()`` is what was heard in the last turn that was answered, S16_LE mono at 16 kHz.
    ``root`` is ``/``, but in tests.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        utterance: Callable[[], bytes],
        root: Path = Path("/"),
    ) -> None:
        self._path = path
        self._mixer = mixer_of(boards.hearing(settings.capture_device, root), root / "proc")
        self._utterance = utterance
        self._down = False  # Enter's button

    def run(self, keys: list[int], *, muted: bool) -> None:
        """Tell how each turn went, until the terminal ends (Ctrl-D).

        ``keys`` is the file descriptor of a terminal, or empty: there each line is a press or a
        release. Raises UnavailableError where the daemon goes away.
        """
        over, ending = socket.socketpair()
        with (
            over,
            ending,
            client.subscribe(self._path) as events,
            ThreadPoolExecutor(1, "events") as thread,
        ):
            telling = thread.submit(self._tell, events, muted)
            telling.add_done_callback(lambda _: ending.shutdown(socket.SHUT_WR))
            try:
                watched = [over.fileno(), *keys]
                while over.fileno() not in (ready := select.select(watched, (), ())[0]):
                    typed = os.read(ready[0], 4096)
                    if not typed:
                        return
                    for _ in range(typed.count(b"\n")):
                        self._enter()
            finally:
                events.hang_up()
        telling.result()  # raises what has ended it
        raise UnavailableError("the daemon has gone away")

    def _enter(self) -> None:
        answer = client.request(self._path, {"command": "release" if self._down else "press"})
        if answer.get("ok") is not True:  # it is muted
            _say([f"{answer.get('error', 'refused')}"])
            return
        self._down = not self._down
        if self._down:
            _say(["Speak, then press Enter."])

    def _tell(self, events: Iterable[Mapping[str, Any]], muted: bool) -> None:
        for event in events:
            match event:
                case {"event": "turn"}:
                    _say([turn_line(event, self._utterance(), self._mixer)])
                case {"event": "state", "muted": now} if now != muted:
                    muted = now
                    _say([_MUTED if muted else _UNMUTED])


def turn_line(ledger: Mapping[str, Any], utterance: bytes, mixer: str) -> str:
    """How the turn of ``ledger`` went, and what mends it.

    ``utterance`` is what was heard (S16_LE mono), ``mixer`` that of the microphone.
    """
    return f"turn {ledger['turn']}: {_what_happened(ledger, utterance, mixer)}"


def _what_happened(ledger: Mapping[str, Any], utterance: bytes, mixer: str) -> str:
    if (outcome := ledger["outcome"]) != "answered":
        return _ENDS.get(outcome) or f"{verdict.turn_problem(ledger)}; the log tells more"
    level = measure(utterance)
    if level is None or level.verdict is Verdict.SILENT:
        return _DEAF
    peak = f"peak {round(level.peak_dbfs)} dBFS"
    adjust = f"alsamixer -V capture -D {mixer}, then sudo alsactl store"
    match level.verdict:
        case Verdict.QUIET:
            return f"it was very quiet ({peak}): speak from nearer, or turn it up: {adjust}"
        case Verdict.CLIPPED:
            return f"it was too loud, and cut off ({peak}): turn it down: {adjust}"
    heard = f"heard {ledger['utterance_s']:.1f} s ({peak}), "
    if ledger["underruns"]:
        return f"{heard}but {verdict.turn_problem(ledger)}"
    return f"{heard}and repeated them in full"


def _refuse_beside_a_daemon(path: Path) -> None:
    """Raises UnavailableError where a daemon listens on ``path``: the devices are its own."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except PermissionError:
            pass  # it is there, but for others
        except OSError:
            return
    raise UnavailableError(
        f"speakerd is running ({path}) and has the sound card and the pins:"
        " sudo systemctl stop speakerd"
    )


def _last_utterance(simulator: Simulator) -> bytes:
    answered = [turn for turn in simulator.turns if turn.outcome is Outcome.COMPLETE]
    return bytes(answered[-1].utterance) if answered else b""


def _line(what: str, text: object) -> str:
    return f"{what + ':':<12} {text}"


def _say(lines: Iterable[str]) -> None:
    print(*lines, sep="\n", flush=True)
