"""``speakerd simulator``: the stand-in for anyone, until it is interrupted."""

from __future__ import annotations

import asyncio
import logging
import math
import shlex
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from speakerd.errors import ConfigError, UnavailableError
from speakerd.simulator.catalogue import MODELS, Model
from speakerd.simulator.options import Pacing, SimulatorOptions
from speakerd.simulator.server import Simulator

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_DEFAULTS = SimulatorOptions()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``speakerd simulator``."""
    parser.description = (
        "A strict stand-in for the Gemini Live API. Any client of it can talk to this one: "
        "set the variables that are printed first."
    )
    add = parser.add_argument
    add("--host", default=_DEFAULTS.host, help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add(
        "--name",
        default=_DEFAULTS.name,
        help="name or address by which clients on other machines reach it (default: none do)",
    )
    add(
        "--reply",
        metavar="FILE",
        default="parrot",
        help="a 16-bit WAV file to answer with; 'parrot' says what was said (default)",
    )
    add(
        "--pacing",
        choices=[pacing.value for pacing in Pacing],
        default=_DEFAULTS.pacing.value,
        help="how the audio of an answer is spread over time (default: %(default)s)",
    )
    add(
        "--speed",
        type=float,
        default=_DEFAULTS.speed,
        help="how many times faster than the real service to answer; 0: at once (default: 1)",
    )
    add("--key", action="append", help=f"an API key to accept (default: {_DEFAULTS.keys[0]})")
    add(
        "--model",
        action="append",
        help=f"a model to know, instead of the usual ones ({', '.join(MODELS)})",
    )
    add(
        "--idle-timeout",
        metavar="SECONDS",
        type=float,
        default=_DEFAULTS.idle_timeout_s,
        help="close a connection this long without input; 0: never (default: %(default)g)",
    )
    add(
        "--go-away-after",
        metavar="SECONDS",
        type=float,
        default=_DEFAULTS.go_away_after_s,
        help="announce the end of a connection at this age; 0: never (default: %(default)g)",
    )
    add(
        "--save-utterances",
        metavar="DIR",
        type=Path,
        help="keep what was heard in this directory, as WAV files",
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; the exit code.

    Raises ConfigError for options that cannot be used, UnavailableError if it cannot listen, and
    BrokenPipeError when nobody reads what it prints.
    """
    try:
        asyncio.run(_run(_options(args)))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return 0


def _options(args: argparse.Namespace) -> SimulatorOptions:
    for name in ("speed", "idle_timeout", "go_away_after"):
        number = getattr(args, name)
        if not 0 <= number < math.inf:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} {number:g}: a number from 0 is needed")
    for name in ("key", "model"):
        if not all(getattr(args, name) or [name]):
            raise ConfigError(f"--{name} must not be empty")
    return SimulatorOptions(
        host=args.host,
        port=args.port,
        name=args.name,
        keys=tuple(args.key or _DEFAULTS.keys),
        models={name: MODELS.get(name, Model()) for name in args.model or MODELS},
        reply=None if args.reply == "parrot" else Path(args.reply),
        pacing=Pacing(args.pacing),
        speed=args.speed,
        idle_timeout_s=args.idle_timeout or None,
        go_away_after_s=args.go_away_after or None,
        save_utterances=args.save_utterances,
    )


class _Printer(logging.StreamHandler[TextIO]):
    """Prints what happens for as long as it is read (``speakerd simulator | head``)."""

    def __init__(self, stream: TextIO, stop: Callable[[], None]) -> None:
        super().__init__(stream)
        self._stop = stop
        self.unread = False  # nobody reads any longer

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            self.unread = True
            self._stop()
        else:
            super().handleError(record)


async def _run(options: SimulatorOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.save_utterances is not None:
        try:
            options.save_utterances.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            where = f"--save-utterances {options.save_utterances}"
            raise ConfigError(f"{where}: {error.strerror}") from error
    try:
        simulator = Simulator(options)
    except OSError as error:
        raise ConfigError(f"--reply {options.reply}: {error.strerror}") from error
    logger, handler = logging.getLogger("speakerd.simulator"), _Printer(sys.stdout, stop.set)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    async with AsyncExitStack() as stack:
        stack.callback(logger.removeHandler, handler)
        try:
            await stack.enter_async_context(simulator)
        except OSError as error:
            where = f"{options.host}:{options.port}"
            raise UnavailableError(f"cannot listen on {where}: {error}") from error
        for name, value in simulator.environment().items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.flush()
        await stop.wait()
        if handler.unread:
            raise BrokenPipeError
