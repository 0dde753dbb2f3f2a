"""The status for people: one screen, and the same live."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import stat
import textwrap
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from speakerd.errors import UnavailableError
from speakerd.service import client
from speakerd.service.journal import ledger_line
from speakerd.service.wording import count, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Status = Mapping[str, object]

#: Where the values begin.
_COLUMN = 14
_CLEAR = "\x1b[H\x1b[2J"


def lines(status: Status) -> Iterator[str]:
    """The answer to the command ``status``, line by line.

    What an older daemon does not tell is left out.
    """
    if "summary" in status:
        yield f"{status['summary']}"
        yield ""
    yield _line("speaker is", status["state"])
    yield _line("link", f"{status['link']}, context={status['context']}, {status['model']}")
    for device in ("microphone", "speaker", "button"):
        yield _line(device, status[device])
    parts = status.get("parts")
    if isinstance(parts, dict):
        yield from (_line(name, word) for name, word in parts.items() if name != "volume")
    yield from _volume(status)
    yield from _timers(status)
    without = status["without"]
    if isinstance(without, list) and without:
        yield _line("without", f"{', '.join(without)}: the server refuses it")
    today = status.get("today")
    if isinstance(today, dict):
        budget = status.get("budget")
        daily_usd = budget["daily_usd"] if isinstance(budget, dict) else None
        yield _line("today", _today(today, daily_usd))
    in_all = status.get("in_all")
    if isinstance(in_all, dict):
        yield _line("in all", _in_all(in_all))
    yield _line("turns", f"{status['turns']}, reconnects {status['reconnects']}")
    last = status["last_turn"]
    if isinstance(last, dict):
        number, text = ledger_line(last).split(": ", 1)
        yield _line("last turn", f"{text} ({number})")
    yield from _last_error(status)
    uptime_s = status.get("uptime_s")
    if isinstance(uptime_s, int | float):
        yield _line("version", f"{status.get('version')}, up {duration(uptime_s)}")


def watch(path: Path, out: TextIO) -> int:
    """Show the status on ``out`` as it changes, until Ctrl-C or the end of the daemon; exit code.

    A terminal has its screen redrawn, anything else gets a line for each change. ``path`` is the
    control socket. Raises UnavailableError where nobody answers there.
    """
    show = _Screen(out) if _is_a_screen(out) else _Log(out)
    try:
        with client.subscribe(path) as events, _while_read(out, events.hang_up):
            show.status(_asked(path))
            for event in events:
                match event.get("event"):
                    case "state" | "turn":
                        show.event(event)
                        show.status(_asked(path))
                    case "dropped":
                        raise UnavailableError(f"{event.get('error')}")
                    case _:
                        pass  # a piece of what is said changes nothing here
    except (KeyboardInterrupt, _GoneError):
        pass
    except BrokenPipeError:  # `speakerd status --watch | head` has read enough
        raise
    except OSError as error:
        raise UnavailableError(f"standard output: {error.strerror}") from None
    return 0


@contextlib.contextmanager
def _while_read(out: TextIO, hang_up: Callable[[], None]) -> Iterator[None]:
    """Call ``hang_up`` when nobody reads the pipe ``out`` any longer: it may be hours to a line."""
    if not _is_a_pipe(out):
        yield
        return
    woken, wake = os.pipe()
    poll = select.poll()
    poll.register(out.fileno(), 0)  # POLLERR, which comes unasked
    poll.register(woken, select.POLLIN)

    def wait() -> None:
        if out.fileno() in dict(poll.poll()):
            hang_up()

    waiting = threading.Thread(target=wait, name="reader of the status", daemon=True)
    waiting.start()
    try:
        yield
    finally:
        os.write(wake, b"\n")
        waiting.join()
        os.close(woken)
        os.close(wake)


def _is_a_pipe(out: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):  # it has no descriptor
        return False


class _GoneError(Exception):
    """The daemon has ended while it was watched."""


def _asked(path: Path) -> Status:
    try:
        return client.request(path, {"command": "status"})
    except UnavailableError as error:
        raise _GoneError from error


class _Screen:
    """A terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def event(self, event: Status) -> None:
        """Nothing of its own: the status has it all."""

    def status(self, status: Status) -> None:
        """Draw it in place of what was."""
        size = shutil.get_terminal_size()
        wrap = textwrap.TextWrapper(size.columns, subsequent_indent=" " * _COLUMN).wrap
        rows = [row for line in lines(status) for row in wrap(line) or [""]]
        self._out.write(_CLEAR + "\n".join(rows[: size.lines - 1]) + "\n")
        self._out.flush()


