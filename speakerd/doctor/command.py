"""``speakerd doctor``: every check in its turn, a line for what each finds.

    exit 0   nothing is broken; there may be warnings
    exit 69  something is: the speaker does not work before that is mended

69 is what every one-shot command says when a device or a service that it needs is not there.
A bug in a check ends that check only, and is told as one of the failures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from speakerd.doctor import host
from speakerd.doctor.findings import Level, fail
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System

    class Check(Protocol):
        """Looks at one thing."""

        __name__: str

        def __call__(self, system: System, /) -> Iterable[Finding]:
            """What it finds."""
            ...


#: Each is a module of this package, with its CHECKS. These need no configuration, so that they
#: have something to say at once, also where nothing can be imported that reads it.
FIRST = ("packages", "clock")
#: Outside in: what a check needs has been looked at by the ones before it.
THEN = (
    *("machine", "configuration", "service", "network", "gemini"),
    *("board", "sound", "voice", "button", "keypad", "camera", "tools", "mcp"),
)

_ISSUES = "this is a bug in speakerd: please report it, with `speakerd doctor --report FILE`"
_COLOURS = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31"}
_INDENT = "      "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the doctor."""
    parser.add_argument(
        "--no-ask",
        action="store_true",
        help="ask nobody to press the button or to say something",
    )
    parser.add_argument(
        "--board",
        metavar="NAME",
        nargs="?",
        const="",
        help="compare the machine with the profile of this sound board, or of the one set up",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write what was found, and all that a helper wants to know, without any secrets",
    )


def run(args: argparse.Namespace) -> int:
    """Look at everything; 0 only if nothing fails.

    Raises UnavailableError where the file of the report cannot be made.
    """
    somebody = not args.no_ask and sys.stdin.isatty() and sys.stdout.isatty()
    system = host.bare(dict(os.environ), Terminal() if somebody else None)
    system = dataclasses.replace(system, board=args.board)
    return tell(Examination(system, host.configured), args.report)


def tell(examination: Examination, report: Path | None = None) -> int:
    """Print what is found, as it is found; returns the exit code. Raises as :func:`run`."""
    coloured = is_coloured(sys.stdout, examination.system.environ)
    found: list[Finding] = []
    with _report(report) as write:
        for finding in examination.findings():
            _say("\n".join(lines(finding, coloured=coloured)))
            found.append(finding)
        levels = Counter(each.level for each in found)
        _say(f"\n{summary(levels)}")
        write(examination.system, found)
    return UnavailableError.exit_code if levels[Level.FAIL] else 0


@contextlib.contextmanager
def _report(path: Path | None) -> Iterator[Callable[[System, list[Finding]], None]]:
    """How to write the report, if there is to be one; its file is made before the work is.

    Where that is interrupted, there is no file.
    """
    if path is None:
        yield lambda _system, _found: None
        return
    from speakerd.doctor import report  # noqa: PLC0415 - seldom asked for

    with report.create(path) as file:

        def write(system: System, found: list[Finding]) -> None:
            file.write(report.text(system, found))
            _say(f"The report is in {path}. Read it before you give it to anybody.")

        try:
            yield write
        except BaseException:
            path.unlink()
            raise


class Examination:
    """All checks, one after the other; ``system`` is what is known of the machine so far.

    ``configured`` reads its configuration, when that is needed.
    """

    def __init__(self, system: System, configured: Callable[[System], System]) -> None:
        self.system = system
        self._configured = configured

    def findings(self) -> Iterator[Finding]:
        """What they find, as they find it."""
        for area in FIRST:
            yield from findings(area, self.system)
        self.system = self._configured(self.system)
        for area in THEN:
            yield from findings(area, self.system)


def findings(area: str, system: System) -> Iterator[Finding]:
    """What the checks of ``area`` find; that one cannot look is a finding, too."""
    try:
        checks: Sequence[Check] = importlib.import_module(f"speakerd.doctor.{area}").CHECKS
    except Exception as error:  # noqa: BLE001 - an installation may be broken in any way
        yield _failed(area, area, error)
        return
    for check in checks:
        try:
            yield from check(system)
        except Exception as error:  # noqa: BLE001 - it must not hide what the others find
            yield _failed(area, f"{area}.{check.__name__}", error)


def _failed(area: str, name: str, error: Exception) -> Finding:
    what = f"the check {name} has failed: {type(error).__name__}: {error}"
    return fail(area, what, _ISSUES)


def lines(finding: Finding, *, coloured: bool) -> Iterator[str]:
    """A finding for people: what is so, and below it what mends it."""
    level = f"{finding.level:<4}"
    if coloured:
        level = f"\N{ESCAPE}[{_COLOURS[finding.level]}m{level}\N{ESCAPE}[0m"
    yield f"{level}  {finding.area:<13} {plain(finding.what)}"
    if finding.remedy:
        yield f"{_INDENT}{plain(finding.remedy)}"


def plain(text: str) -> str:
    """One line that no terminal takes for orders."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for letter in " ".join(text.split())
    )


def summary(counts: Counter[Level]) -> str:
    """The last line."""
    told = ", ".join(f"{counts[level]} {level}" for level in (Level.FAIL, Level.WARN, Level.OK))
    if counts[Level.FAIL]:
        return f"{told}: mend what fails first, from the top"
    return f"{told}: nothing is broken"


def is_coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal that shows colours, and nobody minds (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Terminal:
    """Whoever sits at it."""

    def tell(self, text: str) -> None:
        """Say it on a line of its own."""
        _say(f"{_INDENT}>>> {text}")


def _say(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201 - to tell is what the doctor is for
    except BrokenPipeError:  # `speakerd doctor | head` has read enough
        raise
    except OSError as error:
        raise UnavailableError(f"standard output: {error.strerror}") from None
