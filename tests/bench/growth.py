"""What grows with time in one daemon: by turns, and by a very long answer."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from speakerd.demo.soundcard import DAC_RATE_HZ
from speakerd.simulator import Outcome, Pacing, SimulatorOptions
from speakerd.simulator.audio import write_wav
from tests.bench import process
from tests.bench.books import books_of
from tests.bench.contenders import SPEAKERD, Daemon, running
from tests.bench.report import Figure, Section
from tests.bench.rig import noise
from tests.bench.stages import on_stage
from tests.bench.turns import ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from speakerd.demo.soundcard import StandInCard
    from tests.bench.books import Books
    from tests.bench.contenders import Stage

#: Short turns: what counts is how many there are.
_HELD_S = 0.05
_REPLY_S = 0.1
_SHORT = {
    "SPEAKERD_MIN_PRESS_MS": "0",
    "SPEAKERD_TAIL_MS": "20",
    "SPEAKERD_ECHO_GUARD_MS": "0",
}
_NEWEST = 10  # turns, over which a mark's latencies are
_LONG_REPLY_S = 600.0
_ASKED_S = 0.4
_TAP_S = 0.1  # it stops the answer and asks nothing
_SETTLED_S = 8.0  # speakerd gives memory back when it has been still for 5 s
_PATIENCE_S = 120.0
_KIB = 1024
_MIB = 1024 * _KIB


class _Latency(NamedTuple):
    """Of one turn, in milliseconds."""

    to_start: float  # from the press to activityStart on the wire
    to_sample: float  # from the first reply byte to the first sample


def turns(card: StandInCard, cache: Path, directory: Path, count: int) -> Section:
    """``count`` turns in one daemon, which is looked at after 10, 100, 1,000 ... and the last."""
    options = _options(directory, _REPLY_S)
    return on_stage(card, cache, options, lambda stage: _many(stage, count))


def long_answer(card: StandInCard, cache: Path, directory: Path) -> Section:
    """An answer of ten minutes that comes in a burst, and is stopped."""
    return on_stage(card, cache, _options(directory, _LONG_REPLY_S), _long)


def _options(directory: Path, reply_s: float) -> SimulatorOptions:
    reply = directory / f"reply-of-{reply_s:g}-s.wav"
    write_wav(reply, noise(_REPLY_S, DAC_RATE_HZ) * round(reply_s / _REPLY_S), DAC_RATE_HZ)
    return SimulatorOptions(
        reply=reply,
        pacing=Pacing.BURST,
        transcription_delay_s=0.0,
        first_audio_delay_s=0.0,
        go_away_after_s=None,  # one connection for all
    )


@contextlib.contextmanager
def _daemon(stage: Stage, options: Mapping[str, str]) -> Iterator[tuple[Daemon, Books]]:
    with running(SPEAKERD, stage, options) as daemon, books_of(daemon) as books:
        assert isinstance(daemon, Daemon)
        assert books is not None
        daemon.wait_for_connection()
        yield daemon, books


# --- many turns


def _many(stage: Stage, count: int) -> Section:
    marks: list[list[Figure]] = []
    newest: deque[_Latency] = deque(maxlen=_NEWEST)
    due = 10
    with _daemon(stage, _SHORT) as (daemon, books):
        began_at = time.monotonic()
        for number in range(1, count + 1):
            newest.append(_short_turn(stage, daemon, books))
            if number in {due, count}:
                marks.append(_look(daemon, number, newest))
            if number == due:
                due *= 10
        turn_s = (time.monotonic() - began_at) / count
    return Section(
        f"{count} turns in one daemon, {turn_s:.2f} s each",
        [figure for same in zip(*marks, strict=True) for figure in same],
    )


def _short_turn(stage: Stage, daemon: Daemon, books: Books) -> _Latency:
    pressed_at = daemon.press()
    time.sleep(_HELD_S)
    daemon.release()
    ledger = books.turn_ended()
    turn = stage.simulator.turns[-1]
    first_sample_at = pressed_at + ledger["first_sample_ms"] / 1000
    return _Latency(
        to_start=ms(pressed_at, turn.activity_start_at),
        to_sample=ms(turn.first_reply_at, first_sample_at),
    )


def _look(daemon: Daemon, number: int, newest: Sequence[_Latency]) -> list[Figure]:
    kept_bytes, logged_bytes = _sizes(daemon)
    after = f"after {number}"
    return [
        Figure(f"press -> activityStart, {after}", "ms", [one.to_start for one in newest]),
        Figure(f"reply byte -> first sample, {after}", "ms", [one.to_sample for one in newest]),
        Figure(f"RSS, {after}", "MiB", [process.rss_mib(daemon.pid)]),
        Figure(f"PSS, {after}", "MiB", [process.pss_mib(daemon.pid)]),
        Figure(f"descriptors, {after}", "", [process.descriptors(daemon.pid)]),
        Figure(f"threads, {after}", "", [len(process.threads(daemon.pid))]),
        Figure(f"files of the state, {after}", "KiB", [kept_bytes / _KIB]),
        Figure(f"journal, {after}", "KiB", [logged_bytes / _KIB]),
    ]


def _sizes(daemon: Daemon) -> tuple[int, int]:
    """What it keeps in its state directory, and what it has logged, in bytes."""
    log = daemon.process.log
    files = [path for path in log.parent.rglob("*") if path.is_file() and path != log]
    return sum(map(_size, files)), _size(log)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it was new, and has taken the place of the one before it
        return 0


# --- a long answer


def _long(stage: Stage) -> Section:
    memory: list[Figure] = []
    with _daemon(stage, {}) as (daemon, books):

        def look(when: str) -> None:
            time.sleep(_SETTLED_S)
            memory.append(Figure(f"RSS, {when}", "MiB", [process.rss_mib(daemon.pid)]))
            memory.append(Figure(f"PSS, {when}", "MiB", [process.pss_mib(daemon.pid)]))

        look("before it")
        before = process.counters(daemon.pid)
        daemon.press()
        time.sleep(_ASKED_S)
        daemon.release()
        turn = stage.wait_for(
            lambda: next(
                (one for one in stage.simulator.turns if one.outcome is Outcome.COMPLETE), None
            ),
            _PATIENCE_S,
        )
        look("all of it has come")
        used = process.counters(daemon.pid).since(before)
        daemon.press()
        time.sleep(_TAP_S)
        daemon.release()
        books.turn_ended("stopped")
        look("after it was stopped")
        peak = process.peak_rss_mib(daemon.pid)
    return Section(
        f"An answer of {turn.reply_s / 60:g} minutes in one burst",
        [
            Figure("its PCM alone", "MiB", [len(turn.reply) / _MIB]),
            *memory,
            Figure("RSS, at most", "MiB", [peak]),
            Figure("CPU to take it in", "ms", [1000 * used.cpu_s]),
        ],
    )
