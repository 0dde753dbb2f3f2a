"""The camera's command: one run of it is one picture, or one line that says why there is none."""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING

from speakerd.commands import CommandError, MissingError, Runner, least_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a picture may take. One that is 768 pixels wide, as the Live API recommends them, takes a
#: tenth of it; and what is said next waits behind it on the line.
MAX_BYTES = 1024 * 1024
#: A camera that wakes takes a second or two, on a small board three.
TIMEOUT_S = 10.0
#: How a JPEG begins and ends: SOI with the next marker's first byte, and EOI (ITU-T T.81, B.1).
_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"


class Program:
    """``command``, the program first; one runs at a time, and is told where programs are only."""

    def __init__(self, command: Sequence[str]) -> None:
        self.name = PurePath(command[0]).name
        self._runner = Runner(
            command, self.name, TIMEOUT_S, MAX_BYTES, environment=least_environment()
        )
        self._turn = asyncio.Lock()  # whose run it is

    async def picture(self) -> bytes:
        """A JPEG of at most :data:`MAX_BYTES`. Raises :class:`CommandError`."""
        async with self._turn:
            try:
                printed = await self._runner.run()
            except MissingError:
                raise CommandError(missing(self.name)) from None
        if not printed:
            remedy = "it has to write to its standard output, and may need leave: speakerd doctor"
            raise CommandError(f"{self.name} prints nothing; {remedy}")
        end = printed.rfind(_END)  # some cameras fill up what follows
        if not printed.startswith(_BEGIN) or end < 0:
            raise CommandError(f"what {self.name} prints is no JPEG, or not all of one")
        return printed[: end + len(_END)]


def missing(name: str) -> str:
    """What is said of a program that is not there."""
    return f"{name} is not there; install it, or set SPEAKERD_CAMERA_COMMAND to another one"