class _Log:
    """A pipe, a file, or a terminal that can only go on."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = ""

    def event(self, event: Status) -> None:
        """A turn has a line of its own."""
        if event.get("event") == "turn":
            self._line(ledger_line(event))

    def status(self, status: Status) -> None:
        """A line, unless it says what the last one has said."""
        line = f"{status.get('summary', status['state'])}"
        if line != self._last:
            self._last = line
            self._line(line)

    def _line(self, text: str) -> None:
        self._out.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        self._out.flush()


def _is_a_screen(out: TextIO) -> bool:
    return out.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}


def _line(name: str, text: object) -> str:
    return f"{name:<{_COLUMN}}{text}"


def _volume(status: Status) -> Iterator[str]:
    percent, parts = status.get("volume"), status.get("parts")
    if isinstance(percent, int):
        yield _line("volume", f"{percent} %")
    elif isinstance(parts, dict) and "volume" in parts:
        yield _line("volume", parts["volume"])
    if status.get("muted"):
        yield _line("muted", "the microphone is off")


def _timers(status: Status) -> Iterator[str]:
    timers = status.get("timers")
    for each in timers if isinstance(timers, list) else ():
        due = datetime.fromtimestamp(each["due_unix_s"]).astimezone()
        at = "now" if each["rings"] else due.strftime("%a %Y-%m-%d %H:%M:%S")
        name = f" ({each['name']})" if each["name"] else ""
        yield _line(f"{each.get('kind', 'timer')} {each['number']}", f"rings {at}{name}")


def _today(today: Mapping[str, Any], daily_usd: float | None) -> str:
    turns = count(today["turns"], "turn")
    tokens_in = f"{today['prompt_tokens']:,} tokens in{_kinds(today, 'in')}"
    tokens_out = f"{today['response_tokens']:,} out{_kinds(today, 'out')}"
    of = f" of {daily_usd:.2f} USD" if daily_usd else ""
    cost = "the model's price is not known" if today["cost_usd"] is None else _about(today) + of
    return f"{turns}, {tokens_in}, {tokens_out}, {cost}"


def _kinds(sums: Mapping[str, Any], way: str) -> str:
    """Of what the tokens are that went this way; nothing where an older daemon does not tell."""
    names = {kind: f"{kind}_{way}_tokens" for kind in ("audio", "text", "image")}
    names |= {"thoughts": "thought_tokens"} if way == "out" else {}
    found = [f"{sums[key]:,} {kind}" for kind, key in names.items() if sums.get(key)]
    return f" ({', '.join(found)})" if found else ""


def _about(sums: Mapping[str, Any]) -> str:
    cost_usd = sums["cost_usd"]
    return f"about {cost_usd:.2f} USD" if cost_usd >= 0.01 else "less than 0.01 USD"


def _in_all(sums: Mapping[str, Any]) -> str:
    since = f" since {sums['since']}" if sums["since"] else ""
    unpriced = sums["unpriced_tokens"]
    without = f", without {count(unpriced, 'token')} of unknown price" if unpriced else ""
    return f"{count(sums['turns'], 'turn')}{since}, {_about(sums)}{without}"


def _last_error(status: Status) -> Iterator[str]:
    error = status["last_error"]
    if not error:
        yield _line("last error", "none")
        return
    ago_s = status.get("last_error_ago_s")
    ago = f" ({duration(ago_s)} ago)" if isinstance(ago_s, int | float) else ""
    yield _line("last error", f"{error}{ago}")
    if remedy := status.get("last_error_remedy"):
        yield _line("  remedy", remedy)
