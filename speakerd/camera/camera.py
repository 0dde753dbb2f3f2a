"""The camera of a speaker: takes pictures while somebody speaks, and none at any other time."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from typing import TYPE_CHECKING

from speakerd.camera.program import Program, missing
from speakerd.commands import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STOP_S = 0.9  # how long a stop waits for what was killed to be gone
_DIGITS = re.compile(r"\d+")


class Camera:
    """Runs ``command`` at each press, and every ``interval_s`` until its end (0: only once).

    ``ready`` is called when the command is there, and when it has taken a picture after all;
    ``lost`` with the reason why there was none, once for each. Everything but :meth:`stop` is
    called in the loop's thread, and so are these.
    """

    def __init__(
        self,
        command: Sequence[str],
        interval_s: float,
        *,
        ready: Callable[[], None],
        lost: Callable[[str], None],
    ) -> None:
        self._program = Program(command)
        self._path = command[0]
        self._interval_s = interval_s
        self._ready = ready
        self._lost = lost
        self._told: str | None = None  # the reason; "" that it is ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by turn; all but one are ending

    def start(self) -> None:
        """Tell whether there is such a program; none is run."""
        self._tell("" if shutil.which(self._path) else missing(self._program.name))

    def stop(self) -> None:
        """Let nothing of it run any longer. From any thread but the loop's, which must run."""
        if self._loop is not None:
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(_STOP_S)

    def begin(self, turn: int, show: Callable[[bytes], None]) -> None:
        """Take pictures for ``turn`` from now on, and hand each JPEG to ``show``."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._take(show), name=f"camera {turn}")
        self._tasks[turn] = task
        task.add_done_callback(lambda _: self._tasks.pop(turn))

    def end(self, turn: int) -> None:
        """Take none for ``turn`` any more; what is being taken is thrown away."""
        if turn in self._tasks:
            self._tasks[turn].cancel()

    async def _end_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, show: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._interval_s
            try:
                show(await self._program.picture())
                self._tell("")
            except CommandError as error:
                self._tell(str(error))
            if not self._interval_s:
                return
            await asyncio.sleep(next_at - loop.time())

    def _tell(self, reason: str) -> None:
        """Tell what is news; another number in it is none, as of a time or of a process."""
        told = _DIGITS.sub("#", reason)
        if told == self._told:
            return
        self._told = told
        if reason:
            self._lost(reason)
        else:
            self._ready()
