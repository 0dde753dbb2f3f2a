"""What speakerd's journal on the machine says, as it is said."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.virtual_pi.shell import Shell

Entry: TypeAlias = Mapping[str, str]

#: The journal's own fields that a reader of a failed test wants to see beside the message
_TIME = "__REALTIME_TIMESTAMP"
#: Which one it is
_CURSOR = "__CURSOR"
_JOURNAL = "journalctl -u speakerd -b -o json"


class Journal:
    """The entries of the unit since the boot, of speakerd and of systemd about it."""

    def __init__(self, shell: Shell, copy: Path) -> None:
        self.entries: list[Entry] = []
        self._shell = shell
        self._copy = copy
        self._read_so_far: set[str] = set()  # their cursors
        self._said = asyncio.Condition()
        self._reading = False

    async def mark(self, *, timeout_s: float = 120.0) -> int:
        """For :meth:`wait` and :meth:`since`: what is said from now on.

        What was said before has been read by then; it may come late. Raises TimeoutError.
        """
        newest = await self._shell.run(
            f"journalctl --sync && {_JOURNAL} -q -n 1 --output-fields=PRIORITY"
        )
        if newest:
            cursor = json.loads(newest)[_CURSOR]
            async with asyncio.timeout(timeout_s), self._said:
                await self._said.wait_for(lambda: cursor in self._read_so_far)
        return len(self.entries)

    def since(self, mark: int, event: str | None = None, **fields: str) -> list[Entry]:
        """The entries from a mark on, of that event, whose ``SPEAKERD_`` fields are those."""
        return [entry for entry in self.entries[mark:] if _is(entry, event, fields)]

    def messages(self, mark: int = 0) -> str:
        """What was said from a mark on, one line each."""
        return "\n".join(entry["MESSAGE"] for entry in self.entries[mark:])

    def headline(self, text: str) -> None:
        """For who reads the copy: what all that follows belongs to."""
        with self._copy.open("a") as copy:
            copy.write(f"\n== {text}\n")

    async def wait(
        self,
        event: str | None = None,
        *,
        since: int,
        text: str = "",
        timeout_s: float = 120.0,
        **fields: str,
    ) -> Entry:
        """The first entry from a mark on of that event, with ``text`` in its message.

        Raises AssertionError, with all that was said instead.
        """

        def found() -> Iterator[Entry]:
            return (
                entry for entry in self.since(since, event, **fields) if text in entry["MESSAGE"]
            )

        try:
            async with asyncio.timeout(timeout_s), self._said:
                await self._said.wait_for(lambda: any(found()) or not self._reading)
                if entry := next(found(), None):
                    return entry
                raise AssertionError("nobody reads the journal any more")
        except TimeoutError:
            wanted = " ".join(
                [f"event {event}", *(f"{key}={fields[key]}" for key in fields), repr(text)]
            )
            raise AssertionError(
                f"not in the journal after {timeout_s:g} s: {wanted}; but\n{self.messages(since)}"
            ) from None

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read along, from the beginning of this boot, until the context or the machine ends."""
        async with self._shell.stream(f"{_JOURNAL} --no-tail -f") as lines:
            reading = asyncio.create_task(self._read(lines), name="the journal's reader")
            self._reading = True
            try:
                yield
            finally:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading

    async def _read(self, lines: asyncio.StreamReader) -> None:
        try:
            with self._copy.open("a") as copy:
                while line := await lines.readline():
                    entry: dict[str, str] = json.loads(line)
                    is_text = isinstance(entry.get("MESSAGE"), str)
                    if is_text:  # and not bytes of somebody else's, as a list of numbers
                        copy.write(f"{int(entry[_TIME]) / 1e6:.3f} {entry['MESSAGE']}\n")
                        copy.flush()
                    async with self._said:
                        self._read_so_far.add(entry[_CURSOR])
                        self.entries += [entry] if is_text else []
                        self._said.notify_all()
        finally:
            self._reading = False
            async with self._said:
                self._said.notify_all()


def _is(entry: Entry, event: str | None, fields: Mapping[str, str]) -> bool:
    return (event is None or entry.get("SPEAKERD_EVENT") == event) and all(
        entry.get(f"SPEAKERD_{name.upper()}") == value for name, value in fields.items()
    )
