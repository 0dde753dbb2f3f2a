"""The daemon as a process: its log, its signals, its loop."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from speakerd import config
from speakerd.daemon.root import Daemon
from speakerd.daemon.translate import secrets_of
from speakerd.service import chronicle, journal
from speakerd.service.threads import DaemonThreads
from speakerd.tools.commands import clashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.config import Loaded


def run(read: Callable[[], Loaded]) -> NoReturn:
    """Run the daemon in the foreground until it is told to stop, and end the process.

    ``read()`` reads the configuration, now and at every reload; what it raises at the start is
    passed on, and so is a bug.
    """
    loaded = _usable(read)
    settings = loaded.settings
    # systemd's watchdog sends SIGABRT: the journal says where it hung. All threads, although one
    # that runs meanwhile may end this by SIGSEGV (python/cpython#116008): a sound driver that hangs
    # with the GIL held does so in another thread than the loop's, and then none of them runs.
    faulthandler.enable(all_threads=True)
    journal.configure(settings.log_level, secrets=secrets_of(settings))
    chronicle.starting(loaded)
    config.export_library_variables(loaded)
    asyncio.run(_serve(loaded, lambda: _usable(read)))
    # Everything is closed. To take its modules apart would cost a small Pi another second, of the
    # two in which the daemon has to be gone.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _usable(read: Callable[[], Loaded]) -> Loaded:
    """What is read. Raises ConfigError also where it does not go with the tools that there are."""
    loaded = read()
    if clashing := [*clashes(loaded.settings)]:
        raise config.refusal(clashing, loaded.warnings)
    return loaded


async def _serve(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    daemon = Daemon(loaded.settings, reading=(loaded, read))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonThreads())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    await daemon.serve()
